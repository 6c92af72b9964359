//! How long GitHub asks to wait.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

/// The wait that GitHub asks for when it names no time.
const UNSTATED_WAIT: Duration = Duration::from_mins(1);
/// GitHub's longest window is an hour; a longer wait is a misreading or a wrong clock.
const MAX_WAIT: Duration = Duration::from_hours(1);

/// How long GitHub asked to wait, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) wait: Duration,
    pub(super) scope: Scope,
}

/// What a hold is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// The hour's calls of this resource are used up.
    Resource(String),
    /// A secondary limit: calls of this kind came too often.
    Endpoint,
}

impl Hold {
    pub(super) fn for_the_next(wait: Duration) -> Self {
        Self { wait: wait.clamp(Duration::from_secs(1), MAX_WAIT), scope: Scope::Endpoint }
    }

    pub(super) fn wait_of(hold: Option<&Self>) -> Duration {
        hold.map_or(UNSTATED_WAIT, |hold| hold.wait)
    }

    /// Reads `Retry-After`, else a spent `x-ratelimit-*` budget. `now` is in seconds since 1970.
    pub(super) fn read(status: StatusCode, headers: &HeaderMap, now: u64) -> Option<Self> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        if !status.is_success()
            && let Some(seconds) = number(header::RETRY_AFTER.as_str())
        {
            return Some(Self::for_the_next(Duration::from_secs(seconds)));
        }
        if number("x-ratelimit-remaining") != Some(0) {
            return None;
        }
        let reset = number("x-ratelimit-reset")?;
        Some(Self::for_the_next(Duration::from_secs(reset.saturating_sub(now))))
    }
}
