//! What goes on beside requests: the credential is checked, its file and the certificate's are looked at.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

use crate::config::{Credentials, PrivateKeySource, SecretError, TokenSource};
use crate::metrics;
use crate::state::{Check, Shared};
use crate::tls::CertificateStore;

/// Waits between checks of the credential while GitHub doesn't answer: the first and the longest.
const CHECK_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// How often a credential that worked is checked again: a permission may be withdrawn, the App suspended.
const CHECK_EVERY: Duration = Duration::from_mins(10);

/// Checks the credential, sooner again while GitHub doesn't answer, and reports each outcome.
pub(super) async fn check_credential(state: Shared, report: watch::Sender<Check>) {
    let (first, longest) = CHECK_AGAIN;
    let mut wait = first;
    loop {
        match state.github.check_credential().await {
            Ok(()) => {
                if !matches!(*report.borrow(), Check::Passed) {
                    tracing::info!("GitHub accepts the credential");
                    report.send_replace(Check::Passed);
                }
                wait = first;
                tokio::time::sleep(CHECK_EVERY).await;
            }
            Err(problem) if problem.is_passing() => {
                let pending = matches!(*report.borrow(), Check::Pending);
                let what = if pending { "not ready yet" } else { "the credential can't be checked now" };
                tracing::warn!(%problem, "{what}");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(longest);
            }
            Err(problem) => {
                tracing::error!(%problem, "the service can't work");
                report.send_replace(Check::Failed(problem));
                tokio::time::sleep(longest).await;
            }
        }
    }
}

/// The App's key or the token, where it is kept in a file that may be replaced.
pub(super) struct SecretFile {
    credentials: Credentials,
    current: Mutex<SecretString>,
}

impl SecretFile {
    /// Nothing when the secret stands in the configuration itself.
    pub(super) fn of(credentials: &Credentials) -> Result<Option<Arc<Self>>, SecretError> {
        let is_file = match credentials {
            Credentials::App { private_key, .. } => matches!(private_key, PrivateKeySource::File(_)),
            Credentials::Token(source) => matches!(source, TokenSource::File(_)),
        };
        if !is_file {
            return Ok(None);
        }
        let current = Mutex::new(read(credentials)?);
        Ok(Some(Arc::new(Self { credentials: credentials.clone(), current })))
    }

    /// Looks at the file from time to time. By content: Kubernetes replaces a mounted Secret by swapping a
    /// symbolic link.
    pub(super) async fn watch(self: Arc<Self>, state: Shared, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let (file, shared) = (self.clone(), state.clone());
            // A panic there was logged; the next look tries again.
            let _ = tokio::task::spawn_blocking(move || file.reload_if_changed(&shared)).await;
        }
    }

    /// Puts the file's content in force if it changed. A bad file leaves the old one in force.
    pub(super) fn reload_if_changed(&self, state: &Shared) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match read(&self.credentials) {
            Ok(secret) if secret.expose_secret() == current.expose_secret() => return,
            Ok(secret) => {
                let replaced = state.github.replace_secret(secret.clone()).map_err(|error| error.to_string());
                // Also when it can't be used, so that the log says so once.
                *current = secret;
                replaced
            }
            Err(error) => Err(error.to_string()),
        };
        metrics::reload("credential", outcome.is_ok());
        match outcome {
            Ok(()) => tracing::info!("the credential's file was read again"),
            Err(error) => tracing::error!(%error, "the old credential stays in force"),
        }
    }
}

/// The secret as it is now.
pub(super) fn read(credentials: &Credentials) -> Result<SecretString, SecretError> {
    match credentials {
        Credentials::App { private_key, .. } => private_key.read(),
        Credentials::Token(source) => source.read(),
    }
}

/// Puts the certificate's files in force if they changed.
pub(super) fn reload_certificate(certificates: &CertificateStore) {
    match certificates.reload_if_changed() {
        Ok(true) => {
            metrics::reload("certificate", true);
            tracing::info!(
                not_after = certificates.not_after().to_rfc3339(),
                "the TLS certificate was replaced"
            );
        }
        Ok(false) => {}
        Err(error) => {
            metrics::reload("certificate", false);
            tracing::error!(%error, "the old certificate stays in force");
        }
    }
}
