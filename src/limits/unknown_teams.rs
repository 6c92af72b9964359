//! Names that are no team's, counted for whoever sends them: each costs a call to GitHub, and names don't run out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use super::new_counters;
use crate::clock::Clock;
use crate::domain::ids::UserId;

/// Names that one user may ask about at once.
const BURST: u32 = 50;
/// How long a user takes to earn one more.
const INTERVAL: Duration = Duration::from_secs(5);

/// Names that turned out to be no team's, by the users who sent them.
pub struct UnknownTeamLimiter {
    /// When all names that a user sent will be made up for: one interval for each.
    clean_at: Cache<UserId, Arc<Mutex<Duration>>>,
    clock: Clock,
}

/// A look-up that is counted as one of an unknown name, until it turns out to be one of a team.
#[must_use]
pub struct LookUp(Arc<Mutex<Duration>>);

impl UnknownTeamLimiter {
    /// Counts nothing yet.
    pub fn new(clock: Clock) -> Self {
        Self { clean_at: new_counters(), clock }
    }

    /// Counts the look-up of a name that nobody knows yet. The error is how long to wait until the next one.
    pub fn begin(&self, user: UserId) -> Result<LookUp, Duration> {
        let counter = self.clean_at.get_with(user, Arc::default);
        let (now, mut clean_at) = (self.clock.now(), counter.lock().unwrap_or_else(PoisonError::into_inner));
        let left = clean_at.saturating_sub(now);
        let excess = left.saturating_sub(INTERVAL * (BURST - 1));
        if !excess.is_zero() {
            return Err(excess);
        }
        *clean_at = now + left + INTERVAL;
        drop(clean_at);
        Ok(LookUp(counter))
    }
}

impl LookUp {
    /// It is a team's name, or nobody could find out.
    pub fn give_back(self) {
        let mut clean_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *clean_at = clean_at.saturating_sub(INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_unknown_names_may_be_sent_at_once_and_one_in_five_seconds_after_that() {
        let clock = Clock::manual();
        let limiter = UnknownTeamLimiter::new(clock.clone());
        for _ in 0..200 {
            limiter.begin(UserId(1)).unwrap().give_back();
        }
        for _ in 0..50 {
            let _unknown = limiter.begin(UserId(1)).unwrap();
        }
        assert_eq!(limiter.begin(UserId(1)).err(), Some(INTERVAL));
        assert!(limiter.begin(UserId(2)).is_ok(), "somebody else has names of their own");
        clock.advance(INTERVAL);
        assert!(limiter.begin(UserId(1)).is_ok());
        assert!(limiter.begin(UserId(1)).is_err());
    }
}
