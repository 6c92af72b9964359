//! The connections to the database. Every statement runs within a [`Transaction`], which alone gets at a connection, and
//! every one has a time limit and tells how it ended.

use std::fs::File;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, Sqlite, SqlitePool};
use tokio::sync::{OnceCell, watch};

use super::error::{OpenError, SchemaError, StoreError};
use super::health::{Health, Monitor};
use super::migrations::{self, Migrated};
use super::postgres::Server;
use super::settings::Settings;
use super::sqlite;
use crate::clock::Clock;
use crate::domain::store_url::StoreUrl;

/// How long a statement may take, getting a connection included.
const LIMIT: Duration = Duration::from_secs(5);
/// The same for what goes through many rows.
const LONG_LIMIT: Duration = Duration::from_mins(1);
/// How long after a failure, and how often, it is tried whether the store works again.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// The connections.
pub(super) struct Database {
    pools: Pools,
    monitor: Arc<Monitor>,
    /// Set once the schema is what is needed.
    migrated: OnceCell<()>,
    /// Keeps other processes from the file.
    lock: Mutex<Option<File>>,
}

pub(super) enum Pools {
    /// One connection that writes and a few that read; in memory the same for both.
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    /// A server's, which is there or not.
    Postgres(Box<Server>),
}

/// A transaction of its own for one thing to do. Ends without effect unless it is committed.
pub(super) struct Transaction {
    pub(super) connection: Connection,
    pub(super) monitor: Arc<Monitor>,
    pub(super) limit: Duration,
    writes: bool,
    extent: Extent,
}

/// What statements run on.
pub(super) enum Connection {
    /// In a transaction that is begun and ended here: sqlx's own thinks that one goes on which SQLite rolled back by itself,
    /// as it does when the disk is full, and the connection is of no use any more.
    Sqlite(PoolConnection<Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// What a transaction is for.
#[derive(Clone, Copy)]
enum Purpose {
    Read,
    Write,
    LongWrite,
}

/// How many statements run in a transaction.
#[derive(Clone, Copy, PartialEq)]
enum Extent {
    /// One, which SQLite makes a transaction of its own: each word to its thread costs time.
    One,
    Several,
}

impl Database {
    /// Takes the file, or gets ready to connect.
    pub(super) async fn connect(settings: &Settings, clock: &Clock) -> Result<Self, OpenError> {
        let (pools, lock) = match &settings.url {
            StoreUrl::Memory => (sqlite::in_memory(), None),
            StoreUrl::Sqlite(file) => {
                let (pools, lock) = sqlite::open(file)?;
                (pools, Some(lock))
            }
            StoreUrl::Postgres(url) => (Pools::Postgres(Box::new(Server::new(url, settings).await?)), None),
        };
        let monitor = Arc::new(Monitor::new(clock.clone()));
        Ok(Self { pools, monitor, migrated: OnceCell::new(), lock: Mutex::new(lock) })
    }

    /// Connects and migrates, unless a server is out of reach.
    pub(super) async fn open(settings: &Settings, clock: &Clock) -> Result<Self, OpenError> {
        let database = Self::connect(settings, clock).await?;
        let problem = match database.migrate().await {
            Ok(Migrated::UpToDate) => return Ok(database),
            Err(StoreError::Unavailable(_)) if database.is_shared() => return Ok(database),
            Ok(Migrated::Refused(error)) => error.into(),
            Err(error) => match settings.url.file() {
                Some(file) => OpenError::NotAStore { file: file.to_owned(), reason: error.to_string() },
                None => OpenError::Unreachable(error),
            },
        };
        database.close().await;
        Err(problem)
    }

    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.monitor.subscribe()
    }

    /// Begins a transaction that only reads.
    pub(super) async fn read(&self) -> Result<Transaction, StoreError> {
        self.is_migrated()?;
        self.begin(Purpose::Read, Extent::Several).await
    }

    /// The same for a single statement.
    pub(super) async fn read_once(&self) -> Result<Transaction, StoreError> {
        self.is_migrated()?;
        self.begin(Purpose::Read, Extent::One).await
    }

    /// Begins a transaction that writes.
    pub(super) async fn write(&self) -> Result<Transaction, StoreError> {
        self.is_migrated()?;
        self.begin(Purpose::Write, Extent::Several).await
    }

    /// The same for so many statements. A single one may be in force before the transaction is committed.
    pub(super) async fn write_few(&self, statements: usize) -> Result<Transaction, StoreError> {
        self.is_migrated()?;
        self.begin(Purpose::Write, if statements == 1 { Extent::One } else { Extent::Several }).await
    }

    /// Begins a transaction that may go through many rows.
    pub(super) async fn write_at_length(&self) -> Result<Transaction, StoreError> {
        self.is_migrated()?;
        self.begin(Purpose::LongWrite, Extent::Several).await
    }

    /// The last row that a text of statements gives on a server. It goes there in one message, which is a transaction of its
    /// own, so it needs no other. How it ends says nothing about the store.
    pub(super) async fn ask_server(&self, statements: String) -> Result<Option<PgRow>, StoreError> {
        self.is_migrated()?;
        let Pools::Postgres(server) = &self.pools else { return Ok(None) };
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).fetch_all(server.quick_pool()).await?;
        Ok(rows.into_iter().next_back())
    }

    /// Connects, where requests would otherwise have to wait for it.
    pub(super) fn keep_quick_ready(&self) {
        if let Pools::Postgres(server) = &self.pools {
            server.quick_pool();
        }
    }

    /// Whether the database is a server, where other processes work as well.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.pools, Pools::Postgres(_))
    }

    fn is_migrated(&self) -> Result<(), StoreError> {
        let reason = || StoreError::Unavailable("it was not reached yet".to_owned());
        self.migrated.get().copied().ok_or_else(reason)
    }

    async fn begin(&self, purpose: Purpose, extent: Extent) -> Result<Transaction, StoreError> {
        let limit = if matches!(purpose, Purpose::LongWrite) { LONG_LIMIT } else { LIMIT };
        let connection = observed(&self.monitor, LIMIT, self.connection(purpose, extent)).await?;
        let writes = !matches!(purpose, Purpose::Read);
        Ok(Transaction { connection, monitor: self.monitor.clone(), limit, writes, extent })
    }

    async fn connection(&self, purpose: Purpose, extent: Extent) -> Result<Connection, sqlx::Error> {
        match (&self.pools, purpose) {
            (Pools::Sqlite { readers, .. }, Purpose::Read) => begin_in(readers, "BEGIN", extent).await,
            (Pools::Sqlite { writer, .. }, Purpose::Write | Purpose::LongWrite) => {
                begin_in(writer, "BEGIN IMMEDIATE", extent).await
            }
            (Pools::Postgres(server), purpose) => {
                // The limit holds within this transaction alone, so that it doesn't matter whose the connection is next. Each
                // statement has to see what others committed before it, whatever the server's default is.
                let begin = match purpose {
                    Purpose::Read => "BEGIN READ ONLY; SET LOCAL statement_timeout = '5s'",
                    Purpose::Write => {
                        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = '5s'"
                    }
                    Purpose::LongWrite => {
                        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = '60s'"
                    }
                };
                server.begin(begin).await.map(Connection::Postgres)
            }
        }
    }

    /// Brings the schema up to date, once.
    async fn migrate(&self) -> Result<Migrated, StoreError> {
        let mut transaction = self.begin(Purpose::LongWrite, Extent::Several).await?;
        let outcome = migrations::run(&mut transaction, migrations::ALL).await?;
        if matches!(outcome, Migrated::UpToDate) {
            transaction.end().await?;
            let _ = self.migrated.set(());
            // In this order: whoever hears that the store works may use it at once.
            self.monitor.works();
        }
        Ok(outcome)
    }

    /// Why the schema can't be worked with, if so; changes nothing.
    pub(super) async fn refusal(&self) -> Result<Option<SchemaError>, StoreError> {
        let mut transaction = self.begin(Purpose::Read, Extent::Several).await?;
        let refusal = migrations::look(&mut transaction, migrations::ALL).await?;
        transaction.commit().await?;
        Ok(refusal)
    }

    /// Tries whether something can be written, which puts the health right.
    async fn probe(&self) -> Result<(), StoreError> {
        if self.migrated.get().is_none() {
            return match self.migrate().await? {
                Migrated::UpToDate => Ok(()),
                Migrated::Refused(error) => Err(StoreError::Unavailable(error.to_string())),
            };
        }
        let mut transaction = self.write().await?;
        execute!(&mut transaction, "UPDATE arm_revisions SET value = value + 1 WHERE name = 'probe'")?;
        transaction.commit().await
    }

    /// Ends all connections, then lets go of the file.
    pub(super) async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(server) => server.close().await,
        }
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    #[cfg(test)]
    pub(super) fn pools(&self) -> &Pools {
        &self.pools
    }
}

impl Transaction {
    /// Puts what was done in force. When this fails, it may be in force all the same.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        let (monitor, writes) = (self.monitor.clone(), self.writes);
        self.end().await?;
        if writes {
            monitor.works();
        }
        Ok(())
    }

    async fn end(self) -> Result<(), StoreError> {
        let Self { connection, monitor, limit, extent, .. } = self;
        let ended = async {
            match connection {
                Connection::Sqlite(_) if extent == Extent::One => Ok(()),
                Connection::Sqlite(mut connection) => {
                    sqlx::raw_sql("COMMIT").execute(&mut *connection).await.map(drop)
                }
                Connection::Postgres(transaction) => transaction.commit().await,
            }
        };
        observed(&monitor, limit, ended).await
    }

    /// Runs statements that are fixed texts without values, as a schema's are.
    pub(super) async fn run_all(&mut self, statements: &'static str) -> Result<(), StoreError> {
        let limit = self.limit;
        match &mut self.connection {
            Connection::Sqlite(connection) => {
                observed(&self.monitor, limit, sqlx::raw_sql(statements).execute(&mut **connection)).await?;
            }
            Connection::Postgres(connection) => {
                observed(&self.monitor, limit, sqlx::raw_sql(statements).execute(&mut **connection)).await?;
            }
        }
        Ok(())
    }
}

/// Begins a transaction in a file. If it isn't committed, it is rolled back when the connection goes back to its pool.
async fn begin_in(pool: &SqlitePool, begin: &'static str, extent: Extent) -> Result<Connection, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    if extent == Extent::Several {
        sqlx::raw_sql(begin).execute(&mut *connection).await?;
    }
    Ok(Connection::Sqlite(connection))
}

/// Waits for something to end within the limit, and notes if it fails.
pub(super) async fn observed<T>(
    monitor: &Monitor,
    limit: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    let outcome = match tokio::time::timeout(limit, work).await {
        Ok(outcome) => outcome.map_err(StoreError::from),
        Err(_) => Err(StoreError::Unavailable(format!("it took longer than {} s", limit.as_secs()))),
    };
    outcome.inspect_err(|error| monitor.failed(error))
}

/// While the store fails, tries again and again whether it works.
pub(super) async fn watch_over(database: Arc<Database>, clock: Clock) {
    let mut health = database.health();
    while health.wait_for(|health| *health != Health::Good).await.is_ok() {
        clock.sleep(PROBE_EVERY).await;
        // What goes wrong is noted where it does.
        let _ = database.probe().await;
    }
}
