//! GitHub's rate limits for one credential: while GitHub has said to wait, nothing is sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use crate::clock::Clock;
use crate::metrics;

/// The wait that GitHub asks for when it names no time.
const UNSTATED_WAIT: Duration = Duration::from_mins(1);
/// GitHub's longest window is an hour; a longer wait is a misreading or a wrong clock.
const MAX_WAIT: Duration = Duration::from_hours(1);

/// How long GitHub asked to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold(Duration);

impl Hold {
    pub(super) fn for_the_next(wait: Duration) -> Self {
        Self(wait.clamp(Duration::from_secs(1), MAX_WAIT))
    }

    pub(super) fn wait_of(hold: Option<Self>) -> Duration {
        hold.map_or(UNSTATED_WAIT, |hold| hold.0)
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
        // Against GitHub's own clock where it states the time, since ours may be off.
        let now = headers
            .get(header::DATE)
            .and_then(|date| chrono::DateTime::parse_from_rfc2822(date.to_str().ok()?).ok())
            .and_then(|date| u64::try_from(date.timestamp()).ok())
            .unwrap_or(now);
        let reset = number("x-ratelimit-reset")?;
        Some(Self::for_the_next(Duration::from_secs(reset.saturating_sub(now))))
    }
}

/// Until when calls with one credential are held back.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// Milliseconds on the service's clock; 0 is no hold.
    held_until: AtomicU64,
    is_reported: bool,
}

impl Budget {
    /// The budget that metrics show: the one that all callers share.
    pub(super) fn reported() -> Self {
        Self { is_reported: true, ..Self::default() }
    }

    /// Passes on what GitHub says is left.
    pub(super) fn report(&self, headers: &HeaderMap) {
        if !self.is_reported {
            return;
        }
        let number = |name: &str| headers.get(name)?.to_str().ok()?.parse().ok();
        let said =
            (number("x-ratelimit-limit"), number("x-ratelimit-remaining"), number("x-ratelimit-reset"));
        if let (Some(limit), Some(left), Some(reset)) = said {
            metrics::github_budget(limit, left, reset);
        }
    }

    pub(super) fn note(&self, hold: Option<Hold>, clock: &Clock) {
        if let Some(Hold(wait)) = hold {
            self.held_until.fetch_max(millis(clock.now() + wait), Ordering::SeqCst);
        }
    }

    pub(super) fn must_wait(&self, clock: &Clock) -> Option<Duration> {
        let left = self.held_until.load(Ordering::SeqCst).saturating_sub(millis(clock.now()));
        (left > 0).then(|| Duration::from_millis(left))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(status: u16, headers: &[(&'static str, &str)]) -> Option<u64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Hold::read(StatusCode::from_u16(status).unwrap(), &map, 1_000).map(|hold| hold.0.as_secs())
    }

    #[test]
    fn retry_after_comes_first_then_the_reset_of_a_spent_budget() {
        let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1090")];
        assert_eq!(hold(403, &[("retry-after", "7"), spent[0], spent[1]]), Some(7));
        assert_eq!(hold(403, &spent), Some(90));
        assert_eq!(hold(200, &spent), Some(90), "the last call of the budget went through");
        assert_eq!(hold(403, &[("x-ratelimit-remaining", "12"), ("x-ratelimit-reset", "1090")]), None);
        assert_eq!(hold(200, &[("retry-after", "7")]), None);
    }

    #[test]
    fn a_wait_is_bounded_and_measured_by_githubs_own_clock() {
        assert_eq!(hold(429, &[("retry-after", "999999999")]), Some(3_600));
        assert_eq!(hold(429, &[("retry-after", "0")]), Some(1));
        assert_eq!(hold(429, &[("retry-after", "soon")]), None);
        let date = ("date", "Thu, 01 Jan 1970 00:20:00 GMT");
        assert_eq!(
            hold(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1230"), date]),
            Some(30)
        );
    }

    #[test]
    fn a_hold_ends_by_itself() {
        let (clock, budget) = (Clock::manual(), Budget::default());
        budget.note(Some(Hold::for_the_next(Duration::from_secs(5))), &clock);
        assert_eq!(budget.must_wait(&clock), Some(Duration::from_secs(5)));
        clock.advance(Duration::from_secs(5));
        assert_eq!(budget.must_wait(&clock), None);
    }
}
