//! Does this user actively maintain this team? Asked with the service's own credential.

use std::collections::HashSet;
use std::time::Duration;

use super::{AccessError, Authority, Caller, Keep, ManagedTeam, Oversight};
use crate::clock::Clock;
use crate::domain::ids::{TeamId, UserId};
use crate::domain::names::{Login, TeamSlug};
use crate::domain::template::GroupNameTemplate;
use crate::github::{Error, Github, Membership, Team};
use crate::metrics;
use crate::timed_cache::TimedCache;

/// Teams that are known at once.
const MOST_TEAMS: u64 = 10_000;
/// Memberships that are known at once.
const MOST_MEMBERSHIPS: u64 = 100_000;
/// Somebody who began before another's answer came, and asks after it, still asks at once with them.
const AT_ONCE: Duration = Duration::from_millis(500);
/// Tries to get a team and a membership that belong together, while teams change places under one slug.
const MOST_ROUNDS: usize = 3;

/// A caller who actively maintains a team, before the policy was asked.
#[derive(Debug, Clone)]
pub struct Maintainer {
    pub(super) caller: Caller,
    pub(super) team: ManagedTeam,
}

impl Maintainer {
    /// For which team.
    pub fn team(&self) -> &ManagedTeam {
        &self.team
    }
}

/// What is known about a slug: the team, or that there is none.
type KnownTeam = Result<Option<ManagedTeam>, Error>;
/// A membership as GitHub just told it, or that there is none.
type Answer = Result<Option<Membership>, Error>;

/// What is known about teams and who maintains them.
pub struct Teams {
    template: GroupNameTemplate,
    by_slug: TimedCache<TeamSlug, KnownTeam>,
    /// Whether a user (second) maintains a team (first). By ids: both can be renamed.
    maintainers: TimedCache<(TeamId, UserId), bool>,
    /// Kept for a moment: joins those who ask the same thing at once.
    asking: TimedCache<(TeamSlug, Login), Answer>,
    keep: Keep,
}

impl Teams {
    /// Knows no team yet.
    pub fn new(template: GroupNameTemplate, keep: Keep, clock: &Clock) -> Self {
        Self {
            template,
            by_slug: TimedCache::counted(metrics::Cache::Team, MOST_TEAMS, clock.clone()),
            maintainers: TimedCache::counted(metrics::Cache::Membership, MOST_MEMBERSHIPS, clock.clone()),
            asking: TimedCache::new(MOST_MEMBERSHIPS, clock.clone()),
            keep,
        }
    }

    /// The proof that `caller` actively maintains the team with this slug.
    pub async fn maintainer(
        &self,
        github: &Github,
        caller: &Caller,
        slug: &TeamSlug,
    ) -> Result<Maintainer, AccessError> {
        for _ in 0..MOST_ROUNDS {
            let known = match self.by_slug.get(slug).await {
                Some(Ok(Some(team))) => {
                    self.maintainers.get(&(team.id, caller.id)).await.map(|is| (team, is))
                }
                _ => None,
            };
            if let Some((team, is_maintainer)) = known {
                return proof(caller, team, is_maintainer);
            }
            if let Some((team, is_maintainer)) = self.ask(github, caller, slug).await? {
                return proof(caller, team, is_maintainer);
            }
        }
        Err(Error::unexpected("the team changes faster than it can be read").into())
    }

    /// The proof that `caller` actively maintains the administrators' team, and with it the right to act on
    /// every managed group.
    pub async fn oversight(
        &self,
        github: &Github,
        caller: &Caller,
        administrators: &TeamSlug,
    ) -> Result<Oversight, AccessError> {
        self.maintainer(github, caller, administrators).await.map(|_| Oversight(()))
    }

    /// The authority over any team's group that an administrator has.
    pub async fn overseen(
        &self,
        github: &Github,
        caller: &Caller,
        slug: &TeamSlug,
        _: &Oversight,
    ) -> Result<Authority, AccessError> {
        let team = self.by_slug.get_or_load(slug.clone(), self.load_team(github, slug)).await?;
        let team = team.ok_or(AccessError::NotAMaintainer)?;
        Ok(Authority { caller: caller.clone(), team })
    }

    /// The names that the groups of all teams have, or would have, in lower case.
    pub async fn group_names(&self, github: &Github) -> Result<HashSet<String>, Error> {
        let teams = github.teams().await?;
        // Teams whose slug is not served here, such as an enterprise's, have no managed group.
        Ok(teams.iter().filter_map(|team| self.managed(team).ok()).map(|team| team.group.key()).collect())
    }

    /// Forgets a team that GitHub no longer finds.
    pub async fn forget(&self, slug: &TeamSlug) {
        self.by_slug.forget(slug).await;
    }

    /// Forgets who maintains what, also what GitHub is being asked: somebody may have lost a role since.
    pub fn forget_all(&self) {
        // In this order: an old answer must not come into a cache that has just been emptied.
        self.asking.forget_all();
        self.by_slug.forget_all();
        self.maintainers.forget_all();
    }

    /// Asks for the team and the membership side by side. Nothing when they turn out to be of two teams:
    /// a slug that a new team took over must not give it what the old one had.
    async fn ask(
        &self,
        github: &Github,
        caller: &Caller,
        slug: &TeamSlug,
    ) -> Result<Option<(ManagedTeam, bool)>, AccessError> {
        let era = self.maintainers.era();
        let (team, membership) = futures_util::future::join(
            self.by_slug.get_or_load(slug.clone(), self.load_team(github, slug)),
            self.asking.get_or_load((slug.clone(), caller.login.clone()), async {
                let answer = github.membership(slug, &caller.login).await;
                let answer = match answer {
                    Ok(membership) => Ok(Some(membership)),
                    // Officially how "no membership" is answered.
                    Err(error) if error.is_not_found() => Ok(None),
                    Err(error) => Err(error),
                };
                let keep = if answer.is_ok() { self.asked_at_once() } else { Duration::ZERO };
                (answer, keep)
            }),
        )
        .await;
        let Some(team) = team? else { return Err(AccessError::NotAMaintainer) };
        let membership = membership?;
        if let Some(membership) = &membership
            && membership.team_id() != Some(team.id)
        {
            self.by_slug.forget(slug).await;
            // An address without an id proves nothing; the team read anew has to do.
            let current = self.load_team(github, slug).await.0?;
            if membership.team_id().is_some() || current.as_ref() != Some(&team) {
                return Ok(None);
            }
        }
        let is_maintainer = membership.is_some_and(|membership| membership.is_active_maintainer());
        let keep = if is_maintainer { self.keep.membership } else { self.keep.refused_membership };
        self.maintainers.insert_in(&era, (team.id, caller.id), is_maintainer, keep).await;
        Ok(Some((team, is_maintainer)))
    }

    /// Those who ask within this time ask at once; never longer than memberships are kept at all.
    fn asked_at_once(&self) -> Duration {
        AT_ONCE.min(self.keep.membership).min(self.keep.refused_membership)
    }

    async fn load_team(&self, github: &Github, slug: &TeamSlug) -> (KnownTeam, Duration) {
        match github.team(slug).await.and_then(|team| self.managed(&team)) {
            Ok(team) => (Ok(Some(team)), self.keep.team),
            Err(error) if error.is_not_found() => (Ok(None), self.keep.refused_membership),
            Err(error) => (Err(error), Duration::ZERO),
        }
    }

    fn managed(&self, team: &Team) -> Result<ManagedTeam, Error> {
        let slug = TeamSlug::parse(&team.slug)
            .map_err(|_| Error::unexpected("the team's slug has an unknown form"))?;
        let group = self.template.group_of(&slug, team.id);
        Ok(ManagedTeam { slug, id: team.id, group, repositories: team.repos_count })
    }
}

fn proof(caller: &Caller, team: ManagedTeam, is_maintainer: bool) -> Result<Maintainer, AccessError> {
    if is_maintainer {
        Ok(Maintainer { caller: caller.clone(), team })
    } else {
        Err(AccessError::NotAMaintainer)
    }
}
