//! How often something was done in the last hour: exact, since few things are counted so.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

const HOUR: Duration = Duration::from_hours(1);
/// After so many that were counted, those are forgotten that did nothing for an hour.
const TIDIED_AFTER: usize = 1_000;

/// What each did in the last hour.
pub struct HourlyLimiter<K> {
    done: Mutex<Done<K>>,
    clock: Clock,
}

struct Done<K> {
    /// When, oldest first.
    by: HashMap<K, VecDeque<Duration>>,
    since_tidied: usize,
}

impl<K: Hash + Eq + Copy> HourlyLimiter<K> {
    /// Nobody did anything.
    pub fn new(clock: Clock) -> Self {
        Self { done: Mutex::new(Done { by: HashMap::new(), since_tidied: 0 }), clock }
    }

    /// Counts one for each of these, if each may do so many in an hour and one more is among them. Otherwise none is counted, and
    /// the error is how long to wait.
    pub fn count(&self, limits: &[(K, u32)]) -> Result<(), Duration> {
        let now = self.clock.now();
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let Done { by, since_tidied } = &mut *done;
        let mut wait = None;
        for (key, most) in limits {
            let Some(times) = by.get_mut(key) else { continue };
            while times.front().is_some_and(|at| *at + HOUR <= now) {
                times.pop_front();
            }
            // The limit may have been lowered meanwhile: so many have to be over first.
            let over = (times.len() + 1).saturating_sub(*most as usize);
            if over > 0 {
                let free_at = times.get(over - 1).map_or(now + HOUR, |at| *at + HOUR);
                wait = wait.max(Some(free_at.saturating_sub(now)));
            }
        }
        if let Some(wait) = wait {
            return Err(wait);
        }
        for (key, _) in limits {
            by.entry(*key).or_default().push_back(now);
        }
        *since_tidied += 1;
        if *since_tidied >= TIDIED_AFTER {
            *since_tidied = 0;
            by.retain(|_, times| times.back().is_some_and(|at| *at + HOUR > now));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn so_many_pass_in_any_hour_and_no_more() {
        let clock = Clock::manual();
        let limiter = HourlyLimiter::new(clock.clone());
        let count = || limiter.count(&[('a', 3)]);
        for _ in 0..3 {
            assert_eq!(count(), Ok(()));
            clock.advance(MINUTE);
        }
        assert_eq!(count(), Err(57 * MINUTE));
        assert_eq!(limiter.count(&[('b', 3)]), Ok(()), "another one's are counted apart");
        clock.advance(57 * MINUTE);
        assert_eq!(count(), Ok(()), "the first is an hour ago");
        assert_eq!(count(), Err(MINUTE));
        assert_eq!(limiter.count(&[('a', 1)]), Err(HOUR), "a limit that was lowered");
    }

    #[test]
    fn what_one_limit_refuses_is_counted_for_none() {
        let limiter = HourlyLimiter::new(Clock::manual());
        assert_eq!(limiter.count(&[('a', 1), ('t', 9)]), Ok(()));
        for _ in 0..20 {
            assert!(limiter.count(&[('a', 1), ('t', 9)]).is_err());
        }
        for _ in 0..8 {
            assert_eq!(limiter.count(&[('b', 99), ('t', 9)]), Ok(()));
        }
        assert!(limiter.count(&[('b', 99), ('t', 9)]).is_err());
    }
}
