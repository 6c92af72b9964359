//! Refused tokens, counted for the networks that they came from. A token counts only once GitHub refused it, so a
//! look-up sets its part of the limit aside first: many bad tokens sent at once are no way around the limit.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use moka::sync::Cache;
use tokio::sync::Notify;

use super::{interval, new_counters};
use crate::clock::Clock;
use crate::domain::network::counted_networks;

/// Refused tokens that one address may send at once.
pub const UNKNOWN_TOKEN_BURST: u32 = 20;

/// Tokens that GitHub refused, by the networks that they came from.
pub struct AddressLimiter {
    buckets: Cache<IpNet, Arc<Bucket>>,
    /// How long an address takes to earn one more refused token.
    interval: Duration,
    clock: Clock,
}

impl AddressLimiter {
    /// `per_second` refused tokens in the long run, [`UNKNOWN_TOKEN_BURST`] at once; more for wider networks.
    pub fn new(per_second: f64, clock: Clock) -> Self {
        Self { buckets: new_counters(), interval: interval(per_second), clock }
    }

    /// Sets one refused token aside for a look-up that is about to begin. The error is how long to wait until the
    /// address may send another token. While look-ups under way could use up the rest, this waits for them to end.
    pub async fn reserve(&self, address: IpAddr) -> Result<Reservation, Duration> {
        let buckets = self.buckets_for(address);
        // Every reservation that touches a narrower network touches the widest one, too.
        let widest = buckets.last().cloned();
        loop {
            let mut look_up_ended =
                std::pin::pin!(widest.as_ref().map(|bucket| bucket.look_up_ended.notified()));
            // Listening starts before the look, so that no end in between is missed.
            if let Some(ended) = look_up_ended.as_mut().as_pin_mut() {
                ended.enable();
            }
            match self.try_reserve(&buckets) {
                Decision::Allow => return Ok(Reservation { buckets, clock: self.clock.clone() }),
                Decision::Refuse { retry_after } => return Err(retry_after),
                Decision::Wait => {}
            }
            if let Some(ended) = look_up_ended.as_pin_mut() {
                ended.await;
            }
        }
    }

    /// Counts a refused token for which nothing was set aside.
    pub fn count(&self, address: IpAddr) {
        for bucket in self.buckets_for(address) {
            bucket.count(self.clock.now());
        }
    }

    /// Counts a token that was checked here and refused. The error says that the address sent too many: how long to wait until it
    /// is told more than that.
    pub fn refuse(&self, address: IpAddr) -> Result<(), Duration> {
        let (buckets, now) = (self.buckets_for(address), self.clock.now());
        let decisions = buckets.iter().map(|bucket| bucket.decide(&bucket.lock(), now));
        if let Some(Decision::Refuse { retry_after }) = decisions.max() {
            return Err(retry_after);
        }
        for bucket in buckets {
            bucket.count(now);
        }
        Ok(())
    }

    fn buckets_for(&self, address: IpAddr) -> Vec<Arc<Bucket>> {
        let bucket = |(network, factor)| {
            let new = || Arc::new(Bucket::new(self.interval, factor));
            self.buckets.get_with(network, new)
        };
        counted_networks(address).into_iter().map(bucket).collect()
    }

    /// Reserves in all of the buckets or in none. They are locked from narrow to wide, so nobody waits in a circle.
    fn try_reserve(&self, buckets: &[Arc<Bucket>]) -> Decision {
        let now = self.clock.now();
        let mut locked: Vec<_> = buckets.iter().map(|bucket| (bucket, bucket.lock())).collect();
        let decision =
            locked.iter().map(|(bucket, counts)| bucket.decide(counts, now)).max().unwrap_or(Decision::Allow);
        if decision == Decision::Allow {
            for (_, counts) in &mut locked {
                counts.under_way += 1;
            }
        }
        decision
    }
}

/// Whether a network may have one more token looked up; what hinders more is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Decision {
    Allow,
    /// Not while the look-ups under way may still be refused.
    Wait,
    Refuse {
        retry_after: Duration,
    },
}

/// What one network used of its limit.
struct Bucket {
    /// How long it takes to earn one more refused token.
    interval: Duration,
    burst: u32,
    counts: Mutex<Counts>,
    /// Notified when a look-up ended.
    look_up_ended: Notify,
}

#[derive(Default)]
struct Counts {
    /// When all refused tokens will be made up for: one interval for each.
    clean_at: Duration,
    /// Look-ups whose outcome isn't known yet.
    under_way: u32,
}

impl Bucket {
    /// For a network that may use `factor` times the limit of a single address.
    fn new(interval: Duration, factor: u32) -> Self {
        Self {
            interval: interval / factor,
            burst: UNKNOWN_TOKEN_BURST * factor,
            counts: Mutex::default(),
            look_up_ended: Notify::new(),
        }
    }

    fn decide(&self, counts: &Counts, now: Duration) -> Decision {
        let used = counts.clean_at.saturating_sub(now);
        let available = self.interval * self.burst.saturating_sub(1);
        let excess = used.saturating_sub(available);
        if !excess.is_zero() {
            return Decision::Refuse { retry_after: excess };
        }
        if used + self.interval * counts.under_way > available { Decision::Wait } else { Decision::Allow }
    }

    fn count(&self, now: Duration) {
        let mut counts = self.lock();
        let latest = now + self.interval * self.burst;
        counts.clean_at = (counts.clean_at.max(now) + self.interval).min(latest);
    }

    fn end_look_up(&self) {
        let mut counts = self.lock();
        counts.under_way = counts.under_way.saturating_sub(1);
        drop(counts);
        self.look_up_ended.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One refused token, set aside for as long as nobody knows whether it is one. Dropped, it is given back.
pub struct Reservation {
    buckets: Vec<Arc<Bucket>>,
    clock: Clock,
}

impl Reservation {
    /// Counts it: GitHub refused the token.
    pub fn use_up(self) {
        for bucket in &self.buckets {
            bucket.count(self.clock.now());
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // The widest comes last, and with it those who wait.
        for bucket in &self.buckets {
            bucket.end_look_up();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const BURST: usize = UNKNOWN_TOKEN_BURST as usize;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Nothing while it waits.
    fn reserve(limiter: &AddressLimiter, from: &str) -> Option<Result<Reservation, Duration>> {
        limiter.reserve(address(from)).now_or_never()
    }

    /// How many refused tokens are let through.
    fn refused(limiter: &AddressLimiter, from: impl Iterator<Item = String>) -> usize {
        from.filter_map(|from| reserve(limiter, &from).unwrap().ok()).map(Reservation::use_up).count()
    }

    #[test]
    fn refused_tokens_count_and_are_made_up_for_in_time() {
        let clock = Clock::manual();
        let limiter = AddressLimiter::new(0.1, clock.clone());
        let many = || std::iter::repeat_n("192.0.2.1".to_owned(), 100);
        assert_eq!(refused(&limiter, many()), BURST);
        let wait = reserve(&limiter, "192.0.2.1").unwrap().err();
        assert_eq!(wait, Some(Duration::from_secs(10)));
        clock.advance(Duration::from_millis(9_999));
        assert_eq!(refused(&limiter, many()), 0);
        clock.advance(Duration::from_millis(1));
        assert_eq!(refused(&limiter, many()), 1);
        assert_eq!(refused(&limiter, std::iter::once("192.0.2.2".to_owned())), 1, "another address");
        clock.advance(Duration::from_hours(1));
        assert_eq!(refused(&limiter, many()), BURST, "no more than the burst is ever saved up");
    }

    #[test]
    fn what_was_not_refused_is_given_back() {
        let limiter = AddressLimiter::new(0.001, Clock::manual());
        for _ in 0..1_000 {
            assert!(matches!(reserve(&limiter, "192.0.2.1"), Some(Ok(_))));
        }
    }

    #[test]
    fn a_reservation_that_is_given_back_late_makes_up_for_no_other() {
        let clock = Clock::manual();
        let limiter = AddressLimiter::new(1.0, clock.clone());
        let slow: Vec<_> = (0..10).map(|_| reserve(&limiter, "192.0.2.1").unwrap().ok()).collect();
        clock.advance(Duration::from_mins(1));
        assert_eq!(refused(&limiter, std::iter::repeat_n("192.0.2.1".to_owned(), 10)), 10);
        drop(slow);
        assert_eq!(refused(&limiter, std::iter::repeat_n("192.0.2.1".to_owned(), 100)), 10);
    }

    #[tokio::test]
    async fn more_look_ups_than_may_be_refused_wait_for_the_outcome_of_the_first() {
        let limiter = AddressLimiter::new(0.1, Clock::manual());
        let mut first: Vec<_> =
            (0..BURST).map(|_| reserve(&limiter, "192.0.2.1").unwrap().ok().unwrap()).collect();
        let mut waits = Box::pin(limiter.reserve(address("192.0.2.1")));
        assert!((&mut waits).now_or_never().is_none());
        assert!(reserve(&limiter, "192.0.2.2").is_some(), "another address waits for nobody");
        drop(first.pop());
        let mut reserved = waits.await.ok();
        assert!(reserved.is_some());
        first.extend(reserved.take());
        let waits = limiter.reserve(address("192.0.2.1"));
        let end = async {
            tokio::task::yield_now().await;
            first.into_iter().for_each(Reservation::use_up);
        };
        let (outcome, ()) = tokio::join!(waits, end);
        assert_eq!(outcome.err(), Some(Duration::from_secs(10)), "all of them were refused");
    }

    #[test]
    fn an_ipv6_host_home_and_site_are_limited_together() {
        let from_hosts = |count: u32| (0..count).map(|host| format!("2001:db8:0:1::{host:x}"));
        let limiter = AddressLimiter::new(1.0, Clock::manual());
        assert_eq!(refused(&limiter, from_hosts(100)), BURST);
        let of_home = |count: u32| (0..count).map(|subnet| format!("2001:db8:0:{:x}::1", subnet % 256));
        let limiter = AddressLimiter::new(1.0, Clock::manual());
        assert_eq!(refused(&limiter, of_home(1_000)), 4 * BURST);
        let of_site = |count: u32| (0..count).map(|home| format!("2001:db8:0:{:x}::1", 0x100 + home * 64));
        assert_eq!(refused(&limiter, of_site(1_000)), 12 * BURST, "the rest of 16 times as much");
        assert_eq!(refused(&limiter, ["2001:db8:1::1", "192.0.2.1"].map(str::to_owned).into_iter()), 2);
    }

    #[test]
    fn what_is_not_reserved_in_a_wider_network_is_not_reserved_in_a_narrower_one() {
        let clock = Clock::manual();
        let limiter = AddressLimiter::new(1.0, clock.clone());
        let of_home = (0..256).map(|subnet| format!("2001:db8:0:{subnet:x}::1"));
        assert_eq!(refused(&limiter, of_home), 4 * BURST);
        for _ in 0..100 {
            assert!(matches!(reserve(&limiter, "2001:db8:0:ff::1"), Some(Err(_))));
        }
        clock.advance(Duration::from_secs(5));
        let from_one = std::iter::repeat_n("2001:db8:0:ff::1".to_owned(), 100);
        assert_eq!(refused(&limiter, from_one), BURST, "its own share is untouched");
    }

    #[test]
    fn a_token_that_is_counted_without_a_reservation_takes_no_more_than_the_limit() {
        let clock = Clock::manual();
        let limiter = AddressLimiter::new(1.0, clock.clone());
        for _ in 0..1_000 {
            limiter.count(address("192.0.2.1"));
        }
        assert_eq!(reserve(&limiter, "192.0.2.1").unwrap().err(), Some(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        assert!(matches!(reserve(&limiter, "192.0.2.1"), Some(Ok(_))));
    }
}
