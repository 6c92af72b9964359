//! Typed calls to GitHub's REST API. The only module that knows octocrab.

mod budget;
mod circuit;
mod credential;
mod error;
mod groups;
mod paging;
mod runners;
mod teams;
mod transport;
mod types;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use octocrab::Octocrab;
use octocrab::jsonwebtoken::EncodingKey;
use octocrab::models::AppId;
use secrecy::{ExposeSecret, SecretString};

use self::budget::Budget;
pub use self::circuit::CircuitState;
pub use self::credential::StartupProblem;
use self::credential::{AppCredential, Signer};
pub use self::error::{Class, Error};
pub use self::transport::noting_writes;
use self::transport::{Call, Reply, Transport};
pub use self::types::{JitRunner, Membership, Repository, Runner, RunnerGroup, RunnerToken, Team, User};
use crate::domain::clock::Clock;
use crate::domain::names::OrgName;

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
    /// PEM certificates that are trusted beside the system's.
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
        /// The App's RSA private key.
        private_key: KeySource,
    },
    /// A personal access token.
    Token(SecretString),
}

/// Gives the App's private key as PEM, or says why it can't. Asked for each JWT, since the key may be replaced
/// while the service runs.
pub struct KeySource(Box<dyn Fn() -> Result<SecretString, String> + Send + Sync>);

impl KeySource {
    /// Reads the key by `read`.
    pub fn new(read: impl Fn() -> Result<SecretString, String> + Send + Sync + 'static) -> Self {
        Self(Box::new(read))
    }

    fn read(&self) -> Result<EncodingKey, SetupError> {
        let pem = (self.0)().map_err(SetupError::PrivateKey)?;
        EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes()).map_err(|cause| {
            SetupError::PrivateKey(format!("the App's private key is no RSA private key in PEM: {cause}"))
        })
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeySource")
    }
}

/// Why no client could be made of the settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The key can't be read, or is no RSA key in PEM.
    #[error("{0}")]
    PrivateKey(String),
    /// The extra certificates can't be used.
    #[error("{}: expected PEM certificates: {reason}", path.display())]
    CaFile {
        /// The file as configured.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
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
}

/// The credential that operations are carried out with.
enum Acting {
    App(Box<AppCredential>),
    Token { client: Octocrab, budget: Budget },
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
                Acting::Token { client, budget: Budget::default() }
            }
            Credential::App { app_id, installation_id, private_key } => {
                let signer = Signer::new(AppId(app_id), private_key)?;
                let client = anonymous.clone();
                Acting::App(Box::new(AppCredential::new(
                    client,
                    signer,
                    installation_id,
                    transport.clone(),
                    clock,
                )))
            }
        };
        Ok(Self { org: settings.org, transport, anonymous, acting })
    }

    /// The organisation that is managed.
    pub fn org(&self) -> &OrgName {
        &self.org
    }

    /// Checks that the credential is accepted and may do what the service does.
    pub async fn check_credential(&self) -> Result<(), StartupProblem> {
        match &self.acting {
            Acting::App(app) => app.check(&self.org).await,
            Acting::Token { .. } => {
                self.send(Call::get("/user".to_owned())).await.map(drop).map_err(StartupProblem::of_token)
            }
        }
    }

    /// Whether GitHub seems to be up.
    pub fn circuit(&self) -> CircuitState {
        self.transport.circuit()
    }

    /// The user that a caller's token belongs to: the only call ever made with it.
    pub async fn user_of(&self, token: SecretString) -> Result<User, Error> {
        let client = with_token(&self.anonymous, token)?;
        // Every token has a budget of its own at GitHub; a spent one must not hold back others.
        let budget = Budget::default();
        self.transport.send(&client, &budget, &Call::get("/user".to_owned())).await?.parse()
    }

    /// Sends a call as the App's installation (or the configured token).
    async fn send(&self, call: Call) -> Result<Reply, Error> {
        match &self.acting {
            Acting::Token { client, budget } => self.transport.send(client, budget, &call).await,
            Acting::App(app) => app.send(&self.org, &call).await,
        }
    }
}

fn http_client(settings: &Settings) -> Result<reqwest::Client, SetupError> {
    let mut builder = reqwest::Client::builder()
        // A redirect would lead to a place that nobody checked; a renamed organisation is to be configured.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .http1_only();
    if settings.api_url.starts_with("http://") {
        // Plain HTTP is for loopback addresses alone, which no proxy reaches.
        builder = builder.no_proxy();
    }
    if let Some(path) = &settings.ca_file {
        let ca_error = |reason: String| SetupError::CaFile { path: path.clone(), reason };
        let pem = std::fs::read(path).map_err(|cause| ca_error(cause.to_string()))?;
        let roots =
            reqwest::Certificate::from_pem_bundle(&pem).map_err(|cause| ca_error(cause.to_string()))?;
        if roots.is_empty() {
            return Err(ca_error("no certificate in it".to_owned()));
        }
        builder = builder.tls_certs_merge(roots);
    }
    builder.build().map_err(|cause| SetupError::Client(cause.to_string()))
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
