//! How many calls are under way, and how many wait, for each kind of work: what callers' tokens make the service
//! ask about takes nothing from the work for those who are known.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::places::{Place, Places};
use crate::account::Principal;
use crate::replicas::Replicas;

/// Calls at once that ask whose a token is.
const LOOK_UPS: usize = 8;
/// How many of them may be for tokens that GitHub never vouched for; the others are kept free of them.
const LOOK_UPS_OF_STRANGERS: usize = 6;
/// Unknown tokens that may wait for their look-up: at 50 ms for a call, two seconds' worth.
const QUEUED_STRANGERS: usize = 256;
/// Tokens to renew that may wait for their look-up: at 50 ms for a call, what fits into the usual deadline.
const QUEUED_RENEWALS: usize = 1_024;

/// What a call is for, which decides where it waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Work for a known caller, or the service's own.
    Work,
    /// Asks whose a token is that GitHub vouched for lately.
    Renewal,
    /// Asks whose an unknown token is: perhaps nobody's.
    Stranger,
}

/// Why a call doesn't get its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoTurn {
    #[error("too many calls are waiting")]
    QueueFull,
    #[error("it waited too long")]
    TooLate,
    #[error("shutting down")]
    Closed,
}

/// The right to have one call under way.
#[expect(dead_code, reason = "only held")]
pub(super) enum Turn<'a> {
    Work(Place),
    Renewal(SemaphorePermit<'a>),
    Stranger(SemaphorePermit<'a>, SemaphorePermit<'a>),
}

/// All lanes.
pub(super) struct Lanes {
    work: Places,
    renewals: Queue,
    /// Before them, strangers queue up for this part of the same calls.
    strangers: Queue,
}

/// A bounded number of calls under way, and a bounded number that waits.
struct Queue {
    permits: Semaphore,
    queued: AtomicUsize,
    max_queued: usize,
}

impl Lanes {
    /// `concurrency` is for work alone, of all processes together; look-ups of tokens have calls of their own in addition.
    pub(super) fn new(concurrency: usize, replicas: Arc<Replicas>) -> Self {
        Self {
            work: Places::new(concurrency, replicas),
            renewals: Queue::new(LOOK_UPS, QUEUED_RENEWALS),
            strangers: Queue::new(LOOK_UPS_OF_STRANGERS, QUEUED_STRANGERS),
        }
    }

    /// Waits for a turn. Only work is shared out between principals.
    pub(super) async fn turn(
        &self,
        lane: Lane,
        principal: Principal,
        deadline: Instant,
    ) -> Result<Turn<'_>, NoTurn> {
        Ok(match lane {
            Lane::Work => Turn::Work(self.work.enter(principal, deadline).await?),
            Lane::Renewal => Turn::Renewal(self.renewals.enter(deadline).await?),
            Lane::Stranger => {
                let admitted = self.strangers.enter(deadline).await?;
                // So few get here that they are no burden to that queue.
                Turn::Stranger(self.renewals.wait(deadline).await?, admitted)
            }
        })
    }

    /// Calls of work under way, and those that wait.
    pub(super) fn work(&self) -> (usize, usize) {
        self.work.load()
    }

    /// Look-ups of tokens under way, and those that wait.
    pub(super) fn look_ups(&self) -> (usize, usize) {
        let under_way = LOOK_UPS.saturating_sub(self.renewals.free());
        (under_way, self.renewals.queued() + self.strangers.queued())
    }

    /// How many more calls of work could be under way right now.
    pub(super) fn free(&self) -> usize {
        self.work.free()
    }
}

impl Queue {
    fn new(calls: usize, max_queued: usize) -> Self {
        Self { permits: Semaphore::new(calls), queued: AtomicUsize::new(0), max_queued }
    }

    async fn enter(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, NoTurn> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Ok(permit);
        }
        let _queued = Queued::enter(&self.queued, self.max_queued).ok_or(NoTurn::QueueFull)?;
        self.wait(deadline).await
    }

    async fn wait(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, NoTurn> {
        let waited = timeout_at(deadline, self.permits.acquire()).await;
        waited.map_err(|_| NoTurn::TooLate)?.map_err(|_| NoTurn::Closed)
    }

    fn free(&self) -> usize {
        self.permits.available_permits()
    }

    fn queued(&self) -> usize {
        self.queued.load(Ordering::SeqCst)
    }
}

/// Counts one waiting caller for as long as it lives, also when the caller gives up.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn enter(count: &'a AtomicUsize, max: usize) -> Option<Self> {
        let entered = Self(count);
        if count.fetch_add(1, Ordering::SeqCst) < max { Some(entered) } else { None }
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    fn later() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    /// As many turns as are to be had without waiting.
    fn take_all(lanes: &Lanes, lane: Lane) -> Vec<Turn<'_>> {
        std::iter::from_fn(|| lanes.turn(lane, Principal::System, later()).now_or_never()?.ok()).collect()
    }

    #[tokio::test]
    async fn look_ups_take_no_turn_from_work_and_strangers_not_all_from_renewals() {
        let lanes = Lanes::new(2, Arc::new(Replicas::none()));
        let strangers = take_all(&lanes, Lane::Stranger);
        assert_eq!(strangers.len(), LOOK_UPS_OF_STRANGERS);
        let renewals = take_all(&lanes, Lane::Renewal);
        assert_eq!(renewals.len(), LOOK_UPS - LOOK_UPS_OF_STRANGERS);
        assert_eq!(lanes.look_ups(), (LOOK_UPS, 0));
        assert_eq!((lanes.work(), lanes.free()), ((0, 0), 2));
        assert_eq!(take_all(&lanes, Lane::Work).len(), 2);
    }

    #[tokio::test]
    async fn strangers_beyond_their_queue_are_turned_away_and_renewals_still_wait() {
        let lanes = Lanes::new(1, Arc::new(Replicas::none()));
        let strangers = take_all(&lanes, Lane::Stranger);
        let mut waiting: Vec<_> = (0..QUEUED_STRANGERS)
            .map(|_| Box::pin(lanes.turn(Lane::Stranger, Principal::System, later())))
            .collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
        let refused = lanes.turn(Lane::Stranger, Principal::System, later()).now_or_never();
        assert_eq!(refused.unwrap().err(), Some(NoTurn::QueueFull));
        assert_eq!(lanes.look_ups(), (LOOK_UPS_OF_STRANGERS, QUEUED_STRANGERS));
        let renewals = take_all(&lanes, Lane::Renewal);
        let mut next = Box::pin(lanes.turn(Lane::Renewal, Principal::System, later()));
        assert!((&mut next).now_or_never().is_none());
        drop(renewals);
        assert!(next.await.is_ok(), "it stands behind no stranger");
        drop(strangers);
        assert!(waiting.remove(0).await.is_ok());
    }
}
