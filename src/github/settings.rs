//! What a connection to GitHub is made of, and why none can be made of it.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::domain::names::OrgName;
use crate::domain::shares::Shares;

/// What is needed to talk to GitHub.
#[derive(Debug)]
pub struct Settings {
    /// The organisation that is managed.
    pub org: OrgName,
    /// The API's base address, without a slash at the end.
    pub api_url: String,
    /// PEM certificates that are trusted in addition to the system's, as authorities and as GitHub's own.
    pub ca_file: Option<PathBuf>,
    /// The deadline of one call, retries included.
    pub timeout: Duration,
    /// The maximum number of calls under way at once.
    pub concurrency: usize,
    /// Who may use how much of the hour's calls.
    pub shares: Shares,
    /// The App that the service acts as; if there is none, it acts as the owner of a personal access token.
    pub app: Option<App>,
    /// The App's RSA private key as PEM, or the personal access token.
    pub secret: SecretString,
}

#[cfg(test)]
impl Settings {
    /// Of a GitHub that nobody asks anything.
    pub(crate) fn of_nobody() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self {
            org: OrgName::parse("acme").unwrap(),
            api_url: "http://127.0.0.1:1".to_owned(),
            ca_file: None,
            timeout: Duration::from_secs(1),
            concurrency: 1,
            shares: Shares::default(),
            app: None,
            secret: SecretString::from("ghp_own"),
        }
    }
}

/// A GitHub App.
#[derive(Debug, Clone, Copy)]
pub struct App {
    /// Its numeric id.
    pub id: u64,
    /// Its installation in the organisation; looked up if omitted.
    pub installation_id: Option<u64>,
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
