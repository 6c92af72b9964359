//! The processes that share a store and act as one service. Each tells the others what they have to know, and knows how many
//! there are. A process that has no others, or whose store fails, decides alone.

mod lease;
mod news;
mod turns;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use self::lease::Lease;
use self::news::News;
pub use self::turns::{NoTurn, Subject, Turn, Turns, WhenStoreFails};
use crate::domain::ids::GroupId;
use crate::metrics::{self, Alone};
use crate::store::{GroupWrites, Pulse, Store, StoreError, Taken, ToldHold};

/// How often each process says that it is there, and hears what is new.
const PULSE_EVERY: Duration = Duration::from_millis(500);

/// This process among those that share its store.
pub struct Replicas(Option<Shared>);

struct Shared {
    store: Arc<Store>,
    /// This process. Another one after each start.
    id: String,
    /// How many there are, this one included, as last heard.
    seen: AtomicU32,
    lease: Lease,
    news: News,
    /// Where turns are kept and left: the runtime that lives longest.
    runtime: Handle,
}

impl Replicas {
    /// A process that shares nothing.
    pub fn none() -> Self {
        Self(None)
    }

    /// A process that shares this store, if others may use it. To be called on the runtime that lives longest.
    pub fn on(store: Option<&Arc<Store>>) -> Self {
        metrics::replicas(1);
        metrics::policies_differ(false);
        let store = store.filter(|store| store.is_shared()).cloned();
        metrics::lease_held(store.is_none());
        Self(store.map(|store| Shared {
            store,
            id: uuid::Uuid::new_v4().simple().to_string(),
            seen: AtomicU32::new(1),
            lease: Lease::default(),
            news: News::default(),
            runtime: Handle::current(),
        }))
    }

    /// Whether other processes may use the same store.
    pub fn is_shared(&self) -> bool {
        self.0.is_some()
    }

    /// How many processes there are, this one included, as last heard.
    pub fn count(&self) -> u32 {
        self.0.as_ref().map_or(1, |shared| shared.seen.load(Ordering::Relaxed))
    }

    /// A part of something that all processes have together.
    pub fn part_of(&self, whole: f64) -> f64 {
        whole / f64::from(self.count())
    }

    /// Whether this process does what only one should do: each step asks anew.
    pub fn hold_lease(&self) -> bool {
        self.0.as_ref().is_none_or(|shared| shared.lease.is_held(Instant::now()))
    }

    /// GitHub asked to wait: the others hear of it.
    pub fn tell_hold(&self, scope: String, wait: Duration) {
        if let Some(shared) = &self.0 {
            shared.news.tell_hold(scope, Instant::now() + wait);
        }
    }

    /// Counts one request of a caller over all processes. Nothing if this process has to decide alone.
    pub async fn take(&self, caller: &str, interval: Duration, burst: u32) -> Option<Taken> {
        let shared = self.0.as_ref()?;
        or_alone(Alone::Limit, shared.store.take(caller, interval, burst).await)
    }

    /// The writes to a group by all processes. Nothing if this process can't know of others'.
    pub async fn group_writes(&self, group: GroupId) -> Option<GroupWrites> {
        let shared = self.0.as_ref()?;
        or_alone(Alone::Generation, shared.store.group_writes(group, &shared.id).await)
    }

    /// Notes writes to groups that ended, before anybody is told so. If that can't be done now it is done later.
    pub async fn note_group_writes(&self, groups: &[GroupId]) {
        let Some(shared) = &self.0 else { return };
        let noting = Box::pin(shared.store.note_group_writes(groups, &shared.id));
        let noted = shared.unless_it_fails(noting).await;
        if noted.is_err() {
            shared.news.note_later(groups);
        }
    }

    /// The same of a write that was given up, with nobody left to wait.
    pub fn note_group_writes_later(&self, groups: &[GroupId]) {
        if let Some(shared) = &self.0 {
            shared.news.note_later(groups);
        }
    }

    /// Waits until it is time for the next pulse, or there is something to tell.
    pub async fn next_pulse(&self) {
        match &self.0 {
            Some(shared) => {
                let _ = tokio::time::timeout(PULSE_EVERY, shared.news.there_is_some()).await;
            }
            None => std::future::pending().await,
        }
    }

    /// Tells the others what is new here, by which policy this process goes, and hears what is new there.
    ///
    /// # Errors
    /// The store is unavailable; what was to be told is told with the next pulse.
    pub async fn pulse(&self, policy: &str) -> Result<Pulse, StoreError> {
        let Some(Shared { store, id, seen, lease, news, .. }) = &self.0 else { return Ok(Pulse::default()) };
        let now = Instant::now();
        let (holds, groups) = news.take();
        let told = async {
            if !groups.is_empty() {
                store.note_group_writes(&groups, id).await?;
            }
            let left = |(scope, until): &(String, Instant)| ToldHold {
                scope: scope.clone(),
                wait: until.saturating_duration_since(now),
            };
            store.pulse(id, policy, &holds.iter().map(left).collect::<Vec<_>>()).await
        };
        let pulse = told.await.inspect_err(|_| news.give_back(holds, &groups))?;
        let count = u32::try_from(pulse.others.len()).unwrap_or(u32::MAX).saturating_add(1);
        seen.store(count, Ordering::Relaxed);
        metrics::replicas(count);
        metrics::policies_differ(pulse.others.iter().any(|other| other != policy));
        lease.keep(store, id, now).await?;
        Ok(pulse)
    }

    /// This process ends: the others need not wait until that shows.
    pub async fn leave(&self) {
        let Some(Shared { store, id, lease, .. }) = &self.0 else { return };
        let left = async {
            lease.give_up(store, id).await?;
            store.leave(id).await
        };
        if let Err(error) = left.await {
            tracing::debug!(%error, "the other processes will see that this one is gone");
        }
    }
}

/// What the store said, or nothing if this process has to decide alone.
fn or_alone<T>(what: Alone, outcome: Result<T, StoreError>) -> Option<T> {
    outcome.inspect_err(|_| metrics::decided_alone(what)).ok()
}

impl Shared {
    /// Does something with the store, unless it is known to fail: nobody waits for that.
    async fn unless_it_fails<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if !self.store.is_good() {
            return Err(StoreError::Unavailable("it fails at the moment".to_owned()));
        }
        match tokio::time::timeout(turns::STORE_LIMIT, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(StoreError::Unavailable("it is too slow at the moment".to_owned())),
        }
    }
}
