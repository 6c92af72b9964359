//! Tokens that register and remove runners. Those of the organisation reach every group, so the administrator
//! can switch them off; those of a repository reach that repository alone.

use super::{Error, Refusal, write};
use crate::access::{Authority, ScopeAuthority};
use crate::audit::Trail;
use crate::domain::names::RepoName;
use crate::domain::scope::Scope;
use crate::github::{self, Class, RunnerToken};
use crate::state::Shared;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Registering runners.
    Register,
    /// Removing runners.
    Remove,
}

/// A token of the organisation for a maintainer. The team's group need not exist.
pub async fn for_team(
    state: &Shared,
    _authority: &Authority,
    purpose: Purpose,
    trail: &Trail,
) -> Result<RunnerToken, Error> {
    for_organisation(state, purpose, trail).await
}

/// A token for a scope.
pub async fn for_scope(
    state: &Shared,
    authority: &ScopeAuthority,
    purpose: Purpose,
    trail: &Trail,
) -> Result<RunnerToken, Error> {
    let name = match authority.scope() {
        Scope::Org(_) => return for_organisation(state, purpose, trail).await,
        Scope::Repo(_, name) => name.clone(),
    };
    let shared = state.clone();
    write(state, trail, Box::pin(async move { for_repository(&shared, purpose, &name).await })).await
}

async fn for_organisation(state: &Shared, purpose: Purpose, trail: &Trail) -> Result<RunnerToken, Error> {
    let policy = state.policy.load();
    let (is_allowed, refusal) = match purpose {
        Purpose::Register => (policy.registration_tokens, Refusal::RegistrationTokens),
        Purpose::Remove => (policy.removal_tokens, Refusal::RemovalTokens),
    };
    if !is_allowed {
        return Err(Error::DeniedByPolicy(refusal));
    }
    let shared = state.clone();
    let work = async move {
        Ok(match purpose {
            Purpose::Register => shared.github.registration_token().await?,
            Purpose::Remove => shared.github.removal_token().await?,
        })
    };
    write(state, trail, Box::pin(work)).await
}

async fn for_repository(state: &Shared, purpose: Purpose, name: &RepoName) -> Result<RunnerToken, Error> {
    let answer = match purpose {
        Purpose::Register => state.github.repository_registration_token(name).await,
        Purpose::Remove => state.github.repository_removal_token(name).await,
    };
    answer.map_err(|error: github::Error| match error.class() {
        // The App was not granted what such a token takes, or is not installed on the repository.
        Class::Rejected(_) | Class::Forbidden(_) => Error::AdministrationMissing(error),
        Class::NotFound => Error::RepoNotFound(vec![name.to_string()]),
        _ => error.into(),
    })
}
