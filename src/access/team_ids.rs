//! Which slug has the team with this id? GitHub's documented calls find a team by its slug alone, so all teams are listed, and
//! the list is used for long: it is only a hint, since whoever uses it has the team itself read by the slug and compares
//! the ids.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::account::Account;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::domain::ids::TeamId;
use crate::domain::names::TeamSlug;
use crate::github::{Error, Github, PAGE_SIZE, Team};

/// Ids that nobody has make the list be read again so often at most, for each page of it: whatever ids are made up, they
/// cost 60 calls an hour.
const UNKNOWN_ID_INTERVAL: Duration = Duration::from_mins(1);
/// But however large the organisation is, the ids of new teams are known after this time.
const MAX_UNKNOWN_ID_INTERVAL: Duration = Duration::from_mins(10);
/// A slug that is no longer the team's makes the list be read again at once, save right after it was read: GitHub may be
/// of two minds for a moment.
const WRONG_SLUG_INTERVAL: Duration = Duration::from_secs(5);
/// How long the list is used as long as nothing speaks against it.
const KEPT_FOR: Duration = Duration::from_hours(24);

/// The slugs of all teams, as they were once.
struct Listing {
    slugs: HashMap<TeamId, TeamSlug>,
    read_at: Duration,
    pages: u32,
}

type Loaded = Result<Arc<Listing>, Error>;

/// The slugs of the organisation's teams by their ids.
pub(super) struct TeamIds {
    listing: Cache<(), Loaded>,
    github: Arc<Github>,
    clock: Clock,
    /// Where a list is read to its end when those who wait for it are gone: were it given up, those who hang up would make
    /// it be begun again and again.
    runtime: Handle,
}

impl TeamIds {
    /// Knows no team yet. To be called on the runtime that lives longest.
    pub(super) fn new(github: Arc<Github>, clock: Clock) -> Arc<Self> {
        let listing = Cache::new(1, clock.clone());
        Arc::new(Self { listing, github, clock, runtime: Handle::current() })
    }

    /// The slug that the team probably has; none if there is no such team, or it is too new to be known. `wrong` is a slug
    /// that was found not to be the team's.
    pub(super) async fn slug(
        self: &Arc<Self>,
        id: TeamId,
        wrong: Option<&TeamSlug>,
    ) -> Result<Option<TeamSlug>, Error> {
        let listing = self.listing().await?;
        let found = listing.slugs.get(&id);
        let interval = match found {
            Some(slug) if Some(slug) != wrong => return Ok(Some(slug.clone())),
            Some(_) => WRONG_SLUG_INTERVAL,
            None => (UNKNOWN_ID_INTERVAL * listing.pages).min(MAX_UNKNOWN_ID_INTERVAL),
        };
        if self.clock.now() < listing.read_at + interval {
            return Ok(found.cloned());
        }
        // Only this one: somebody else may have had it read again meanwhile.
        let is_this = |kept: &Loaded| kept.as_ref().is_ok_and(|kept| Arc::ptr_eq(kept, &listing));
        self.listing.forget_if((), is_this).await;
        Ok(self.listing().await?.slugs.get(&id).cloned())
    }

    /// The slug that the team was last known to have. Asks nobody.
    pub(super) async fn remembered(&self, id: TeamId) -> Option<TeamSlug> {
        self.listing.get(&()).await?.ok()?.slugs.get(&id).cloned()
    }

    /// Forgets all slugs, a list under way included.
    pub(super) fn forget_all(&self) {
        self.listing.forget_all();
    }

    async fn listing(self: &Arc<Self>) -> Loaded {
        if let Some(listing) = self.listing.get(&()).await {
            return listing;
        }
        let own = self.clone();
        let load = async move { own.listing.get_or_load((), own.read()).await };
        let ended = self.runtime.spawn(Account::carried(load)).await;
        ended.unwrap_or_else(|_| Err(Error::unexpected("GET /orgs/{org}/teams: the list was cut off")))
    }

    async fn read(&self) -> (Loaded, Duration) {
        let read_at = self.clock.now();
        let teams = match self.github.teams().await {
            Ok(teams) => teams,
            Err(error) => return (Err(error), Duration::ZERO),
        };
        let pages = u32::try_from((teams.len() as u64).div_ceil(PAGE_SIZE)).unwrap_or(u32::MAX).max(1);
        // Teams whose slug is not served here, such as an enterprise's, are nobody's.
        let slug_of = |team: Team| Some((team.id, TeamSlug::parse(&team.slug).ok()?));
        let slugs = teams.into_iter().filter_map(slug_of).collect();
        (Ok(Arc::new(Listing { slugs, read_at, pages })), KEPT_FOR)
    }
}
