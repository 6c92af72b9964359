//! The time that caches, limits and tokens go by: the system's, or one that a test moves by hand.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// A monotonic and a wall clock that move together. Cloning gives the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { started: Instant },
    Manual { started: SystemTime, elapsed: Arc<watch::Sender<Duration>> },
}

impl Clock {
    /// The system's clock; monotonic time counts from this call.
    pub fn system() -> Self {
        Self(Source::System { started: Instant::now() })
    }

    /// A clock that stands still until [`Clock::advance`] moves it. For tests.
    pub fn manual() -> Self {
        Self(Source::Manual { started: SystemTime::now(), elapsed: Arc::default() })
    }

    /// Time since the clock was made; never goes back.
    pub fn now(&self) -> Duration {
        match &self.0 {
            Source::System { started } => started.elapsed(),
            Source::Manual { elapsed, .. } => *elapsed.borrow(),
        }
    }

    /// Seconds since 1970-01-01T00:00:00Z, for comparing with times that GitHub states.
    pub fn unix_seconds(&self) -> u64 {
        let wall = match &self.0 {
            Source::System { .. } => SystemTime::now(),
            Source::Manual { started, .. } => *started + self.now(),
        };
        wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// Waits until so much time went by on this clock.
    pub async fn sleep(&self, time: Duration) {
        self.sleep_until(self.now().saturating_add(time)).await;
    }

    /// Waits until this clock has got so far.
    pub async fn sleep_until(&self, until: Duration) {
        match &self.0 {
            Source::System { .. } => tokio::time::sleep(until.saturating_sub(self.now())).await,
            Source::Manual { elapsed, .. } => {
                // The sender lives as long as this borrow of it, so this can't fail.
                let _ = elapsed.subscribe().wait_for(|now| *now >= until).await;
            }
        }
    }

    /// Moves a manual clock forward; the system's clock is left alone.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { elapsed, .. } = &self.0 {
            elapsed.send_modify(|now| *now = now.saturating_add(by));
        }
    }
}

impl governor::clock::Clock for Clock {
    type Instant = governor::nanos::Nanos;

    fn now(&self) -> Self::Instant {
        governor::nanos::Nanos::from(Self::now(self))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_clock_that_is_moved_by_hand_moves_both_times_and_wakes_who_sleeps() {
        let clock = Clock::manual();
        let unix = clock.unix_seconds();
        let mut sleep = std::pin::pin!(clock.sleep(Duration::from_secs(10)));
        assert_eq!(sleep.as_mut().now_or_never(), None);
        clock.advance(Duration::from_secs(9));
        assert_eq!(sleep.as_mut().now_or_never(), None);
        clock.advance(Duration::from_secs(1));
        assert_eq!(sleep.as_mut().now_or_never(), Some(()));
        assert_eq!((clock.now(), clock.unix_seconds() - unix), (Duration::from_secs(10), 10));
    }
}
