//! What can go wrong with a call to GitHub, in classes that callers act on.

use std::fmt;
use std::time::Duration;

use super::budget::Share;
use crate::metrics::CallOutcome;
use crate::single_flight::{Shareable, Sharing};

/// A failed call. The detail is for the log: it may hold GitHub's own words, which callers don't see.
#[derive(Debug, Clone)]
pub struct Error {
    class: Class,
    detail: String,
    request_id: Option<String>,
    enterprise_version: Option<(u32, u32)>,
    /// Whether it came a second time, so that nobody tries again who waited for the same.
    is_repeated: bool,
}

/// The classes of failures that the service tells apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// 404, or a repository that was renamed: it isn't there under this name, or the credential may not see it.
    NotFound,
    /// 401: the caller's token was refused.
    Unauthorized,
    /// 403 that is no rate limit: a permission is missing. Holds GitHub's message.
    Forbidden(String),
    /// GitHub refuses the service itself: its credential, its installation or its address. Nobody else can help it.
    ServiceRefused,
    /// What responded is not GitHub's API: a redirect, a page for people, or another server.
    NotGithub,
    /// 409: something with that name exists.
    Conflict,
    /// 400 or 422: GitHub didn't accept the input. Holds GitHub's message.
    Rejected(String),
    /// GitHub lets no more calls through now, or soon wouldn't.
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
        /// What is short.
        why: Shortage,
    },
    /// The hour's calls run short, and somebody used all of their share.
    ShareSpent {
        /// Whose it is.
        whose: Share,
        /// When there are calls again.
        retry_after: Duration,
    },
    /// Too many calls are under way and queued here.
    Overloaded,
    /// Not sent: the caller's token makes one change, and made it.
    TokenUsed,
    /// No response within the deadline.
    Timeout,
    /// No connection to GitHub, or none is tried because GitHub seems to be down.
    Unreachable {
        /// When it is tried again, if that is known.
        retry_after: Option<Duration>,
    },
    /// GitHub responded with a server error, or its response broke off.
    Faulty {
        /// When GitHub asked to send this call again, if it did.
        retry_after: Option<Duration>,
    },
    /// GitHub responded with something that it doesn't document.
    Unexpected,
}

/// Why a call is not sent to GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// GitHub asked to wait.
    Hold,
    /// More calls a minute would be refused, and the request has no time to wait for its turn.
    Pace,
    /// The rest of the hour's calls is kept for changes by those who are known.
    Reserve,
    /// Those who have nothing to do with the organisation used up what there is for all of them.
    Strangers,
}

impl Class {
    /// Whether it is about whoever made the call, so that the same call by somebody else may well succeed.
    pub fn is_of_the_caller(&self) -> bool {
        match self {
            Self::ShareSpent { .. } | Self::Overloaded | Self::TokenUsed => true,
            Self::RateLimited { why, .. } => *why != Shortage::Hold,
            _ => false,
        }
    }

    /// Whether the same call may succeed in a moment: whoever asked after it began must not be told of a failure that is over.
    pub fn may_be_over(&self) -> bool {
        !matches!(self, Self::NotFound | Self::Unauthorized | Self::RateLimited { .. })
    }

    /// Its label in metrics.
    pub(super) fn outcome(&self) -> CallOutcome {
        match self {
            Self::NotFound => CallOutcome::NotFound,
            Self::Unauthorized => CallOutcome::Unauthorized,
            Self::Forbidden(_) => CallOutcome::Forbidden,
            Self::ServiceRefused => CallOutcome::ServiceRefused,
            Self::NotGithub => CallOutcome::NotGithub,
            Self::Conflict => CallOutcome::Conflict,
            Self::Rejected(_) => CallOutcome::Rejected,
            Self::RateLimited { .. } => CallOutcome::RateLimited,
            Self::ShareSpent { .. } => CallOutcome::ShareSpent,
            Self::Overloaded => CallOutcome::Overloaded,
            Self::TokenUsed => CallOutcome::TokenUsed,
            Self::Timeout => CallOutcome::Timeout,
            Self::Unreachable { .. } => CallOutcome::Unreachable,
            Self::Faulty { .. } => CallOutcome::Faulty,
            Self::Unexpected => CallOutcome::Unexpected,
        }
    }
}

impl Shareable for Error {
    fn sharing(&self) -> Sharing {
        if self.class.is_of_the_caller() {
            Sharing::Owner
        } else if self.class.may_be_over() && !self.is_repeated {
            Sharing::SecondTime
        } else {
            Sharing::All
        }
    }

    fn repeated(self) -> Self {
        Self { is_repeated: true, ..self }
    }
}

impl Error {
    /// An error of a class, with the detail for the log.
    pub fn new(class: Class, detail: impl Into<String>) -> Self {
        Self { class, detail: detail.into(), request_id: None, enterprise_version: None, is_repeated: false }
    }

    /// A response that GitHub shouldn't have given.
    pub fn unexpected(detail: impl Into<String>) -> Self {
        Self::new(Class::Unexpected, detail)
    }

    /// The same failure as one of another class, which it is for whoever asked.
    pub(super) fn reclassified(self, class: Class) -> Self {
        Self { class, ..self }
    }

    /// The failure of a call that the service makes for itself, such as minting a token: GitHub's word on it says nothing
    /// about what the caller wanted. What may pass by itself stays as it is.
    pub(super) fn of_the_service(self) -> Self {
        let class = match self.class {
            Class::NotFound
            | Class::Unauthorized
            | Class::Forbidden(_)
            | Class::Conflict
            | Class::Rejected(_) => Class::ServiceRefused,
            Class::Unexpected => Class::NotGithub,
            class => class,
        };
        Self { class, ..self }
    }

    /// The same with more for the log.
    pub(super) fn adding(self, more: &str) -> Self {
        Self { detail: self.detail + more, ..self }
    }

    /// The same with GitHub's id of the request.
    pub(super) fn with_request_id(self, request_id: Option<String>) -> Self {
        Self { request_id, ..self }
    }

    /// The same with the version of the Enterprise Server that responded.
    pub(super) fn with_enterprise_version(self, enterprise_version: Option<(u32, u32)>) -> Self {
        Self { enterprise_version, ..self }
    }

    /// The major and minor version of the Enterprise Server that responded; none for github.com.
    pub fn enterprise_version(&self) -> Option<(u32, u32)> {
        self.enterprise_version
    }

    /// What kind of failure it is.
    pub fn class(&self) -> &Class {
        &self.class
    }

    /// Whether GitHub responded that it isn't there.
    pub fn is_not_found(&self) -> bool {
        self.class == Class::NotFound
    }

    /// GitHub's id of the failed request, if it responded.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.detail)
    }
}

impl std::error::Error for Error {}
