//! The store on a server, PostgreSQL's.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, Postgres};

use tokio::runtime::Handle;

use super::error::OpenError;
use super::settings::Settings;
use crate::domain::store_url::{PostgresHost, PostgresUrl, TlsMode};
use crate::domain::text::{decoded, trimmed};

/// Few statements are sent, none by requests that are answered from memory.
const CONNECTIONS: u32 = 8;
/// The same for statements that requests wait for: they take less than a millisecond each.
const QUICK_CONNECTIONS: u32 = 4;
/// How long is waited for a connection.
const ACQUIRE: Duration = Duration::from_secs(3);
/// A failover changes what a name stands for, so no connection is kept for long.
const LIFETIME: Duration = Duration::from_mins(30);
const IDLE: Duration = Duration::from_mins(5);
/// A password is far smaller; a larger file is the wrong one.
const MAX_PASSWORD: u64 = 4 * 1024;

/// The connections to a server, which are made when they are needed.
pub(super) struct Server {
    pool: PgPool,
    /// For statements that requests wait for, so that they never wait for others.
    quick: PgPool,
    /// Whether a connection of these is being made.
    is_growing: Arc<AtomicBool>,
    /// Where that goes on: the runtime that lives longest.
    runtime: Handle,
    password: Option<RotatedPassword>,
}

/// A password in a file that may be replaced at any time.
struct RotatedPassword {
    file: PathBuf,
    options: PgConnectOptions,
    /// The one that new connections are made with.
    in_force: Mutex<SecretString>,
}

impl Server {
    pub(super) async fn new(url: &PostgresUrl, settings: &Settings) -> Result<Self, OpenError> {
        let options = options(url, settings);
        let (options, password) = match &settings.password_file {
            Some(file) if url.password.is_none() => {
                let password = look(file.clone()).await?;
                let with_password = options.clone().password(password.expose_secret());
                let in_force = Mutex::new(password);
                (with_password, Some(RotatedPassword { file: file.clone(), options, in_force }))
            }
            _ => (options, None),
        };
        let pool = |connections| {
            let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE);
            pool.idle_timeout(IDLE).max_lifetime(LIFETIME)
        };
        // A connection that broke shows by its first statement, and each that is asked whether it did costs a round trip.
        let quick = pool(QUICK_CONNECTIONS).test_before_acquire(false).connect_lazy_with(options.clone());
        let (is_growing, runtime) = (Arc::default(), Handle::current());
        let pool = pool(CONNECTIONS).connect_lazy_with(options);
        Ok(Self { pool, quick, is_growing, runtime, password })
    }

    /// Begins a transaction. A connection that has to be made is made with the password that is in the file now.
    pub(super) async fn begin(
        &self,
        begin: &'static str,
    ) -> Result<sqlx::Transaction<'static, Postgres>, sqlx::Error> {
        if let Some(password) = &self.password {
            password.refresh([&self.pool, &self.quick]).await;
        }
        let pool = self.pool.clone();
        // To its end, whoever waits: sqlx takes a connection for one without a transaction until this was answered, so a
        // transaction that nobody waits for any more would stay open in the pool.
        let transaction = self.runtime.spawn(async move { pool.begin_with(begin).await }).await;
        transaction.unwrap_or(Err(sqlx::Error::PoolClosed))
    }

    /// The connections for statements that requests wait for. If none is idle, one more is made for those who come next: in
    /// the time that a request has, it may not get through.
    pub(super) fn quick_pool(&self) -> &PgPool {
        let is_short = self.quick.num_idle() == 0 && self.quick.size() < QUICK_CONNECTIONS;
        if is_short && !self.is_growing.swap(true, Ordering::Relaxed) {
            let (pool, is_growing) = (self.quick.clone(), self.is_growing.clone());
            self.runtime.spawn(async move {
                // What goes wrong shows where the connection is needed.
                drop(pool.acquire().await);
                is_growing.store(false, Ordering::Relaxed);
            });
        }
        &self.quick
    }

    pub(super) async fn close(&self) {
        self.quick.close().await;
        self.pool.close().await;
    }
}

impl RotatedPassword {
    /// A file that can't be read leaves the password as it was: the old one may still work.
    async fn refresh(&self, pools: [&PgPool; 2]) {
        let Ok(now) = look(self.file.clone()).await else { return };
        let mut in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        if in_force.expose_secret() != now.expose_secret() {
            for pool in pools {
                pool.set_connect_options(self.options.clone().password(now.expose_secret()));
            }
            *in_force = now;
            tracing::info!("the store's password was read again");
        }
    }
}

async fn look(file: PathBuf) -> Result<SecretString, OpenError> {
    let path = file.clone();
    let failed =
        |cause: tokio::task::JoinError| OpenError::File { what: "read", file, reason: cause.to_string() };
    tokio::task::spawn_blocking(move || read_password(&path)).await.map_err(failed)?
}

/// Reads the password of the store. May block.
///
/// # Errors
/// The file can't be read, or holds no password.
pub fn read_password(file: &Path) -> Result<SecretString, OpenError> {
    use std::io::Read;

    let failed = |reason: String| OpenError::File { what: "read", file: file.to_owned(), reason };
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(MAX_PASSWORD + 1).read_to_end(&mut bytes))
        .map_err(|cause| failed(cause.to_string()))?;
    if bytes.len() as u64 > MAX_PASSWORD {
        return Err(failed(format!("it is larger than {MAX_PASSWORD} bytes")));
    }
    let text = decoded(bytes).map_err(|reason| failed(reason.to_string()))?;
    let password = trimmed(&text);
    if password.is_empty() {
        return Err(failed("it is empty".to_owned()));
    }
    if password.contains(char::is_control) {
        return Err(failed("expected a password in one line".to_owned()));
    }
    Ok(password.into())
}

pub(super) fn options(url: &PostgresUrl, settings: &Settings) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass()
        .port(url.port)
        .username(&url.user)
        .database(&url.database)
        // Whatever the environment has for other programs is not for this one.
        .password(url.password.as_ref().map_or("", |password| password.expose_secret()))
        .ssl_mode(match url.tls {
            TlsMode::Disable => PgSslMode::Disable,
            TlsMode::Allow => PgSslMode::Allow,
            TlsMode::Prefer => PgSslMode::Prefer,
            TlsMode::Require => PgSslMode::Require,
            TlsMode::VerifyCa => PgSslMode::VerifyCa,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        })
        .application_name(env!("CARGO_PKG_NAME"))
        // Poolers refuse connections that set what they don't know.
        .extra_float_digits(None)
        // Statements are unnamed.
        .statement_cache_capacity(0)
        .disable_statement_logging();
    let options = match &settings.ca_file {
        Some(file) => options.ssl_root_cert(file),
        None => options,
    };
    match &url.host {
        PostgresHost::Network(name) => options.host(name),
        PostgresHost::Socket(folder) => options.socket(folder),
    }
}
