//! What only one process does, such as the sweep, is done by the one that has the lease.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::metrics;
use crate::store::{Store, StoreError};

/// One for everything that is done again and again.
const NAME: &str = "periodic";
/// How long it lasts.
const TIME: Duration = Duration::from_mins(1);
/// How often whoever has it renews it.
const RENEWED_EVERY: Duration = Duration::from_secs(15);
/// How often the others try to get it.
const TRIED_EVERY: Duration = Duration::from_secs(5);
/// Whoever has it stops so long before its end, since what was begun takes a moment.
const MARGIN: Duration = Duration::from_secs(10);

/// Whether this process has the lease.
#[derive(Default)]
pub(super) struct Lease(Mutex<Held>);

#[derive(Default)]
struct Held {
    /// Counted from before the store was asked, so that it never ends later here than there.
    until: Option<Instant>,
    next_try: Option<Instant>,
}

impl Lease {
    /// Whether it is held.
    pub(super) fn is_held(&self, now: Instant) -> bool {
        self.lock().until.is_some_and(|until| now + MARGIN < until)
    }

    /// Renews it, or tries to get it, if it is time to.
    pub(super) async fn keep(&self, store: &Store, id: &str, now: Instant) -> Result<(), StoreError> {
        if self.lock().next_try.is_some_and(|next| now < next) {
            return Ok(());
        }
        let before = Instant::now();
        let is_held = store.take_lease(NAME, id, TIME).await?;
        let had_it = {
            let mut held = self.lock();
            let had_it = held.until.is_some();
            held.until = is_held.then_some(before + TIME);
            held.next_try = Some(before + if is_held { RENEWED_EVERY } else { TRIED_EVERY });
            had_it
        };
        metrics::lease_held(is_held);
        match (had_it, is_held) {
            (false, true) => tracing::info!("this process does the periodic work from now on"),
            (true, false) => tracing::warn!("another process does the periodic work from now on"),
            _ => {}
        }
        Ok(())
    }

    /// Lets another process have it.
    pub(super) async fn give_up(&self, store: &Store, id: &str) -> Result<(), StoreError> {
        let had_it = self.lock().until.take().is_some();
        if had_it { store.give_up_lease(NAME, id).await } else { Ok(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_no_longer_than_the_store_says() {
        let (lease, now) = (Lease::default(), Instant::now());
        assert!(!lease.is_held(now));
        lease.lock().until = Some(now + MARGIN + Duration::from_secs(5));
        assert!(lease.is_held(now + Duration::from_secs(4)));
        assert!(!lease.is_held(now + Duration::from_secs(5)));
    }
}
