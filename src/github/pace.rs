//! Keeps calls below what GitHub lets one do with an endpoint in a minute, and shares that out fairly between principals.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::account::Principal;
use crate::clock::Clock;
use crate::metrics::CallKind;
use crate::replicas::Replicas;

/// Points that may be spent at once, and in each second from then on: in a minute 840 of the 900 that GitHub allows an
/// endpoint. The rest is for calls that get there a few seconds after they were let through.
const BURST: f64 = 300.0;
const POINTS_A_SECOND: f64 = 9.0;
/// Who used so many points, less those that came back since, leaves the last ones to others, so that a flood makes nobody else
/// wait.
const MUCH: f64 = 150.0;
/// So many are left to them.
const LEFT_TO_OTHERS: f64 = 60.0;
/// Each of several processes that share the points spends so many times as many for a call; but no more, since a write has to
/// fit into what may be spent at once.
const MAX_PROCESSES: u32 = 16;

/// The pace of every endpoint.
pub(super) struct Pace {
    endpoints: Mutex<HashMap<CallKind, Arc<Endpoint>>>,
    replicas: Arc<Replicas>,
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
    /// What each principal used, less what came back since; and when that was so.
    used: HashMap<Principal, (f64, Duration)>,
}

struct Waiting {
    principal: Principal,
    points: u32,
    pass: oneshot::Sender<()>,
}

impl Pace {
    pub(super) fn new(replicas: Arc<Replicas>, clock: Clock) -> Self {
        Self { endpoints: Mutex::default(), replicas, clock }
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
        let points = points * self.replicas.count().min(MAX_PROCESSES);
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
            queue.used.retain(|_, used| used_now(*used, now) > 0.0);
        }
        let goes_first = queue.waiting.is_empty() || !queue.has_used_much(principal);
        if goes_first && queue.take(principal, points) {
            return None;
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
            used: HashMap::new(),
        }
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.updated).as_secs_f64();
        self.points = (self.points + passed * POINTS_A_SECOND).min(BURST);
        self.updated = now.max(self.updated);
    }

    fn has_used_much(&self, principal: Principal) -> bool {
        self.used.get(&principal).is_some_and(|used| used_now(*used, self.updated) >= MUCH)
    }

    /// What has to be there before the principal gets so many.
    fn needed(&self, principal: Principal, points: u32) -> f64 {
        let left = if self.has_used_much(principal) { LEFT_TO_OTHERS } else { 0.0 };
        f64::from(points) + left
    }

    /// Takes points, if there are enough.
    fn take(&mut self, principal: Principal, points: u32) -> bool {
        if self.points < self.needed(principal, points) {
            return false;
        }
        let used = self.used.get(&principal).map_or(0.0, |used| used_now(*used, self.updated));
        self.used.insert(principal, (used + f64::from(points), self.updated));
        self.points -= f64::from(points);
        true
    }

    fn join(&mut self, principal: Principal, points: u32, pass: oneshot::Sender<()>) -> (u64, u64) {
        self.arrivals += 1;
        let had = self.had.entry(principal).or_default();
        *had = (*had).max(self.served) + u64::from(points);
        let place = (*had, self.arrivals);
        self.waiting.insert(place, Waiting { principal, points, pass });
        place
    }

    /// Lets through who fits in, in turn. Gives how long it takes until the next one does.
    fn serve(&mut self, now: Duration) -> Duration {
        self.refill(now);
        self.waiting.retain(|_, waiting| !waiting.pass.is_closed());
        loop {
            let missing = |waiting: &Waiting| self.needed(waiting.principal, waiting.points) - self.points;
            // Whoever used little may be served while those before still wait for more.
            let next = self.waiting.iter().map(|(place, waiting)| (*place, missing(waiting)));
            let Some((place, missing)) =
                next.min_by(|(_, one), (_, other)| one.max(0.0).total_cmp(&other.max(0.0)))
            else {
                return Duration::MAX;
            };
            if missing > 0.0 {
                return time_for(missing);
            }
            let Some(waiting) = self.waiting.remove(&place) else { return Duration::MAX };
            self.served = self.served.max(place.0);
            if waiting.pass.send(()).is_ok() {
                self.take(waiting.principal, waiting.points);
            }
        }
    }

    /// About how long it takes until it is this one's turn.
    fn wait_for(&self, place: (u64, u64)) -> Duration {
        let ahead: u32 = self.waiting.range(..=place).map(|(_, waiting)| waiting.points).sum();
        time_for(f64::from(ahead) + LEFT_TO_OTHERS - self.points)
    }
}

/// What is left of what was used then.
fn used_now((used, then): (f64, Duration), now: Duration) -> f64 {
    (used - now.saturating_sub(then).as_secs_f64() * POINTS_A_SECOND).max(0.0)
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

    fn new_pace(clock: &Clock) -> Pace {
        Pace::new(Arc::new(Replicas::none()), clock.clone())
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
        let pace = new_pace(&clock);
        let mut sent = spend(&pace, user(1));
        assert_eq!(sent, 48, "at once, and 12 are left to others");
        for _ in 0..60 {
            clock.advance(Duration::from_secs(1));
            sent += spend(&pace, user(1));
        }
        assert!((150..=168).contains(&sent), "{sent} writes of 5 points in a minute");
        assert!(Box::pin(pace.enter(CallKind::Team, user(1), 1, later())).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_flood_makes_nobody_wait_who_sends_little() {
        let clock = Clock::manual();
        let pace = new_pace(&clock);
        spend(&pace, user(1));
        let mut flood: Vec<_> =
            (0..20).map(|_| Box::pin(pace.enter(ENDPOINT, user(1), WRITE, later()))).collect();
        assert!(flood.iter_mut().all(|call| call.now_or_never().is_none()));
        for _ in 0..60 {
            clock.advance(Duration::from_secs(1));
            // Half of what comes back.
            for id in [2, 3] {
                let other = Box::pin(pace.enter(ENDPOINT, user(id), 2, later()));
                assert!(other.now_or_never().is_some(), "it doesn't wait");
            }
            flood.retain_mut(|call| call.now_or_never().is_none());
        }
        assert!(flood.len() < 20, "the flood goes on with what is left");
        drop(flood);
        assert_eq!(pace.waiting(), 0, "who goes away leaves the queue");
    }

    #[tokio::test]
    async fn those_who_send_much_take_turns() {
        let clock = Clock::manual();
        let pace = new_pace(&clock);
        let (one, other) = (spend(&pace, user(1)), spend(&pace, user(2)));
        assert_eq!((one, other), (48, 12));
        let flood = |id, count| -> Vec<_> {
            (0..count).map(|_| Box::pin(pace.enter(ENDPOINT, user(id), WRITE, later()))).collect()
        };
        let (mut many, mut few) = (flood(1, 30), flood(2, 5));
        assert!(many.iter_mut().chain(&mut few).all(|call| call.now_or_never().is_none()));
        for _ in 0..20 {
            clock.advance(Duration::from_secs(1));
            many.retain_mut(|call| call.now_or_never().is_none());
            few.retain_mut(|call| call.now_or_never().is_none());
        }
        assert!(few.is_empty() && many.len() < 30, "{} and {} still wait", many.len(), few.len());
    }

    #[tokio::test]
    async fn who_can_not_wait_so_long_is_told_how_long_it_takes() {
        let pace = new_pace(&Clock::manual());
        spend(&pace, user(1));
        let refused = pace.enter(ENDPOINT, user(1), WRITE, Instant::now()).await;
        let wait = refused.unwrap_err();
        assert!(wait > Duration::ZERO && wait < Duration::from_secs(1), "{wait:?}");
    }
}
