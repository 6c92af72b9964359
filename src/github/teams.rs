//! Teams, who maintains them, and their repositories.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::call::Call;
use super::owners;
use super::paging::{Listed, PAGE_SIZE};
use super::types::{CollaboratorPermission, Membership, Organisation, Repository, Team, User};
use super::{Error, Github};
use crate::domain::ids::{OrganisationId, UserId};
use crate::domain::names::{Login, RepoName, TeamSlug};
use crate::metrics::CallKind;

/// Look-ups of single repositories under way at once for one request.
const LOOK_UPS_AT_ONCE: usize = 8;
/// Asks for the repository itself; with any other `Accept` GitHub responds with 204 and no body.
const REPOSITORY: &str = "application/vnd.github.v3.repository+json";

impl Listed for Repository {
    fn id(&self) -> u64 {
        self.id.0
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.full_name.len()
    }
}

impl Listed for Team {
    fn id(&self) -> u64 {
        self.id.0
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.slug.len()
    }
}

impl Github {
    /// The organisation's id, which stays when it is renamed. Asked for once.
    pub async fn organisation_id(&self) -> Result<OrganisationId, Error> {
        let ask = async || {
            let call = Call::get(CallKind::Organisation, format!("/orgs/{}", self.org));
            Ok(Box::pin(self.send(call)).await?.parse::<Organisation>()?.id)
        };
        self.organisation.get_or_try_init(ask).await.copied()
    }

    /// The login that the user with this id has; none if there is no such user any more.
    pub async fn login_of(&self, user: UserId) -> Result<Option<Login>, Error> {
        match self.send(Call::get(CallKind::UserById, format!("/user/{user}"))).await {
            Ok(reply) => {
                let found: User = reply.parse()?;
                Ok(Login::parse(&found.login).ok().filter(|_| found.id == user))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All teams of the organisation.
    pub async fn teams(&self) -> Result<Vec<Team>, Error> {
        self.linked_list(&Call::get(CallKind::Teams, format!("/orgs/{}/teams", self.org))).await
    }

    /// The team with this slug.
    pub async fn team(&self, slug: &TeamSlug) -> Result<Team, Error> {
        self.send(Call::get(CallKind::Team, format!("/orgs/{}/teams/{slug}", self.org))).await?.parse()
    }

    /// A user's membership in a team; not found when there is none.
    pub async fn membership(&self, slug: &TeamSlug, user: &Login) -> Result<Membership, Error> {
        let path = format!("/orgs/{}/teams/{slug}/memberships/{user}", self.org);
        self.send(Call::get(CallKind::Membership, path)).await?.parse()
    }

    /// Which of `names` the team has access to, in whichever way takes fewer calls: each by itself, or
    /// by the team's whole list. `team_repositories` is how many the team has, as far as known.
    pub async fn team_repositories(
        &self,
        slug: &TeamSlug,
        names: &[RepoName],
        team_repositories: u64,
    ) -> Result<Vec<Option<Repository>>, Error> {
        let pages = team_repositories.div_ceil(PAGE_SIZE).max(1);
        if names.len() as u64 <= pages {
            let look_ups = stream::iter(names).map(|name| self.team_repository(slug, name));
            return look_ups.buffered(LOOK_UPS_AT_ONCE).try_collect().await;
        }
        let path = format!("/orgs/{}/teams/{slug}/repos", self.org);
        let list: Vec<Repository> = self.linked_list(&Call::get(CallKind::TeamRepositories, path)).await?;
        let found = |name: &RepoName| list.iter().find(|repository| self.is_ours(repository, name)).cloned();
        Ok(names.iter().map(found).collect())
    }

    /// Whether the user with this login and id is an active owner of the organisation. Somebody else who took the login
    /// doesn't count.
    pub async fn is_owner(&self, login: &Login, user: UserId) -> Result<bool, Error> {
        owners::is_owner(self.send(owners::call(&self.org, login)).await, user)
    }

    /// Whether the user with this login and id is an active member of the organisation.
    pub async fn is_member(&self, login: &Login, user: UserId) -> Result<bool, Error> {
        owners::is_member(self.send(owners::call(&self.org, login)).await, user)
    }

    /// Whether the user with this login and id administers a repository, in whichever way.
    pub async fn administers(&self, login: &Login, user: UserId, name: &RepoName) -> Result<bool, Error> {
        let path = format!("/repos/{}/{name}/collaborators/{login}/permission", self.org);
        match self.send(Call::get(CallKind::RepositoryPermission, path)).await {
            Ok(reply) => {
                let held: CollaboratorPermission = reply.parse()?;
                Ok(held.permission == "admin" && held.user.is_some_and(|found| found.id == user))
            }
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A repository as the team has it; none when the team has no access.
    pub async fn team_repository(
        &self,
        slug: &TeamSlug,
        name: &RepoName,
    ) -> Result<Option<Repository>, Error> {
        let org = &self.org;
        let call =
            Call::get(CallKind::TeamRepository, format!("/orgs/{org}/teams/{slug}/repos/{org}/{name}"))
                .accepting(REPOSITORY);
        match self.send(call).await {
            Ok(reply) => Ok(Some(reply.parse()?).filter(|repository| self.is_ours(repository, name))),
            // Officially how "no access" is answered.
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether this is the organisation's repository of that name, and not another's.
    fn is_ours(&self, repository: &Repository, name: &RepoName) -> bool {
        let owner = repository.full_name.split_once('/').map(|(owner, _)| owner);
        name.is(&repository.name) && owner.is_some_and(|owner| self.org.is(owner))
    }
}
