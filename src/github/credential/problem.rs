//! What stops the service from doing its work with the credential that it has.

use crate::domain::names::OrgName;
use crate::github::error::{Class, Error};

/// What stops the service from doing its work, found at start. The message says what to do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StartupProblem {
    /// GitHub didn't respond; it may come back.
    #[error("GitHub can't be asked whether the credential works: {0}")]
    NotAnswering(Error),
    /// Something else answers.
    #[error(
        "what answers at github.apiURL is not GitHub's API: check the address, which for GitHub Enterprise Server ends with \
         /api/v3, and the proxy, if one leads there ({0})"
    )]
    NotGithub(Error),
    /// GitHub refuses the service, whatever the credential.
    #[error("GitHub refuses this service: {0}")]
    Refused(Error),
    /// The JWT was refused.
    #[error(
        "GitHub refused the App's key: check that appID is the App's numeric id, that the private key is one \
         of this App's keys and has not been deleted, and that this machine's clock is right ({0})"
    )]
    KeyRefused(Error),
    /// The configured token was refused.
    #[error(
        "GitHub refused the configured token: check that it is a user's personal access token, and that it has \
         not expired or been revoked ({0})"
    )]
    TokenRefused(Error),
    /// The configured token may not reach runner groups.
    #[error(
        "the configured token may not manage the organisation's runner groups: it has to be an organisation \
         owner's, with the scope admin:org or, if fine-grained, the organisation permission Self-hosted runners \
         (read and write) ({0})"
    )]
    TokenWithoutRunners(Error),
    /// The configured token may not see teams.
    #[error(
        "the configured token may not see the organisation's teams: it needs the scope admin:org or, if \
         fine-grained, the organisation permission Members (read) ({0})"
    )]
    TokenWithoutMembers(Error),
    /// No such installation.
    #[error(
        "the App has no such installation: install it in the organisation \"{org}\", or correct \
         installationID or leave it out to have it looked up ({detail})"
    )]
    NotInstalled {
        /// The configured organisation.
        org: OrgName,
        /// GitHub's response.
        detail: Error,
    },
    /// The configured installation belongs to another account.
    #[error(
        "installation {installation} is on the account \"{account}\", not on the organisation \"{org}\": \
         correct installationID or org"
    )]
    OtherAccount {
        /// The installation's id.
        installation: u64,
        /// Where it is installed.
        account: String,
        /// The configured organisation.
        org: OrgName,
    },
    /// The organisation's owners suspended the App.
    #[error(
        "the App's installation {0} is suspended: an organisation owner can unsuspend it in GitHub's settings"
    )]
    Suspended(u64),
    /// The App was not granted what it needs.
    #[error("the App's installation lacks permissions: grant it {}, then accept the change in the organisation", .0.join(", "))]
    PermissionsMissing(Vec<&'static str>),
}

impl StartupProblem {
    /// Whether another try may help although nobody changed anything.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::NotAnswering(_))
    }

    /// The problem in a word that names nobody.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotAnswering(_) => "not_answering",
            Self::NotGithub(_) => "not_github",
            Self::Refused(_) => "refused",
            Self::KeyRefused(_) => "key_refused",
            Self::TokenRefused(_) => "token_refused",
            Self::TokenWithoutRunners(_) => "token_without_runners",
            Self::TokenWithoutMembers(_) => "token_without_members",
            Self::NotInstalled { .. } => "not_installed",
            Self::OtherAccount { .. } => "other_account",
            Self::Suspended(_) => "suspended",
            Self::PermissionsMissing(_) => "permissions_missing",
        }
    }

    pub(super) fn from_app(error: Error) -> Self {
        match error.class() {
            Class::Unauthorized => Self::KeyRefused(error),
            _ => Self::from_any(error),
        }
    }

    pub(super) fn from_token(error: Error) -> Self {
        match error.class() {
            Class::Unauthorized | Class::Forbidden(_) => Self::TokenRefused(error),
            _ => Self::from_any(error),
        }
    }

    fn from_any(error: Error) -> Self {
        match error.class() {
            // GitHub's own API responds with what it documents.
            Class::NotGithub | Class::Unexpected => Self::NotGithub(error),
            Class::ServiceRefused
            | Class::NotFound
            | Class::Forbidden(_)
            | Class::Conflict
            | Class::Rejected(_) => Self::Refused(error),
            _ => Self::NotAnswering(error),
        }
    }

    /// Whether it is the same problem, so that nobody has to be told again.
    pub fn is_same(&self, other: &Self) -> bool {
        // How exactly GitHub can't be reached changes from one look to the next.
        self.word() == other.word() && (self.is_passing() || self.to_string() == other.to_string())
    }
}
