//! Teams and maintainers that access entries are about: nobody who could name them stands behind the request.

use super::Teams;
use crate::access::{AccessError, ManagedTeam, Oversight};
use crate::domain::ids::{TeamId, UserId};
use crate::domain::names::TeamSlug;
use crate::domain::reference::TeamReference;
use crate::github::Error;

impl Teams {
    /// The team with this id, if it is the one that is named.
    pub(in crate::access) async fn of_entry(
        &self,
        id: TeamId,
        named: &TeamReference,
    ) -> Result<Option<ManagedTeam>, AccessError> {
        let look = async |slug: TeamSlug| self.with_slug(&slug).await;
        let found = match named {
            TeamReference::Slug(slug) => self.with_slug(slug).await,
            TeamReference::Id(_) => Box::pin(self.under_its_slug(id, look)).await,
        };
        match found {
            // Slugs change hands.
            Ok((team, ())) => Ok(Some(team).filter(|team| team.id == id)),
            Err(AccessError::NotAMaintainer) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the user with this id actively maintains a team.
    pub(in crate::access) async fn maintains(
        &self,
        team: &ManagedTeam,
        user: UserId,
    ) -> Result<bool, AccessError> {
        if let Some(is_maintainer) = self.maintainers.get(&(team.id, user)).await {
            return Ok(is_maintainer);
        }
        let era = self.maintainers.era();
        let is_maintainer = match self.github.login_of(user).await? {
            None => false,
            Some(login) => match self.github.membership(&team.slug, &login).await {
                Ok(membership) => membership.team_id() == Some(team.id) && membership.is_active_maintainer(),
                Err(error) if error.is_not_found() => false,
                Err(error) => return Err(error.into()),
            },
        };
        let ttl = if is_maintainer { self.ttls.membership } else { self.ttls.refused_membership };
        self.maintainers.insert_in(&era, (team.id, user), is_maintainer, ttl).await;
        Ok(is_maintainer)
    }

    /// The team that the administrator named in the configuration.
    pub async fn configured(
        &self,
        team: &TeamReference,
        _: &Oversight,
    ) -> Result<Option<ManagedTeam>, Error> {
        let slug = match team {
            TeamReference::Slug(slug) => Some(slug.clone()),
            TeamReference::Id(id) => self.ids.slug(*id, None).await?,
        };
        let Some(slug) = slug else { return Ok(None) };
        let found = self.by_slug.get_or_load(slug.clone(), self.load_team(&slug)).await?;
        // The slug may be another team's by now.
        Ok(found.filter(|found| team.is(&slug, found.id)))
    }
}
