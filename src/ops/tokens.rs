//! Tokens that register and remove runners. Those of the organisation reach every group, so the administrator
//! can switch them off; those of a repository reach that repository alone.

use super::{Error, Refusal, Work};
use crate::access::ScopeAuthority;
use crate::domain::names::RepoName;
use crate::domain::scope::Scope;
use crate::github::{self, Class, Github, RunnerToken};

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Registering runners.
    Register,
    /// Removing runners.
    Remove,
}

/// A token of the organisation for a maintainer. The team's group need not exist.
pub async fn for_team(work: &Work, purpose: Purpose) -> Result<RunnerToken, Error> {
    for_organisation(work, purpose).await
}

/// A token for a scope.
pub async fn for_scope(work: &Work<ScopeAuthority>, purpose: Purpose) -> Result<RunnerToken, Error> {
    let name = match work.proof().scope() {
        Scope::Org(_) => return for_organisation(work, purpose).await,
        Scope::Repo(_, name) => name.clone(),
    };
    let own = work.clone();
    let write = async move { for_repository(own.github(), purpose, &name).await };
    work.write(Box::pin(write)).await
}

async fn for_organisation<P>(work: &Work<P>, purpose: Purpose) -> Result<RunnerToken, Error>
where
    P: Send + Sync + 'static,
{
    let policy = work.organisation().policy.load();
    let (is_allowed, refusal) = match purpose {
        Purpose::Register => (policy.registration_tokens, Refusal::RegistrationTokens),
        Purpose::Remove => (policy.removal_tokens, Refusal::RemovalTokens),
    };
    if !is_allowed {
        return Err(Error::DeniedByPolicy(refusal));
    }
    let own = work.clone();
    let write = async move {
        Ok(match purpose {
            Purpose::Register => own.github().registration_token().await?,
            Purpose::Remove => own.github().removal_token().await?,
        })
    };
    work.write(Box::pin(write)).await
}

async fn for_repository(github: &Github, purpose: Purpose, name: &RepoName) -> Result<RunnerToken, Error> {
    let answer = match purpose {
        Purpose::Register => github.repository_registration_token(name).await,
        Purpose::Remove => github.repository_removal_token(name).await,
    };
    answer.map_err(|error: github::Error| match error.class() {
        // The App was not granted what such a token takes, or is not installed on the repository.
        Class::Rejected(_) | Class::Forbidden(_) => Error::AdministrationMissing(error),
        Class::NotFound => Error::RepoNotFound(vec![name.to_string()]),
        _ => error.into(),
    })
}
