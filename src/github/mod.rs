//! Typed calls to GitHub's REST API. The only module that knows octocrab.

mod answer;
mod authorities;
mod budget;
mod checks;
mod circuit;
mod credential;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod groups;
mod lanes;
mod paging;
mod personal_token;
mod proxy;
mod runners;
mod teams;
mod transport;
mod types;
mod writes;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use octocrab::Octocrab;
use octocrab::models::AppId;
use secrecy::SecretString;
use tokio::sync::Notify;

use self::answer::Reply;
pub use self::authorities::Authorities;
use self::budget::Budget;
pub use self::checks::{check_private_key, read_authorities};
pub use self::circuit::CircuitState;
use self::credential::AppCredential;
pub use self::credential::{StartupProblem, TokenState};
pub use self::error::{Class, Error};
use self::lanes::Lane;
pub use self::transport::MAX_ATTEMPTS;
use self::transport::{Call, Transport};
pub use self::types::{JitRunner, Membership, Repository, Runner, RunnerGroup, RunnerToken, Team, User};
pub use self::writes::WriteIds;
use crate::clock::Clock;
use crate::domain::names::{OrgName, RepoName};
use crate::metrics::CallKind;

/// The longest that setting up a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections are kept this long; GitHub closes them sooner or later by itself.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// What is needed to talk to GitHub.
#[derive(Debug)]
pub struct Settings {
    /// The organisation that is managed.
    pub org: OrgName,
    /// The API's base address, without a slash at the end.
    pub api_url: String,
    /// PEM certificates that are trusted beside the system's, as authorities and as GitHub's own.
    pub ca_file: Option<PathBuf>,
    /// The deadline of one call, retries included.
    pub timeout: Duration,
    /// The most calls under way at once.
    pub concurrency: usize,
    /// Who the service acts as.
    pub credential: Credential,
}

/// Who the service acts as.
#[derive(Debug)]
pub enum Credential {
    /// A GitHub App.
    App {
        /// The App's numeric id.
        app_id: u64,
        /// Its installation in the organisation; looked up when left out.
        installation_id: Option<u64>,
        /// The App's RSA private key as PEM.
        private_key: SecretString,
    },
    /// A personal access token.
    Token(SecretString),
}

/// What is known about a caller's token when GitHub is asked whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenHistory {
    /// GitHub vouched for it lately.
    Good,
    /// Nothing; anybody could have made it up.
    Unknown,
}

/// Why no client could be made of the settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The key is no RSA key in PEM, or none that signs.
    #[error(
        "the App's private key can't be used: expected an RSA private key as GitHub makes it for an App; it is another \
         kind of key, or damaged ({0})"
    )]
    PrivateKey(String),
    /// The extra certificates can't be used.
    #[error("github.caFile: {}: expected PEM certificates: {reason}", path.display())]
    CaFile {
        /// The file as configured.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The environment names a proxy that can't be used; names the variable.
    #[error("{0}")]
    Proxy(String),
    /// Anything else that the HTTP client is built from.
    #[error("the client for GitHub can't be built: {0}")]
    Client(String),
}

/// The service's connection to GitHub. Cheap to share, expensive to build: one a process.
pub struct Github {
    org: OrgName,
    transport: Arc<Transport>,
    /// Carries no credential; clients for callers' tokens derive from it and share its connections.
    anonymous: Octocrab,
    acting: Acting,
    /// Told when something speaks against the credential.
    doubts: Notify,
}

/// The credential that operations are carried out with.
enum Acting {
    App(Box<AppCredential>),
    Token { client: ArcSwap<Octocrab>, budget: Budget, is_refused: AtomicBool },
}

impl Github {
    /// Builds the client. To be called on the runtime that lives longest: octocrab's worker stays there.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, SetupError> {
        let http = http_client(&settings)?;
        let anonymous = octocrab(&settings.api_url, http)?;
        let transport = Transport::new(settings.timeout, settings.concurrency, clock.clone());
        let acting = match settings.credential {
            Credential::Token(token) => {
                let client =
                    with_token(&anonymous, token).map_err(|error| SetupError::Client(error.to_string()))?;
                Acting::Token {
                    client: ArcSwap::from_pointee(client),
                    budget: Budget::reported(),
                    is_refused: AtomicBool::new(false),
                }
            }
            Credential::App { app_id, installation_id, private_key } => {
                let key = checks::app_auth(AppId(app_id), &private_key)?;
                let client = anonymous.clone();
                Acting::App(Box::new(AppCredential::new(
                    client,
                    key,
                    installation_id,
                    transport.clone(),
                    clock,
                )))
            }
        };
        Ok(Self { org: settings.org, transport, anonymous, acting, doubts: Notify::new() })
    }

    /// The organisation that is managed.
    pub fn org(&self) -> &OrgName {
        &self.org
    }

    /// Checks that the credential is accepted and may do what the service does.
    pub async fn check_credential(&self) -> Result<(), StartupProblem> {
        match &self.acting {
            Acting::App(app) => app.check(&self.org).await,
            Acting::Token { .. } => self.check_token().await,
        }
    }

    /// Uses another private key or token from now on. Fails when it can't be one; the old one then stays.
    pub fn replace_secret(&self, secret: SecretString) -> Result<(), SetupError> {
        match &self.acting {
            Acting::App(app) => {
                app.replace_key(checks::app_auth(app.app_id(), &secret)?);
            }
            Acting::Token { client, is_refused, .. } => {
                let renewed = with_token(&self.anonymous, secret)
                    .map_err(|error| SetupError::Client(error.to_string()))?;
                client.store(Arc::new(renewed));
                is_refused.store(false, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Whether there is a token to send calls with. Asks nobody.
    pub fn token_state(&self) -> TokenState {
        match &self.acting {
            Acting::App(app) => app.token_state(),
            Acting::Token { is_refused, .. } if is_refused.load(Ordering::Relaxed) => TokenState::Missing,
            Acting::Token { .. } => TokenState::Good,
        }
    }

    /// Says that the credential should be checked again soon.
    pub fn doubt_credential(&self) {
        self.doubts.notify_one();
    }

    /// Waits until somebody doubts the credential, or did since this was last waited for.
    pub async fn doubted(&self) {
        self.doubts.notified().await;
    }

    /// Calls under way, and those that wait; but for look-ups of tokens.
    pub fn load(&self) -> (usize, usize) {
        self.transport.lanes().work()
    }

    /// Look-ups of tokens under way, and those that wait.
    pub fn look_ups(&self) -> (usize, usize) {
        self.transport.lanes().look_ups()
    }

    /// Whether GitHub seems to be up.
    pub fn circuit(&self) -> CircuitState {
        self.transport.circuit()
    }

    /// The user that a caller's token belongs to: the only call ever made with it.
    pub async fn user_of(&self, token: SecretString, history: TokenHistory) -> Result<User, Error> {
        let client = with_token(&self.anonymous, token)?;
        // Every token has a budget of its own at GitHub; a spent one must not hold back others.
        let budget = Budget::default();
        let lane = match history {
            TokenHistory::Good => Lane::Renewal,
            TokenHistory::Unknown => Lane::Stranger,
        };
        let call = Call::get(CallKind::User, "/user".to_owned()).in_lane(lane);
        self.transport.send(&client, &budget, &call).await?.parse()
    }

    /// The same with a token that may administer one repository and nothing else.
    async fn send_for_repository(&self, call: Call, name: &RepoName) -> Result<Reply, Error> {
        match &self.acting {
            Acting::Token { .. } => self.send(call).await,
            Acting::App(app) => app.send_for(&self.org, Some(name), &call).await,
        }
    }

    /// Sends a call as the App's installation (or the configured token).
    async fn send(&self, call: Call) -> Result<Reply, Error> {
        let outcome = match &self.acting {
            Acting::Token { client, budget, is_refused } => {
                let outcome = self.transport.send(&client.load_full(), budget, &call).await;
                match outcome.as_ref().map_err(Error::class) {
                    Ok(_) => is_refused.store(false, Ordering::Relaxed),
                    Err(Class::Unauthorized) => is_refused.store(true, Ordering::Relaxed),
                    Err(_) => {}
                }
                outcome
            }
            Acting::App(app) => app.send_for(&self.org, None, &call).await,
        };
        if let Err(error) = &outcome
            && matches!(error.class(), Class::Unauthorized | Class::Forbidden(_))
        {
            self.doubt_credential();
        }
        outcome
    }
}

fn http_client(settings: &Settings) -> Result<reqwest::Client, SetupError> {
    let mut builder = reqwest::Client::builder()
        // A redirect would lead to a place that nobody checked; a renamed organisation is to be configured.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .http1_only();
    if settings.api_url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:")) {
        // Plain HTTP is for loopback addresses alone, which no proxy reaches.
        builder = builder.no_proxy();
    } else {
        let tls = authorities::client_config(authorities(settings)?)
            .map_err(|cause| SetupError::Client(cause.to_string()))?;
        builder = builder.tls_backend_preconfigured(tls);
        let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        if let Some(proxy) = proxy::of_environment(variable).map_err(SetupError::Proxy)? {
            builder = builder.proxy(proxy);
        }
    }
    builder.build().map_err(|cause| SetupError::Client(cause.to_string()))
}

/// The authorities that are trusted in addition to the system's.
fn authorities(settings: &Settings) -> Result<Authorities, SetupError> {
    settings.ca_file.as_deref().map(read_authorities).transpose().map(Option::unwrap_or_default)
}

fn octocrab(api_url: &str, http: reqwest::Client) -> Result<Octocrab, SetupError> {
    octocrab::OctocrabBuilder::new()
        .base_uri(api_url)
        .and_then(|builder| builder.build_with_reqwest(http))
        .map_err(|cause| SetupError::Client(cause.to_string()))
}

/// A client that carries a token. Unlike octocrab's `personal_token` this refuses odd tokens without a panic.
fn with_token(client: &Octocrab, token: SecretString) -> Result<Octocrab, Error> {
    client
        .user_access_token(token)
        .map_err(|_| Error::new(Class::Unauthorized, "the token can't be put into a header"))
}
