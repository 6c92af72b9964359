//! Does this user actively maintain this team? GitHub is asked with the service's own credential.

mod by_entries;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::members::Belonging;
use super::team_ids::TeamIds;
use super::{AccessError, Authority, Caller, ManagedTeam, Members, Oversight, Principal, Rights};
use crate::account::Account;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::domain::cache_ttls::CacheTtls;
use crate::domain::ids::{TeamId, UserId};
use crate::domain::names::{Login, TeamSlug};
use crate::domain::reference::TeamReference;
use crate::domain::template::GroupNameTemplate;
use crate::github::{Error, Github, Membership, Team};
use crate::limits::UnknownTeamLimiter;
use crate::metrics::{self, Scarce};

/// Teams that are remembered at once.
const MAX_TEAMS: u64 = 10_000;
/// Memberships that are remembered at once.
const MAX_MEMBERSHIPS: u64 = 100_000;
/// A request that began before another's response came, but needs it after, still shares that response.
const RESPONSE_TTL: Duration = Duration::from_millis(500);
/// A refusal under a team's id has the team's slug read again, at most so often for each slug.
const READ_AGAIN_AFTER: Duration = Duration::from_mins(1);
/// Attempts to read a team and a membership that belong together, while teams change places under one slug.
const MAX_ATTEMPTS: usize = 3;

/// A caller who actively maintains a team, before the policy is applied.
#[derive(Debug, Clone)]
pub struct Maintainer {
    pub(super) caller: Caller,
    pub(super) team: ManagedTeam,
}

impl Maintainer {
    /// What may be done for the team: everything.
    pub fn rights(&self) -> Rights {
        Rights::OF_MAINTAINERS
    }

    /// For which team.
    pub fn team(&self) -> &ManagedTeam {
        &self.team
    }
}

/// The team of a slug, or that there is none.
type TeamLookup = Result<Option<ManagedTeam>, Error>;
/// A membership as GitHub just reported it, or that there is none.
type MembershipLookup = Result<Option<Membership>, Error>;

/// The organisation's teams, and who maintains them; remembered for a while.
pub struct Teams {
    template: GroupNameTemplate,
    by_slug: Cache<TeamSlug, TeamLookup>,
    /// Whether a user (second) maintains a team (first). By ids: both can be renamed.
    maintainers: Cache<(TeamId, UserId), bool>,
    /// Kept for a moment: requests that arrive together share one response.
    memberships: Cache<(TeamSlug, Login), MembershipLookup>,
    ids: Arc<TeamIds>,
    /// Slugs whose team was read within [`READ_AGAIN_AFTER`].
    recently_read: Cache<TeamSlug, ()>,
    ttls: CacheTtls,
    members: Arc<Members>,
    unknown: UnknownTeamLimiter,
    github: Arc<Github>,
}

impl Teams {
    /// Remembers no team yet. To be called on the runtime that lives longest.
    pub fn new(
        template: GroupNameTemplate,
        ttls: CacheTtls,
        members: Arc<Members>,
        github: Arc<Github>,
        clock: &Clock,
    ) -> Self {
        Self {
            template,
            by_slug: Cache::counted(metrics::Cache::Team, MAX_TEAMS, clock.clone()),
            maintainers: Cache::counted(metrics::Cache::Membership, MAX_MEMBERSHIPS, clock.clone()),
            memberships: Cache::new(MAX_MEMBERSHIPS, clock.clone()),
            ids: TeamIds::new(github.clone(), clock.clone()),
            recently_read: Cache::new(MAX_TEAMS, clock.clone()),
            ttls,
            members,
            unknown: UnknownTeamLimiter::new(clock.clone()),
            github,
        }
    }

    /// The proof that `caller` actively maintains the team that is named.
    pub async fn maintainer(&self, caller: &Caller, team: &TeamReference) -> Result<Maintainer, AccessError> {
        let find = self.find_maintainer(caller, team);
        if self.members.is_known(caller).await {
            return find.await;
        }
        // Boxed: hardly anybody is new.
        Box::pin(self.members.first_alone(caller, find)).await
    }

    async fn find_maintainer(
        &self,
        caller: &Caller,
        team: &TeamReference,
    ) -> Result<Maintainer, AccessError> {
        let standing = match team {
            TeamReference::Slug(slug) => self.standing(caller, slug).await,
            // Boxed, so that the future of the usual case, a slug, stays small.
            TeamReference::Id(id) => Box::pin(self.standing_in(caller, *id)).await,
        };
        match standing {
            Ok((team, true)) => {
                Account::current().set_has_standing();
                Ok(Maintainer { caller: caller.clone(), team })
            }
            Ok((_, false)) | Err(AccessError::NotAMaintainer) => {
                Box::pin(self.members.refused(caller)).await;
                Err(AccessError::NotAMaintainer)
            }
            Err(error) => Err(error),
        }
    }

    /// The team with this id, and whether `caller` actively maintains it.
    async fn standing_in(&self, caller: &Caller, id: TeamId) -> Result<(ManagedTeam, bool), AccessError> {
        // Also to find the slug of an id may take a call.
        self.members.admit(caller).await?;
        let standing = async |slug: TeamSlug| self.standing(caller, &slug).await;
        let (team, is_maintainer) = self.under_its_slug(id, standing).await?;
        // Who is no maintainer under a slug that was read a while ago may be one under the slug that the team has now.
        if is_maintainer || self.recently_read.get(&team.slug).await.is_some() {
            return Ok((team, is_maintainer));
        }
        self.by_slug.forget(&team.slug).await;
        let current = self.by_slug.get_or_load(team.slug.clone(), self.load_team(&team.slug)).await?;
        if current.is_some_and(|current| current.id == id) {
            return Ok((team, false));
        }
        self.maintainers.forget(&(id, caller.id)).await;
        self.under_its_slug(id, standing).await
    }

    /// What `look` finds under the slug that the team with this id has. Slugs change hands: what is found about another team
    /// is never used.
    async fn under_its_slug<T>(
        &self,
        id: TeamId,
        look: impl AsyncFn(TeamSlug) -> Result<(ManagedTeam, T), AccessError>,
    ) -> Result<(ManagedTeam, T), AccessError> {
        let mut wrong = None;
        for _ in 0..MAX_ATTEMPTS {
            let slug = self.ids.slug(id, wrong.as_ref()).await?.ok_or(AccessError::NotAMaintainer)?;
            match look(slug.clone()).await {
                Ok((team, found)) if team.id == id => return Ok((team, found)),
                // Another team has the slug now, or none.
                Ok(_) | Err(AccessError::NotAMaintainer) => {}
                Err(error) => return Err(error),
            }
            self.by_slug.forget(&slug).await;
            wrong = Some(slug);
        }
        Err(AccessError::NotAMaintainer)
    }

    /// The slug that the team which is named was last known to have, for the log. Asks nobody.
    pub async fn remembered_slug(&self, team: &TeamReference) -> Option<TeamSlug> {
        match team {
            TeamReference::Slug(slug) => Some(slug.clone()),
            TeamReference::Id(id) => self.ids.remembered(*id).await,
        }
    }

    /// The team with this slug, and whether `caller` actively maintains it. No such team is [`AccessError::NotAMaintainer`].
    async fn standing(&self, caller: &Caller, slug: &TeamSlug) -> Result<(ManagedTeam, bool), AccessError> {
        for _ in 0..MAX_ATTEMPTS {
            let remembered = match self.by_slug.get(slug).await {
                Some(Ok(Some(team))) => {
                    self.maintainers.get(&(team.id, caller.id)).await.map(|is| (team, is))
                }
                _ => None,
            };
            if let Some(standing) = remembered {
                return Ok(standing);
            }
            // Boxed, so that the future of the usual case, a membership that is remembered, stays small.
            if let Some(standing) = Box::pin(self.fetch(caller, slug)).await? {
                return Ok(standing);
            }
        }
        Err(Error::unexpected("the team changes faster than it can be read").into())
    }

    /// The authority over any team's group that an administrator has.
    pub async fn overseen(
        &self,
        caller: &Caller,
        team: &TeamReference,
        oversight: &Oversight,
    ) -> Result<Authority, AccessError> {
        let team = self.named(team, oversight).await?.ok_or(AccessError::NotAMaintainer)?;
        Ok(Authority { principal: Principal::User(caller.clone()), team, rights: oversight.rights() })
    }

    /// The team with this slug; no such team is [`AccessError::NotAMaintainer`], as for [`Teams::under_its_slug`].
    async fn with_slug(&self, slug: &TeamSlug) -> Result<(ManagedTeam, ()), AccessError> {
        let team = self.by_slug.get_or_load(slug.clone(), self.load_team(slug)).await?;
        team.map(|team| (team, ())).ok_or(AccessError::NotAMaintainer)
    }

    /// The team that is named, for those who may know of every team.
    pub async fn named(&self, team: &TeamReference, _: &Oversight) -> Result<Option<ManagedTeam>, Error> {
        let find = async |slug: TeamSlug| self.with_slug(&slug).await;
        let found = match team {
            TeamReference::Slug(slug) => self.with_slug(slug).await,
            TeamReference::Id(id) => Box::pin(self.under_its_slug(*id, find)).await,
        };
        match found {
            Ok((team, ())) => Ok(Some(team)),
            Err(AccessError::Github(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// The slug of the team with this id, if there is one.
    pub async fn slug_of(&self, id: TeamId) -> Result<Option<TeamSlug>, Error> {
        self.ids.slug(id, None).await
    }

    /// The ids of all teams of the organisation.
    pub async fn ids(&self, _: &Oversight) -> Result<HashSet<TeamId>, Error> {
        Ok(self.github.teams().await?.iter().map(|team| team.id).collect())
    }

    /// Every team of the organisation that can have a group here, for those who may know of them.
    pub async fn all(&self, _: &Oversight) -> Result<Vec<ManagedTeam>, Error> {
        // Teams whose slug is not served here, such as an enterprise's, have no managed group.
        Ok(self.github.teams().await?.iter().filter_map(|team| self.managed(team).ok()).collect())
    }

    /// The names that the groups of all teams have, or would have, in lower case.
    pub async fn group_names(&self) -> Result<HashSet<String>, Error> {
        let teams = self.github.teams().await?;
        // Teams whose slug is not served here, such as an enterprise's, have no managed group.
        Ok(teams.iter().filter_map(|team| self.managed(team).ok()).map(|team| team.group.key()).collect())
    }

    /// Forgets a team that GitHub no longer finds.
    pub async fn forget(&self, slug: &TeamSlug) {
        self.by_slug.forget(slug).await;
    }

    /// Forgets who maintains what, calls to GitHub under way included: somebody may have lost a role since.
    pub fn forget_all(&self) {
        // In this order: an old response must not come into a cache that has just been emptied.
        self.memberships.forget_all();
        self.ids.forget_all();
        self.by_slug.forget_all();
        self.recently_read.forget_all();
        self.maintainers.forget_all();
    }

    /// Fetches the team and the membership side by side. Nothing when they turn out to be of two teams:
    /// a slug that a new team took over must not give it what the old one had.
    async fn fetch(
        &self,
        caller: &Caller,
        slug: &TeamSlug,
    ) -> Result<Option<(ManagedTeam, bool)>, AccessError> {
        let era = self.maintainers.era();
        let Some((team, membership)) = self.look_up(caller, slug).await? else {
            return Err(AccessError::NotAMaintainer);
        };
        if let Some(membership) = &membership
            && membership.team_id() != Some(team.id)
        {
            self.by_slug.forget(slug).await;
            // An address without an id proves nothing; the team read anew has to do.
            let current = self.load_team(slug).await.0?;
            if membership.team_id().is_some() || current.as_ref() != Some(&team) {
                return Ok(None);
            }
        }
        let is_maintainer = membership.is_some_and(|membership| membership.is_active_maintainer());
        // The membership is the login's, not the id's.
        if is_maintainer && !caller.still_has_login().await? {
            return Ok(Some((team, false)));
        }
        if is_maintainer {
            self.members.proved(caller).await;
        }
        let ttl = if is_maintainer { self.ttls.membership } else { self.ttls.refused_membership };
        self.maintainers.insert_in(&era, (team.id, caller.id), is_maintainer, ttl).await;
        Ok(Some((team, is_maintainer)))
    }

    /// The team with this slug, and the caller's membership in it: side by side, but for callers who are known a slug that isn't
    /// is looked up first, so that one that is no team's costs one call. Nothing if there is no such team.
    async fn look_up(
        &self,
        caller: &Caller,
        slug: &TeamSlug,
    ) -> Result<Option<(ManagedTeam, Option<Membership>)>, AccessError> {
        let belonging = self.members.admit(caller).await?;
        let is_known = self.by_slug.get(slug).await.is_some();
        let look_up = if is_known {
            None
        } else {
            let begun = self.unknown.begin(caller.id, slug).map_err(|retry_after| {
                metrics::scarce(Scarce::UnknownTeams);
                AccessError::TooManyUnknownTeams { retry_after }
            });
            Some(begun?)
        };
        let load_team = self.by_slug.get_or_load(slug.clone(), self.load_team(slug));
        let load_membership = self.load_membership(caller, slug);
        let (team, membership) = if belonging == Belonging::Member && !is_known {
            let team = Box::pin(load_team).await;
            let is_team = matches!(&team, Ok(Some(_)));
            (team, if is_team { Box::pin(load_membership).await } else { Ok(None) })
        } else {
            Box::pin(futures_util::future::join(load_team, load_membership)).await
        };
        if let Some(look_up) = look_up.filter(|_| !matches!(&team, Ok(None))) {
            look_up.give_back();
        }
        match team? {
            None => Ok(None),
            Some(team) => Ok(Some((team, membership?))),
        }
    }

    async fn load_membership(&self, caller: &Caller, slug: &TeamSlug) -> MembershipLookup {
        let load = async {
            match self.github.membership(slug, &caller.login).await {
                Ok(membership) => (Ok(Some(membership)), self.response_ttl()),
                // Officially how "no membership" is returned.
                Err(error) if error.is_not_found() => (Ok(None), self.response_ttl()),
                Err(error) => (Err(error), Duration::ZERO),
            }
        };
        self.memberships.get_or_load((slug.clone(), caller.login.clone()), load).await
    }

    /// Never longer than memberships are kept at all.
    fn response_ttl(&self) -> Duration {
        RESPONSE_TTL.min(self.ttls.membership).min(self.ttls.refused_membership)
    }

    async fn load_team(&self, slug: &TeamSlug) -> (TeamLookup, Duration) {
        match self.github.team(slug).await.and_then(|team| self.managed(&team)) {
            Ok(team) => {
                self.recently_read.insert(slug.clone(), (), READ_AGAIN_AFTER).await;
                (Ok(Some(team)), self.ttls.team)
            }
            Err(error) if error.is_not_found() => (Ok(None), self.ttls.refused_membership),
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
