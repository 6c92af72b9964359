//! A database of a test's own, on the server that `.ci/postgres` started or on one that a test brings.

use actions_runner_manager::domain::store_url::{PostgresHost, PostgresUrl, StoreUrl, TlsMode};
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::gate::Gate;

/// Where databases are made.
const POSTGRES: &str = "ARM_TEST_POSTGRES";
/// Where the processes look for theirs, if not there: a pooler in front of it.
const REPLICAS_THROUGH: &str = "ARM_TEST_REPLICAS_THROUGH";

/// A database that is removed after the test.
pub struct Database {
    /// The server itself.
    server: PostgresUrl,
    /// How the processes reach it.
    reached: PostgresUrl,
    name: String,
}

impl Database {
    pub async fn new() -> Self {
        let server =
            named_by(POSTGRES).unwrap_or_else(|| panic!("{POSTGRES} names no server: use .ci/run postgres"));
        let reached = named_by(REPLICAS_THROUGH).unwrap_or_else(|| server.clone());
        Self::of(server, reached).await
    }

    /// One whose way there a test opens and closes.
    pub async fn behind_a_gate() -> (Self, Gate) {
        let mut database = Self::new().await;
        let gate = Gate::in_front_of(&mut database.reached);
        (database, gate)
    }

    /// One on this server, to which another way leads.
    pub async fn of(server: PostgresUrl, reached: PostgresUrl) -> Self {
        let name = format!("arm_test_{}", uuid::Uuid::new_v4().simple());
        let database = Self { server, reached, name };
        let statement = format!("CREATE DATABASE {} TEMPLATE template0", database.name);
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut connect(&database.server, "postgres").await)
            .await
            .unwrap();
        database
    }

    /// What the processes are told.
    pub fn url(&self) -> String {
        let PostgresUrl { user, port, .. } = &self.reached;
        let password = self.reached.password.as_ref().map_or("", |password| password.expose_secret());
        let name = &self.name;
        match &self.reached.host {
            PostgresHost::Socket(folder) => {
                format!("postgres://{user}:{password}@:{port}/{name}?host={}", folder.display())
            }
            PostgresHost::Network(host) => {
                format!("postgres://{user}:{password}@{host}:{port}/{name}?sslmode=disable")
            }
        }
    }

    /// Runs statements beside the processes.
    pub async fn run(&self, statements: &'static str) {
        let mut connection = connect(&self.server, &self.name).await;
        sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// How many of these requests left an event.
    pub async fn events_of(&self, requests: &[String]) -> usize {
        let mut connection = connect(&self.server, &self.name).await;
        let count: i64 = sqlx::query_scalar(
            "SELECT count(DISTINCT request_id) FROM arm_events WHERE request_id = ANY($1)",
        )
        .bind(requests)
        .fetch_one(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
        usize::try_from(count).unwrap()
    }

    /// From now on it is on another server, where it is a copy.
    pub fn moves_to(&mut self, server: PostgresUrl) {
        self.server = server;
    }
}

/// Waits on this thread, with another for what has to go on meanwhile.
impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        let server = self.server.clone();
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let statement = sqlx::raw_sql(AssertSqlSafe(statement));
                statement.execute(&mut connect(&server, "postgres").await).await.map(drop).unwrap();
            });
        });
        // A test that fails may have left its server as it can't be used.
        let dropped = dropping.join();
        assert!(dropped.is_ok() || std::thread::panicking(), "the database was not removed");
    }
}

fn named_by(variable: &str) -> Option<PostgresUrl> {
    let text = std::env::var(variable).ok()?;
    match StoreUrl::parse(&text).unwrap() {
        StoreUrl::Postgres(url) => Some(*url),
        other => panic!("{variable} is {other}"),
    }
}

pub async fn connect(server: &PostgresUrl, database: &str) -> PgConnection {
    options(server, database).connect().await.unwrap()
}

pub fn options(server: &PostgresUrl, database: &str) -> PgConnectOptions {
    let options =
        PgConnectOptions::new_without_pgpass().username(&server.user).port(server.port).database(database);
    let options = match &server.password {
        Some(password) => options.password(password.expose_secret()),
        None => options,
    };
    match &server.host {
        PostgresHost::Socket(folder) => options.socket(folder),
        PostgresHost::Network(host) => options.host(host).ssl_mode(PgSslMode::Prefer),
    }
}

/// A server whose socket is in this folder, which trusts everybody who gets at it.
pub fn in_folder(folder: &std::path::Path) -> PostgresUrl {
    PostgresUrl {
        host: PostgresHost::Socket(folder.to_owned()),
        port: 5432,
        user: "postgres".to_owned(),
        password: None,
        database: "postgres".to_owned(),
        tls: TlsMode::Disable,
    }
}
