//! Names that are no team's, counted for whoever sends them: each costs a call to GitHub, and names don't run out.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use super::new_counters;
use crate::clock::Clock;
use crate::domain::ids::UserId;
use crate::domain::names::TeamSlug;

/// Names that one user may ask about at once.
const BURST: u32 = 50;
/// How long a user takes to earn one more.
const INTERVAL: Duration = Duration::from_secs(5);

/// Names that turned out to be no team's, by the users who sent them.
pub struct UnknownTeamLimiter {
    counters: Cache<UserId, Arc<Counter>>,
    clock: Clock,
}

#[derive(Default)]
struct Counter(Mutex<Names>);

/// The names that one user sent.
#[derive(Default)]
struct Names {
    /// When all of them will be made up for: one interval for each.
    clean_at: Duration,
    /// Those that are being looked up. Requests for the same name share the look-up, so it is counted once.
    under_way: HashSet<TeamSlug>,
}

/// A look-up that is counted as one of an unknown name, until it turns out to be one of a team.
#[must_use]
pub struct LookUp {
    /// None if another request has it counted.
    counter: Option<Arc<Counter>>,
    slug: TeamSlug,
}

impl Counter {
    fn lock(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnknownTeamLimiter {
    /// Counts nothing yet.
    pub fn new(clock: Clock) -> Self {
        Self { counters: new_counters(), clock }
    }

    /// Counts the look-up of a name that nobody knows yet. The error is how long to wait until the next one.
    pub fn begin(&self, user: UserId, slug: &TeamSlug) -> Result<LookUp, Duration> {
        let counter = self.counters.get_with(user, Arc::default);
        let (now, mut names) = (self.clock.now(), counter.lock());
        if names.under_way.contains(slug) {
            return Ok(LookUp { counter: None, slug: slug.clone() });
        }
        let left = names.clean_at.saturating_sub(now);
        let excess = left.saturating_sub(INTERVAL * (BURST - 1));
        if !excess.is_zero() {
            return Err(excess);
        }
        names.clean_at = now + left + INTERVAL;
        names.under_way.insert(slug.clone());
        drop(names);
        Ok(LookUp { counter: Some(counter), slug: slug.clone() })
    }
}

impl LookUp {
    /// It is a team's name, or nobody could find out.
    pub fn give_back(self) {
        if let Some(counter) = &self.counter {
            let mut names = counter.lock();
            names.clean_at = names.clean_at.saturating_sub(INTERVAL);
        }
    }
}

impl Drop for LookUp {
    fn drop(&mut self) {
        if let Some(counter) = &self.counter {
            counter.lock().under_way.remove(&self.slug);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_unknown_names_may_be_sent_at_once_and_one_in_five_seconds_after_that() {
        let clock = Clock::manual();
        let limiter = UnknownTeamLimiter::new(clock.clone());
        let begin = |user, number: usize| {
            let slug = TeamSlug::parse(&format!("name-{number}")).unwrap();
            limiter.begin(UserId(user), &slug)
        };
        for number in 0..200 {
            begin(1, number).unwrap().give_back();
        }
        for number in 0..50 {
            let _unknown = begin(1, number).unwrap();
        }
        assert_eq!(begin(1, 50).err(), Some(INTERVAL));
        assert!(begin(2, 50).is_ok(), "somebody else has names of their own");
        clock.advance(INTERVAL);
        assert!(begin(1, 50).is_ok());
        assert!(begin(1, 51).is_err());
    }

    #[test]
    fn requests_for_one_name_at_once_count_as_one() {
        let limiter = UnknownTeamLimiter::new(Clock::manual());
        let slug = TeamSlug::parse("a-team").unwrap();
        let begin = || limiter.begin(UserId(1), &slug);
        let mut at_once: Vec<_> = (0..200).map(|_| begin().unwrap()).collect();
        at_once.drain(..).for_each(LookUp::give_back);
        let first: Vec<_> = (0..200).map(|_| begin().unwrap()).collect();
        drop(first);
        // One is counted: 49 more make it full.
        for _ in 0..49 {
            drop(begin().unwrap());
        }
        assert!(begin().is_err());
    }
}
