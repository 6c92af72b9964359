//! The hour that GitHub counts calls in, as its responses report it.

use std::time::Duration;

use http::HeaderMap;

use crate::github::hold::{USUAL_RESOURCE, githubs_now, number, resource};
use crate::metrics;

/// GitHub's longest window.
const HOUR: Duration = Duration::from_hours(1);
/// Two reports of the same window may differ by so many seconds.
const RESET_TOLERANCE: u64 = 30;
/// GitHub itself allows no installation more; a server that does has its own limits, or none.
const MAX_LIMIT_OF_GITHUB: u64 = 15_000;

/// After so many calls it shows whether a server counts them at all: some report a limit that they don't have.
const MIN_CALLS_TO_TELL: u64 = 300;

/// A window as it was last reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) limit: u64,
    remaining: u64,
    /// What remained when the window was first reported.
    first_remaining: u64,
    /// Seconds since 1970, on GitHub's clock.
    reset: u64,
    /// On the service's clock.
    ends: Duration,
}

/// What a report changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Another window began.
    New,
    /// Nothing but numbers.
    Same,
}

impl Window {
    /// Reads `x-ratelimit-*`; nothing if they are about another resource, or not there.
    fn read(headers: &HeaderMap, now: Duration, unix_now: u64) -> Option<Self> {
        if resource(headers) != USUAL_RESOURCE {
            return None;
        }
        let limit = number(headers, "x-ratelimit-limit").filter(|limit| *limit > 0)?;
        let remaining = number(headers, "x-ratelimit-remaining")?;
        let reset = number(headers, "x-ratelimit-reset")?;
        let left = Duration::from_secs(reset.saturating_sub(githubs_now(headers, unix_now))).min(HOUR);
        let remaining = remaining.min(limit);
        Some(Self { limit, remaining, first_remaining: remaining, reset, ends: now + left })
    }

    /// Takes a report in. Responses overtake each other, so within a window the least counts.
    pub(super) fn update(
        window: &mut Option<Self>,
        headers: &HeaderMap,
        now: Duration,
        unix_now: u64,
    ) -> Option<Change> {
        let reported = Self::read(headers, now, unix_now)?;
        let change = match window {
            Some(known) if known.ends > now && reported.reset + RESET_TOLERANCE < known.reset => return None,
            Some(known) if known.ends > now && reported.reset <= known.reset + RESET_TOLERANCE => {
                known.remaining = known.remaining.min(reported.remaining);
                known.limit = reported.limit;
                Change::Same
            }
            _ => {
                *window = Some(reported);
                Change::New
            }
        };
        if let Some(known) = window {
            metrics::github_budget(known.limit, known.remaining, known.reset);
        }
        Some(change)
    }

    pub(super) fn has_ended(&self, now: Duration) -> bool {
        self.ends <= now
    }

    /// How long it lasts.
    pub(super) fn left(&self, now: Duration) -> Duration {
        self.ends.saturating_sub(now)
    }

    /// How long until as much of the hour is gone as of the limit; none while there is enough.
    pub(super) fn runs_short_for(&self, now: Duration) -> Option<Duration> {
        let enough_for = HOUR.mul_f64(self.remaining_part());
        let short_for = self.left(now).saturating_sub(enough_for);
        (!short_for.is_zero()).then_some(short_for)
    }

    /// How long it takes until so many more calls are possible, if the limit is spread over the hour.
    pub(super) fn time_for(&self, calls: u32) -> Duration {
        HOUR.mul_f64(self.part(calls.into()))
    }

    /// Whether less than this part of the limit is left.
    pub(super) fn has_less_than(&self, part: f64) -> bool {
        self.remaining_part() < part
    }

    /// Whether GitHub.com's limits may apply after so many calls of this window, in which case its limits on endpoints do, too.
    pub(super) fn is_githubs(&self, calls: u64) -> bool {
        let counted = self.first_remaining.saturating_sub(self.remaining);
        // Most calls under way are not counted yet.
        let is_counting = calls < MIN_CALLS_TO_TELL || counted.saturating_mul(2) >= calls;
        self.limit <= MAX_LIMIT_OF_GITHUB && is_counting
    }

    fn remaining_part(&self) -> f64 {
        self.part(self.remaining)
    }

    /// Which part of the limit so many calls are.
    #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
    pub(super) fn part(&self, calls: u64) -> f64 {
        calls as f64 / self.limit as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(limit: u64, remaining: u64, reset: u64) -> HeaderMap {
        let mut map = HeaderMap::new();
        map.insert("x-ratelimit-limit", limit.into());
        map.insert("x-ratelimit-remaining", remaining.into());
        map.insert("x-ratelimit-reset", reset.into());
        map
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_runs_short_while_less_of_the_limit_is_left_than_of_the_hour() {
        let mut window = None;
        Window::update(&mut window, &headers(5_000, 4_000, 4_600), Duration::ZERO, 1_000);
        let window = window.unwrap();
        assert_eq!(window.runs_short_for(Duration::ZERO), Some(seconds(720)));
        assert_eq!(window.runs_short_for(seconds(720)), None, "four fifths of the hour, and of the limit");
        assert!(window.has_less_than(0.81) && !window.has_less_than(0.8));
        assert!(!window.has_ended(seconds(3_599)) && window.has_ended(seconds(3_600)));
    }

    #[test]
    fn responses_that_overtake_each_other_change_nothing_and_another_window_begins_anew() {
        let (mut window, now) = (None, Duration::ZERO);
        let mut report = |remaining, reset, now| {
            let change = Window::update(&mut window, &headers(5_000, remaining, reset), now, 1_000);
            (change, window.unwrap().remaining)
        };
        assert_eq!(report(100, 2_000, now), (Some(Change::New), 100));
        assert_eq!(report(120, 2_001, now), (Some(Change::Same), 100), "an earlier response");
        assert_eq!(report(4_000, 1_500, now), (None, 100), "of the window before");
        assert_eq!(report(90, 1_999, now), (Some(Change::Same), 90));
        assert_eq!(report(4_999, 5_600, now), (Some(Change::New), 4_999));
        let later = seconds(3_600);
        assert_eq!(report(4_998, 5_601, later), (Some(Change::New), 4_998), "the one before has ended");
    }

    #[test]
    fn a_server_that_counts_nothing_has_no_limits_whatever_it_reports() {
        let mut window = None;
        let now = Duration::ZERO;
        Window::update(&mut window, &headers(5_000, 4_999, 4_600), now, 1_000);
        assert!(window.unwrap().is_githubs(299) && !window.unwrap().is_githubs(300));
        Window::update(&mut window, &headers(5_000, 4_800, 4_600), now, 1_000);
        assert!(window.unwrap().is_githubs(300));
        Window::update(&mut window, &headers(50_000, 4_800, 9_600), now, 6_000);
        assert!(!window.unwrap().is_githubs(0), "more than GitHub allows anybody");
    }

    #[test]
    fn another_resource_says_nothing_about_this_one() {
        let mut window = None;
        let mut of_another = headers(10_000, 0, 2_000);
        of_another.insert("x-ratelimit-resource", "actions_runner_registration".parse().unwrap());
        assert_eq!(Window::update(&mut window, &of_another, Duration::ZERO, 1_000), None);
        assert_eq!(window, None);
    }
}
