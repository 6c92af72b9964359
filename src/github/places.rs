//! Who may have a call under way: places are shared out fairly between principals, one after the other.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::lanes::NoTurn;
use crate::account::Principal;
use crate::replicas::Replicas;

/// Calls that may wait for each place before others are turned away.
const QUEUE_PER_PLACE: usize = 4;
/// While others wait, those who have this part of the places get another only if nobody with fewer waits.
const PART_OF_ONE: usize = 4;

/// Places for calls under way, and the queue for them. Cloning gives the same places.
#[derive(Clone)]
pub(super) struct Places {
    inner: Arc<Mutex<Inner>>,
    /// Of all processes together.
    total: usize,
    replicas: Arc<Replicas>,
}

struct Inner {
    taken: usize,
    queued: usize,
    max_queued: usize,
    /// Those of whom somebody waits, in the order of their turns.
    turns: VecDeque<Principal>,
    waiting: HashMap<Principal, VecDeque<oneshot::Sender<Place>>>,
    held: HashMap<Principal, usize>,
}

/// The right to have one call under way; dropping it hands it on.
#[derive(Debug)]
pub(super) struct Place {
    places: Option<Places>,
    of: Principal,
}

impl Places {
    pub(super) fn new(total: usize, replicas: Arc<Replicas>) -> Self {
        let inner = Inner {
            taken: 0,
            queued: 0,
            max_queued: total.saturating_mul(QUEUE_PER_PLACE),
            turns: VecDeque::new(),
            waiting: HashMap::new(),
            held: HashMap::new(),
        };
        Self { inner: Arc::new(Mutex::new(inner)), total, replicas }
    }

    /// The places of this process.
    fn own(&self) -> usize {
        (self.total / self.replicas.count() as usize).max(1)
    }

    /// Waits for a place.
    pub(super) async fn enter(&self, principal: Principal, deadline: Instant) -> Result<Place, NoTurn> {
        // Before the receiver, so that it is dropped after it.
        let _leaving = Leaving { places: self, principal };
        let place = {
            let mut inner = self.lock();
            // Somebody who waits is served as soon as a place is free, so nobody is passed by here.
            if inner.taken < self.own() {
                inner.take(principal);
                return Ok(self.place(principal));
            }
            inner.join(principal)?
        };
        match timeout_at(deadline, place).await {
            Ok(Ok(place)) => Ok(place),
            // Pushed out by somebody of whom fewer wait.
            Ok(Err(_)) => Err(NoTurn::QueueFull),
            Err(_) => Err(NoTurn::TooLate),
        }
    }

    /// Calls under way, and those that wait.
    pub(super) fn load(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.taken, inner.queued)
    }

    /// How many more calls could be under way right now.
    pub(super) fn free(&self) -> usize {
        self.own().saturating_sub(self.lock().taken)
    }

    fn place(&self, of: Principal) -> Place {
        Place { places: Some(self.clone()), of }
    }

    fn hand_on(&self, from: Principal) {
        let (own, mut inner) = (self.own(), self.lock());
        inner.give_back(from);
        // More than one when other processes left their places.
        while inner.taken < own
            && let Some((next, sender)) = inner.next((own / PART_OF_ONE).max(1))
        {
            inner.take(next);
            match sender.send(self.place(next)) {
                Ok(()) => {}
                Err(mut unwanted) => {
                    // It must not be handed on by its drop, which would wait for this lock.
                    unwanted.places = None;
                    inner.give_back(next);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes whoever no longer waits out of the queue.
struct Leaving<'a> {
    places: &'a Places,
    principal: Principal,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.places.lock().forget_those_who_left(self.principal);
    }
}

impl std::fmt::Debug for Places {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Places").field("load", &self.load()).finish_non_exhaustive()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(places) = self.places.take() {
            places.hand_on(self.of);
        }
    }
}

impl Inner {
    fn take(&mut self, principal: Principal) {
        self.taken += 1;
        *self.held.entry(principal).or_default() += 1;
    }

    fn give_back(&mut self, principal: Principal) {
        self.taken -= 1;
        if let Some(held) = self.held.get_mut(&principal) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&principal);
            }
        }
    }

    /// A place in the queue. When the queue is full, one of those of whom the most wait has to leave it.
    fn join(&mut self, principal: Principal) -> Result<oneshot::Receiver<Place>, NoTurn> {
        if self.queued >= self.max_queued {
            self.push_out(principal)?;
        }
        let (sender, receiver) = oneshot::channel();
        let queue = self.waiting.entry(principal).or_default();
        if queue.is_empty() {
            self.turns.push_back(principal);
        }
        queue.push_back(sender);
        self.queued += 1;
        Ok(receiver)
    }

    fn push_out(&mut self, newcomer: Principal) -> Result<(), NoTurn> {
        let own = self.waiting.get(&newcomer).map_or(0, VecDeque::len);
        let most = self.waiting.iter().max_by_key(|(_, queue)| queue.len());
        let longest = most.filter(|(_, queue)| queue.len() > own + 1).map(|(principal, _)| *principal);
        let queue = longest.and_then(|longest| self.waiting.get_mut(&longest)).ok_or(NoTurn::QueueFull)?;
        // The last one has waited least.
        queue.pop_back();
        self.queued -= 1;
        Ok(())
    }

    /// Who is next: in turn, but those who have less than what one may have while others wait first.
    fn next(&mut self, fair_part: usize) -> Option<(Principal, oneshot::Sender<Place>)> {
        let is_below = |principal: &Principal| self.held.get(principal).copied().unwrap_or(0) < fair_part;
        let position = self.turns.iter().position(is_below).unwrap_or(0);
        let principal = self.turns.remove(position)?;
        let queue = self.waiting.get_mut(&principal)?;
        let sender = queue.pop_front()?;
        self.queued -= 1;
        if queue.is_empty() {
            self.waiting.remove(&principal);
        } else {
            self.turns.push_back(principal);
        }
        Some((principal, sender))
    }

    fn forget_those_who_left(&mut self, principal: Principal) {
        let Some(queue) = self.waiting.get_mut(&principal) else { return };
        let before = queue.len();
        queue.retain(|sender| !sender.is_closed());
        self.queued -= before - queue.len();
        if queue.is_empty() {
            self.waiting.remove(&principal);
            self.turns.retain(|other| *other != principal);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;
    use crate::domain::ids::UserId;

    fn later() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    fn new_places(total: usize) -> Places {
        Places::new(total, Arc::new(Replicas::none()))
    }

    fn user(id: u64) -> Principal {
        Principal::User(UserId(id))
    }

    fn take(places: &Places, principal: Principal, count: usize) -> Vec<Place> {
        let place = || places.enter(principal, later()).now_or_never().unwrap().unwrap();
        std::iter::repeat_with(place).take(count).collect()
    }

    #[tokio::test]
    async fn one_alone_gets_all_places_and_others_come_next_however_many_of_its_calls_wait() {
        let places = new_places(4);
        let mut held = take(&places, user(1), 4);
        let mut flood: Vec<_> = (0..8).map(|_| Box::pin(places.enter(user(1), later()))).collect();
        assert!(flood.iter_mut().all(|call| call.now_or_never().is_none()));
        let mut others: Vec<_> = [2, 3].map(|id| Box::pin(places.enter(user(id), later()))).into();
        assert!(others.iter_mut().all(|call| call.now_or_never().is_none()));
        assert_eq!(places.load(), (4, 10));
        let mut served = Vec::new();
        for other in &mut others {
            held.pop();
            served.push(other.now_or_never().unwrap().unwrap());
        }
        assert!(flood.iter_mut().all(|call| call.now_or_never().is_none()), "it has its part");
        held.pop();
        assert!(flood[0].as_mut().now_or_never().is_some(), "nobody else waits");
    }

    #[tokio::test]
    async fn a_full_queue_turns_away_one_of_whom_the_most_wait() {
        let places = new_places(1);
        let _held = take(&places, user(1), 1);
        let mut flood: Vec<_> = (0..4).map(|_| Box::pin(places.enter(user(1), later()))).collect();
        assert!(flood.iter_mut().all(|call| call.now_or_never().is_none()));
        let refused = places.enter(user(1), later()).now_or_never();
        assert_eq!(refused.unwrap().err(), Some(NoTurn::QueueFull));
        let mut other = Box::pin(places.enter(user(2), later()));
        assert!((&mut other).now_or_never().is_none(), "it waits");
        assert_eq!(flood[3].as_mut().now_or_never().unwrap().err(), Some(NoTurn::QueueFull));
        assert_eq!(places.load(), (1, 4));
    }

    #[tokio::test]
    async fn who_left_the_queue_gets_no_place() {
        let places = new_places(1);
        let held = take(&places, user(1), 1);
        let mut gone = Box::pin(places.enter(user(2), later()));
        let mut stays = Box::pin(places.enter(user(3), later()));
        assert!((&mut gone).now_or_never().is_none() && (&mut stays).now_or_never().is_none());
        drop(gone);
        drop(held);
        let place = stays.now_or_never().unwrap();
        assert!(place.is_ok());
        drop(place);
        assert_eq!((places.load(), places.free()), ((0, 0), 1));
        assert!(places.lock().held.is_empty() && places.lock().turns.is_empty());
    }

    #[tokio::test]
    async fn who_waits_too_long_is_turned_away() {
        let places = new_places(1);
        let _held = take(&places, user(1), 1);
        let outcome = places.enter(user(2), Instant::now()).await;
        assert_eq!(outcome.err(), Some(NoTurn::TooLate));
        assert_eq!(places.load(), (1, 0));
    }
}
