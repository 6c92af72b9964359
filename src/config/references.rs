//! Files and addresses that settings refer to, for `check-config` to open.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::credentials::{Credentials, PrivateKeySource};
use super::diagnostic::Diagnostic;
use super::origin::Source;

/// What is noticed while a configuration is read, whether or not it is valid.
#[derive(Debug, Default)]
pub struct Noticed {
    /// What the settings refer to, of those that could be read.
    pub references: Vec<Reference>,
    /// Variables that set nothing, or more than their names suggest.
    pub warnings: Vec<Diagnostic>,
}

/// Something outside the configuration that a setting names. It is known even if other settings are wrong.
#[derive(Debug, Clone)]
pub struct Reference {
    /// The full key of the setting.
    pub key: String,
    /// Who set it.
    pub source: Source,
    /// What it names.
    pub target: Target,
}

/// What a setting names.
#[derive(Debug, Clone)]
pub enum Target {
    /// The App's private key, which has the right form.
    PrivateKey(PrivateKeySource),
    /// A file of certificates that are trusted.
    Authorities(PathBuf),
    /// The file of the server's certificate.
    Certificate(PathBuf),
    /// The file of that certificate's private key.
    CertificateKey(PathBuf),
    /// The store's file, which may not exist yet.
    StoreFile(PathBuf),
    /// The file of the password for the store.
    StorePassword(PathBuf),
    /// A file of an issuer's keys.
    IssuerKeys(PathBuf),
    /// A file of the token that is sent to where an issuer's keys are.
    IssuerToken(PathBuf),
    /// A file that log lines or audit lines are written to.
    Log(PathBuf),
    /// An address to listen on.
    Listener(SocketAddr),
}

impl Reference {
    /// Reports a problem with what the setting names.
    pub fn problem(&self, message: &str) -> Diagnostic {
        Diagnostic::of_setting(&self.key, Some(self.source.clone()), message)
    }
}

impl Credentials {
    /// What the service acts as, in words for the log.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::App { .. } => "GitHub App",
            Self::Token(_) => "personal access token",
        }
    }
}
