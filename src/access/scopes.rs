//! Who may have a token for a scope: an organisation owner for the organisation; for a repository somebody who
//! administers it, or who maintains a team that does.

use super::{AccessError, Authority, Caller, Maintainer, Members};
use crate::domain::names::{OrgName, RepoName};
use crate::domain::pattern::Rules;
use crate::domain::policy::RepositoryPermission;
use crate::domain::scope::Scope;
use crate::github::Github;

/// The proof that a caller may have tokens for a scope, and that the administrator serves it.
#[derive(Debug, Clone)]
pub struct ScopeAuthority {
    scope: Scope,
}

impl ScopeAuthority {
    /// For which scope.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
}

/// The same before the administrator's rules are applied.
#[derive(Debug, Clone)]
pub struct ScopeHolder {
    scope: Scope,
}

impl ScopeHolder {
    /// Somebody who owns the organisation or administers the repository. Always read from GitHub.
    pub async fn by_own_right(
        github: &Github,
        members: &Members,
        caller: &Caller,
        scope: &Scope,
    ) -> Result<Self, AccessError> {
        let find = Self::find_by_own_right(github, members, caller, scope);
        if members.is_known(caller).await {
            return find.await;
        }
        // Boxed: hardly anybody is new.
        Box::pin(members.first_alone(caller, find)).await
    }

    async fn find_by_own_right(
        github: &Github,
        members: &Members,
        caller: &Caller,
        scope: &Scope,
    ) -> Result<Self, AccessError> {
        members.admit(caller).await.map_err(|error| match error {
            AccessError::NotAMaintainer => AccessError::NotAnAdministrator,
            error => error,
        })?;
        let is_administrator = match scope {
            Scope::Org(_) => github.is_owner(caller.login(), caller.id()).await,
            Scope::Repo(_, name) => github.administers(caller.login(), caller.id(), name).await,
        };
        if is_administrator? {
            // Also somebody from outside who administers a repository has something to do with the organisation.
            members.proved(caller).await;
            Ok(Self { scope: scope.clone() })
        } else {
            members.refused(caller).await;
            Err(AccessError::NotAnAdministrator)
        }
    }

    /// A maintainer of a team that administers the repository. An organisation is beyond any team.
    pub async fn by_team(
        github: &Github,
        maintainer: &Maintainer,
        scope: &Scope,
    ) -> Result<Self, AccessError> {
        match scope {
            Scope::Org(_) => Err(AccessError::NotAnAdministrator),
            Scope::Repo(_, name) => {
                require_team_administers(github, maintainer.team().slug(), name, scope).await
            }
        }
    }

    /// The last step: the administrator serves the scope, which nothing is by default.
    pub fn under(self, rules: &Rules) -> Result<ScopeAuthority, AccessError> {
        if rules.permit(&self.scope.to_string()) {
            Ok(ScopeAuthority { scope: self.scope })
        } else {
            Err(AccessError::ScopeDenied(self.scope))
        }
    }
}

impl Authority {
    /// The team's right to tokens for a repository that it administers.
    pub async fn over_repository(
        &self,
        github: &Github,
        org: &OrgName,
        name: &RepoName,
    ) -> Result<ScopeHolder, AccessError> {
        let scope = Scope::Repo(org.clone(), name.clone());
        require_team_administers(github, self.team.slug(), name, &scope).await
    }
}

async fn require_team_administers(
    github: &Github,
    team: &crate::domain::names::TeamSlug,
    name: &RepoName,
    scope: &Scope,
) -> Result<ScopeHolder, AccessError> {
    let repository = github.team_repository(team, name).await?;
    let administers = repository.is_some_and(|repository| repository.grants(RepositoryPermission::Admin));
    if administers { Ok(ScopeHolder { scope: scope.clone() }) } else { Err(AccessError::NotAnAdministrator) }
}
