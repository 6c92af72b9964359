//! Requests of each caller, over all processes that share the store.

use std::sync::Arc;

use governor::Quota;

use super::{Allowance, Buckets, Limited, quota};
use crate::clock::Clock;
use crate::domain::principal::Principal;
use crate::replicas::Replicas;
use crate::store::Taken;

/// So many times as much is allowed to administrators.
const ADMINISTRATORS_FACTOR: u32 = 10;

/// Requests of one caller, by what stays the same whatever token is used.
pub struct CallerLimiter {
    callers: Limit,
    administrators: Limit,
    replicas: Arc<Replicas>,
}

/// What some callers may send.
struct Limit {
    /// What they are in the store, if it isn't their own kind.
    kind: Option<&'static str>,
    per_second: f64,
    quota: Quota,
    /// In this process.
    here: Buckets<Principal>,
    /// In this process as one of so many, for as long as it can't count with the others.
    as_one_of: Buckets<(Principal, u32)>,
}

impl CallerLimiter {
    /// `per_second` requests in the long run, `burst` at once; ten times as much for administrators.
    pub fn new(per_second: f64, burst: u32, replicas: Arc<Replicas>, clock: &Clock) -> Self {
        let factor = ADMINISTRATORS_FACTOR;
        let (more_per_second, more) = (per_second * f64::from(factor), burst.saturating_mul(factor));
        Self {
            callers: Limit::new(None, per_second, burst, clock),
            administrators: Limit::new(Some("administrator"), more_per_second, more, clock),
            replicas,
        }
    }

    /// Counts one request.
    ///
    /// # Errors
    /// The caller sent too many.
    pub async fn check(&self, caller: Principal, is_administrator: bool) -> Result<Allowance, Limited> {
        let limit = if is_administrator { &self.administrators } else { &self.callers };
        // First, so that no flood reaches the store.
        let allowance = limit.here.check(caller, limit.quota)?;
        if !self.replicas.is_shared() {
            return Ok(allowance);
        }
        let (interval, burst) = (limit.quota.replenish_interval(), limit.quota.burst_size().get());
        let kind = limit.kind.unwrap_or(caller.kind());
        match self.replicas.take(kind, caller.number(), interval, burst).await {
            Some(taken) => {
                // Counted here as well: should the store fail, nobody begins anew.
                let _ = limit.check_as_one_of(caller, self.replicas.count());
                limit.outcome(taken)
            }
            None => limit.check_as_one_of(caller, self.replicas.count()),
        }
    }
}

impl Limit {
    fn new(kind: Option<&'static str>, per_second: f64, burst: u32, clock: &Clock) -> Self {
        let (here, as_one_of) = (Buckets::new(clock.clone()), Buckets::new(clock.clone()));
        Self { kind, per_second, quota: quota(per_second, burst), here, as_one_of }
    }

    /// What the store's count says.
    fn outcome(&self, taken: Taken) -> Result<Allowance, Limited> {
        let (interval, burst) = (self.quota.replenish_interval(), self.quota.burst_size().get());
        let (whole, ahead) = (interval * burst, interval * (burst - 1));
        let left = whole.saturating_sub(taken.clean_in).as_secs_f64() / interval.as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the burst"
        )]
        let remaining = if taken.passed { (left as u32).min(burst) } else { 0 };
        let allowance = Allowance { limit: burst, remaining, reset: taken.clean_in };
        if taken.passed {
            return Ok(allowance);
        }
        Err(Limited { allowance, retry_after: taken.clean_in.saturating_sub(ahead) })
    }

    /// Whether the caller is within this process's part of the limit, as one of so many.
    fn check_as_one_of(&self, caller: Principal, replicas: u32) -> Result<Allowance, Limited> {
        let part = quota(self.per_second / f64::from(replicas), self.quota.burst_size().get() / replicas);
        self.as_one_of.check((caller, replicas), part)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::ids::UserId;

    fn user(id: u64) -> Principal {
        Principal::User(UserId(id))
    }

    fn limiter(per_second: f64, burst: u32, clock: &Clock) -> CallerLimiter {
        CallerLimiter::new(per_second, burst, Arc::new(Replicas::none()), clock)
    }

    #[tokio::test]
    async fn a_user_gets_the_burst_at_once_and_the_rate_in_the_long_run() {
        let clock = Clock::manual();
        let users = limiter(2.0, 3, &clock);
        let check = async |user| users.check(self::user(user), false).await;
        for (remaining, reset) in [(2, 500), (1, 1_000), (0, 1_500)] {
            let reset = Duration::from_millis(reset);
            assert_eq!(check(1).await.unwrap(), Allowance { limit: 3, remaining, reset });
        }
        let limited = check(1).await.unwrap_err();
        assert_eq!(limited.retry_after, Duration::from_millis(500));
        assert_eq!(
            limited.allowance,
            Allowance { limit: 3, remaining: 0, reset: Duration::from_millis(1_500) }
        );
        assert!(check(2).await.is_ok(), "another user has a bucket of its own");
        clock.advance(Duration::from_millis(500));
        assert!(check(1).await.is_ok());
        assert!(check(1).await.is_err());
    }

    #[tokio::test]
    async fn less_than_one_request_a_second_can_be_set() {
        let users = limiter(0.1, 1, &Clock::manual());
        assert!(users.check(user(1), false).await.is_ok());
        let limited = users.check(user(1), false).await.unwrap_err();
        assert_eq!(limited.retry_after, Duration::from_secs(10));
    }

    #[tokio::test]
    async fn administrators_have_ten_times_as_much() {
        let users = limiter(2.0, 3, &Clock::manual());
        for _ in 0..30 {
            assert_eq!(users.check(user(1), true).await.unwrap().limit, 30);
        }
        let limited = users.check(user(1), true).await.unwrap_err();
        assert_eq!(limited.retry_after, Duration::from_millis(50));
    }

    #[test]
    fn as_one_of_several_a_process_lets_through_its_part() {
        let clock = Clock::manual();
        let limit = Limit::new(None, 6.0, 9, &clock);
        let passed = |replicas| (0..9).filter(|_| limit.check_as_one_of(user(1), replicas).is_ok()).count();
        assert_eq!((passed(3), passed(100)), (3, 1));
        clock.advance(Duration::from_millis(500));
        assert_eq!(passed(3), 1);
    }

    #[test]
    fn what_the_store_counted_is_told_as_what_is_counted_here() {
        let limit = Limit::new(None, 2.0, 3, &Clock::manual());
        let millis = Duration::from_millis;
        let outcome = |passed, clean_in| limit.outcome(Taken { passed, clean_in: millis(clean_in) });
        assert_eq!(outcome(true, 500).unwrap(), Allowance { limit: 3, remaining: 2, reset: millis(500) });
        assert_eq!(outcome(true, 1_500).unwrap().remaining, 0);
        let limited = outcome(false, 1_200).unwrap_err();
        assert_eq!((limited.retry_after, limited.allowance.reset), (millis(200), millis(1_200)));
    }
}
