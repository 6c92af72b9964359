//! Which runner group is the team's? Found by name once, then known by id.

use std::sync::Arc;
use std::time::Duration;

use super::{Authority, Keep};
use crate::domain::clock::Clock;
use crate::domain::template::GroupName;
use crate::github::{Error, Github, RunnerGroup};
use crate::timed_cache::TimedCache;

/// Groups that are known at once.
const MOST_GROUPS: u64 = 100_000;
/// How long a group's id is remembered; it is looked at again long before, see [`Keep::group`].
const REMEMBERED: Duration = Duration::from_hours(24);

/// The proof that a runner group is the team's own: neither Default, nor inherited, and of the right name.
#[derive(Debug, Clone)]
pub struct ManagedGroup {
    id: u64,
    name: String,
    selected_repositories_only: bool,
}

impl ManagedGroup {
    /// GitHub's id of the group.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The name as GitHub has it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether repositories can be added and removed one by one.
    pub fn selected_repositories_only(&self) -> bool {
        self.selected_repositories_only
    }
}

/// Why there is no group to manage.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GroupError {
    /// The team has no group.
    #[error("no such group")]
    NotFound,
    /// The name is that of the Default group or of one that the enterprise shares.
    #[error("the group is not managed")]
    Protected,
    /// GitHub couldn't be asked.
    #[error("GitHub: {0}")]
    Github(#[from] Error),
}

/// A group's id, and until when it is used without looking.
#[derive(Debug, Clone)]
struct Known {
    group: RunnerGroup,
    fresh_until: Duration,
}

/// What is known about groups, by the name in lower case.
pub struct Groups {
    known: TimedCache<String, Arc<Known>>,
    /// Kept for no time: only joins those who list at once.
    listing: TimedCache<(), Result<Arc<Vec<RunnerGroup>>, Error>>,
    /// Kept for no time: only joins those who check the same group at once.
    checking: TimedCache<u64, Result<RunnerGroup, Error>>,
    keep: Keep,
    clock: Clock,
}

impl Groups {
    /// Knows no group yet.
    pub fn new(keep: Keep, clock: Clock) -> Self {
        Self {
            known: TimedCache::new(MOST_GROUPS, clock.clone()),
            listing: TimedCache::new(1, clock.clone()),
            checking: TimedCache::new(MOST_GROUPS, clock.clone()),
            keep,
            clock,
        }
    }

    /// The group of the team that `authority` is about.
    pub async fn find(&self, github: &Github, authority: &Authority) -> Result<ManagedGroup, GroupError> {
        let name = authority.team().group();
        if name.is_default() {
            return Err(GroupError::Protected);
        }
        if let Some(known) = self.known.get(&name.key()).await {
            if known.fresh_until > self.clock.now() {
                return managed(&known.group);
            }
            match Box::pin(self.check(github, known.group.id)).await {
                Ok(group) if name.is(&group.name) => {
                    self.remember(&group).await;
                    return managed(&group);
                }
                Err(error) if !error.is_not_found() => return Err(error.into()),
                // Renamed or deleted behind our back.
                Ok(_) | Err(_) => self.known.forget(&name.key()).await,
            }
        }
        // Boxed: the usual case, a fresh entry, needs neither of these large futures.
        Box::pin(self.look_up(github, name)).await
    }

    /// Takes note of a group that was just created, or read.
    pub async fn remember(&self, group: &RunnerGroup) {
        let known = Known { group: group.clone(), fresh_until: self.clock.now() + self.keep.group };
        self.known.insert(group.name.to_lowercase(), Arc::new(known), REMEMBERED).await;
    }

    /// Forgets a group that is gone, or that GitHub no longer finds.
    pub async fn forget(&self, authority: &Authority) {
        self.known.forget(&authority.team().group().key()).await;
    }

    async fn check(&self, github: &Github, id: u64) -> Result<RunnerGroup, Error> {
        self.checking.get_or_load(id, async { (github.runner_group(id).await, Duration::ZERO) }).await
    }

    /// Lists all groups, since GitHub finds none by name, and remembers every one of them.
    async fn look_up(&self, github: &Github, name: &GroupName) -> Result<ManagedGroup, GroupError> {
        let load = async {
            match github.runner_groups().await {
                Ok(groups) => {
                    for group in &groups {
                        self.remember(group).await;
                    }
                    (Ok(Arc::new(groups)), Duration::ZERO)
                }
                Err(error) => (Err(error), Duration::ZERO),
            }
        };
        let groups = self.listing.get_or_load((), load).await?;
        let matching: Vec<_> = groups.iter().filter(|group| name.is(&group.name)).collect();
        match matching.as_slice() {
            [] => Err(GroupError::NotFound),
            [only] => managed(only),
            // Should two share a name but for letter case, only an exact match beside no protected one will do.
            several => {
                self.known.forget(&name.key()).await;
                let exact = several.iter().find(|group| group.name == name.as_str());
                let protected = several.iter().any(|group| group.default || group.inherited);
                exact.filter(|_| !protected).map_or(Err(GroupError::Protected), |group| managed(group))
            }
        }
    }
}

fn managed(group: &RunnerGroup) -> Result<ManagedGroup, GroupError> {
    if group.default || group.inherited {
        return Err(GroupError::Protected);
    }
    Ok(ManagedGroup {
        id: group.id,
        name: group.name.clone(),
        selected_repositories_only: group.visibility == "selected",
    })
}
