//! Which runner group is the team's? Found by name once, then known by id.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Authority, Keep, Oversight};
use crate::clock::Clock;
use crate::domain::ids::GroupId;
use crate::github::{Error, Github, RunnerGroup};
use crate::metrics;
use crate::timed_cache::TimedCache;

/// Groups that are known at once.
const MOST_GROUPS: u64 = 100_000;
/// How long a group's id is remembered; it is looked at again long before, see [`Keep::group`].
const REMEMBERED: Duration = Duration::from_hours(24);

/// The proof that a runner group is the team's own: neither Default, nor inherited, and of the right name.
#[derive(Debug, Clone)]
pub struct ManagedGroup {
    id: GroupId,
    name: String,
    selected_repositories_only: bool,
}

impl ManagedGroup {
    /// GitHub's id of the group.
    pub fn id(&self) -> GroupId {
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

/// What is known under a name, and until when it is used without looking.
#[derive(Debug, Clone)]
struct Known {
    found: Found,
    fresh_until: Duration,
}

#[derive(Debug, Clone)]
enum Found {
    One(RunnerGroup),
    /// Groups that differ in letter case only; GitHub should not have let it happen.
    Several,
}

/// What is known about groups, by the name in lower case.
pub struct Groups {
    known: TimedCache<String, Arc<Known>>,
    /// Kept for no time: only joins those who list at once. Whether the groups were listed, or the one who
    /// was to list them found that somebody else had just done it.
    listing: TimedCache<(), Result<bool, Error>>,
    /// Kept for no time: only joins those who check the same group at once.
    checking: TimedCache<GroupId, Result<RunnerGroup, Error>>,
    keep: Keep,
    clock: Clock,
}

impl Groups {
    /// Knows no group yet.
    pub fn new(keep: Keep, clock: Clock) -> Self {
        Self {
            known: TimedCache::counted(metrics::Cache::Group, MOST_GROUPS, clock.clone()),
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
        let key = name.key();
        if let Some(known) = self.known.get(&key).await {
            if self.is_fresh(&known) {
                return managed(&known.found);
            }
            if let Found::One(group) = &known.found {
                match Box::pin(self.check(github, group.id)).await {
                    Ok(group) if name.is(&group.name) => {
                        self.remember(&group).await;
                        return managed(&Found::One(group));
                    }
                    Err(error) if !error.is_not_found() => return Err(error.into()),
                    // Renamed or deleted behind our back.
                    Ok(_) | Err(_) => {}
                }
            }
            self.known.forget(&key).await;
        }
        // Boxed: the usual case, a fresh entry, needs neither of these large futures.
        Box::pin(self.look_up(github, key)).await
    }

    /// Every group that belongs to a team, given the names that teams' groups have; always read anew.
    pub async fn managed(
        &self,
        github: &Github,
        _: &Oversight,
        names: &HashSet<String>,
    ) -> Result<Vec<ManagedGroup>, Error> {
        let found = by_name(github.runner_groups().await?);
        let is_managed = |(key, found)| if names.contains(&key) { managed(&found).ok() } else { None };
        let mut groups: Vec<_> = found.into_iter().filter_map(is_managed).collect();
        groups.sort_by_key(ManagedGroup::id);
        Ok(groups)
    }

    /// The groups of these names (in lower case), also Default and inherited ones: the administrator listed them.
    pub async fn named(
        &self,
        github: &Github,
        _: &Oversight,
        names: &HashSet<String>,
    ) -> Result<Vec<ManagedGroup>, Error> {
        let groups = github.runner_groups().await?;
        Ok(groups.iter().filter(|group| names.contains(&group.name.to_lowercase())).map(of).collect())
    }

    /// Takes note of a group that was just created, or read.
    pub async fn remember(&self, group: &RunnerGroup) {
        self.keep(group.name.to_lowercase(), Found::One(group.clone())).await;
    }

    /// Forgets a group that is gone, or that GitHub no longer finds.
    pub async fn forget(&self, authority: &Authority) {
        self.known.forget(&authority.team().group().key()).await;
    }

    async fn keep(&self, key: String, found: Found) {
        let known = Known { found, fresh_until: self.clock.now() + self.keep.group };
        self.known.insert(key, Arc::new(known), REMEMBERED).await;
    }

    fn is_fresh(&self, known: &Known) -> bool {
        known.fresh_until > self.clock.now()
    }

    async fn check(&self, github: &Github, id: GroupId) -> Result<RunnerGroup, Error> {
        self.checking.get_or_load(id, async { (github.runner_group(id).await, Duration::ZERO) }).await
    }

    /// Lists all groups, since GitHub finds none by name, and remembers every one of them.
    async fn look_up(&self, github: &Github, key: String) -> Result<ManagedGroup, GroupError> {
        loop {
            let load = async {
                let just_listed = self.known.get(&key).await.is_some_and(|known| self.is_fresh(&known));
                let listed = if just_listed { Ok(false) } else { self.list(github).await.map(|()| true) };
                (listed, Duration::ZERO)
            };
            let listed = self.listing.get_or_load((), load).await?;
            match self.known.get(&key).await {
                Some(known) => return managed(&known.found),
                None if listed => return Err(GroupError::NotFound),
                None => {}
            }
        }
    }

    async fn list(&self, github: &Github) -> Result<(), Error> {
        for (key, found) in by_name(github.runner_groups().await?) {
            self.keep(key, found).await;
        }
        Ok(())
    }
}

fn by_name(groups: Vec<RunnerGroup>) -> HashMap<String, Found> {
    let mut found: HashMap<String, Found> = HashMap::new();
    for group in groups {
        let same_name = found.entry(group.name.to_lowercase());
        same_name.and_modify(|found| *found = Found::Several).or_insert(Found::One(group));
    }
    found
}

fn managed(found: &Found) -> Result<ManagedGroup, GroupError> {
    match found {
        Found::One(group) if !group.default && !group.inherited => Ok(of(group)),
        Found::One(_) | Found::Several => Err(GroupError::Protected),
    }
}

fn of(group: &RunnerGroup) -> ManagedGroup {
    ManagedGroup {
        id: group.id,
        name: group.name.clone(),
        selected_repositories_only: group.visibility == "selected",
    }
}
