//! A personal access token, and whether it can stand in for the App, as far as GitHub tells by reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use octocrab::Octocrab;
use secrecy::SecretString;

use super::{StartupProblem, TokenState};
use crate::account::Account;
use crate::domain::names::{Login, OrgName};
use crate::github::budget::Budget;
use crate::github::call::Call;
use crate::github::client::with_token;
use crate::github::error::{Class, Error};
use crate::github::owners;
use crate::github::reply::Reply;
use crate::github::settings::SetupError;
use crate::github::transport::Transport;
use crate::github::types::User;
use crate::metrics::CallKind;

/// The token inside the client that carries it.
pub(in crate::github) struct TokenCredential {
    org: OrgName,
    anonymous: Octocrab,
    client: ArcSwap<Octocrab>,
    transport: Arc<Transport>,
    budget: Arc<Budget>,
    /// How often it was replaced.
    replaced: AtomicU64,
    /// Whether GitHub refused it in its last response.
    is_refused: AtomicBool,
}

impl TokenCredential {
    pub(super) fn new(
        token: &SecretString,
        org: OrgName,
        anonymous: Octocrab,
        transport: Arc<Transport>,
        budget: Arc<Budget>,
    ) -> Result<Self, SetupError> {
        Ok(Self {
            org,
            client: ArcSwap::from_pointee(client(&anonymous, token)?),
            anonymous,
            transport,
            budget,
            replaced: AtomicU64::new(0),
            is_refused: AtomicBool::new(false),
        })
    }

    /// Uses another token from now on.
    pub(super) fn replace(&self, token: &SecretString) -> Result<(), SetupError> {
        self.client.store(Arc::new(client(&self.anonymous, token)?));
        self.replaced.fetch_add(1, Ordering::Relaxed);
        self.is_refused.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Tells it from those before it.
    pub(super) fn number(&self) -> u64 {
        self.replaced.load(Ordering::Relaxed)
    }

    /// Whether GitHub accepted it, as far as is known.
    pub(super) fn state(&self) -> TokenState {
        if self.is_refused.load(Ordering::Relaxed) { TokenState::Missing } else { TokenState::Good }
    }

    pub(super) async fn send(&self, call: &Call) -> Result<Reply, Error> {
        let outcome = self.transport.send(&self.client.load_full(), &self.budget, call).await;
        match outcome.as_ref().map_err(Error::class) {
            Ok(_) => self.is_refused.store(false, Ordering::Relaxed),
            Err(Class::Unauthorized) => self.is_refused.store(true, Ordering::Relaxed),
            Err(_) => {}
        }
        outcome
    }

    /// Asks for the token's limits, which counts against none of them.
    pub(super) async fn is_github_up(&self) -> bool {
        let call = Call::get(CallKind::Probe, "/rate_limit".to_owned());
        self.transport.is_up(&self.client.load_full(), &call).await
    }

    /// Asks for the token's user, and for one of each of the things that the service works with.
    pub(super) async fn check(&self) -> Result<(), StartupProblem> {
        // However few calls are left: without this the service would do nothing.
        let account = Account::default();
        account.set_has_standing();
        account.set_urgent();
        account.scope(self.ask_for_all()).await
    }

    async fn ask_for_all(&self) -> Result<(), StartupProblem> {
        let user = self.send(&Call::get(CallKind::User, "/user".to_owned())).await;
        let user: User = user.and_then(|reply| reply.parse()).map_err(StartupProblem::from_token)?;
        let groups = format!("/orgs/{}/actions/runner-groups?per_page=1", self.org);
        let outcome = self.send(&Call::get(CallKind::Groups, groups)).await;
        require(outcome, StartupProblem::TokenWithoutRunners)?;
        let teams = format!("/orgs/{}/teams?per_page=1", self.org);
        let outcome = self.send(&Call::get(CallKind::Teams, teams)).await;
        require(outcome, StartupProblem::TokenWithoutMembers)?;
        // A role with just this permission will do as well, so this alone stops nothing.
        if let Ok(login) = Login::parse(&user.login)
            && let Ok(false) = owners::is_owner(self.send(&owners::call(&self.org, &login)).await, user.id)
        {
            tracing::warn!(%login, org = %self.org, "the configured token's user is no owner of the organisation");
        }
        Ok(())
    }
}

fn client(anonymous: &Octocrab, token: &SecretString) -> Result<Octocrab, SetupError> {
    with_token(anonymous, token.clone()).map_err(|error| SetupError::Client(error.to_string()))
}

fn require(
    outcome: Result<Reply, Error>,
    lacking: fn(Error) -> StartupProblem,
) -> Result<(), StartupProblem> {
    match outcome {
        Ok(_) => Ok(()),
        // Officially how GitHub hides what a token may not see.
        Err(error) if matches!(error.class(), Class::Forbidden(_) | Class::NotFound) => Err(lacking(error)),
        Err(error) => Err(StartupProblem::from_token(error)),
    }
}
