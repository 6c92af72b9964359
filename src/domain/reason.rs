//! Why a request was refused or failed: the stable words of the envelope, metrics and audit lines.

use super::words::words;

words! {
    /// The envelope's `Reason`.
    pub enum Reason {
        /// A parameter that must be given is not.
        MissingParameter = "missing_parameter",
        /// A value is not of its form, or GitHub didn't accept it.
        InvalidParameter = "invalid_parameter",
        /// A name that the operation doesn't know.
        UnknownParameter = "unknown_parameter",
        /// The same name more than once, or names that exclude each other.
        ConflictingParameter = "conflicting_parameter",
        /// The body is not what its content type says.
        InvalidBody = "invalid_body",
        /// No token was sent.
        MissingToken = "missing_token",
        /// GitHub doesn't accept the token, or it can't be one.
        InvalidToken = "invalid_token",
        /// A token without a user, or of a kind that may not do this.
        UnsupportedToken = "unsupported_token",
        /// The token makes one change, and made it.
        TokenUsed = "token_used",
        /// No active maintainer of the team, whether it exists or not.
        NotAMaintainer = "not_a_maintainer",
        /// No access entry of the team lets the caller, who is no user, do this.
        NotTrusted = "not_trusted",
        /// A rule of the administrator's.
        DeniedByPolicy = "denied_by_policy",
        /// The group is never managed here, or not in this way.
        GroupProtected = "group_protected",
        /// The team has no group.
        GroupNotFound = "group_not_found",
        /// No such repository, or not the team's.
        RepoNotFound = "repo_not_found",
        /// No such runner in the group.
        RunnerNotFound = "runner_not_found",
        /// The team has no such access entry.
        AccessNotFound = "access_not_found",
        /// Nothing at this path.
        NotFound = "not_found",
        /// The path has other methods.
        MethodNotAllowed = "method_not_allowed",
        /// The name of the group is taken.
        GroupExists = "group_exists",
        /// The group still holds runners.
        GroupNotEmpty = "group_not_empty",
        /// The name of the runner is taken.
        RunnerExists = "runner_exists",
        /// The body is too large.
        PayloadTooLarge = "payload_too_large",
        /// The body is neither JSON nor a form.
        UnsupportedMediaType = "unsupported_media_type",
        /// Too many requests of one caller, or refused tokens from one address.
        RateLimited = "rate_limited",
        /// A defect of this service.
        Internal = "internal",
        /// The administrator switched it off, or didn't set up what it requires.
        NotConfigured = "not_configured",
        /// GitHub failed.
        GithubError = "github_error",
        /// GitHub asked to wait.
        GithubRateLimited = "github_rate_limited",
        /// GitHub can't be reached.
        GithubUnavailable = "github_unavailable",
        /// The issuer of the token can't be reached, and its keys are not known.
        IssuerUnavailable = "issuer_unavailable",
        /// Too much is being worked on.
        Overloaded = "overloaded",
        /// The store is required, and fails.
        StoreUnavailable = "store_unavailable",
        /// This process stops.
        ShuttingDown = "shutting_down",
        /// GitHub didn't answer in time.
        GithubTimeout = "github_timeout",
    }
}

impl Reason {
    /// The HTTP status that it comes with.
    pub const fn status(self) -> u16 {
        match self {
            Self::MissingParameter
            | Self::InvalidParameter
            | Self::UnknownParameter
            | Self::ConflictingParameter
            | Self::InvalidBody => 400,
            Self::MissingToken | Self::InvalidToken | Self::UnsupportedToken | Self::TokenUsed => 401,
            Self::NotAMaintainer | Self::NotTrusted | Self::GroupProtected | Self::DeniedByPolicy => 403,
            Self::GroupNotFound
            | Self::RepoNotFound
            | Self::RunnerNotFound
            | Self::AccessNotFound
            | Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::GroupExists | Self::GroupNotEmpty | Self::RunnerExists => 409,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::NotConfigured => 501,
            Self::GithubError => 502,
            Self::GithubRateLimited
            | Self::GithubUnavailable
            | Self::IssuerUnavailable
            | Self::ShuttingDown
            | Self::Overloaded
            | Self::StoreUnavailable => 503,
            Self::GithubTimeout => 504,
        }
    }
}

/// Why a request was not answered with what it asked for, in access lines, audit lines and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was answered with a reason.
    Reason(Reason),
    /// Its caller did not wait for the response.
    CallerHungUp,
}

impl Cause {
    /// Every one.
    pub fn all() -> impl Iterator<Item = Self> {
        Reason::ALL.iter().copied().map(Self::Reason).chain([Self::CallerHungUp])
    }

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reason(reason) => reason.as_str(),
            Self::CallerHungUp => "caller_hung_up",
        }
    }

    /// The status in access lines and metrics: for a caller who hung up the one that nginx uses.
    pub const fn status(self) -> u16 {
        match self {
            Self::Reason(reason) => reason.status(),
            Self::CallerHungUp => 499,
        }
    }
}

impl From<Reason> for Cause {
    fn from(reason: Reason) -> Self {
        Self::Reason(reason)
    }
}

impl serde::Serialize for Cause {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
