//! The only place where parts are wired: state, listener, start-up check, reload, graceful stop.

mod background;
mod listener;
mod reload;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use self::background::{SecretFile, check_credential, reload_certificate};
use self::listener::Listening;
pub use self::reload::Configuration;
use crate::access::{Groups, Identities, Keep, Teams};
use crate::config::{AdminListener, CacheConfig, Config, Credentials, SecretError, ServerConfig};
use crate::domain::clock::Clock;
use crate::github::{Credential, Github, Settings, SetupError};
use crate::http::{self, Operation};
use crate::limits::{AddressLimiter, UserLimiter};
use crate::metrics;
pub use crate::state::Check;
use crate::state::{Shared, State, Writes};
use crate::sweep::Sweep;
use crate::tls::{self, CertificateStore, TlsError};

/// How long requests under way may take to finish after the service was told to stop.
pub const DRAIN: Duration = Duration::from_secs(25);
/// How long open connections are still served when the service was told to stop, each answer saying that the
/// connection ends with it. So a client in the middle of a conversation doesn't send a request that nobody reads.
const LAST_REQUESTS: Duration = Duration::from_millis(250);
/// How long those who are cut off have to take the answer that says so.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// Calls to GitHub that wait for each other in one request, at most: user, membership, group, list, write.
const CALLS_IN_A_ROW: u32 = 5;
/// Groups that somebody may wait for at once.
const GROUP_TURNS: u64 = 100_000;
/// Runners whose JIT config was handed out that are known at once, and for how long: GitHub removes those that
/// don't connect within a day.
const HANDED_OUT: (u64, Duration) = (100_000, Duration::from_hours(24));
/// How often the files of configuration, certificate and credential are looked at.
const FILES_LOOKED_AT_EVERY: Duration = Duration::from_secs(30);
/// Connections of the admin listener: probes and scrapes are few.
const MAX_ADMIN_CONNECTIONS: usize = 100;

/// Why the service can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A key or token can't be read.
    #[error("{0}")]
    Secret(#[from] SecretError),
    /// The connection to GitHub can't be set up.
    #[error("{0}")]
    Github(#[from] SetupError),
    /// The certificate can't be used.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// The address can't be listened on.
    #[error("cannot listen on {address}: {cause}; see server.address and server.port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The address of the admin listener can't be listened on.
    #[error("cannot listen on {address}: {cause}; see server.admin")]
    ListenForAdmins {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// The service while it runs.
pub struct Server {
    state: Shared,
    address: SocketAddr,
    handle: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    admin: Option<Listening>,
    background: Vec<JoinHandle<()>>,
    secret: Option<Arc<SecretFile>>,
    clock: Clock,
}

/// Starts the service; it serves when this returns. To be called on the runtime that lives longest, since its
/// tasks and the connections to GitHub stay there.
pub fn start(config: &Config, clock: Clock) -> Result<Server, StartError> {
    tls::install_provider();
    if config.server.admin.is_some() {
        // Before anything is counted: what comes earlier would be lost.
        metrics::start(Operation::ALL.map(Operation::name));
    }
    let files = config.server.tls.files.as_ref();
    let certificates =
        files.map(|files| CertificateStore::load(&files.certificate, &files.key)).transpose()?;
    let secret = SecretFile::of(&config.credentials)?;
    let (report, check) = watch::channel(Check::Pending);
    let state = Arc::new(build(config, &clock, certificates, check)?);
    let (handle, serving, address) = listen(config, &state)?;
    let admin =
        config.server.admin.map(|admin| listen_for_admins(&config.server, admin, &state)).transpose()?;
    let mut background = vec![tokio::spawn(check_credential(state.clone(), report))];
    if let Some(certificates) = &state.certificates {
        background.push(tls::spawn_watch(certificates.clone(), FILES_LOOKED_AT_EVERY, clock.clone()));
    }
    if admin.is_some() {
        background.push(tokio::spawn(metrics::add_up()));
    }
    if let Some(secret) = &secret {
        let watch = secret.clone().watch(state.clone(), FILES_LOOKED_AT_EVERY, clock.clone());
        background.push(tokio::spawn(watch));
    }
    if config.sweep.offline_runners.enabled {
        let sweep = Sweep::new(state.clone(), config.sweep.offline_runners.clone(), clock.clone());
        background.push(tokio::spawn(sweep.run()));
    }
    let admin_address = admin.as_ref().map(|(_, _, address)| tracing::field::display(address));
    tracing::info!(%address, admin_address, tls = files.is_some(), org = %config.org, "serving");
    Ok(Server { state, address, handle, serving, admin, background, secret, clock })
}

fn build(
    config: &Config,
    clock: &Clock,
    certificates: Option<Arc<CertificateStore>>,
    check: watch::Receiver<Check>,
) -> Result<State, StartError> {
    let secret = background::read(&config.credentials)?;
    let credential = match &config.credentials {
        Credentials::App { app_id, installation_id, .. } => {
            Credential::App { app_id: *app_id, installation_id: *installation_id, private_key: secret }
        }
        Credentials::Token(_) => Credential::Token(secret),
    };
    let settings = Settings {
        org: config.org.clone(),
        api_url: config.github.api_url.as_str().to_owned(),
        ca_file: config.github.ca_file.clone(),
        timeout: config.github.timeout,
        concurrency: config.github.concurrency,
        credential,
    };
    let keep = keep(&config.cache);
    let (users, unknown_tokens) = limiters(config, clock);
    Ok(State {
        github: Github::new(settings, clock.clone())?,
        identities: Identities::new(unknown_tokens, keep, clock.clone()).map_err(|_| StartError::Random)?,
        teams: Teams::new(config.groups.name.clone(), keep, clock),
        groups: Groups::new(keep, clock.clone()),
        users: ArcSwap::from_pointee(users),
        policy: ArcSwap::from_pointee(config.policy.clone()),
        scopes: ArcSwap::from_pointee(config.scopes.clone()),
        administrators: config.admin_team.clone(),
        legacy_get: config.server.legacy_get,
        docs: config.server.docs,
        trusted_proxies: config.server.trusted_proxies.clone(),
        request_deadline: (config.github.timeout * CALLS_IN_A_ROW).min(DRAIN.max(config.github.timeout)),
        certificates,
        check,
        check_now: Notify::new(),
        draining: AtomicBool::new(false),
        group_turns: moka::sync::Cache::builder().max_capacity(GROUP_TURNS).build(),
        handed_out: moka::sync::Cache::builder()
            .max_capacity(HANDED_OUT.0)
            .time_to_live(HANDED_OUT.1)
            .build(),
        writes: Writes::here(),
    })
}

fn limiters(config: &Config, clock: &Clock) -> (UserLimiter, AddressLimiter) {
    let server = &config.server;
    (
        UserLimiter::new(server.rate_limit, server.rate_burst, clock.clone()),
        AddressLimiter::new(server.unknown_token_rate, clock.clone()),
    )
}

fn keep(cache: &CacheConfig) -> Keep {
    Keep {
        identity: cache.identity,
        refused_identity: cache.refused_identity,
        team: cache.team,
        membership: cache.membership,
        refused_membership: cache.refused_membership,
        group: cache.group,
    }
}

fn listen(config: &Config, state: &Shared) -> Result<Listening, StartError> {
    let server = &config.server;
    let address = server.bind_address();
    let tls = state.certificates.as_ref().map(CertificateStore::server_config).transpose()?;
    let settings = listener::Settings {
        address,
        tls: tls.map(Arc::new),
        workers: None,
        max_connections: server.max_connections,
        max_per_address: server.connections_per_address,
        proxies: server.trusted_proxies.clone(),
        keep_alive: server.keep_alive,
        // `stop` sets the bound; this one is only behind it.
        shutdown_timeout: DRAIN * 2,
    };
    let shared = state.clone();
    listener::start(settings, move || http::app(shared.clone()))
        .map_err(|cause| StartError::Listen { address, cause })
}

fn listen_for_admins(
    config: &ServerConfig,
    admin: AdminListener,
    state: &Shared,
) -> Result<Listening, StartError> {
    let address = SocketAddr::new(admin.address, admin.port);
    let settings = listener::Settings {
        address,
        tls: None,
        workers: Some(1),
        max_connections: MAX_ADMIN_CONNECTIONS,
        max_per_address: MAX_ADMIN_CONNECTIONS,
        proxies: Vec::new(),
        keep_alive: config.keep_alive,
        shutdown_timeout: Duration::from_secs(1),
    };
    let shared = state.clone();
    listener::start(settings, move || http::admin::app(shared.clone()))
        .map_err(|cause| StartError::ListenForAdmins { address, cause })
}

impl Server {
    /// Where the admin listener is, if it is on.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(_, _, address)| *address)
    }

    /// Where the service listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The parts that requests share.
    pub fn state(&self) -> &Shared {
        &self.state
    }

    /// Whether the credential was found to work.
    pub fn check(&self) -> watch::Receiver<Check> {
        self.state.check.clone()
    }

    /// Waits until it is time to look at files again.
    pub async fn until_next_look(&self) {
        self.clock.sleep(FILES_LOOKED_AT_EVERY).await;
    }

    /// Puts what may change while the service runs in force: policy, scopes, limits, and the files of certificate and
    /// credential.
    pub fn reload(&self, config: &Config) {
        let (users, unknown_tokens) = limiters(config, &self.clock);
        self.state.policy.store(Arc::new(config.policy.clone()));
        self.state.scopes.store(Arc::new(config.scopes.clone()));
        self.state.users.store(Arc::new(users));
        self.state.identities.limit_unknown_tokens(unknown_tokens);
        if let Some(certificates) = &self.state.certificates {
            reload_certificate(certificates);
        }
        if let Some(secret) = &self.secret {
            secret.reload(&self.state);
        }
        // Whoever put something right, at GitHub perhaps, need not wait for the next check.
        self.state.check_now.notify_one();
    }

    /// Stops accepting, lets requests and writes under way finish within `at_most`, and ends. Who takes longer is
    /// answered with 503.
    pub async fn stop(self, at_most: Duration) {
        self.state.draining.store(true, Ordering::SeqCst);
        tracing::info!("stopping: requests under way are finished");
        let ending = async {
            self.handle.pause().await;
            tokio::time::sleep(LAST_REQUESTS).await;
            self.handle.stop(true).await;
            self.state.writes.ended().await;
        };
        if tokio::time::timeout(at_most, ending).await.is_err() {
            tracing::warn!("some requests took too long and are cut off");
            self.state.writes.give_up().await;
            let _ = tokio::time::timeout(LAST_ANSWERS, self.handle.stop(true)).await;
            self.serving.abort();
        }
        for task in self.background {
            task.abort();
        }
        if let Ok(Err(error)) = self.serving.await {
            tracing::error!(%error, "the listener ended with an error");
        }
        // Last, so that readiness could be asked for until now.
        if let Some((handle, serving, _)) = self.admin {
            handle.stop(false).await;
            serving.abort();
        }
        tracing::info!("stopped");
    }
}
