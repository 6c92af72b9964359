//! What the caller gets to see of an error: the reason, from which the status follows, and a sentence. Nothing of GitHub's
//! own words, save what concerns the caller's input.

mod access;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use self::access::access;
use super::{ApiError, seconds_rounded_up};
use crate::domain::reason::Reason;
use crate::github::{self, Class, Share, Shortage};
use crate::ops::{self, EntryError, Refusal, Taken};

/// What a caller may be told to wait when nobody knows how long.
const UNKNOWN_WAIT: Duration = Duration::from_secs(5);
/// Another replica serves meanwhile.
const REPLICA_WAIT: Duration = Duration::from_secs(1);

/// What the caller gets to see of an error.
pub(in crate::http) struct Answer {
    pub(in crate::http) reason: Reason,
    pub(in crate::http) message: Cow<'static, str>,
    pub(in crate::http) retry_after: Option<Duration>,
}

impl Answer {
    fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, message: message.into(), retry_after: None }
    }

    fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }
}

impl ApiError {
    /// Reason and public sentence.
    pub(in crate::http) fn answer(&self) -> Answer {
        match self {
            Self::NotFound => Answer::new(Reason::NotFound, "There is nothing at this path"),
            Self::MethodNotAllowed { allow } => {
                Answer::new(Reason::MethodNotAllowed, format!("Use {}", alternatives(allow)))
            }
            Self::MissingToken => {
                Answer::new(Reason::MissingToken, "A GitHub token is needed in the Authorization header")
            }
            Self::MalformedToken(message) => Answer::new(Reason::InvalidToken, *message),
            Self::Access(error) => access(error),
            Self::Limited(limited) => {
                too_many(limited.retry_after, "Too many requests; wait before the next one")
            }
            Self::MissingParameter(name) => {
                Answer::new(Reason::MissingParameter, format!("The parameter \"{name}\" is needed"))
            }
            Self::MissingOneOf(names) => {
                Answer::new(Reason::MissingParameter, format!("Give at least one of {}", names.join(", ")))
            }
            Self::InvalidParameter { name, problem } => Answer::new(
                Reason::InvalidParameter,
                format!("The parameter \"{name}\" is invalid: {problem}"),
            ),
            Self::UnknownParameter(name) => {
                Answer::new(Reason::UnknownParameter, format!("The parameter \"{name}\" is unknown here"))
            }
            Self::ConflictingParameter(problem) => Answer::new(Reason::ConflictingParameter, problem.clone()),
            Self::InvalidBody(problem) => {
                Answer::new(Reason::InvalidBody, format!("The body can't be read: {problem}"))
            }
            Self::PayloadTooLarge => Answer::new(Reason::PayloadTooLarge, "The body is larger than 256 KiB"),
            Self::UnsupportedMediaType => Answer::new(
                Reason::UnsupportedMediaType,
                "Send the body as application/json or application/x-www-form-urlencoded",
            ),
            Self::Operation(error) => operation(error),
            Self::Deadline => Answer::new(
                Reason::GithubTimeout,
                "GitHub's answers took too long; what was begun may still happen",
            ),
            Self::TooManyBodies => {
                Answer::new(Reason::Overloaded, "Too many requests are being received; send this one again")
                    .after(REPLICA_WAIT)
            }
            Self::ShuttingDown => Answer::new(
                Reason::ShuttingDown,
                "This server stops and can't wait any longer; what was begun may still happen",
            )
            .after(REPLICA_WAIT),
            Self::Internal => internal(),
        }
    }
}

fn operation(error: &ops::Error) -> Answer {
    let message: Cow<'static, str> = match error {
        ops::Error::DeniedByPolicy(refusal) => denied(*refusal).into(),
        ops::Error::GroupNotFound => "The team has no runner group; create it with group-add".into(),
        ops::Error::NoSuchGroup(group) => format!("There is no runner group {group} here, or it is no team's").into(),
        ops::Error::GroupExists(taken) => group_exists(*taken).into(),
        ops::Error::GroupProtected(message) | ops::Error::NotConfigured(message) => (*message).into(),
        ops::Error::GroupNotEmpty { left, .. } => not_empty(left).into(),
        ops::Error::RepoNotFound(names) => {
            format!("No such repository, or the team has no access to it: {}", some_of(names)).into()
        }
        ops::Error::RepoNotGranted(required, names) => format!(
            "No such repository, or the team does not have the permission {required} on it, which the administrator \
             requires: {}",
            some_of(names)
        )
        .into(),
        ops::Error::JitDenied(refusal) => format!("The administrator doesn't allow this: {refusal}").into(),
        ops::Error::NoJitHere((major, minor)) => format!(
            "GitHub Enterprise Server {major}.{minor} has no JIT configs, which came with 3.10; use token-register"
        )
        .into(),
        ops::Error::TooManyRunners(max) => {
            format!("The administrator allows a runner group to hold {max} runners at most").into()
        }
        ops::Error::RunnerExists(name) => format!("A runner called {name} exists already").into(),
        ops::Error::RunnerNotFound(names) => {
            format!("The runner group holds no runner {}", some_of(names)).into()
        }
        ops::Error::Rejected(message) => format!("GitHub doesn't accept this: {message}").into(),
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
            "This service may not administer the repository: its App has to be installed on it, with the repository \
             permission Administration (read and write); a token needs the scope repo"
                .into()
        }
        ops::Error::Github(error) => return from_github(error),
        ops::Error::TooLate => return ApiError::Deadline.answer(),
        ops::Error::CutOff => return ApiError::ShuttingDown.answer(),
        ops::Error::Entry(problem @ EntryError::HourSpent { retry_after }) => {
            return Answer::new(error.reason(), problem.to_string()).after(*retry_after);
        }
        ops::Error::Entry(problem) => problem.to_string().into(),
        ops::Error::NoRoomInLog => return no_room_in_log(),
        ops::Error::StoreUnavailable => return store_unavailable(),
        ops::Error::Unknown(message) => message.clone().into(),
        ops::Error::Internal => return internal(),
    };
    Answer::new(error.reason(), message)
}

/// `PATCH, POST` as a sentence has it.
fn alternatives(methods: &str) -> String {
    match methods.rsplit_once(", ") {
        None => methods.to_owned(),
        Some((others, last)) => format!("{others} or {last}"),
    }
}

fn no_room_in_log() -> Answer {
    let message = "The service can't write its audit log at the moment, so it does nothing";
    Answer::new(Reason::Overloaded, message).after(UNKNOWN_WAIT)
}

fn group_exists(taken: Taken) -> &'static str {
    match taken {
        Taken::TeamHasOne => "The team has a runner group already",
        Taken::Name => {
            "A runner group of this name exists already. If it should be the team's, an administrator of this service can \
             give it to the team with group-adopt"
        }
        Taken::RecordOfGone => {
            "The team's runner group was deleted outside of this service. Its record is dropped within a few minutes; send \
             the request again then"
        }
        Taken::OfAnotherTeam => "The runner group is another team's; release it with group-release first",
    }
}

fn store_unavailable() -> Answer {
    let message = "The service's store can't be reached at the moment, and this needs it";
    Answer::new(Reason::StoreUnavailable, message).after(UNKNOWN_WAIT)
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
    const MAX: usize = 10;
    let shown = names.iter().take(MAX).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn from_github(error: &github::Error) -> Answer {
    let answer = |message: &'static str| Answer::new(ops::reason_of(error), message);
    match error.class() {
        Class::RateLimited { retry_after, why } => scarce(error, shortage(*why), *retry_after),
        Class::ShareSpent { whose, retry_after } => scarce(error, share_spent(*whose), *retry_after),
        Class::TokenUsed => answer("This token made its one change; ask for a new one"),
        Class::Overloaded => answer("Too many requests are being worked on").after(UNKNOWN_WAIT),
        Class::Unreachable { retry_after } => {
            answer("GitHub can't be reached").after(retry_after.unwrap_or(UNKNOWN_WAIT))
        }
        Class::Timeout => answer("GitHub didn't answer in time"),
        Class::Faulty { retry_after: Some(retry_after) } => {
            answer("GitHub can't work on this at the moment").after(*retry_after)
        }
        Class::ServiceRefused => answer(
            "GitHub doesn't accept this service's credential at the moment; its administrator has to put that right",
        ),
        Class::NotGithub => answer(
            "What answers at the configured address is not GitHub's API; the service's administrator has to put that right",
        ),
        Class::NotFound
        | Class::Unauthorized
        | Class::Forbidden(_)
        | Class::Conflict
        | Class::Rejected(_)
        | Class::Faulty { retry_after: None }
        | Class::Unexpected => answer("GitHub answered with an error"),
    }
}

/// What is short, and when there is enough again.
fn scarce(error: &github::Error, what: &str, wait: Duration) -> Answer {
    let message = format!("{what}. Try again in {} s", seconds_rounded_up(wait));
    Answer::new(ops::reason_of(error), message).after(wait)
}

fn shortage(why: Shortage) -> &'static str {
    match why {
        Shortage::Hold => "GitHub asked to wait before it is asked again",
        Shortage::Pace => {
            "GitHub allows only so many calls of this kind in a minute, and others wait as well. Repeat the request to finish it"
        }
        Shortage::Reserve => {
            "Few of the calls that GitHub allows this service in an hour are left; until the hour ends they are kept for \
             requests that change something, of users whom the service knows"
        }
        Shortage::Strangers => {
            "GitHub was asked about too many users this hour who don't belong to the organisation, so it isn't asked about you"
        }
    }
}

fn share_spent(whose: Share) -> &'static str {
    match whose {
        Share::Principal => {
            "The calls that GitHub allows this service in an hour run short, and your share of them is used up"
        }
        Share::Team => {
            "The calls that GitHub allows this service in an hour run short, and this team's share of them is used up"
        }
        Share::System => {
            "The calls that GitHub allows this service in an hour run short, and the service's own share of them is used up"
        }
    }
}

fn too_many(retry_after: Duration, message: &'static str) -> Answer {
    Answer::new(Reason::RateLimited, message).after(retry_after)
}

fn internal() -> Answer {
    Answer::new(Reason::Internal, "Something went wrong here; the log says more under this request's id")
}
