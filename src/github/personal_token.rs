//! Whether a personal access token can stand in for the App, as far as GitHub tells by reads.

use super::credential::StartupProblem;
use super::error::{Class, Error};
use super::transport::Call;
use super::types::User;
use super::{Github, Reply};
use crate::domain::names::Login;
use crate::metrics::CallKind;

impl Github {
    /// Asks for the token's user, and for one of each of the things that the service works with.
    pub(super) async fn check_token(&self) -> Result<(), StartupProblem> {
        let user = self.send(Call::get(CallKind::User, "/user".to_owned())).await;
        let user: User = user.and_then(|reply| reply.parse()).map_err(StartupProblem::of_token)?;
        let groups = format!("/orgs/{}/actions/runner-groups?per_page=1", self.org);
        let answer = self.send(Call::get(CallKind::Groups, groups)).await;
        may(answer, StartupProblem::TokenWithoutRunners)?;
        let teams = format!("/orgs/{}/teams?per_page=1", self.org);
        may(self.send(Call::get(CallKind::Teams, teams)).await, StartupProblem::TokenWithoutMembers)?;
        // A role with just this permission will do as well, so this alone stops nothing.
        if let Ok(login) = Login::parse(&user.login)
            && let Ok(false) = self.is_owner(&login).await
        {
            tracing::warn!(%login, org = %self.org, "the configured token's user is no owner of the organisation");
        }
        Ok(())
    }
}

fn may(answer: Result<Reply, Error>, lacking: fn(Error) -> StartupProblem) -> Result<(), StartupProblem> {
    match answer {
        Ok(_) => Ok(()),
        // Officially how GitHub hides what a token may not see.
        Err(error) if matches!(error.class(), Class::Forbidden(_) | Class::NotFound) => Err(lacking(error)),
        Err(error) => Err(StartupProblem::of_token(error)),
    }
}
