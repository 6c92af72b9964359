//! An installation token, and how long to go on with one that GitHub refuses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use octocrab::Octocrab;

use crate::clock::Clock;

/// Not all of GitHub knows a token yet that was minted so lately, so it is not thrown away for one refusal.
pub(super) const YOUNG: Duration = Duration::from_secs(10);
/// Waits before a call is sent again that was refused with a 401 because of so young a token. Only the first, if GitHub
/// has accepted it before: then it was more likely revoked.
const PAUSES_AFTER_401: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// An installation token inside the client that carries it.
pub(super) struct Minted {
    pub(super) client: Octocrab,
    /// Which of all tokens it is.
    pub(super) number: u64,
    /// When it was minted, on the service's clock.
    pub(super) since: Duration,
    /// Whether GitHub ever took it.
    pub(super) was_accepted: AtomicBool,
    /// Whether another takes its place.
    pub(super) is_given_up: AtomicBool,
    /// Seconds since 1970.
    pub(super) expires: u64,
}

impl Minted {
    pub(super) fn left(&self, clock: &Clock) -> Duration {
        Duration::from_secs(self.expires.saturating_sub(clock.unix_seconds()))
    }

    pub(super) fn is_young(&self, clock: &Clock) -> bool {
        clock.now() < self.since + YOUNG
    }

    /// How long to go on with it after so many refusals with a 401; none if it is time for another.
    pub(super) fn pause_after_401(&self, refusals: usize, clock: &Clock) -> Option<Duration> {
        let most = if self.was_accepted.load(Ordering::Relaxed) { 1 } else { PAUSES_AFTER_401.len() };
        let is_worth_it = self.is_young(clock) && refusals <= most;
        PAUSES_AFTER_401.get(refusals.checked_sub(1)?).copied().filter(|_| is_worth_it)
    }
}
