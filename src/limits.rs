//! Rate limits: per user after authentication, per client address for refused tokens before it. Bounded in
//! memory, and on a clock that tests can move. They count in this process alone.

mod addresses;
mod unknown_teams;

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

pub use self::addresses::{AddressLimiter, Reservation, UNKNOWN_TOKEN_BURST};
pub use self::unknown_teams::UnknownTeamLimiter;
use crate::clock::Clock;
use crate::domain::ids::UserId;

/// A user or network that was idle for this long is forgotten.
const MAX_IDLE: Duration = Duration::from_hours(1);
/// Users or networks that are remembered at once: about 11 MB.
const MAX_KEYS: u64 = 100_000;

type Bucket = RateLimiter<NotKeyed, InMemoryState, Clock, StateInformationMiddleware>;

/// What a caller has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Requests that may be sent at once.
    pub limit: u32,
    /// Requests that may be sent now.
    pub remaining: u32,
    /// How long until all of `limit` may be sent again.
    pub reset: Duration,
}

/// A request that comes too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// What is left, which is nothing.
    pub allowance: Allowance,
    /// When the next request may be sent.
    pub retry_after: Duration,
}

/// How long it takes to earn one of `per_second`.
fn interval(per_second: f64) -> Duration {
    let interval = Duration::try_from_secs_f64(1.0 / per_second).unwrap_or(Duration::MAX);
    interval.clamp(Duration::from_nanos(1), Duration::from_hours(24))
}

/// One counter for each user or network that sent something lately.
fn new_counters<K: Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static>() -> Cache<K, V> {
    // LRU: the default policy refuses newcomers when full, and their count would start anew each time.
    Cache::builder()
        .max_capacity(MAX_KEYS)
        .time_to_idle(MAX_IDLE)
        .eviction_policy(EvictionPolicy::lru())
        .build()
}

/// One bucket for each key.
struct Buckets<K> {
    by_key: Cache<K, Arc<Bucket>>,
    quota: Quota,
    clock: Clock,
}

impl<K: Hash + Eq + Send + Sync + 'static> Buckets<K> {
    fn new(per_second: f64, burst: u32, clock: Clock) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota =
            Quota::with_period(interval(per_second)).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
        Self { by_key: new_counters(), quota: quota.allow_burst(burst), clock }
    }

    fn check(&self, key: K) -> Result<Allowance, Limited> {
        let new =
            || Arc::new(RateLimiter::direct_with_clock(self.quota, self.clock.clone()).with_middleware());
        let bucket = self.by_key.get_with(key, new);
        let limit = self.quota.burst_size().get();
        let allowance = |remaining: u32| Allowance {
            limit,
            remaining,
            reset: self.quota.replenish_interval() * (limit - remaining.min(limit)),
        };
        match bucket.check() {
            Ok(state) => Ok(allowance(state.remaining_burst_capacity())),
            Err(refused) => Err(Limited {
                allowance: allowance(0),
                retry_after: refused.wait_time_from(governor::clock::Clock::now(&self.clock)),
            }),
        }
    }
}

/// So many times as much is allowed to administrators.
const ADMINISTRATORS_FACTOR: u32 = 10;

/// Requests of one user, by GitHub's id, whatever token is used.
pub struct UserLimiter {
    users: Buckets<UserId>,
    administrators: Buckets<UserId>,
}

impl UserLimiter {
    /// `per_second` requests in the long run, `burst` at once; ten times as much for administrators.
    pub fn new(per_second: f64, burst: u32, clock: Clock) -> Self {
        let factor = ADMINISTRATORS_FACTOR;
        let administrators =
            Buckets::new(per_second * f64::from(factor), burst.saturating_mul(factor), clock.clone());
        Self { users: Buckets::new(per_second, burst, clock), administrators }
    }

    /// Counts one request.
    pub fn check(&self, user: UserId, is_administrator: bool) -> Result<Allowance, Limited> {
        if is_administrator { self.administrators.check(user) } else { self.users.check(user) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_gets_the_burst_at_once_and_the_rate_in_the_long_run() {
        let clock = Clock::manual();
        let users = UserLimiter::new(2.0, 3, clock.clone());
        for (remaining, reset) in [(2, 500), (1, 1_000), (0, 1_500)] {
            let reset = Duration::from_millis(reset);
            assert_eq!(users.check(UserId(1), false).unwrap(), Allowance { limit: 3, remaining, reset });
        }
        let limited = users.check(UserId(1), false).unwrap_err();
        assert_eq!(limited.retry_after, Duration::from_millis(500));
        assert_eq!(
            limited.allowance,
            Allowance { limit: 3, remaining: 0, reset: Duration::from_millis(1_500) }
        );
        assert!(users.check(UserId(2), false).is_ok(), "another user has a bucket of its own");
        clock.advance(Duration::from_millis(500));
        assert!(users.check(UserId(1), false).is_ok());
        assert!(users.check(UserId(1), false).is_err());
    }

    #[test]
    fn less_than_one_request_a_second_can_be_set() {
        let clock = Clock::manual();
        let users = UserLimiter::new(0.1, 1, clock.clone());
        assert!(users.check(UserId(1), false).is_ok());
        assert_eq!(users.check(UserId(1), false).unwrap_err().retry_after, Duration::from_secs(10));
    }

    #[test]
    fn administrators_have_ten_times_as_much() {
        let clock = Clock::manual();
        let users = UserLimiter::new(2.0, 3, clock.clone());
        for _ in 0..30 {
            assert_eq!(users.check(UserId(1), true).unwrap().limit, 30);
        }
        assert_eq!(users.check(UserId(1), true).unwrap_err().retry_after, Duration::from_millis(50));
    }
}
