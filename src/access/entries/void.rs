//! Why an entry counts for nothing at the moment, although it is there: what has to be asked GitHub for is remembered for a while.

use std::sync::Arc;
use std::time::Duration;

use crate::access::{AccessError, ManagedTeam, Teams};
use crate::cache::Cache;
use crate::clock::Clock;
use crate::domain::cache_ttls::CacheTtls;
use crate::domain::entry::{AccessEntry, ActionsConditions, Holder, Source};
use crate::domain::ids::{RepositoryId, TeamId};
use crate::domain::issuer::Issuers;
use crate::domain::names::RepoName;
use crate::domain::policy::Policy;
use crate::domain::words::words;
use crate::github::{Error, Github};

/// Repositories and environments that are remembered at once.
const MAX_REMEMBERED: u64 = 100_000;
/// How often it is looked whether an environment is protected.
const ENVIRONMENT_FOR: Duration = Duration::from_hours(1);
/// The same where it could not be found out.
const UNKNOWN_FOR: Duration = Duration::from_mins(1);

words! {
    /// Why an entry counts for nothing at the moment.
    pub enum Void {
        /// It expired.
        Expired = "expired",
        /// `policy.access.operations` leaves it nothing that it may hold.
        OperationsDenied = "operations_denied",
        /// `policy.users` keeps its maker out.
        CreatorDenied = "creator_denied",
        /// Its maker no longer maintains the team.
        CreatorLeft = "creator_left",
        /// Its issuer is not configured, or not for this team or subject.
        IssuerNotPermitted = "issuer_not_permitted",
        /// The team does not have the repository.
        RepositoryLost = "repository_lost",
        /// Whoever may push could run a job with the environment.
        EnvironmentUnprotected = "environment_unprotected",
    }
}

/// What entries are held against.
pub struct Terms<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// The issuers in force.
    pub issuers: &'a Issuers,
    /// The organisation's teams.
    pub teams: &'a Teams,
}

/// Looks whether entries count.
pub(super) struct Validity {
    repositories: Cache<(TeamId, RepositoryId), Result<bool, Error>>,
    environments: Cache<(RepositoryId, String), bool>,
    ttls: CacheTtls,
    github: Arc<Github>,
    clock: Clock,
}

impl Validity {
    pub(super) fn new(ttls: CacheTtls, github: Arc<Github>, clock: Clock) -> Self {
        Self {
            repositories: Cache::new(MAX_REMEMBERED, clock.clone()),
            environments: Cache::new(MAX_REMEMBERED, clock.clone()),
            ttls,
            github,
            clock,
        }
    }

    /// Forgets what GitHub said.
    pub(super) fn forget_all(&self) {
        self.repositories.forget_all();
        self.environments.forget_all();
    }

    /// What speaks against an entry without GitHub being asked.
    pub(super) fn known(&self, entry: &AccessEntry, team: &ManagedTeam, terms: &Terms<'_>) -> Option<Void> {
        let Terms { policy, issuers, .. } = terms;
        if entry.is_over(self.clock.unix_seconds()) {
            return Some(Void::Expired);
        }
        if !entry.operations.iter().any(|operation| policy.access.operations.contains(operation)) {
            return Some(Void::OperationsDenied);
        }
        if let Source::Store { created_by, login, .. } = &entry.source
            && !policy.users.permit(*created_by, login.as_str())
        {
            return Some(Void::CreatorDenied);
        }
        let issuer = match &entry.holder {
            Holder::GithubActions(_) => issuers.actions(),
            Holder::Oidc(conditions) => issuers
                .named(&conditions.issuer)
                .filter(|issuer| !issuer.is_actions && issuer.has_subject(&conditions.subject)),
            Holder::Token(_) => return None,
        };
        let is_permitted = issuer.is_some_and(|issuer| issuer.serves_team(team.id(), team.slug()));
        (!is_permitted).then_some(Void::IssuerNotPermitted)
    }

    /// What speaks against an entry, by what GitHub says. `repository_name` is the one that its repository has now, if that is known.
    pub(super) async fn asked(
        &self,
        entry: &AccessEntry,
        team: &ManagedTeam,
        repository_name: Option<RepoName>,
        terms: &Terms<'_>,
    ) -> Result<Option<Void>, AccessError> {
        if let Source::Store { created_by, .. } = &entry.source
            && !terms.policy.access.outlives_creator(entry.holder.kind())
            && !terms.teams.maintains(team, *created_by).await?
        {
            return Ok(Some(Void::CreatorLeft));
        }
        let Holder::GithubActions(conditions) = &entry.holder else { return Ok(None) };
        let name = repository_name.unwrap_or_else(|| conditions.repository_name.clone());
        if !self.has_repository(team, conditions.repository, &name).await? {
            return Ok(Some(Void::RepositoryLost));
        }
        let is_open = conditions.needs_protection() && !self.is_protected(conditions, &name).await;
        Ok(is_open.then_some(Void::EnvironmentUnprotected))
    }

    async fn has_repository(
        &self,
        team: &ManagedTeam,
        id: RepositoryId,
        name: &RepoName,
    ) -> Result<bool, AccessError> {
        let load = async {
            match self.github.team_repository(team.slug(), name).await {
                // The name may be another repository's by now.
                Ok(found) if found.as_ref().is_some_and(|found| found.id == id) => {
                    (Ok(true), self.ttls.membership)
                }
                Ok(_) => (Ok(false), self.ttls.refused_membership),
                Err(error) => (Err(error), Duration::ZERO),
            }
        };
        Ok(self.repositories.get_or_load((team.id(), id), load).await?)
    }

    /// Whether not everybody who may push can run a job with the environment. What can't be found out is no protection.
    async fn is_protected(&self, conditions: &ActionsConditions, name: &RepoName) -> bool {
        let Some(environment) = &conditions.environment else { return true };
        let key = (conditions.repository, environment.to_lowercase());
        if let Some(known) = self.environments.get(&key).await {
            return known;
        }
        let (is_protected, ttl) = match self.github.has_protected_environment(name, environment).await {
            Ok(is_protected) => (is_protected, ENVIRONMENT_FOR),
            Err(error) => {
                tracing::warn!(%error, repository = %name, environment, "whether an environment is protected can't be found out");
                (false, UNKNOWN_FOR)
            }
        };
        self.environments.insert(key, is_protected, ttl).await;
        is_protected
    }
}
