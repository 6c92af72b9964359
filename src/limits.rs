//! Rate limits: per user after authentication, per client address for refused tokens before it. Bounded in
//! memory, and on a clock that tests can move. Those of users count over all processes that share the store.

mod addresses;
mod callers;
mod hourly;
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
pub use self::callers::CallerLimiter;
pub use self::hourly::HourlyLimiter;
pub use self::unknown_teams::UnknownTeamLimiter;
use crate::clock::Clock;

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
    clock: Clock,
}

/// What may be sent: so many in a second in the long run, and `burst` at once.
fn quota(per_second: f64, burst: u32) -> Quota {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    let quota =
        Quota::with_period(interval(per_second)).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
    quota.allow_burst(burst)
}

impl<K: Hash + Eq + Send + Sync + 'static> Buckets<K> {
    fn new(clock: Clock) -> Self {
        Self { by_key: new_counters(), clock }
    }

    /// Counts one for this key, whose quota is always the same.
    fn check(&self, key: K, quota: Quota) -> Result<Allowance, Limited> {
        let new = || Arc::new(RateLimiter::direct_with_clock(quota, self.clock.clone()).with_middleware());
        let bucket = self.by_key.get_with(key, new);
        let limit = quota.burst_size().get();
        let allowance = |remaining: u32| Allowance {
            limit,
            remaining,
            reset: quota.replenish_interval() * (limit - remaining.min(limit)),
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
