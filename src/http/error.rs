//! The one error at the edge: it alone decides status, `Reason` and public sentence of a failure.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};

use super::envelope::Failure;
use crate::access::AccessError;
use crate::github::{self, Class};
use crate::limits::Limited;
use crate::ops::{self, Refusal};

/// What a caller may be told to wait when nobody knows how long.
const UNKNOWN_WAIT: Duration = Duration::from_secs(5);
/// Another replica serves meanwhile.
const REPLICA_WAIT: Duration = Duration::from_secs(1);

/// Why a request is not answered with what it asked for.
#[derive(Debug, Clone)]
pub enum ApiError {
    /// No such path.
    NotFound,
    /// The path exists, but not with this method.
    MethodNotAllowed {
        /// The methods that are served.
        allow: String,
    },
    /// No token was sent.
    MissingToken,
    /// What was sent as a token can't be one; with the public sentence.
    MalformedToken(&'static str),
    /// The caller may not.
    Access(AccessError),
    /// The caller sends too much.
    Limited(Limited),
    /// A parameter is needed.
    MissingParameter(&'static str),
    /// A parameter's value is not what it should be.
    InvalidParameter {
        /// Which one.
        name: &'static str,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// A name that this operation doesn't know.
    UnknownParameter(String),
    /// The same name more than once, or names that exclude each other; with the public sentence.
    ConflictingParameter(String),
    /// The body is not what its content type says.
    InvalidBody(String),
    /// The body is too large.
    PayloadTooLarge,
    /// The body is neither JSON nor a form.
    UnsupportedMediaType,
    /// The operation was refused or failed.
    Operation(ops::Error),
    /// The request as a whole took too long.
    Deadline,
    /// There is no memory for another body whose sender is not known.
    TooManyBodies,
    /// The service stopped and could not wait for the end.
    ShuttingDown,
    /// A defect of this service.
    Internal,
}

/// What the caller gets to see of an error.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) reason: &'static str,
    pub(super) message: Cow<'static, str>,
    pub(super) retry_after: Option<Duration>,
}

impl Answer {
    fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }
}

impl ApiError {
    /// The complete answer.
    pub(super) fn respond(&self, request_id: &str) -> HttpResponse {
        let answer = self.answer();
        let (done, failed) = match self {
            Self::Operation(ops::Error::Partial { done, failed, .. }) => {
                (Some(done.as_slice()), Some(failed.as_slice()))
            }
            _ => (None, None),
        };
        let mut response = HttpResponse::build(answer.status);
        if answer.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(wait) = answer.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds_rounded_up(wait)));
        }
        self.add_allow(&mut response);
        response.json(Failure {
            code: answer.status.as_u16(),
            error: &answer.message,
            reason: answer.reason,
            request_id,
            done,
            failed,
        })
    }

    fn add_allow(&self, response: &mut HttpResponseBuilder) {
        if let Self::MethodNotAllowed { allow } = self {
            response.insert_header((header::ALLOW, allow.clone()));
        }
    }

    /// Status, `Reason` and public sentence.
    pub(super) fn answer(&self) -> Answer {
        let answer = |status, reason, message: Cow<'static, str>| Answer {
            status,
            reason,
            message,
            retry_after: None,
        };
        let bad = |reason, message| answer(StatusCode::BAD_REQUEST, reason, message);
        match self {
            Self::NotFound => {
                answer(StatusCode::NOT_FOUND, "not_found", "There is nothing at this path".into())
            }
            Self::MethodNotAllowed { allow } => method(allow),
            Self::MissingToken => {
                let message = "A GitHub token is needed in the Authorization header";
                answer(StatusCode::UNAUTHORIZED, "missing_token", message.into())
            }
            Self::MalformedToken(message) => {
                answer(StatusCode::UNAUTHORIZED, "invalid_token", (*message).into())
            }
            Self::Access(error) => access(error),
            Self::Limited(limited) => {
                too_many(limited.retry_after, "Too many requests; wait before the next one")
            }
            Self::MissingParameter(name) => {
                bad("missing_parameter", format!("The parameter \"{name}\" is needed").into())
            }
            Self::InvalidParameter { name, problem } => {
                bad("invalid_parameter", format!("The parameter \"{name}\" is invalid: {problem}").into())
            }
            Self::UnknownParameter(name) => {
                bad("unknown_parameter", format!("The parameter \"{name}\" is unknown here").into())
            }
            Self::ConflictingParameter(problem) => bad("conflicting_parameter", problem.clone().into()),
            Self::InvalidBody(problem) => {
                bad("invalid_body", format!("The body can't be read: {problem}").into())
            }
            Self::PayloadTooLarge => answer(
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                "The body is larger than 256 KiB".into(),
            ),
            Self::UnsupportedMediaType => {
                let message = "Send the body as application/json or application/x-www-form-urlencoded";
                answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message.into())
            }
            Self::Operation(error) => operation(error),
            Self::Deadline => {
                let message = "GitHub's answers took too long; what was begun may still happen";
                answer(StatusCode::GATEWAY_TIMEOUT, "github_timeout", message.into())
            }
            Self::TooManyBodies => {
                let message = "Too many requests are being received; send this one again";
                answer(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message.into()).after(REPLICA_WAIT)
            }
            Self::ShuttingDown => {
                let message = "This server stops and can't wait any longer; what was begun may still happen";
                answer(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", message.into()).after(REPLICA_WAIT)
            }
            Self::Internal => internal(),
        }
    }

    /// The whole story, for the log.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::Access(error) => error.to_string(),
            Self::Operation(error) => error.to_string(),
            other => other.answer().message.into_owned(),
        }
    }
}

fn method(allow: &str) -> Answer {
    let message = format!("This path is reached by {allow}").into();
    Answer {
        status: StatusCode::METHOD_NOT_ALLOWED,
        reason: "method_not_allowed",
        message,
        retry_after: None,
    }
}

fn access(error: &AccessError) -> Answer {
    let (status, reason, message) = match error {
        AccessError::InvalidToken => {
            (StatusCode::UNAUTHORIZED, "invalid_token", "GitHub doesn't accept this token")
        }
        AccessError::UnsupportedToken => (
            StatusCode::UNAUTHORIZED,
            "unsupported_token",
            "Tokens of GitHub Apps and of GitHub Actions belong to no user; send a user's token",
        ),
        AccessError::NotAMaintainer => {
            (StatusCode::FORBIDDEN, "not_a_maintainer", "You are not an active maintainer of this team")
        }
        AccessError::NotAnAdministrator => (
            StatusCode::FORBIDDEN,
            "not_a_maintainer",
            "You neither own the organisation nor administer this repository, by yourself or through the team",
        ),
        AccessError::ScopeDenied => (
            StatusCode::FORBIDDEN,
            "denied_by_policy",
            "The administrator doesn't serve tokens for this scope",
        ),
        AccessError::TeamDenied => (
            StatusCode::FORBIDDEN,
            "denied_by_policy",
            "The administrator doesn't let this team use the service",
        ),
        AccessError::TooManyUnknownTokens { retry_after } => {
            return too_many(
                *retry_after,
                "Too many tokens from this address were refused; wait before you send another",
            );
        }
        AccessError::Github(error) => return from_github(error),
    };
    Answer { status, reason, message: message.into(), retry_after: None }
}

fn operation(error: &ops::Error) -> Answer {
    let (status, message): (_, Cow<'static, str>) = match error {
        ops::Error::DeniedByPolicy(refusal) => (StatusCode::FORBIDDEN, denied(*refusal).into()),
        ops::Error::GroupNotFound => {
            (StatusCode::NOT_FOUND, "The team has no runner group; create it with group-add".into())
        }
        ops::Error::GroupExists => {
            (StatusCode::CONFLICT, "A runner group of this team's name exists already".into())
        }
        ops::Error::GroupProtected(message) => (StatusCode::FORBIDDEN, (*message).into()),
        ops::Error::GroupNotEmpty { left, .. } => (StatusCode::CONFLICT, not_empty(left).into()),
        ops::Error::RepoNotFound(names) => {
            let message = format!("The team has no access to, or there is no, {}", some_of(names));
            (StatusCode::NOT_FOUND, message.into())
        }
        ops::Error::JitDenied(refusal) => {
            (StatusCode::FORBIDDEN, format!("The administrator doesn't allow this: {refusal}").into())
        }
        ops::Error::NoJitHere((major, minor)) => {
            let message = format!(
                "GitHub Enterprise Server {major}.{minor} has no JIT configs, which came with 3.10; use token-register"
            );
            (StatusCode::FORBIDDEN, message.into())
        }
        ops::Error::TooManyRunners(most) => {
            let message = format!("The administrator allows a runner group to hold {most} runners at most");
            (StatusCode::FORBIDDEN, message.into())
        }
        ops::Error::RunnerExists(name) => {
            (StatusCode::CONFLICT, format!("A runner called {name} exists already").into())
        }
        ops::Error::RunnerNotFound(names) => {
            (StatusCode::NOT_FOUND, format!("The runner group holds no runner {}", some_of(names)).into())
        }
        ops::Error::Rejected(message) => {
            (StatusCode::BAD_REQUEST, format!("GitHub doesn't accept this: {message}").into())
        }
        ops::Error::Partial { done, failed, cause } => {
            let part = operation(cause);
            let message = format!(
                "{} of {} repositories were not done; repeat the request to finish. {}",
                failed.len(),
                done.len() + failed.len(),
                part.message
            );
            return Answer { message: message.into(), ..part };
        }
        ops::Error::AdministrationMissing(_) => {
            let message = "This service may not administer the repository: its App has to be installed on it, with the \
                           repository permission Administration (read and write); a token needs the scope repo";
            (StatusCode::BAD_GATEWAY, message.into())
        }
        ops::Error::Github(error) => return from_github(error),
        ops::Error::TooLate => return ApiError::Deadline.answer(),
        ops::Error::CutOff => return ApiError::ShuttingDown.answer(),
        ops::Error::NoRoomInLog => return no_room_in_log(),
        ops::Error::Internal => return internal(),
    };
    Answer { status, reason: error.reason(), message, retry_after: None }
}

fn no_room_in_log() -> Answer {
    let message = "The service can't write its audit log at the moment, so it does nothing".into();
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Answer { status, reason: "overloaded", message, retry_after: Some(UNKNOWN_WAIT) }
}

fn denied(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::RegistrationTokens => "The administrator switched registration tokens off",
        Refusal::RemovalTokens => "The administrator switched removal tokens off",
    }
}

fn not_empty(runners: &[String]) -> String {
    if runners.is_empty() {
        "The runner group still holds runners; remove them first".to_owned()
    } else {
        format!("The runner group still holds runners; remove them first: {}", some_of(runners))
    }
}

/// A few names, and how many more there are.
fn some_of<T: fmt::Display>(names: &[T]) -> String {
    const MOST: usize = 10;
    let shown = names.iter().take(MOST).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn from_github(error: &github::Error) -> Answer {
    let reason = ops::reason_of(error);
    let (status, message, retry_after) = match error.class() {
        Class::RateLimited { retry_after } => (
            StatusCode::SERVICE_UNAVAILABLE,
            "GitHub asked to wait before it is asked again",
            Some(*retry_after),
        ),
        Class::Overloaded => {
            (StatusCode::SERVICE_UNAVAILABLE, "Too many requests are being worked on", Some(UNKNOWN_WAIT))
        }
        Class::Unreachable { retry_after } => {
            let wait = retry_after.unwrap_or(UNKNOWN_WAIT);
            (StatusCode::SERVICE_UNAVAILABLE, "GitHub can't be reached", Some(wait))
        }
        Class::Timeout => (StatusCode::GATEWAY_TIMEOUT, "GitHub didn't answer in time", None),
        Class::NotFound
        | Class::Unauthorized
        | Class::Forbidden(_)
        | Class::Conflict
        | Class::Rejected(_)
        | Class::Faulty
        | Class::Unexpected => (StatusCode::BAD_GATEWAY, "GitHub answered with an error", None),
    };
    Answer { status, reason, message: message.into(), retry_after }
}

fn too_many(retry_after: Duration, message: &'static str) -> Answer {
    let retry_after = Some(retry_after);
    Answer {
        status: StatusCode::TOO_MANY_REQUESTS,
        reason: "rate_limited",
        message: message.into(),
        retry_after,
    }
}

fn internal() -> Answer {
    let message = "Something went wrong here; the log says more under this request's id".into();
    Answer { status: StatusCode::INTERNAL_SERVER_ERROR, reason: "internal", message, retry_after: None }
}

/// `Retry-After` and `RateLimit-Reset` take whole seconds; rounded up, so that nobody comes too early.
pub(super) fn seconds_rounded_up(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.answer().message)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.answer().status
    }

    /// Without an envelope: the outer middleware makes it, since only there the request's id is known.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        self.add_allow(&mut response);
        response.finish()
    }
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        Self::Access(error)
    }
}

impl From<ops::Error> for ApiError {
    fn from(error: ops::Error) -> Self {
        Self::Operation(error)
    }
}
