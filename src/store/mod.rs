//! What outlives the process: whose a group is, what was done. In a file, by SQLite, for one process; or in PostgreSQL, for
//! any number of them. Nothing else knows SQL.
//!
//! No request waits for the store where it can be served from memory: readers keep what they need and compare revisions.
//! Nothing in it is a secret: no token, no key, no JIT config.

#[macro_use]
mod statements;
mod access;
mod creations;
mod database;
mod error;
mod events;
mod health;
mod identity;
mod migrations;
mod origins;
mod postgres;
mod records;
mod settings;
mod shared;
mod sqlite;
#[cfg(test)]
mod tests;
mod used_tokens;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::access::StoredEntries;
use self::database::Database;
pub use self::error::{Contradiction, OpenError, SchemaError, StoreError};
use self::events::{Bounds, Queue};
pub use self::events::{Event, StoredEvent};
pub use self::health::Health;
pub use self::origins::{Given, Origin};
pub use self::postgres::read_password;
pub use self::records::{Added, Imported, Records};
pub use self::settings::Settings;
use self::shared::Quick;
pub use self::shared::{GroupWrites, Pulse, Taken, ToldHold};
pub use self::sqlite::{check_file, is_in_use};
use crate::clock::Clock;

/// The store. Its tasks, which write events, remove old ones and look whether a store that failed works again, end with it.
pub struct Store {
    database: Arc<Database>,
    events: Arc<Queue>,
    bounds: Bounds,
    quick: Quick,
    origins: Arc<origins::Waiting>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Store {
    /// Opens the store, and brings its schema up to date. A server that is out of reach is no error: the store works as
    /// soon as it can be reached. To be called on a runtime.
    ///
    /// # Errors
    /// The file can't be used or another process uses it; a secret or certificate can't be read; the schema is that of a
    /// later version.
    pub async fn open(settings: &Settings, clock: Clock) -> Result<Self, OpenError> {
        let database = Arc::new(Database::open(settings, &clock).await?);
        let events = Arc::new(Queue::default());
        let bounds = Bounds::from(settings);
        let origins = Arc::<origins::Waiting>::default();
        let tasks = vec![
            tokio::spawn(database::watch_over(database.clone(), clock.clone())),
            tokio::spawn(events::write(events.clone(), database.clone(), clock.clone())),
            tokio::spawn(origins::write(origins.clone(), database.clone(), clock.clone())),
            tokio::spawn(events::keep_bounded(database.clone(), bounds, clock)),
        ];
        Ok(Self { database, events, bounds, quick: Quick::default(), origins, tasks: Mutex::new(tasks) })
    }

    /// Asks a server whether it lets the service in, and has a schema that this version works with. Changes nothing. Of a
    /// file [`check_file`] says all that there is to say without taking it.
    ///
    /// # Errors
    /// What [`Store::open`] would fail with, and also that the server is out of reach.
    pub async fn ask(settings: &Settings, clock: &Clock) -> Result<(), OpenError> {
        if settings.url.postgres().is_none() {
            return Ok(());
        }
        let database = Database::connect(settings, clock).await?;
        let refusal = database.refusal().await;
        database.close().await;
        match refusal {
            Ok(None) => Ok(()),
            Ok(Some(error)) => Err(error.into()),
            Err(error) => Err(OpenError::Unreachable(error)),
        }
    }

    /// Whether the store works, and since when it doesn't.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.database.health()
    }

    /// Whether it works, as far as is known.
    pub fn is_good(&self) -> bool {
        *self.database.health().borrow() == Health::Good
    }

    /// Whether other processes may use it as well.
    pub fn is_shared(&self) -> bool {
        self.database.is_shared()
    }

    /// Writes what waits, ends the tasks and the connections, and lets go of the file. Returns how many events could not
    /// be written. The store can't be used after that.
    pub async fn close(&self) -> usize {
        let unwritten = self.flush().await;
        self.write_origins().await;
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            task.abort();
            // It ends with being aborted; a panic in it was logged.
            let _ = task.await;
        }
        self.database.close().await;
        unwritten
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        for task in self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}
