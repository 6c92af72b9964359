//! Why an operation was refused or failed.

use std::fmt;
use std::time::Duration;

use crate::access::{AccessError, GroupError};
use crate::audit::NoRoom;
use crate::domain::entry::{EntryId, EntryRefusal, MOST_ENTRIES};
use crate::domain::jit::JitRefusal;
use crate::domain::names::RunnerName;
use crate::domain::outcome::Outcome;
use crate::domain::policy::RepositoryPermission;
use crate::domain::reason::Reason;
use crate::github::{self, Class};
use crate::replicas::NoTurn;
use crate::store::StoreError;

/// Why an operation was refused or failed. The edge turns it into the envelope.
#[derive(Debug, Clone)]
pub enum Error {
    /// A rule of the administrator's says no.
    DeniedByPolicy(Refusal),
    /// The team has no runner group.
    GroupNotFound,
    /// There is no such group, or it is no team's; says which was named.
    NoSuchGroup(String),
    /// The team has a group, or the name is taken.
    GroupExists(Taken),
    /// The group is Default, inherited, or not limited to selected repositories.
    GroupProtected(&'static str),
    /// The group still holds runners.
    GroupNotEmpty {
        /// Their names, as far as they are known.
        left: Vec<String>,
        /// Whether others were moved or removed before.
        changed: bool,
    },
    /// The team has no access to these repositories, or they don't exist.
    RepoNotFound(Vec<String>),
    /// The same, or `policy.repositoryPermission` demands more of the team.
    RepoNotGranted(RepositoryPermission, Vec<String>),
    /// The policy doesn't allow this JIT config.
    JitDenied(JitRefusal),
    /// An Enterprise Server of this version knows no runners for one job.
    NoJitHere((u32, u32)),
    /// The group would hold more runners than `policy.maxRunners` allows.
    TooManyRunners(u64),
    /// A runner of this name exists somewhere in the organisation.
    RunnerExists(RunnerName),
    /// None of these is in the group.
    RunnerNotFound(Vec<String>),
    /// GitHub didn't accept the caller's input, with GitHub's words.
    Rejected(String),
    /// Some repositories were done, others were not.
    Partial {
        /// Names of repositories that were done.
        done: Vec<String>,
        /// Names of repositories that were not.
        failed: Vec<String>,
        /// Why the first of them was not.
        cause: Box<Error>,
    },
    /// The credential may not administer the repository, which a token for it takes.
    AdministrationMissing(github::Error),
    /// A call to GitHub failed.
    Github(github::Error),
    /// It was done when nobody waited for it any more, and undone.
    TooLate,
    /// The service stopped and could not wait for the end. How it ended, nobody here knows.
    CutOff,
    /// Nothing was done, since the log has no room for a line about it.
    NoRoomInLog,
    /// The store is required, and fails.
    StoreUnavailable,
    /// The administrator switched it off, or didn't set up what it requires; says which.
    NotConfigured(&'static str),
    /// An access entry can't be had, or its hour is spent.
    Entry(EntryError),
    /// An administrator named something that GitHub doesn't know, or that is ambiguous; with the public sentence.
    Unknown(String),
    /// A defect of this service.
    Internal,
}

/// What is wrong with an access entry, as a public sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The team has none with this id.
    #[error("The team has no access entry {0}")]
    NotFound(EntryId),
    /// The team has as many as it may.
    #[error("A team has {MOST_ENTRIES} access entries at most; remove one first")]
    TooMany,
    /// The policy doesn't allow it.
    #[error("The administrator doesn't allow this: {0}")]
    Denied(EntryRefusal),
    /// It, or all of the team's together, had as many JIT configs in the last hour as they may.
    #[error(
        "The access entry, or all of the team's together, had as many JIT configs in the last hour as they may"
    )]
    HourSpent {
        /// When there may be one again.
        retry_after: Duration,
    },
}

impl EntryError {
    fn reason(&self) -> Reason {
        match self {
            Self::NotFound(_) => Reason::AccessNotFound,
            Self::TooMany | Self::Denied(_) => Reason::DeniedByPolicy,
            Self::HourSpent { .. } => Reason::RateLimited,
        }
    }
}

/// What the administrator doesn't allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `policy.registrationTokens` is off.
    RegistrationTokens,
    /// `policy.removalTokens` is off.
    RemovalTokens,
}

/// Why a team can't have a group, or this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The team has one.
    TeamHasOne,
    /// GitHub has a group of that name, which is not the team's.
    Name,
    /// The team has a record of a group that GitHub no longer finds.
    RecordOfGone,
    /// The group is another team's.
    OfAnotherTeam,
}

impl Error {
    /// The envelope's `Reason`: a stable word.
    pub fn reason(&self) -> Reason {
        match self {
            Self::DeniedByPolicy(_) | Self::JitDenied(_) | Self::NoJitHere(_) | Self::TooManyRunners(_) => {
                Reason::DeniedByPolicy
            }
            Self::RunnerExists(_) => Reason::RunnerExists,
            Self::RunnerNotFound(_) => Reason::RunnerNotFound,
            Self::GroupNotFound | Self::NoSuchGroup(_) => Reason::GroupNotFound,
            Self::GroupExists(_) => Reason::GroupExists,
            Self::GroupProtected(_) => Reason::GroupProtected,
            Self::GroupNotEmpty { .. } => Reason::GroupNotEmpty,
            Self::RepoNotFound(_) | Self::RepoNotGranted(..) => Reason::RepoNotFound,
            Self::Rejected(_) | Self::Unknown(_) => Reason::InvalidParameter,
            Self::Partial { cause, .. } => cause.reason(),
            Self::Entry(error) => error.reason(),
            Self::AdministrationMissing(_) => Reason::GithubError,
            Self::Github(error) => reason_of(error),
            Self::TooLate => Reason::GithubTimeout,
            Self::CutOff => Reason::ShuttingDown,
            Self::NoRoomInLog => Reason::Overloaded,
            Self::StoreUnavailable => Reason::StoreUnavailable,
            Self::NotConfigured(_) => Reason::NotConfigured,
            Self::Internal => Reason::Internal,
        }
    }

    /// How the operation ended.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Partial { done, .. } if !done.is_empty() => Outcome::Partial,
            Self::Partial { cause, .. } => cause.outcome(),
            Self::GroupNotEmpty { changed: true, .. } => Outcome::Partial,
            Self::AdministrationMissing(_)
            | Self::Github(_)
            | Self::TooLate
            | Self::CutOff
            | Self::NoRoomInLog
            | Self::StoreUnavailable
            | Self::Internal => Outcome::Failed,
            _ => Outcome::Refused,
        }
    }
}

/// What [`reason_of`] may give.
pub(super) const REASONS_OF_GITHUB: [Reason; 6] = [
    Reason::RateLimited,
    Reason::GithubRateLimited,
    Reason::Overloaded,
    Reason::GithubTimeout,
    Reason::GithubUnavailable,
    Reason::GithubError,
];

/// The `Reason` of a failed call to GitHub.
pub fn reason_of(error: &github::Error) -> Reason {
    match error.class() {
        Class::ShareSpent { .. } => Reason::RateLimited,
        Class::TokenUsed => Reason::TokenUsed,
        Class::RateLimited { .. } => Reason::GithubRateLimited,
        Class::Overloaded => Reason::Overloaded,
        Class::Timeout => Reason::GithubTimeout,
        Class::Unreachable { .. } | Class::Faulty { retry_after: Some(_) } => Reason::GithubUnavailable,
        Class::NotFound
        | Class::Unauthorized
        | Class::Forbidden(_)
        | Class::ServiceRefused
        | Class::NotGithub
        | Class::Conflict
        | Class::Rejected(_)
        | Class::Faulty { retry_after: None }
        | Class::Unexpected => Reason::GithubError,
    }
}

/// What a 404 on something inside a group means: the group is gone.
pub(super) fn missing_group(error: github::Error) -> Error {
    if error.is_not_found() { Error::GroupNotFound } else { error.into() }
}

/// What is said where groups are not managed.
const GROUPS_ARE_OFF: &str = "The administrator switched runner groups off: set groups.enabled to true";

impl From<AccessError> for Error {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Store(error) => error.into(),
            AccessError::Github(error) => error.into(),
            // Entries are looked at by nobody else here.
            _ => Self::Internal,
        }
    }
}

impl From<StoreError> for Error {
    fn from(_: StoreError) -> Self {
        Self::StoreUnavailable
    }
}

impl From<NoTurn> for Error {
    fn from(error: NoTurn) -> Self {
        match error {
            NoTurn::Store(error) => error.into(),
            NoTurn::TooLate => {
                Self::Github(github::Error::new(Class::Overloaded, "others change the group all the time"))
            }
        }
    }
}

impl From<github::Error> for Error {
    fn from(error: github::Error) -> Self {
        Self::Github(error)
    }
}

impl From<NoRoom> for Error {
    fn from(_: NoRoom) -> Self {
        Self::NoRoomInLog
    }
}

impl From<GroupError> for Error {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::NotFound => Self::GroupNotFound,
            GroupError::Protected => Self::GroupProtected("This runner group can't be managed here"),
            GroupError::Exists => Self::GroupExists(Taken::TeamHasOne),
            GroupError::NameTaken => Self::GroupExists(Taken::Name),
            GroupError::Gone => Self::GroupExists(Taken::RecordOfGone),
            GroupError::Disabled => Self::NotConfigured(GROUPS_ARE_OFF),
            GroupError::Store(error) => error.into(),
            GroupError::Github(error) => Self::Github(error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AdministrationMissing(error) | Self::Github(error) => error.fmt(formatter),
            Self::Partial { cause, .. } => cause.fmt(formatter),
            Self::NoRoomInLog => {
                formatter.write_str("nobody takes the audit log's lines, and its queue is full")
            }
            _ => formatter.write_str(self.reason().as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_gets_githubs_words_or_the_cause_and_otherwise_the_reason() {
        let github = || github::Error::new(Class::Faulty { retry_after: None }, "the detail");
        let half = Error::Partial { done: Vec::new(), failed: Vec::new(), cause: Box::new(github().into()) };
        for error in [Error::Github(github()), Error::AdministrationMissing(github()), half] {
            assert!(error.to_string().contains("the detail"), "{error}");
        }
        assert!(Error::NoRoomInLog.to_string().contains("queue is full"));
        assert_eq!(Error::GroupNotFound.to_string(), "group_not_found");
    }
}
