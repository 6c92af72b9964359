//! GitHub's rate limits for one credential: while GitHub has said to wait, nothing is sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderMap;

use super::hold::Hold;
use crate::clock::Clock;
use crate::metrics;

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

    /// Any hold holds everything.
    pub(super) fn note(&self, hold: Option<&Hold>, clock: &Clock) {
        if let Some(hold) = hold {
            self.held_until.fetch_max(millis(clock.now() + hold.wait), Ordering::SeqCst);
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
mod tests {
    use super::super::hold::Scope;
    use super::*;

    #[test]
    fn a_hold_ends_by_itself() {
        let (clock, budget) = (Clock::manual(), Budget::default());
        let wait = Duration::from_secs(5);
        budget.note(Some(&Hold { wait, scope: Scope::Endpoint }), &clock);
        assert_eq!(budget.must_wait(&clock), Some(wait));
        clock.advance(wait);
        assert_eq!(budget.must_wait(&clock), None);
    }
}
