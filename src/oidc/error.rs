//! Why a token is refused, and why there is no verifier.

use std::path::PathBuf;
use std::time::Duration;

/// Why a token is not accepted. It says for the log what is wrong, and never quotes the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its issuer is none of ours. No network call was made.
    #[error("its issuer is not configured")]
    UnknownIssuer,
    /// Something is wrong with it; says what.
    #[error("{0}")]
    Invalid(&'static str),
    /// The issuer's keys can't be fetched, and none are known.
    #[error("the issuer's keys can't be fetched")]
    IssuerUnavailable {
        /// When they may be fetched again.
        retry_after: Duration,
    },
}

/// Why no verifier could be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// An issuer's extra certificates can't be used.
    #[error("oidc.issuers.{issuer}.caFile: {}: expected PEM certificates: {reason}", path.display())]
    CaFile {
        /// The issuer's name.
        issuer: String,
        /// The file as configured.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The environment names a proxy that can't be used; names the variable.
    #[error("{0}")]
    Proxy(String),
    /// Anything else that the HTTP client is built from.
    #[error("the client for the keys of oidc.issuers.{issuer} can't be built: {cause}")]
    Client {
        /// The issuer's name.
        issuer: String,
        /// What is wrong.
        cause: String,
    },
    /// It was called outside of a runtime.
    #[error("there is no runtime on which keys could be fetched")]
    NoRuntime,
}
