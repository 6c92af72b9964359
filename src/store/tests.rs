//! One suite for all kinds of stores. `cargo test` runs it on SQLite; with `ARM_TEST_POSTGRES`, the URL of a server where
//! databases can be made, on PostgreSQL as well; with `ARM_TEST_PGBOUNCER`, that of a pooler of transactions in front of
//! that server, once more through it. `.ci/run postgres` starts both.

mod access;
mod code;
mod creations;
mod disk;
mod events;
mod gate;
mod identity;
mod killed;
mod migrations;
mod opening;
mod origins;
mod outages;
mod records;
mod secrets;
mod shared;
mod tls;

use sqlx::{ConnectOptions, Connection, PgConnection};
use tempfile::TempDir;

use super::database::Pools;
use super::postgres::options;
use super::*;
use crate::domain::ids::{GroupId, TeamId};
use crate::domain::record::{GroupRecord, PendingCreation, RecordOrigin};
use crate::domain::store_url::{PostgresUrl, StoreUrl};

/// A place for a store of a test's own.
pub(super) struct Site {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    _folder: Option<TempDir>,
    database: Option<TestDatabase>,
}

/// A database that is removed after the test.
struct TestDatabase {
    server: PostgresUrl,
    name: String,
}

/// The variables that name servers.
const POSTGRES: &str = "ARM_TEST_POSTGRES";
const PGBOUNCER: &str = "ARM_TEST_PGBOUNCER";

impl Site {
    pub(super) fn in_memory() -> Self {
        Self::at(StoreUrl::Memory)
    }

    pub(super) fn in_a_file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.db");
        Self { _folder: Some(folder), ..Self::at(StoreUrl::Sqlite(file)) }
    }

    fn at(url: StoreUrl) -> Self {
        println!("on {url}");
        Self { settings: Settings::new(url), clock: Clock::manual(), _folder: None, database: None }
    }

    /// On each server that there is.
    pub(super) async fn on_servers() -> Vec<Self> {
        let mut sites = Vec::new();
        if let Some(server) = server(POSTGRES) {
            for reached in [Some(server.clone()), self::server(PGBOUNCER)].into_iter().flatten() {
                let database = TestDatabase::new(server.clone()).await;
                let url = PostgresUrl { database: database.name.clone(), ..reached };
                let site = Self::at(StoreUrl::Postgres(Box::new(url)));
                sites.push(Self { database: Some(database), ..site });
            }
        }
        sites
    }

    /// Where a store outlives the process.
    pub(super) async fn lasting() -> Vec<Self> {
        let mut sites = Self::on_servers().await;
        sites.push(Self::in_a_file());
        sites
    }

    pub(super) async fn all() -> Vec<Self> {
        let mut sites = Self::lasting().await;
        sites.push(Self::in_memory());
        sites
    }

    pub(super) async fn open(&self) -> Store {
        Store::open(&self.settings, self.clock.clone()).await.unwrap()
    }

    pub(super) fn is_server(&self) -> bool {
        self.database.is_some()
    }

    /// Runs statements beside the store.
    pub(super) async fn run(&self, statements: &'static str) {
        self.run_text(statements.to_owned()).await;
    }

    pub(super) async fn run_text(&self, statements: String) {
        let statements = sqlx::raw_sql(sqlx::AssertSqlSafe(statements));
        match (&self.settings.url, &self.database) {
            (StoreUrl::Sqlite(file), _) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
                statements.execute(&mut options.connect().await.unwrap()).await.unwrap();
            }
            (_, Some(database)) => {
                let url = PostgresUrl { database: database.name.clone(), ..database.server.clone() };
                let mut connection = connect(&url).await;
                statements.execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            (other, None) => panic!("nobody else reaches {other}"),
        }
    }

    /// Waits until the store works again, or doesn't any more.
    pub(super) async fn until_health(&self, store: &Store, is: fn(&Health) -> bool) {
        let mut health = store.health();
        loop {
            if is(&health.borrow_and_update()) {
                return;
            }
            // What waits for time to pass is woken again and again, since it may not wait yet.
            self.clock.advance(std::time::Duration::from_secs(1));
            let _ = tokio::time::timeout(std::time::Duration::from_millis(20), health.changed()).await;
        }
    }
}

impl TestDatabase {
    async fn new(server: PostgresUrl) -> Self {
        let name = format!("arm_test_{}", uuid::Uuid::new_v4().simple());
        let statement = format!("CREATE DATABASE {name} TEMPLATE template0");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connect(&server).await).await.unwrap();
        Self { server, name }
    }
}

/// Waits on this thread: PostgreSQL removes no database while a connection to it is half made, so tests whose stores may do so
/// have another thread, where that goes on.
impl Drop for TestDatabase {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let server = self.server.clone();
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement));
                statement.execute(&mut connect(&server).await).await.map(drop).unwrap();
            });
        });
        dropping.join().unwrap();
    }
}

/// The server that a variable names.
fn server(variable: &str) -> Option<PostgresUrl> {
    let text = std::env::var(variable).ok()?;
    match StoreUrl::parse(&text).unwrap() {
        StoreUrl::Postgres(url) => Some(*url),
        other => panic!("{variable} is {other}"),
    }
}

async fn connect(url: &PostgresUrl) -> PgConnection {
    let settings = Settings::new(StoreUrl::Postgres(Box::new(url.clone())));
    options(url, &settings).connect().await.unwrap()
}

pub(super) fn record(team: u64, group: u64) -> GroupRecord {
    let name = format!("group-{group}");
    GroupRecord {
        team: TeamId(team),
        group: GroupId(group),
        name,
        origin: RecordOrigin::Made,
        at: 1_800_000_000,
    }
}

pub(super) fn creation(team: u64) -> PendingCreation {
    let (name, begun_at) = (format!("team-{team}"), 1_800_000_000);
    PendingCreation { team: TeamId(team), name, largest_group: GroupId(90 + team), begun_at }
}
