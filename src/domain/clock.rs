//! The time that caches, limits and tokens go by: the system's, or one that a test moves by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A monotonic and a wall clock that move together. Cloning gives the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { started: Instant },
    Manual { started: SystemTime, elapsed_nanos: Arc<AtomicU64> },
}

impl Clock {
    /// The system's clock; monotonic time counts from this call.
    pub fn system() -> Self {
        Self(Source::System { started: Instant::now() })
    }

    /// A clock that stands still until [`Clock::advance`] moves it. For tests.
    pub fn manual() -> Self {
        Self(Source::Manual { started: SystemTime::now(), elapsed_nanos: Arc::default() })
    }

    /// Time since the clock was made; never goes back.
    pub fn now(&self) -> Duration {
        match &self.0 {
            Source::System { started } => started.elapsed(),
            Source::Manual { elapsed_nanos, .. } => {
                Duration::from_nanos(elapsed_nanos.load(Ordering::SeqCst))
            }
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

    /// Moves a manual clock forward; the system's clock is left alone.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { elapsed_nanos, .. } = &self.0 {
            elapsed_nanos.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::SeqCst);
        }
    }
}

impl governor::clock::Clock for Clock {
    type Instant = governor::nanos::Nanos;

    fn now(&self) -> Self::Instant {
        governor::nanos::Nanos::from(Self::now(self))
    }
}
