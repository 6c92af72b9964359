//! Turns with what several requests change: one alone, or several together. First within this process, then among all that
//! share the store.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use tokio::runtime::Handle;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio::task::AbortHandle;

use super::end::End;
use super::{Replicas, Shared};
use crate::domain::ids::{GroupId, TeamId};
use crate::metrics::{self, Alone};
use crate::store::{Store, StoreError};

/// Subjects that somebody may wait for at once.
const MAX_SUBJECTS: u64 = 100_000;
/// How long is waited for the store, before this process goes on without.
pub(super) const STORE_LIMIT: Duration = Duration::from_secs(2);
/// A turn ends by itself after this time, should its process be gone or frozen.
const TIME: Duration = Duration::from_secs(30);
/// How often it is kept for another such time.
const KEPT_EVERY: Duration = Duration::from_secs(10);
/// What has to be left of it when something is begun: more than a call to GitHub takes.
const LEFT_TO_BEGIN: Duration = Duration::from_secs(15);
/// About how often whoever waits looks whether it is their turn.
const LOOKED_EVERY: Duration = Duration::from_millis(20);

/// What a turn is with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A group. That of a group is held by those who bring runners into it or change single repositories of it, and alone by who
    /// counts its runners, sets all its repositories or deletes it.
    Group(GroupId),
    /// A team whose group is created.
    CreationFor(TeamId),
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => write!(formatter, "group:{group}"),
            Self::CreationFor(team) => write!(formatter, "creation:{team}"),
        }
    }
}

/// What to do when the other processes can't be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenStoreFails {
    /// The turn in this process alone will do.
    GoOn,
    /// Nothing is done.
    Refuse,
}

/// Why there is no turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoTurn {
    /// The other processes can't be asked.
    Store(StoreError),
    /// It didn't come in time.
    TooLate,
}

/// All turns.
pub struct Turns {
    here: Cache<Subject, Arc<RwLock<()>>>,
    replicas: Arc<Replicas>,
}

/// A turn, to be held for as long as nobody else may do what it excludes.
#[must_use]
pub struct Turn {
    everywhere: Option<Held>,
    /// Dropped last, so that whoever is next in this process comes after whoever is next elsewhere.
    _here: Here,
}

#[expect(dead_code, reason = "only held")]
enum Here {
    Together(OwnedRwLockReadGuard<()>),
    Alone(OwnedRwLockWriteGuard<()>),
}

impl Turns {
    /// Among these processes.
    pub fn new(replicas: Arc<Replicas>) -> Self {
        Self { here: Cache::builder().max_capacity(MAX_SUBJECTS).build(), replicas }
    }

    /// A turn that others may have as well. When the store fails, one in this process will do.
    ///
    /// # Errors
    /// It doesn't come in time.
    pub async fn together(&self, subject: Subject, deadline: Instant) -> Result<Turn, NoTurn> {
        let here = Here::Together(self.lock(subject).read_owned().await);
        self.everywhere(here, subject, WhenStoreFails::GoOn, deadline).await
    }

    /// A turn that nobody else has.
    ///
    /// # Errors
    /// It doesn't come in time, or nobody can tell whether somebody else has one.
    pub async fn alone(
        &self,
        subject: Subject,
        when_store_fails: WhenStoreFails,
        deadline: Instant,
    ) -> Result<Turn, NoTurn> {
        let here = Here::Alone(self.lock(subject).write_owned().await);
        self.everywhere(here, subject, when_store_fails, deadline).await
    }

    fn lock(&self, subject: Subject) -> Arc<RwLock<()>> {
        self.here.get_with(subject, Arc::default)
    }

    async fn everywhere(
        &self,
        here: Here,
        subject: Subject,
        when_store_fails: WhenStoreFails,
        deadline: Instant,
    ) -> Result<Turn, NoTurn> {
        let Some(shared) = &self.replicas.0 else { return Ok(Turn { everywhere: None, _here: here }) };
        let is_alone = matches!(here, Here::Alone(_));
        // Boxed: without others, a turn is a small thing.
        match Box::pin(shared.turn(subject, is_alone, deadline)).await {
            Ok(held) => Ok(Turn { everywhere: Some(held), _here: here }),
            Err(NoTurn::Store(error)) if when_store_fails == WhenStoreFails::GoOn => {
                tracing::debug!(%error, %subject, "a turn is held in this process alone");
                metrics::decided_alone(Alone::Turn);
                Ok(Turn { everywhere: None, _here: here })
            }
            Err(error) => Err(error),
        }
    }
}

impl Turn {
    /// Whether there is time to begin what it is held for. Not if the process stood still meanwhile.
    pub fn is_good(&self) -> bool {
        self.everywhere.as_ref().is_none_or(|held| held.end.leaves(LEFT_TO_BEGIN))
    }
}

/// A place in the store: waiting, or held. Dropping it leaves it.
struct Held {
    holder: String,
    end: Arc<SharedEnd>,
    store: Arc<Store>,
    /// Where it is left.
    runtime: Handle,
    keeping: Option<AbortHandle>,
}

/// When a turn ends by itself; none once it has.
struct SharedEnd(Mutex<Option<End>>);

impl SharedEnd {
    fn leaves(&self, time: Duration) -> bool {
        self.lock().is_some_and(|end| end.leaves(time))
    }

    fn set(&self, end: Option<End>) {
        *self.lock() = end;
    }

    fn lock(&self) -> MutexGuard<'_, Option<End>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(keeping) = &self.keeping {
            keeping.abort();
        }
        let (store, holder) = (self.store.clone(), std::mem::take(&mut self.holder));
        self.runtime.spawn(async move {
            if let Err(error) = store.leave_turn(&holder).await {
                tracing::debug!(%error, "a turn ends by itself");
            }
        });
    }
}

impl Shared {
    async fn turn(&self, subject: Subject, alone: bool, deadline: Instant) -> Result<Held, NoTurn> {
        let (holder, subject) = (uuid::Uuid::new_v4().simple().to_string(), subject.to_string());
        let end = Arc::new(SharedEnd(Mutex::new(Some(End::after(TIME)))));
        // Made first: whatever happens from here on, the place is left.
        let (store, runtime) = (self.store.clone(), self.runtime.clone());
        let mut held = Held { holder, end, store, runtime, keeping: None };
        let joining = Box::pin(self.store.join_turn(&subject, &held.holder, alone, TIME));
        let mut is_turn = self.unless_it_fails(joining).await.map_err(NoTurn::Store)?;
        held.keeping = Some(self.keep(&held));
        while !is_turn {
            if Instant::now() >= deadline {
                return Err(NoTurn::TooLate);
            }
            tokio::time::sleep(LOOKED_EVERY.mul_f64(0.5 + fastrand::f64())).await;
            let looked = self.unless_it_fails(Box::pin(self.store.is_turn(&held.holder))).await;
            let lost = || NoTurn::Store(StoreError::Unavailable("a place was lost".to_owned()));
            is_turn = looked.map_err(NoTurn::Store)?.ok_or_else(lost)?;
        }
        Ok(held)
    }

    /// Keeps a place for as long as it is wanted.
    fn keep(&self, held: &Held) -> AbortHandle {
        let (store, holder, end) = (self.store.clone(), held.holder.clone(), held.end.clone());
        let keep = async move {
            loop {
                tokio::time::sleep(KEPT_EVERY).await;
                let next = End::after(TIME);
                match store.keep_turn(&holder, TIME).await {
                    Ok(true) => end.set(Some(next)),
                    Ok(false) => return end.set(None),
                    // It lasts for a while without.
                    Err(error) => tracing::debug!(%error, "a turn could not be kept for longer"),
                }
            }
        };
        self.runtime.spawn(keep).abort_handle()
    }
}
