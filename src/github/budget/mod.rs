//! What GitHub lets one credential do, and who may have it: nothing is sent while GitHub asked to wait; while the hour runs
//! short each is held to a share of it; the last of it is kept for changes; and no endpoint is called too often.

mod holds;
mod shares;
mod window;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method};
use tokio::time::Instant;

use self::holds::{Holds, Told};
pub use self::shares::Share;
use self::shares::Used;
use self::window::{Change, Window};
use super::call::Call;
use super::error::{Class, Shortage};
use super::hold::{Hold, MAX_WAIT, resource};
use super::pace::Pace;
use crate::account::Account;
use crate::clock::Clock;
use crate::domain::shares::Shares;
use crate::metrics::{self, Scarce};
use crate::replicas::Replicas;
use crate::store::ToldHold;

/// What a read and a write count for by GitHub's documentation of its secondary limits.
const POINTS: (u32, u32) = (1, 5);
/// Whoever used up a share is told to come again when so many calls are possible: when one is, the second of the same
/// request would be refused.
const CALLS_OF_A_REQUEST: u32 = 10;
/// The part of the hour for everybody together who has nothing to do with the organisation.
const OF_STRANGERS: f64 = 0.02;
/// What is left of a request's time for the call itself, once it was its turn.
const TIME_FOR_THE_CALL: Duration = Duration::from_secs(3);
/// How long work of the service's own waits for its turn.
const SYSTEM_WAITS: Duration = Duration::from_mins(1);

/// The limits of one credential.
pub(super) struct Budget {
    clock: Clock,
    inner: Mutex<Inner>,
    /// Only of the credential that all share.
    shared: Option<Shared>,
}

#[derive(Default)]
struct Inner {
    holds: Holds,
    window: Option<Window>,
    used: Used,
}

impl Inner {
    /// The hour that GitHub counts calls in, if it reported one that lasts.
    fn current_window(&self, now: Duration) -> Option<Window> {
        self.window.filter(|window| !window.has_ended(now))
    }
}

struct Shared {
    shares: Shares,
    pace: Pace,
    /// Each process has a part of it all.
    replicas: Arc<Replicas>,
}

impl Shared {
    /// The shares in what this process may use.
    fn own_shares(&self) -> Shares {
        let part = |share| self.replicas.part_of(share);
        let Shares { principal, team, system, reserve } = self.shares;
        // The reserve is measured by what GitHub says is left for all.
        Shares { principal: part(principal), team: part(team), system: part(system), reserve }
    }
}

impl Budget {
    /// Of a credential that one alone uses: it is only held back when GitHub asks to wait.
    pub(super) fn of_one(clock: Clock) -> Self {
        Self { clock, inner: Mutex::default(), shared: None }
    }

    /// Of the credential that all share.
    pub(super) fn of_all(shares: Shares, replicas: Arc<Replicas>, clock: Clock) -> Self {
        let pace = Pace::new(replicas.clone(), clock.clone());
        Self { shared: Some(Shared { shares, pace, replicas }), ..Self::of_one(clock) }
    }

    /// How long a call has to wait because GitHub asked to.
    pub(super) fn hold(&self, call: &Call) -> Option<Duration> {
        self.lock().holds.wait(call.kind.endpoint(), self.clock.now())
    }

    /// Refuses a call for which there is no share, or whose caller has to leave the rest of the hour to others.
    pub(super) fn check(&self, account: &Account) -> Result<(), Class> {
        let Some(shares) = self.shared.as_ref().map(Shared::own_shares) else { return Ok(()) };
        let (inner, now) = (self.lock(), self.clock.now());
        let Some(window) = inner.current_window(now) else { return Ok(()) };
        if let Some(short_for) = window.runs_short_for(now)
            && let Some(whose) = inner.used.used_up(account, shares, &window)
        {
            metrics::scarce(whose.into());
            let retry_after = (short_for + window.time_for(CALLS_OF_A_REQUEST)).min(window.left(now));
            return Err(Class::ShareSpent { whose, retry_after: retry_after.max(Duration::from_secs(1)) });
        }
        if window.has_less_than(shares.reserve) && !(account.has_standing() && account.is_urgent()) {
            metrics::scarce(Scarce::Reserve);
            return Err(Class::RateLimited { retry_after: window.left(now), why: Shortage::Reserve });
        }
        Ok(())
    }

    /// Waits until the endpoint may be called once more. The error says that this takes longer than the request has time.
    pub(super) async fn pace(&self, call: &Call, account: &Account) -> Result<(), Class> {
        let Some(Shared { pace, .. }) = &self.shared else { return Ok(()) };
        let is_paced = {
            let inner = self.lock();
            inner.window.is_some_and(|window| window.is_githubs(inner.used.all()))
        };
        if !is_paced {
            return Ok(());
        }
        let points = if call.method == Method::GET { POINTS.0 } else { POINTS.1 };
        let now = Instant::now();
        let give_up = account.deadline().map_or(now + SYSTEM_WAITS, |deadline| {
            deadline.checked_sub(TIME_FOR_THE_CALL).map_or(now, |until| until.max(now))
        });
        let entered = pace.enter(call.kind.endpoint(), account.principal(), points, give_up);
        // Boxed: hardly anybody has to wait.
        Box::pin(entered).await.map_err(|retry_after| {
            metrics::scarce(Scarce::Pace);
            let retry_after = retry_after.max(Duration::from_secs(1));
            Class::RateLimited { retry_after, why: Shortage::Pace }
        })
    }

    /// A call is about to be sent.
    pub(super) fn count(&self, account: &Account) {
        if self.shared.is_some() {
            account.count_call();
            self.lock().used.count(account);
        }
    }

    /// GitHub answered a call that was counted with 304, which costs nothing.
    pub(super) fn uncount(&self, account: &Account) {
        if self.shared.is_some() {
            account.uncount_call();
            self.lock().used.uncount(account);
        }
    }

    /// Takes in what a response says is left of the hour.
    pub(super) fn learn(&self, call: &Call, headers: &HeaderMap) {
        let (mut inner, now) = (self.lock(), self.clock.now());
        let Inner { holds, window, used } = &mut *inner;
        if headers.contains_key("x-ratelimit-resource") {
            holds.learn(call.kind.endpoint(), resource(headers));
        }
        if self.shared.is_some()
            && Window::update(window, headers, now, self.clock.unix_seconds()) == Some(Change::New)
        {
            *used = Used::default();
        }
    }

    /// GitHub asked to wait, in the response to a call that was sent at this time.
    pub(super) fn note(&self, call: &Call, hold: Hold, sent_at: Duration) {
        let wait = hold.wait;
        let told = self.lock().holds.note(hold, call.kind.endpoint(), sent_at, self.clock.now());
        if let (Some(told), Some(Shared { replicas, .. })) = (told, &self.shared) {
            replicas.tell_hold(told.to_string(), wait);
        }
    }

    /// Other processes were asked to wait.
    pub(super) fn hear(&self, told: &[ToldHold]) {
        let (mut inner, now) = (self.lock(), self.clock.now());
        for ToldHold { scope, wait } in told {
            if let Some(told) = Told::parse(scope) {
                // As in what GitHub says itself, a longer wait is a mistake.
                inner.holds.hear(&told, (*wait).min(MAX_WAIT), now);
            }
        }
    }

    /// Refuses those who have nothing to do with the organisation once all of them together used their part of the hour. The
    /// error is when there are calls again.
    pub(super) fn check_strangers(&self) -> Result<(), Duration> {
        let (inner, now) = (self.lock(), self.clock.now());
        match inner.current_window(now) {
            Some(window) if inner.used.strangers_used(self.part_of(OF_STRANGERS), &window) => {
                metrics::scarce(Scarce::Strangers);
                Err(window.left(now))
            }
            _ => Ok(()),
        }
    }

    fn part_of(&self, whole: f64) -> f64 {
        self.shared.as_ref().map_or(whole, |shared| shared.replicas.part_of(whole))
    }

    /// So many calls were made for somebody who has nothing to do with the organisation.
    pub(super) fn count_stranger(&self, calls: u64) {
        self.lock().used.count_stranger(calls);
    }

    /// The time that a call is sent at, for [`Budget::note`].
    pub(super) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// What metrics show.
    pub(super) fn report(&self) {
        let (inner, now) = (self.lock(), self.clock.now());
        let is_short = inner.window.is_some_and(|window| window.runs_short_for(now).is_some());
        let waiting = self.shared.as_ref().map_or(0, |shared| shared.pace.waiting());
        metrics::github_scarcity(is_short, inner.holds.count(now), waiting);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
