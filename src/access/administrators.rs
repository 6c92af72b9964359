//! Who may act on every managed group: the active maintainers of one team, known by its id. A slug that the administrator
//! named is looked up once, and its id kept: whoever takes the slug later gets nothing by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::{AccessError, Caller, GroupError, Oversight, Records, Teams};
use crate::cache::Cache;
use crate::clock::Clock;
use crate::domain::ids::{TeamId, UserId};
use crate::domain::names::TeamSlug;
use crate::domain::policy::AdministratorsTeam;
use crate::domain::reference::TeamReference;
use crate::github::{self, Github};
use crate::store::StoreError;

/// For so long after somebody was found to be an administrator they may send more requests than others.
const LATELY: Duration = Duration::from_hours(1);
/// Administrators that are remembered at once.
const MAX_ADMINISTRATORS: u64 = 10_000;

/// The administrators of the service.
pub struct Administrators {
    named: AdministratorsTeam,
    /// None until the slug was looked up.
    resolved: Mutex<Option<Resolved>>,
    /// Users who were found to be some lately.
    lately: Cache<UserId, ()>,
    /// Whether it was logged that the slug changed hands.
    change_was_told: AtomicBool,
    records: Option<Arc<Records>>,
    github: Arc<Github>,
}

/// What came of looking the slug up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resolved {
    Team(TeamId),
    /// The slug is nobody's, or another team's than before.
    Nobody,
}

/// Why it isn't known who the administrators are.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unresolved {
    /// There has never been such a team. A service that starts for the first time should not go on.
    #[error("no team has the slug \"{0}\": correct admin.team, or leave it out")]
    NoSuchTeam(TeamSlug),
    /// The store fails.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The call to GitHub failed.
    #[error("{0}")]
    Github(#[from] github::Error),
}

impl Administrators {
    /// Looks nothing up yet. With a store, the id behind a slug is kept there.
    pub fn new(
        named: AdministratorsTeam,
        records: Option<Arc<Records>>,
        github: Arc<Github>,
        clock: Clock,
    ) -> Self {
        Self {
            named,
            resolved: Mutex::default(),
            lately: Cache::new(MAX_ADMINISTRATORS, clock),
            change_was_told: AtomicBool::new(false),
            records,
            github,
        }
    }

    /// Whether the user was found to be one lately. Gives no right: only how many requests they may send.
    pub async fn were_lately(&self, user: UserId) -> bool {
        self.are_named() && self.lately.get(&user).await.is_some()
    }

    /// Whether there can be any.
    pub fn are_named(&self) -> bool {
        self.named != AdministratorsTeam::None
    }

    /// The proof that `caller` is one of them.
    ///
    /// # Errors
    /// They aren't, or it can't be found out.
    pub async fn oversight(&self, teams: &Teams, caller: &Caller) -> Result<Oversight, AccessError> {
        let (id, team) = match &self.named {
            AdministratorsTeam::None => return Err(AccessError::NotAMaintainer),
            AdministratorsTeam::Id(id) => (*id, TeamReference::Id(*id)),
            AdministratorsTeam::Slug(slug) => match self.resolved().await {
                Ok(Resolved::Team(id)) => (id, TeamReference::Slug(slug.clone())),
                Ok(Resolved::Nobody) | Err(Unresolved::NoSuchTeam(_)) => {
                    return Err(AccessError::NotAMaintainer);
                }
                Err(Unresolved::Store(error)) => return Err(error.into()),
                Err(Unresolved::Github(error)) => return Err(error.into()),
            },
        };
        let maintainer = teams.maintainer(caller, &team).await?;
        if maintainer.team().id() == id {
            self.lately.insert(caller.id(), (), LATELY).await;
            return Ok(Oversight(()));
        }
        if !self.change_was_told.swap(true, Ordering::Relaxed) {
            tracing::error!(
                %team,
                team_id = id.0,
                now = maintainer.team().id().0,
                "the slug of admin.team is now another team's, whose maintainers are no administrators: set admin.teamID"
            );
        }
        Err(AccessError::NotAMaintainer)
    }

    /// Finds out at start who the administrators are, and logs what keeps them from being any.
    ///
    /// # Errors
    /// It can't be found out, now or ever.
    pub async fn resolve(&self, teams: &Teams) -> Result<(), Unresolved> {
        match &self.named {
            AdministratorsTeam::None => {}
            AdministratorsTeam::Id(id) => {
                if teams.slug_of(*id).await?.is_none() {
                    tracing::error!(
                        team_id = id.0,
                        "no team has the id of admin.teamID: there are no administrators"
                    );
                }
            }
            AdministratorsTeam::Slug(_) => {
                self.resolved().await?;
            }
        }
        Ok(())
    }

    async fn resolved(&self) -> Result<Resolved, Unresolved> {
        // Held while it is looked up: those who ask meanwhile wait for the one look-up.
        let mut resolved = self.resolved.lock().await;
        if let Some(resolved) = *resolved {
            return Ok(resolved);
        }
        let found = match &self.named {
            AdministratorsTeam::Slug(slug) => self.look_up(slug).await?,
            AdministratorsTeam::None | AdministratorsTeam::Id(_) => Resolved::Nobody,
        };
        *resolved = Some(found);
        Ok(found)
    }

    async fn look_up(&self, slug: &TeamSlug) -> Result<Resolved, Unresolved> {
        let now = match self.github.team(slug).await {
            Ok(team) => Ok(Some(team.id)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        };
        let Some(records) = &self.records else {
            let found = now?;
            if found.is_none() {
                tracing::error!(%slug, "no team has the slug of admin.team: there are no administrators");
            }
            return Ok(found.map_or(Resolved::Nobody, Resolved::Team));
        };
        // Another organisation's store names another team.
        records.bind().await.map_err(|error| match error {
            GroupError::Github(error) => Unresolved::Github(error),
            GroupError::Store(error) => Unresolved::Store(error),
            other => Unresolved::Github(github::Error::unexpected(other.to_string())),
        })?;
        let store = records.store();
        match (store.administrators_of(slug).await?, now) {
            // Each use compares the id, so this is safe without GitHub's word, too.
            (Some(kept), Err(_)) => Ok(Resolved::Team(kept)),
            (Some(kept), Ok(Some(found))) if kept == found => Ok(Resolved::Team(kept)),
            (Some(kept), Ok(found)) => {
                tracing::error!(
                    %slug,
                    team_id = kept.0,
                    now = found.map(|team| team.0),
                    "the slug of admin.team is no longer that of the team it was: there are no administrators until \
                     admin.teamID is set"
                );
                Ok(Resolved::Nobody)
            }
            (None, Ok(Some(found))) => {
                // Another process may have kept one first, which counts.
                let kept = store.keep_administrators(slug, found).await?;
                tracing::info!(%slug, team_id = kept.0, "the administrators' team is known by its id from now on");
                Ok(Resolved::Team(kept))
            }
            (None, Ok(None)) => Err(Unresolved::NoSuchTeam(slug.clone())),
            (None, Err(error)) => Err(error.into()),
        }
    }
}
