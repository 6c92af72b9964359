//! Whoever sends a request, once their token was found good: a user, a workload with a token of an issuer, or somebody with a
//! team token.

use std::sync::Arc;

use super::{AccessError, Caller};
use crate::domain::claims::Claims;
use crate::domain::entry::{AccessEntry, EntryId};
use crate::domain::hash;
use crate::domain::ids::RepositoryId;
use crate::domain::issuer::Issuer;
use crate::domain::names::RepoName;
use crate::domain::policy::Policy;
use crate::domain::principal::Principal;
use crate::oidc::Verified;

/// Whoever sends a request.
#[derive(Debug, Clone)]
pub enum Requester {
    /// A user, by a token of their own.
    User(Caller),
    /// Somebody with a token of an issuer.
    Workload(Workload),
    /// Somebody with a team token.
    TokenHolder(TokenHolder),
}

/// Somebody with a token of an issuer.
#[derive(Debug, Clone)]
pub struct Workload {
    token: Arc<Verified>,
    /// The repository of a run of GitHub Actions.
    repository: Option<RepositoryId>,
}

/// Somebody with a team token.
#[derive(Debug, Clone)]
pub struct TokenHolder(pub(super) Arc<AccessEntry>);

impl Requester {
    /// As what they are counted.
    pub fn principal(&self) -> Principal {
        match self {
            Self::User(caller) => Principal::User(caller.id()),
            Self::Workload(workload) => workload.principal(),
            Self::TokenHolder(holder) => Principal::Token(holder.entry()),
        }
    }

    /// The user, for what only users may do.
    ///
    /// # Errors
    /// They are none.
    pub fn user(&self) -> Result<&Caller, AccessError> {
        match self {
            Self::User(caller) => Ok(caller),
            Self::Workload(_) | Self::TokenHolder(_) => Err(AccessError::NotAUser),
        }
    }

    /// Whether the policy lets them use the service, whatever for.
    ///
    /// # Errors
    /// It doesn't.
    pub fn require_permitted(&self, policy: &Policy) -> Result<(), AccessError> {
        match self {
            Self::User(caller) => caller.require_permitted(policy),
            Self::Workload(workload) => workload.require_permitted(policy),
            // Whoever made it is looked at with its entry.
            Self::TokenHolder(_) => Ok(()),
        }
    }
}

impl TokenHolder {
    /// The entry that the token is of.
    pub fn entry(&self) -> EntryId {
        self.0.id
    }
}

impl Workload {
    /// The holder of a token of GitHub Actions, for this repository.
    pub(super) fn of_actions(token: Verified, repository: RepositoryId) -> Self {
        Self { token: Arc::new(token), repository: Some(repository) }
    }

    /// The holder of a token of another issuer.
    pub(super) fn of_subject(token: Verified) -> Self {
        Self { token: Arc::new(token), repository: None }
    }

    /// Who signed the token.
    pub fn issuer(&self) -> &Issuer {
        &self.token.issuer
    }

    /// What the token says.
    pub fn claims(&self) -> &Claims {
        &self.token.claims
    }

    /// `sub`.
    pub fn subject(&self) -> &str {
        &self.token.subject
    }

    /// The repository, of a run of GitHub Actions.
    pub fn repository(&self) -> Option<RepositoryId> {
        self.repository
    }

    /// The name that the repository has at the moment, as GitHub signed it.
    pub(super) fn repository_name(&self) -> Option<RepoName> {
        let full_name = self.claims().text("repository")?;
        let (_, name) = full_name.split_once('/')?;
        RepoName::parse(name).ok()
    }

    /// The token's own id.
    pub(super) fn jti(&self) -> Option<&str> {
        self.token.jti.as_deref()
    }

    /// When the token expires: seconds since 1970.
    pub(super) fn expires_at(&self) -> u64 {
        self.token.expires_at
    }

    fn principal(&self) -> Principal {
        if let Some(repository) = self.repository {
            return Principal::Repository(repository);
        }
        let named = format!("{}\n{}", self.issuer().url, self.subject());
        Principal::Subject(hash::number(hash::sha256(named.as_bytes())))
    }

    /// Somebody whom the policy keeps out can't come back by starting a workflow.
    fn require_permitted(&self, policy: &Policy) -> Result<(), AccessError> {
        let claims = self.claims();
        let Some(actor) = self.repository.and_then(|_| claims.actor_id()) else { return Ok(()) };
        let name = claims.text("actor").unwrap_or_default();
        if policy.users.permit(actor, name) { Ok(()) } else { Err(AccessError::UserDenied) }
    }
}
