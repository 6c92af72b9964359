//! Background tasks: the credential is checked, its file and the certificate's files are kept in force.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Notify, watch};

use super::watched::Watched;
use crate::access::{GroupError, Oversight, Unresolved};
use crate::config::Credentials;
use crate::github::{RunnerGroup, StartupProblem};
use crate::metrics::Reloaded;
use crate::state::{Check, Obstacle, Shared};
use crate::store::StoreError;
use crate::tls::{CertificateStore, Pair};

/// Waits between checks of the credential while GitHub doesn't respond: the first and the longest.
const CHECK_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// How often a credential that worked is checked again: a permission may be withdrawn, the App suspended.
const CHECK_EVERY: Duration = Duration::from_mins(10);
/// How soon at the earliest, if something speaks against it.
const DOUBTS_WAIT: Duration = Duration::from_secs(10);

/// Checks the credential, sooner again while GitHub doesn't respond or after doubts, and reports each outcome.
/// `unanswered` is notified when there is none.
pub(super) async fn check_credential(state: Shared, report: watch::Sender<Check>, unanswered: Arc<Notify>) {
    let (first, longest) = CHECK_AGAIN;
    let mut wait = first;
    let (mut said, mut is_prepared) = (None, false);
    loop {
        let outcome = state.organisation.github.check_credential().await;
        report_change(&mut said, outcome.as_ref().err(), &report);
        match outcome {
            Ok(()) => {
                if !is_prepared && let Err(obstacle) = prepare(&state).await {
                    tracing::error!(%obstacle, "the service can't work");
                    report.send_replace(Check::Failed(obstacle));
                    pause(&state, longest).await;
                    continue;
                }
                is_prepared = true;
                if !matches!(*report.borrow(), Check::Passed) {
                    state.was_accepted.store(true, Ordering::SeqCst);
                    report.send_replace(Check::Passed);
                }
                wait = first;
                let doubted = async {
                    tokio::time::sleep(DOUBTS_WAIT).await;
                    state.organisation.github.doubted().await;
                };
                tokio::select! {
                    () = pause(&state, CHECK_EVERY) => {}
                    () = doubted => {}
                }
            }
            Err(problem) if problem.is_passing() => {
                unanswered.notify_one();
                pause(&state, wait).await;
                wait = (wait * 2).min(longest);
            }
            Err(problem) => {
                report.send_replace(Check::Failed(problem.into()));
                pause(&state, longest).await;
            }
        }
    }
}

/// Logs one line when a problem with the credential begins, changes or ends, however often it is met. `said` is the one that
/// was logged last.
fn report_change(
    said: &mut Option<StartupProblem>,
    problem: Option<&StartupProblem>,
    report: &watch::Sender<Check>,
) {
    let is_new = match (&*said, problem) {
        (Some(old), Some(new)) => !old.is_same(new),
        (old, new) => old.is_some() != new.is_some(),
    };
    let state = report.borrow().clone();
    match problem {
        None if is_new || !matches!(state, Check::Passed) => tracing::info!("GitHub accepts the credential"),
        // Perhaps it still does.
        Some(problem) if is_new && problem.is_passing() => {
            let pending = matches!(state, Check::Pending);
            let what = if pending { "not ready yet" } else { "the credential can't be checked now" };
            tracing::warn!(%problem, "{what}");
        }
        Some(problem) if is_new => tracing::error!(%problem, "the service can't work"),
        None | Some(_) => {}
    }
    *said = problem.cloned();
}

/// Finds out, once GitHub answers, whether the store is this organisation's, and who the administrators are. What can't be found
/// out now is tried again where it is needed.
async fn prepare(state: &Shared) -> Result<(), Obstacle> {
    let organisation = &state.organisation;
    if let Some(records) = &organisation.records {
        match records.bind().await {
            Err(error @ GroupError::Store(StoreError::OtherGithub { .. })) => {
                return Err(Obstacle::Store(error));
            }
            Err(error) => tracing::warn!(%error, "the store can't be used yet"),
            Ok(()) => {}
        }
    }
    if organisation.groups.go_by_trusted_names() {
        name_groups_without_team(state).await;
    }
    match organisation.administrators.resolve(&organisation.teams).await {
        Err(error @ Unresolved::NoSuchTeam(_)) => Err(Obstacle::Administrators(error)),
        Err(error) => {
            tracing::warn!(%error, "who the administrators are is found out later");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Warns of the groups that whoever renames their team after them would get.
async fn name_groups_without_team(state: &Shared) {
    let (organisation, oversight) = (&state.organisation, Oversight::of_the_service());
    let read =
        futures_util::future::try_join(organisation.groups.all(&oversight), organisation.teams.group_names());
    match read.await {
        Ok((groups, of_teams)) => {
            let is_free = |group: &&RunnerGroup| {
                !group.default && !group.inherited && !of_teams.contains(&group.name.to_lowercase())
            };
            let free: Vec<_> = groups.iter().filter(is_free).map(|group| group.name.as_str()).collect();
            if !free.is_empty() {
                tracing::warn!(
                    groups = free.join(", "),
                    "names are trusted: a maintainer who renames their team after one of these groups gets it"
                );
            }
        }
        Err(error) => tracing::warn!(%error, "which groups no team has can't be found out"),
    }
}

/// Waits, but no longer than until somebody asks for a check.
async fn pause(state: &Shared, max: Duration) {
    tokio::select! {
        () = state.organisation.clock.sleep(max) => {}
        () = state.check_now.notified() => {}
    }
}

/// The App's key or the token, where it is kept in a file that may be replaced.
pub(super) struct SecretFile {
    credentials: Credentials,
    in_force: Mutex<Secret>,
    state: Shared,
}

/// A secret that can be compared.
pub(super) struct Secret(SecretString);

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl SecretFile {
    /// None if the secret is in the configuration itself. `in_force` is what `state` works with.
    pub(super) fn of(credentials: &Credentials, in_force: SecretString, state: Shared) -> Option<Arc<Self>> {
        credentials.file()?;
        let in_force = Mutex::new(Secret(in_force));
        Some(Arc::new(Self { credentials: credentials.clone(), in_force, state }))
    }

    fn in_force(&self) -> MutexGuard<'_, Secret> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched for SecretFile {
    const LABEL: Reloaded = Reloaded::Credential;
    const REFUSED: &'static str = "the old credential stays in force";
    type Content = Secret;

    fn read(&self) -> Result<Secret, String> {
        self.credentials.read().map(Secret).map_err(|error| error.to_string())
    }

    fn is_in_force(&self, secret: &Secret) -> bool {
        *self.in_force() == *secret
    }

    fn replace(&self, Secret(secret): &Secret) -> Result<(), String> {
        self.state.organisation.github.replace_secret(secret).map_err(|error| error.to_string())?;
        *self.in_force() = Secret(secret.clone());
        self.state.check_now.notify_one();
        tracing::info!("the credential's file was read again");
        Ok(())
    }
}

impl Watched for CertificateStore {
    const LABEL: Reloaded = Reloaded::Certificate;
    const REFUSED: &'static str = "the old certificate stays in force";
    type Content = Pair;

    fn read(&self) -> Result<Pair, String> {
        self.look().map_err(|error| error.to_string())
    }

    fn is_in_force(&self, pair: &Pair) -> bool {
        self.serves(pair)
    }

    fn replace(&self, pair: &Pair) -> Result<(), String> {
        self.serve(pair).map_err(|error| error.to_string())?;
        tracing::info!(not_after = self.not_after().to_rfc3339(), "the TLS certificate was replaced");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::config::{LogFormat, LogLevel};
    use crate::github::{Class, Error};
    use crate::telemetry;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_problem_is_logged_when_it_begins_when_it_changes_and_when_it_ends() {
        let passing = |detail: &str| StartupProblem::NotAnswering(Error::new(Class::Timeout, detail));
        let suspended = StartupProblem::Suspended;
        let checks = [
            None,
            None,
            Some(passing("a time-out")),
            Some(passing("a reset")),
            None,
            Some(suspended(1)),
            Some(suspended(1)),
            Some(suspended(2)),
            Some(passing("a time-out")),
            None,
            None,
        ];
        let captured = Captured::default();
        let subscriber = telemetry::subscriber_for(captured.clone(), LogLevel::Info, LogFormat::Text);
        tracing::subscriber::with_default(subscriber, || {
            let report = watch::Sender::new(Check::Pending);
            let mut said = None;
            for problem in &checks {
                report_change(&mut said, problem.as_ref(), &report);
                report.send_replace(Check::Passed);
            }
        });
        let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        let levels: Vec<_> = text.lines().filter_map(|line| line.split(' ').nth(1)).collect();
        assert_eq!(levels, ["info", "warn", "info", "error", "error", "warn", "info"], "{text}");
    }
}
