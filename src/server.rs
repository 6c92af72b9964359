//! The only place where parts are wired: state, listener, start-up check, reload, graceful stop.

mod access;
mod background;
mod build;
mod listener;
mod preflight;
mod reload;
mod replicas;
mod start_line;
#[cfg(feature = "demo")]
mod trial;
mod watched;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use self::background::{SecretFile, check_credential};
use self::listener::Listening;
pub use self::preflight::{ask_github, ask_issuers, ask_store, problems, warnings};
pub use self::reload::Configuration;
use self::watched::{LOOKED_AT_EVERY, Looks};
use crate::clock::Clock;
use crate::config::{AdminListener, Config, GroupProof, SecretError, ServerConfig, TlsFiles};
use crate::github::SetupError;
use crate::http::{self, Operation};
use crate::metrics;
use crate::oidc::{self};
use crate::state::Shared;
pub use crate::state::{Check, Obstacle};
use crate::store::{self, OpenError, Store};
use crate::tls::{self, CertificateStore, TlsError};
use crate::watch::{RecordWatch, Sweep};

/// How long requests under way may take to finish after the service was told to stop.
pub const DRAIN: Duration = Duration::from_secs(25);
/// How long open connections are still served when the service was told to stop, each answer saying that the
/// connection ends with it. So a client in the middle of a conversation doesn't send a request that nobody reads.
const LAST_REQUESTS: Duration = Duration::from_millis(250);
/// How long those who are cut off have to take the answer that says so.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// Calls to GitHub that wait for each other in one request, at most: user, membership, group, list, write.
const CALLS_IN_A_ROW: u32 = 5;
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
    /// The files of the certificate can't be used.
    #[error("{setting}: {cause}")]
    Certificate {
        /// The setting that names the file at fault.
        setting: &'static str,
        /// What is wrong with it.
        cause: TlsError,
    },
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
    /// The store can't be opened.
    #[error("store.url: {0}")]
    Store(#[from] OpenError),
    /// Nothing says which group is a team's.
    #[error("groups.name {}", Config::NO_GROUP_PROOF)]
    NoGroupProof,
    /// Tokens of an issuer can't be checked.
    #[error("{0}")]
    Oidc(#[from] oidc::SetupError),
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
    /// Tells those who watch files to look now.
    asked: watch::Sender<()>,
    clock: Clock,
}

/// Starts the service; it serves when this returns. To be called on the runtime that lives longest, since its
/// tasks and the connections to GitHub stay there.
///
/// # Errors
/// Something that it needs can't be used; says which setting to look at.
pub async fn start(config: &Config, clock: Clock) -> Result<Server, StartError> {
    tls::install_provider();
    let proof = config.group_proof().ok_or(StartError::NoGroupProof)?;
    if config.server.admin.is_some() {
        // Before anything is counted: what comes earlier would be lost.
        metrics::start(Operation::ALL.iter().map(|operation| operation.name()));
    }
    let files = config.server.tls.files.as_ref();
    let certificates = files.map(certificates).transpose()?;
    let secret = config.credentials.read()?;
    let (report, check) = watch::channel(Check::Pending);
    let store = match store::Settings::of(&config.store) {
        Some(settings) => Some(Arc::new(Store::open(&settings, clock.clone()).await?)),
        None => None,
    };
    let state =
        Arc::new(build::build(config, &clock, (secret.clone(), certificates), store.as_ref(), check)?);
    let (handle, serving, address) = listen(config, &state)?;
    let admin =
        config.server.admin.map(|admin| listen_for_admins(&config.server, admin, &state)).transpose()?;
    let unanswered = Arc::new(Notify::new());
    let mut background = vec![tokio::spawn(check_credential(state.clone(), report, unanswered.clone()))];
    let github = state.organisation.github.clone();
    background.push(tokio::spawn(async move { github.keep_circuit().await }));
    let asked = watch::Sender::new(());
    let looks = || Looks::new(asked.subscribe(), clock.clone());
    if let Some(certificates) = &state.certificates {
        background.push(tokio::spawn(watched::watch(certificates.clone(), looks())));
    }
    if let Some(secret) = SecretFile::of(&config.credentials, secret, state.clone()) {
        background.push(tokio::spawn(watched::watch(secret, looks())));
    }
    if admin.is_some() {
        background.push(tokio::spawn(metrics::add_up()));
    }
    if proof == GroupProof::Records {
        let watch = || RecordWatch::new(state.clone(), clock.clone());
        background.push(tokio::spawn(watch().run()));
        background.push(tokio::spawn(watch().settle_those_left()));
    }
    background.push(tokio::spawn(replicas::follow(state.clone())));
    background.push(tokio::spawn(access::tell_uses(state.clone())));
    let configured = state.configured_access.subscribe();
    background.push(tokio::spawn(access::keep_configured(state.clone(), configured)));
    if config.sweep.offline_runners.enabled {
        let sweep = Sweep::new(state.clone(), config.sweep.offline_runners.clone(), clock.clone());
        background.push(tokio::spawn(sweep.run()));
    }
    let admin_address = admin.as_ref().map(|(_, _, address)| *address);
    let (announced, check) = (config.clone(), state.check.clone());
    background.push(tokio::spawn(async move {
        if start_line::goes_on(check, &unanswered, start_line::AWAITED).await {
            start_line::log(&announced, address, admin_address);
        }
    }));
    Ok(Server { state, address, handle, serving, admin, background, asked, clock })
}

fn certificates(files: &TlsFiles) -> Result<Arc<CertificateStore>, StartError> {
    CertificateStore::load(&files.certificate, &files.key)
        .map_err(|cause| StartError::Certificate { setting: preflight::setting_of(&cause, files), cause })
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

    /// Waits for as long as files are left alone between two looks.
    pub async fn until_next_look(&self) {
        self.clock.sleep(LOOKED_AT_EVERY).await;
    }

    /// Keeps a configuration's file in force as far as that needs no restart; `apply` gets each configuration first.
    pub fn watch(&mut self, configuration: Configuration, apply: impl Fn(&Config) + Send + 'static) {
        let looks = Looks::new(self.asked.subscribe(), self.clock.clone());
        let watch = configuration.watch(self.state.clone(), self.clock.clone(), looks, apply);
        self.background.push(tokio::spawn(watch));
    }

    /// Looks at all files now, and forgets who callers are and what they maintain: somebody may have lost it.
    pub fn reload(&self) {
        self.state.authentication.identities.forget_all();
        self.state.organisation.entries.forget_all();
        self.state.organisation.teams.forget_all();
        self.state.organisation.members.forget_all();
        tracing::info!("cached identities and memberships were forgotten");
        self.asked.send_replace(());
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
        self.state.limited_callers.write_all();
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
        self.state.organisation.replicas.leave().await;
        if let Err(error) = self.state.organisation.entries.tell_uses().await {
            tracing::warn!(%error, "when access entries were used last could not be written");
        }
        if let Some(store) = &self.state.organisation.store {
            let unwritten = store.close().await;
            if unwritten > 0 {
                tracing::error!(events = unwritten, "some events could not be written into the store");
            }
        }
        tracing::info!("stopped");
    }
}
