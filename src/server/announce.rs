//! When the service may say that it serves.

use std::time::Duration;

use tokio::sync::{Notify, watch};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::StartupProblem;

    const LONG: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn it_goes_on_unless_the_credential_cannot_work() {
        let unanswered = Notify::new();
        for (outcome, expected) in
            [(Check::Passed, true), (Check::Failed(StartupProblem::Suspended(1)), false)]
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
