//! The reasons of failures: what each means, and an answer that carries it. Status, word and sentence are those of
//! `ApiError` itself.

use std::time::Duration;

use crate::access::AccessError;
use crate::domain::entry::EntryId;
use crate::domain::names::RunnerName;
use crate::domain::reference::TeamReference;
use crate::github::{self, Class, Shortage};
use crate::http::ApiError;
use crate::http::error::Answer;
use crate::limits::{Allowance, Limited};
use crate::ops::{self, EntryError, Taken};

const WAIT: Duration = Duration::from_secs(1);

/// A reason, as the document explains it.
pub(super) struct Explained {
    /// An answer that carries it.
    pub(super) example: Answer,
    /// When it is given.
    pub(super) meaning: &'static str,
}

/// Every reason once, in the order of their status.
pub(super) fn all() -> Vec<Explained> {
    let of = [of_the_request(), of_the_caller(), of_the_operation(), of_the_service()];
    of.into_iter().flatten().map(|(error, meaning)| Explained { example: error.answer(), meaning }).collect()
}

type Example = (ApiError, &'static str);

fn of_the_request() -> Vec<Example> {
    let slug = format!("expected {}", TeamReference::EXPECTED);
    let twice = "The parameter \"team\" was given more than once".to_owned();
    vec![
        (ApiError::MissingParameter("team"), "a parameter is needed"),
        (
            ApiError::InvalidParameter { name: "team", problem: slug },
            "a value is not of its form, or GitHub didn't accept it; then Error holds GitHub's words",
        ),
        (ApiError::UnknownParameter("taem".to_owned()), "a name that the operation doesn't know"),
        (
            ApiError::ConflictingParameter(twice),
            "a name more than once, in one place or in two, or names that exclude each other",
        ),
        (
            ApiError::InvalidBody("it is not valid JSON (line 1 column 9)".to_owned()),
            "the body is not what its content type says, or took more than 10 s to arrive",
        ),
        (ApiError::PayloadTooLarge, "the body is larger than 256 KiB"),
        (ApiError::UnsupportedMediaType, "the body is neither JSON nor a form"),
        (ApiError::NotFound, "there is nothing at this path"),
        (
            ApiError::MethodNotAllowed { allow: "PATCH, POST".to_owned() },
            "the path is reached by the methods in Allow; GET, if the administrator switched the older form off",
        ),
    ]
}

fn of_the_caller() -> Vec<Example> {
    let allowance = Allowance { limit: 5, remaining: 0, reset: WAIT };
    vec![
        (ApiError::MissingToken, "no Authorization header, or an empty one"),
        (AccessError::InvalidToken.into(), "GitHub doesn't accept the token, or it can't be one"),
        (
            AccessError::UnsupportedToken.into(),
            "a token of an App, or of an OIDC issuer that the administrator did not configure; or one of a kind that may not \
             do this: for access entries and administrators' operations a user's own token is needed",
        ),
        (
            AccessError::Github(github::Error::new(Class::TokenUsed, "")).into(),
            "an OIDC token that makes one change made it before; a new one does",
        ),
        (
            AccessError::NotAMaintainer.into(),
            "no active maintainer of the team; also if the team doesn't exist, so that nobody learns which teams do",
        ),
        (
            AccessError::NotTrusted.into(),
            "the caller is no user, and no access entry of the team lets them do this; also if the team doesn't exist",
        ),
        (
            AccessError::TeamDenied.into(),
            "the administrator switched it off, keeps the user or the team out, or doesn't allow this label, name, scope or \
             access entry, or so many runners",
        ),
        (
            ApiError::Limited(Limited { allowance, retry_after: WAIT }),
            "too many requests of this caller; or so many JIT configs by an access entry in an hour as it may have; or a token that is not known from an address that sent too many refused ones; or \
             too many names of teams that don't exist; or the calls that GitHub allows in an hour run short, and the user or \
             the team has used their share; Error says which",
        ),
    ]
}

fn of_the_operation() -> Vec<Example> {
    let mut all = vec![
        (
            ops::Error::GroupProtected("This runner group can't be managed here"),
            "the group is Default, inherited from the enterprise, or opened to all repositories by an owner; then nothing is \
             brought into it, and it is neither changed nor deleted",
        ),
        (ops::Error::GroupNotFound, "the team has no group"),
        (
            ops::Error::RepoNotFound(vec!["shop".to_owned()]),
            "there is no such repository, or the team has no access to it, or less than the administrator requires",
        ),
        (
            ops::Error::RunnerNotFound(vec!["payments-9".to_owned()]),
            "the group holds none of the runners that were named",
        ),
        (
            ops::Error::Entry(EntryError::NotFound(EntryId(0x9f2c_4e6a_8b0d_1f35))),
            "the team has no such access entry, or it is one of the configuration",
        ),
        (
            ops::Error::GroupExists(Taken::Name),
            "the team has a group, the group's name is taken, or the group is another team's",
        ),
        (
            ops::Error::GroupNotEmpty { left: vec!["payments-1".to_owned()], changed: false },
            "the group holds runners",
        ),
    ];
    let taken = "a runner of this name exists in the organisation";
    all.extend(RunnerName::parse("payments-1").map(|name| (ops::Error::RunnerExists(name), taken)));
    all.into_iter().map(|(error, meaning)| (error.into(), meaning)).collect()
}

fn of_the_service() -> Vec<Example> {
    let github = |class| ApiError::from(AccessError::Github(github::Error::new(class, "")));
    vec![
        (ApiError::Internal, "a defect of the service; its log says more under the request's id"),
        (
            ops::Error::NotConfigured(
                "The administrator switched runner groups off: set groups.enabled to true",
            )
            .into(),
            "the administrator switched it off, or didn't set up what it needs, which Error names",
        ),
        (
            ops::Error::StoreUnavailable.into(),
            "the service's store can't be reached, and the request needs it",
        ),
        (
            github(Class::Faulty { retry_after: None }),
            "GitHub answered with an error, doesn't accept the service's own credential, or isn't what answers at the \
             configured address",
        ),
        (
            github(Class::RateLimited { retry_after: WAIT, why: Shortage::Hold }),
            "GitHub asked the service to wait, or soon would: too many calls of this kind in a minute, or so few left in the \
             hour that they are kept for changes; Error says which",
        ),
        (
            github(Class::Unreachable { retry_after: None }),
            "GitHub can't be reached, or said when to send the request again",
        ),
        (
            AccessError::IssuerUnavailable { retry_after: WAIT }.into(),
            "the issuer of an OIDC token can't be reached, and its keys are not known",
        ),
        (
            github(Class::Overloaded),
            "too many calls to GitHub are waiting, or the service can't write its audit log",
        ),
        (
            ApiError::ShuttingDown,
            "this server stopped before it could finish; what was begun may still happen, so look, or repeat the request",
        ),
        (github(Class::Timeout), "GitHub didn't answer in time; a change that was begun may still happen"),
    ]
}
