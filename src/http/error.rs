//! The one error at the edge. What a caller gets to see of it is decided in `answer`.

mod answer;

use std::fmt;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};

pub(super) use self::answer::Answer;
use super::envelope::Failure;
use crate::access::AccessError;
use crate::domain::reason::Reason;
use crate::limits::Limited;
use crate::ops;

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
    /// One of these parameters is needed.
    MissingOneOf(&'static [&'static str]),
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

impl ApiError {
    /// These parameters exclude each other.
    pub(super) fn exclusive(names: &[&'static str]) -> Self {
        let (last, first) = names.split_last().unwrap_or((&"", &[]));
        Self::ConflictingParameter(format!(
            "The parameters {} and {last} exclude each other",
            first.join(", ")
        ))
    }

    /// The complete response.
    pub(super) fn respond(&self, request_id: &str) -> HttpResponse {
        let Answer { reason, message, retry_after } = self.answer();
        let (done, failed) = match self {
            Self::Operation(ops::Error::Partial { done, failed, .. }) => {
                (Some(done.as_slice()), Some(failed.as_slice()))
            }
            _ => (None, None),
        };
        let status = status_of(reason);
        let mut response = HttpResponse::build(status);
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(wait) = retry_after {
            response.insert_header((header::RETRY_AFTER, seconds_rounded_up(wait)));
        }
        self.add_allow(&mut response);
        response.json(Failure {
            code: status.as_u16(),
            error: &message,
            reason: reason.as_str(),
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

    /// The whole story, for the log.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::Access(error) => error.to_string(),
            Self::Operation(error) => error.to_string(),
            other => other.answer().message.into_owned(),
        }
    }
}

/// The status that a reason comes with.
pub(super) fn status_of(reason: Reason) -> StatusCode {
    StatusCode::from_u16(reason.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
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
        status_of(self.answer().reason)
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
