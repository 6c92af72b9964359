//! The end of something that the store gave for a while.

use std::time::{Duration, Instant, SystemTime};

/// A time by two clocks: the monotonic one stands still while the machine is suspended, and the other can be set.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    monotonic: Instant,
    wall: SystemTime,
}

impl End {
    /// So long from now on. To be made before the store is asked, so that it is never later here than there.
    pub(super) fn after(time: Duration) -> Self {
        Self { monotonic: Instant::now() + time, wall: SystemTime::now() + time }
    }

    /// Whether more than this is left by both clocks.
    pub(super) fn leaves(self, time: Duration) -> bool {
        Instant::now() + time < self.monotonic && SystemTime::now() + time < self.wall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_have_to_leave_some_time() {
        let [short, long] = [10, 20].map(Duration::from_secs);
        let end = End::after(long);
        assert!(end.leaves(short) && !end.leaves(long));
        for early in [End { monotonic: Instant::now(), ..end }, End { wall: SystemTime::now(), ..end }] {
            assert!(!early.leaves(short));
        }
    }
}
