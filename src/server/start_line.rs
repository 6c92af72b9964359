//! The line that says what was started: enough to see from a log alone which service this is, and what it allows.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::config::{Config, Credentials, GroupProof};
use crate::domain::policy::AdministratorsTeam;
use crate::state::Check;

/// GitHub answers sooner than this; the service serves meanwhile, so the line can wait, but not for long.
pub(super) const AWAITED: Duration = Duration::from_secs(2);

/// Waits for the first outcome of the credential's check, and says whether the service goes on: nobody should read that it
/// serves just before they read that it can't work. `unanswered` is told when GitHub couldn't be asked.
pub(super) async fn goes_on(
    mut check: watch::Receiver<Check>,
    unanswered: &Notify,
    at_most: Duration,
) -> bool {
    tokio::select! {
        settled = check.wait_for(|check| !matches!(check, Check::Pending)) => {
            !matches!(settled.as_deref(), Ok(Check::Failed(_)))
        }
        () = unanswered.notified() => true,
        () = tokio::time::sleep(at_most) => true,
    }
}

/// Says where the service listens, and what is in force. Nothing in it is a secret.
pub(super) fn log(config: &Config, address: SocketAddr, admin_address: Option<SocketAddr>) {
    let (credential, app_id) = match &config.credentials {
        Credentials::App { app_id, .. } => ("GitHub App", Some(*app_id)),
        Credentials::Token(_) => ("personal access token", None),
    };
    let (server, policy) = (&config.server, &config.policy);
    tracing::info!(
        %address,
        admin_address = admin_address.map(display),
        tls = server.tls.files.is_some(),
        version = env!("CARGO_PKG_VERSION"),
        config = config.file.as_ref().map(|file| display(file.display())),
        org = %config.org,
        github = config.github.api_url.as_str(),
        credential,
        app_id,
        registration_tokens = policy.registration_tokens,
        removal_tokens = policy.removal_tokens,
        max_runners = policy.max_runners,
        rate_limit = server.rate_limit,
        rate_burst = server.rate_burst,
        unknown_token_rate = server.unknown_token_rate,
        legacy_get = server.legacy_get,
        administrators = administrators(&config.administrators),
        groups = config.group_proof().map(GroupProof::about),
        store = config.store.url.as_ref().map(display),
        "serving"
    );
}

fn administrators(team: &AdministratorsTeam) -> Option<String> {
    match team {
        AdministratorsTeam::None => None,
        AdministratorsTeam::Id(id) => Some(format!("id:{id}")),
        AdministratorsTeam::Slug(slug) => Some(slug.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::StartupProblem;

    const LONG: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn it_goes_on_unless_the_credential_cannot_work() {
        let unanswered = Notify::new();
        for (outcome, expected) in
            [(Check::Passed, true), (Check::Failed(StartupProblem::Suspended(1).into()), false)]
        {
            let (_report, check) = watch::channel(outcome);
            assert_eq!(goes_on(check, &unanswered, LONG).await, expected);
        }
        let (_report, check) = watch::channel(Check::Pending);
        unanswered.notify_one();
        assert!(goes_on(check, &unanswered, LONG).await, "GitHub is down: it serves, and asks again");
    }

    #[tokio::test]
    async fn a_slow_github_holds_the_line_back_for_a_moment_only() {
        let (_report, check) = watch::channel(Check::Pending);
        assert!(goes_on(check, &Notify::new(), Duration::from_millis(1)).await);
    }
}
