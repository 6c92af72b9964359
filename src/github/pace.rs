//! Keeps calls below what GitHub lets one do with an endpoint in a minute, and shares that out fairly between principals.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::account::Principal;
use crate::clock::Clock;
use crate::metrics::CallKind;

/// Points that may be spent at once, and in each second from then on: in a minute 840 of the 900 that GitHub allows an
/// endpoint. The rest is for calls that get there a few seconds after they were let through.
const BURST: f64 = 300.0;
const POINTS_A_SECOND: f64 = 9.0;

/// The pace of every endpoint.
pub(super) struct Pace {
    endpoints: Mutex<HashMap<CallKind, Arc<Endpoint>>>,
    clock: Clock,
}

/// The pace of one endpoint.
struct Endpoint(Mutex<Queue>);

struct Queue {
    points: f64,
    updated: Duration,
    /// Those who wait, by the point count at which it is their turn; in order of arrival where that is the same.
    waiting: BTreeMap<(u64, u64), Waiting>,
    arrivals: u64,
    /// The point count of whoever was let through last.
    served: u64,
    /// Up to which point count each principal has had its part, or waits for it.
    had: HashMap<Principal, u64>,
}

struct Waiting {
    points: u32,
    pass: oneshot::Sender<()>,
}

impl Pace {
    pub(super) fn new(clock: Clock) -> Self {
        Self { endpoints: Mutex::default(), clock }
    }

    /// Waits until a call of so many points fits in. Those who wait are let through in turn, one principal after the
    /// other. The error is about how long it would take, if that is longer than until `give_up`.
    pub(super) async fn enter(
        &self,
        endpoint: CallKind,
        principal: Principal,
        points: u32,
        give_up: Instant,
    ) -> Result<(), Duration> {
        let endpoint = self.endpoint(endpoint);
        let Some(mut ticket) = endpoint.enter(principal, points, self.clock.now()) else { return Ok(()) };
        loop {
            let next = endpoint.lock().serve(self.clock.now());
            tokio::select! {
                biased;
                passed = &mut ticket.pass => return passed.map_err(|_| next),
                () = tokio::time::sleep_until(give_up) => return Err(endpoint.lock().wait_for(ticket.place)),
                () = self.clock.sleep(next) => {}
            }
        }
    }

    /// How many calls wait.
    pub(super) fn waiting(&self) -> usize {
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        endpoints.values().map(|endpoint| endpoint.lock().waiting.len()).sum()
    }

    fn endpoint(&self, endpoint: CallKind) -> Arc<Endpoint> {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        endpoints.entry(endpoint).or_insert_with(|| Arc::new(Endpoint(Mutex::new(Queue::new(now))))).clone()
    }
}

/// A place in the queue; dropping it leaves the queue.
struct Ticket<'a> {
    endpoint: &'a Endpoint,
    place: (u64, u64),
    pass: oneshot::Receiver<()>,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.endpoint.lock().waiting.remove(&self.place);
    }
}

impl Endpoint {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place in the queue; none if there is no need to wait.
    fn enter(&self, principal: Principal, points: u32, now: Duration) -> Option<Ticket<'_>> {
        let mut queue = self.lock();
        queue.refill(now);
        if queue.waiting.is_empty() {
            queue.had.clear();
            if queue.take(points) {
                return None;
            }
        }
        let (pass, passed) = oneshot::channel();
        let place = queue.join(principal, points, pass);
        Some(Ticket { endpoint: self, place, pass: passed })
    }
}

impl Queue {
    fn new(now: Duration) -> Self {
        Self {
            points: BURST,
            updated: now,
            waiting: BTreeMap::new(),
            arrivals: 0,
            served: 0,
            had: HashMap::new(),
        }
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.updated).as_secs_f64();
        self.points = (self.points + passed * POINTS_A_SECOND).min(BURST);
        self.updated = now.max(self.updated);
    }

    fn take(&mut self, points: u32) -> bool {
        let enough = self.points >= f64::from(points);
        if enough {
            self.points -= f64::from(points);
        }
        enough
    }

    fn join(&mut self, principal: Principal, points: u32, pass: oneshot::Sender<()>) -> (u64, u64) {
        self.arrivals += 1;
        let had = self.had.entry(principal).or_default();
        *had = (*had).max(self.served) + u64::from(points);
        let place = (*had, self.arrivals);
        self.waiting.insert(place, Waiting { points, pass });
        place
    }

    /// Lets through who fits in. Gives how long it takes until the next one does.
    fn serve(&mut self, now: Duration) -> Duration {
        self.refill(now);
        while let Some(first) = self.waiting.first_entry() {
            let (place, points) = (*first.key(), first.get().points);
            if first.get().pass.is_closed() {
                first.remove();
                continue;
            }
            if self.points < f64::from(points) {
                return time_for(f64::from(points) - self.points);
            }
            let waiting = first.remove();
            self.served = place.0;
            if waiting.pass.send(()).is_ok() {
                self.points -= f64::from(points);
            }
        }
        Duration::MAX
    }

    /// About how long it takes until it is this one's turn.
    fn wait_for(&self, place: (u64, u64)) -> Duration {
        let ahead: u32 = self.waiting.range(..=place).map(|(_, waiting)| waiting.points).sum();
        time_for(f64::from(ahead) - self.points)
    }
}

fn time_for(points: f64) -> Duration {
    // A little longer, so that the points are there when the time is over.
    Duration::from_secs_f64(points.max(0.0) / POINTS_A_SECOND) + Duration::from_millis(1)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::domain::ids::UserId;

    const WRITE: u32 = 5;
    const ENDPOINT: CallKind = CallKind::AddGroupRepository;

    fn later() -> Instant {
        Instant::now() + Duration::from_mins(10)
    }

    fn user(id: u64) -> Principal {
        Principal::User(UserId(id))
    }

    /// So many writes as go through at once.
    fn spend(pace: &Pace, principal: Principal) -> usize {
        let mut sent = 0;
        while Box::pin(pace.enter(ENDPOINT, principal, WRITE, later())).now_or_never().is_some() {
            sent += 1;
        }
        sent
    }

    #[tokio::test]
    async fn whatever_happens_an_endpoint_gets_less_than_900_points_in_a_minute() {
        let clock = Clock::manual();
        let pace = Pace::new(clock.clone());
        let mut sent = spend(&pace, user(1));
        assert_eq!(sent, 60, "at once");
        for _ in 0..60 {
            clock.advance(Duration::from_secs(1));
            sent += spend(&pace, user(1));
        }
        assert!((160..=168).contains(&sent), "{sent} writes of 5 points in a minute");
        assert!(Box::pin(pace.enter(CallKind::Team, user(1), 1, later())).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_flood_makes_nobody_wait_for_more_than_one_of_its_calls() {
        let clock = Clock::manual();
        let pace = Pace::new(clock.clone());
        spend(&pace, user(1));
        let mut flood: Vec<_> =
            (0..20).map(|_| Box::pin(pace.enter(ENDPOINT, user(1), WRITE, later()))).collect();
        assert!(flood.iter_mut().all(|call| call.now_or_never().is_none()));
        let mut other = Box::pin(pace.enter(ENDPOINT, user(2), WRITE, later()));
        assert!((&mut other).now_or_never().is_none());
        assert_eq!(pace.waiting(), 21);
        let mut waited = Duration::ZERO;
        while (&mut other).now_or_never().is_none() {
            clock.advance(Duration::from_millis(100));
            waited += Duration::from_millis(100);
        }
        assert!(waited <= Duration::from_millis(1_200), "{waited:?}");
        drop(flood);
        assert_eq!(pace.waiting(), 0, "who goes away leaves the queue");
    }

    #[tokio::test]
    async fn who_can_not_wait_so_long_is_told_how_long_it_takes() {
        let pace = Pace::new(Clock::manual());
        spend(&pace, user(1));
        let refused = pace.enter(ENDPOINT, user(1), WRITE, Instant::now()).await;
        let wait = refused.unwrap_err();
        assert!(wait > Duration::ZERO && wait < Duration::from_secs(1), "{wait:?}");
    }
}
