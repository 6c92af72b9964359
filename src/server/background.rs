//! What goes on beside requests: the credential is checked, its file and the certificate's are looked at.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Notify, watch};

use crate::config::{Credentials, PrivateKeySource, SecretError, TokenSource};
use crate::domain::clock::Clock;
use crate::metrics;
use crate::state::{Check, Shared};
use crate::tls::CertificateStore;

/// Waits between checks of the credential while GitHub doesn't answer: the first and the longest.
const CHECK_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// How often a credential that worked is checked again: a permission may be withdrawn, the App suspended.
const CHECK_EVERY: Duration = Duration::from_mins(10);
/// How soon at the earliest, when something speaks against it.
const DOUBTS_WAIT: Duration = Duration::from_secs(10);

/// Checks the credential, sooner again while GitHub doesn't answer or after doubts, and reports each outcome. `unanswered`
/// is told when there is none.
pub(super) async fn check_credential(state: Shared, report: watch::Sender<Check>, unanswered: Arc<Notify>) {
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
                let doubted = async {
                    tokio::time::sleep(DOUBTS_WAIT).await;
                    state.github.doubted().await;
                };
                tokio::select! {
                    () = pause(&state, CHECK_EVERY) => {}
                    () = doubted => {}
                }
            }
            Err(problem) if problem.is_passing() => {
                let pending = matches!(*report.borrow(), Check::Pending);
                let what = if pending { "not ready yet" } else { "the credential can't be checked now" };
                tracing::warn!(%problem, "{what}");
                unanswered.notify_one();
                pause(&state, wait).await;
                wait = (wait * 2).min(longest);
            }
            Err(problem) => {
                tracing::error!(%problem, "the service can't work");
                report.send_replace(Check::Failed(problem));
                pause(&state, longest).await;
            }
        }
    }
}

/// Waits, unless somebody asks for a check now.
async fn pause(state: &Shared, at_most: Duration) {
    let _ = tokio::time::timeout(at_most, state.check_now.notified()).await;
}

/// The App's key or the token, where it is kept in a file that may be replaced.
pub(super) struct SecretFile {
    credentials: Credentials,
    seen: Mutex<Seen>,
}

struct Seen {
    secret: SecretString,
    /// What is wrong with the file, so that it is said once.
    problem: Option<String>,
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
        let seen = Mutex::new(Seen { secret: read(credentials)?, problem: None });
        Ok(Some(Arc::new(Self { credentials: credentials.clone(), seen })))
    }

    /// Looks at the file from time to time. By content: Kubernetes replaces a mounted Secret by swapping a
    /// symbolic link.
    pub(super) async fn watch(self: Arc<Self>, state: Shared, every: Duration, clock: Clock) {
        loop {
            clock.sleep(every).await;
            let (file, shared) = (self.clone(), state.clone());
            // A panic there was logged; the next look tries again.
            let _ = tokio::task::spawn_blocking(move || file.look(&shared, false)).await;
        }
    }

    /// Looks at the file now, because somebody asked for it.
    pub(super) fn reload(&self, state: &Shared) {
        self.look(state, true);
    }

    /// Puts the file's content in force if it changed. A bad file leaves the old one in force, which is said
    /// when it first shows, and to those who ask.
    fn look(&self, state: &Shared, asked: bool) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match read(&self.credentials) {
            Ok(secret) if secret.expose_secret() == seen.secret.expose_secret() => Ok(false),
            Ok(secret) => {
                let replaced = state.github.replace_secret(secret.clone());
                replaced.map_err(|error| error.to_string()).map(|()| {
                    seen.secret = secret;
                    true
                })
            }
            Err(error) => Err(error.to_string()),
        };
        match &outcome {
            Ok(true) => {
                metrics::reload("credential", true);
                state.check_now.notify_one();
                tracing::info!("the credential's file was read again");
            }
            Ok(false) => metrics::in_force("credential", true),
            Err(problem) if asked || seen.problem.as_ref() != Some(problem) => {
                metrics::reload("credential", false);
                tracing::error!(error = problem, "the old credential stays in force");
            }
            Err(_) => {}
        }
        seen.problem = outcome.err();
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
        Ok(false) => metrics::in_force("certificate", true),
        Err(error) => {
            metrics::reload("certificate", false);
            tracing::error!(%error, "the old certificate stays in force");
        }
    }
}
