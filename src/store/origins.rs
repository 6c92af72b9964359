//! Who was given the JIT config of which runner.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::Store;
use super::database::{Connection, Database};
use super::error::StoreError;
use super::records::{id, to_signed};
use crate::clock::Clock;
use crate::domain::entry::EntryId;
use crate::domain::ids::{RunnerId, TeamId};

/// Where a runner comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The runner.
    pub runner: RunnerId,
    /// Its name.
    pub name: String,
    /// Into whose group it was registered.
    pub team: TeamId,
    /// By which access entry, if its caller was no user.
    pub entry: Option<EntryId>,
    /// Who was given the config, in JSON.
    pub caller: String,
    /// When: seconds since 1970.
    pub at: u64,
}

/// A caller waits no longer for the origin of their runner to be written.
const WAIT: Duration = Duration::from_secs(1);
/// More can't wait, and are lost.
const MAX_WAITING: usize = 10_000;
/// How long is waited before writing is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Origins that are not written yet.
#[derive(Default)]
pub(super) struct Waiting {
    origins: Mutex<VecDeque<Origin>>,
    came: Notify,
    /// How many were taken in, and of them dealt with.
    taken: Mutex<u64>,
    done: watch::Sender<u64>,
}

impl Waiting {
    /// Takes one in; gives its number.
    fn push(&self, origin: Origin) -> u64 {
        let mut origins = self.lock();
        if origins.len() < MAX_WAITING {
            origins.push_back(origin);
        } else {
            tracing::error!("too many origins of runners wait for the store: one is lost");
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        self.came.notify_one();
        *taken
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Origin>> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what waits, again and again until it is written.
pub(super) async fn write(waiting: Arc<Waiting>, database: Arc<Database>, clock: Clock) {
    loop {
        waiting.came.notified().await;
        loop {
            let (batch, taken) = {
                let origins = waiting.lock();
                let taken = *waiting.taken.lock().unwrap_or_else(PoisonError::into_inner);
                (origins.iter().cloned().collect::<Vec<_>>(), taken)
            };
            if batch.is_empty() {
                break;
            }
            if add_accepted(&database, &batch).await.is_err() {
                clock.sleep(TRY_AGAIN).await;
                continue;
            }
            let mut origins = waiting.lock();
            let count = batch.len().min(origins.len());
            origins.drain(..count);
            waiting.done.send_replace(taken);
        }
    }
}

/// Writes origins. One that the store doesn't accept is given up, since it would not be accepted the next time either.
///
/// # Errors
/// The store is unavailable; some may be written.
async fn add_accepted(database: &Database, origins: &[Origin]) -> Result<(), StoreError> {
    match add(database, origins).await {
        Ok(()) => return Ok(()),
        Err(error @ StoreError::Unavailable(_)) => return Err(error),
        Err(error) => tracing::debug!(%error, "origins of runners are written one by one"),
    }
    // One of them stood in the way of the others.
    for origin in origins {
        match add(database, std::slice::from_ref(origin)).await {
            Ok(()) => {}
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) => {
                tracing::error!(%error, runner = origin.runner.0, "the origin of a runner could not be kept");
            }
        }
    }
    Ok(())
}

async fn add(database: &Database, origins: &[Origin]) -> Result<(), StoreError> {
    let mut transaction = database.write_few(origins.len()).await?;
    let insert = "INSERT INTO arm_origins (runner, name, team, entry, caller, at) VALUES ($1, $2, $3, $4, $5, $6) \
                      ON CONFLICT (runner) DO NOTHING";
    for origin in origins {
        let (runner, team) = (to_signed(origin.runner.0)?, to_signed(origin.team.0)?);
        let (name, caller) = (origin.name.as_str(), origin.caller.as_str());
        let entry = origin.entry.map(|entry| entry.0.cast_signed());
        execute!(&mut transaction, insert, runner, name, team, entry, caller, to_signed(origin.at)?)?;
    }
    transaction.commit().await
}

/// JIT configs that were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// How many.
    pub count: u64,
    /// When the first of them was: seconds since 1970.
    pub first: Option<u64>,
}

fn given(count: i64, first: Option<i64>) -> Result<Given, StoreError> {
    Ok(Given { count: id(count)?, first: first.map(id).transpose()? })
}

type Row = (i64, String, i64, Option<i64>, String, i64);
type GivenRow = (i64, Option<i64>, i64, Option<i64>);

// The ids are a list in JSON, which each database takes apart in its own way.
const OF_RUNNERS_IN_A_FILE: &str = "SELECT runner, name, team, entry, caller, at FROM arm_origins \
                                    WHERE runner IN (SELECT value FROM json_each($1))";
const OF_RUNNERS_ON_A_SERVER: &str = "SELECT runner, name, team, entry, caller, at FROM arm_origins \
                                      WHERE runner IN (SELECT value::BIGINT FROM json_array_elements_text($1::JSON))";

fn origin((runner, name, team, entry, caller, at): Row) -> Result<Origin, StoreError> {
    let entry = entry.map(|entry| EntryId(entry.cast_unsigned()));
    Ok(Origin { runner: RunnerId(id(runner)?), name, team: TeamId(id(team)?), entry, caller, at: id(at)? })
}

impl Store {
    /// Keeps where a runner comes from; one that is known already stays. Returns when it is written, or after a second: then it
    /// waits with others until the store works.
    pub async fn keep_origin(&self, origin: Origin) {
        let mut done = self.origins.done.subscribe();
        let number = self.origins.push(origin);
        let written = done.wait_for(|done| *done >= number);
        if tokio::time::timeout(WAIT, written).await.is_err() {
            tracing::warn!("the origin of a runner waits for the store");
        }
    }

    /// Writes what waits, once: the process ends.
    pub(super) async fn write_origins(&self) {
        let waiting: Vec<_> = self.origins.lock().drain(..).collect();
        // A store that is away is not waited for in vain.
        if waiting.is_empty() {
            return;
        }
        if let Err(error) = add_accepted(&self.database, &waiting).await {
            tracing::error!(%error, count = waiting.len(), "origins of runners could not be kept");
        }
    }

    /// Where these runners come from, as far as that was kept.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn origins_of(&self, runners: &[RunnerId]) -> Result<HashMap<RunnerId, Origin>, StoreError> {
        let mut transaction = self.database.read().await?;
        let ids =
            serde_json::to_string(runners).map_err(|error| StoreError::Unexpected(error.to_string()))?;
        let select = match transaction.connection {
            Connection::Sqlite(_) => OF_RUNNERS_IN_A_FILE,
            Connection::Postgres(_) => OF_RUNNERS_ON_A_SERVER,
        };
        let rows = query!(&mut transaction, fetch_all Row, select, ids)?;
        transaction.commit().await?;
        rows.into_iter().map(origin).map(|found| found.map(|origin| (origin.runner, origin))).collect()
    }

    /// How many JIT configs an entry was given since this time (in seconds since 1970), and all entries of a team together; of those
    /// that are enough to be refused one, when the earliest was.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn given_since(
        &self,
        entry: EntryId,
        team: TeamId,
        since: u64,
    ) -> Result<[Given; 2], StoreError> {
        let mut transaction = self.database.read_once().await?;
        let select = "SELECT COUNT(*) FILTER (WHERE entry = $1), MIN(at) FILTER (WHERE entry = $1), COUNT(*), MIN(at) \
                      FROM arm_origins WHERE team = $2 AND entry IS NOT NULL AND at > $3";
        let (entry, team, since) = (entry.0.cast_signed(), to_signed(team.0)?, to_signed(since)?);
        let found = query!(&mut transaction, fetch_one GivenRow, select, entry, team, since)?;
        transaction.commit().await?;
        let (by_entry, first_by_entry, by_team, first_by_team) = found;
        Ok([given(by_entry, first_by_entry)?, given(by_team, first_by_team)?])
    }

    /// The runners whose configs this entry was given.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn runners_of_entry(&self, entry: EntryId) -> Result<HashSet<RunnerId>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = "SELECT runner FROM arm_origins WHERE entry = $1";
        let rows = query!(&mut transaction, fetch_all(i64,), select, entry.0.cast_signed())?;
        transaction.commit().await?;
        rows.into_iter().map(|(runner,)| id(runner).map(RunnerId)).collect()
    }
}
