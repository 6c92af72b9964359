//! Which runner group is the team's? Found by name once, then known by id.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Authority, Oversight};
use crate::cache::Cache;
use crate::clock::Clock;
use crate::domain::cache_ttls::CacheTtls;
use crate::domain::ids::GroupId;
use crate::github::{Error, Github, RunnerGroup};
use crate::metrics;
use crate::single_flight::SingleFlight;

/// Names that are remembered at once.
const MAX_GROUPS: u64 = 100_000;
/// How long a group's id is remembered; it is checked long before, see [`CacheTtls::group`].
const REMEMBERED_FOR: Duration = Duration::from_hours(24);

/// The proof that a runner group is the team's own: neither Default, nor inherited, and of the right name.
#[derive(Debug, Clone)]
pub struct ManagedGroup {
    id: GroupId,
    name: String,
    selected_repositories_only: bool,
}

impl ManagedGroup {
    fn new(group: &RunnerGroup) -> Self {
        Self {
            id: group.id,
            name: group.name.clone(),
            selected_repositories_only: group.visibility == "selected",
        }
    }

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
    /// The call to GitHub failed.
    #[error("GitHub: {0}")]
    Github(#[from] Error),
}

/// The groups of a name, and until when they are used without a check.
#[derive(Debug, Clone)]
struct Entry {
    namesakes: Namesakes,
    fresh_until: Duration,
}

/// The groups of one name in lower case.
#[derive(Debug, Clone)]
enum Namesakes {
    One(RunnerGroup),
    /// Groups that differ in case only; GitHub should not have let it happen.
    Several,
}

/// The organisation's runner groups, remembered by the name in lower case.
pub struct Groups {
    entries: Cache<String, Arc<Entry>>,
    /// Whether the groups were listed, or the one who was to list them found that somebody else had just done it.
    listing: SingleFlight<(), Result<bool, Error>>,
    checking: SingleFlight<GroupId, Result<RunnerGroup, Error>>,
    ttls: CacheTtls,
    github: Arc<Github>,
    clock: Clock,
}

impl Groups {
    /// Remembers no group yet.
    pub fn new(ttls: CacheTtls, github: Arc<Github>, clock: Clock) -> Self {
        Self {
            entries: Cache::counted(metrics::Cache::Group, MAX_GROUPS, clock.clone()),
            listing: SingleFlight::new(),
            checking: SingleFlight::new(),
            ttls,
            github,
            clock,
        }
    }

    /// The group of the team that `authority` is about.
    pub async fn find(&self, authority: &Authority) -> Result<ManagedGroup, GroupError> {
        let name = authority.team().group();
        if name.is_default() {
            return Err(GroupError::Protected);
        }
        let key = name.key();
        if let Some(entry) = self.entries.get(&key).await {
            if self.is_fresh(&entry) {
                return require_managed(&entry.namesakes);
            }
            if let Namesakes::One(group) = &entry.namesakes {
                match Box::pin(self.check(group.id)).await {
                    Ok(group) if name.is(&group.name) => {
                        self.remember(&group).await;
                        return require_managed(&Namesakes::One(group));
                    }
                    Err(error) if !error.is_not_found() => return Err(error.into()),
                    // Renamed or deleted behind our back.
                    Ok(_) | Err(_) => {}
                }
            }
            self.entries.forget(&key).await;
        }
        // Boxed: the usual case, a fresh entry, needs neither of these large futures.
        Box::pin(self.look_up(key)).await
    }

    /// Every group that belongs to a team, given the names of the teams' groups; always read from GitHub.
    pub async fn managed(&self, _: &Oversight, names: &HashSet<String>) -> Result<Vec<ManagedGroup>, Error> {
        let listed = index_by_name(self.github.runner_groups().await?).into_iter();
        let managed = listed
            .filter(|(key, _)| names.contains(key))
            .filter_map(|(_, namesakes)| require_managed(&namesakes).ok());
        let mut groups: Vec<_> = managed.collect();
        groups.sort_by_key(ManagedGroup::id);
        Ok(groups)
    }

    /// The groups of these names (in lower case), also Default and inherited ones: the administrator listed them.
    pub async fn named(&self, _: &Oversight, names: &HashSet<String>) -> Result<Vec<ManagedGroup>, Error> {
        let groups = self.github.runner_groups().await?;
        Ok(groups
            .iter()
            .filter(|group| names.contains(&group.name.to_lowercase()))
            .map(ManagedGroup::new)
            .collect())
    }

    /// Remembers a group that was just created, or read.
    pub async fn remember(&self, group: &RunnerGroup) {
        self.insert(group.name.to_lowercase(), Namesakes::One(group.clone())).await;
    }

    /// Forgets a group that is gone, or that GitHub no longer finds.
    pub async fn forget(&self, authority: &Authority) {
        self.entries.forget(&authority.team().group().key()).await;
    }

    async fn insert(&self, key: String, namesakes: Namesakes) {
        let entry = Entry { namesakes, fresh_until: self.clock.now() + self.ttls.group };
        self.entries.insert(key, Arc::new(entry), REMEMBERED_FOR).await;
    }

    fn is_fresh(&self, entry: &Entry) -> bool {
        entry.fresh_until > self.clock.now()
    }

    async fn check(&self, id: GroupId) -> Result<RunnerGroup, Error> {
        self.checking.run(id, self.github.runner_group(id)).await
    }

    /// Lists all groups, since GitHub finds none by name, and remembers every one of them.
    async fn look_up(&self, key: String) -> Result<ManagedGroup, GroupError> {
        loop {
            let load = async {
                let just_listed = self.entries.get(&key).await.is_some_and(|entry| self.is_fresh(&entry));
                if just_listed { Ok(false) } else { self.list().await.map(|()| true) }
            };
            let listed = self.listing.run((), load).await?;
            match self.entries.get(&key).await {
                Some(entry) => return require_managed(&entry.namesakes),
                None if listed => return Err(GroupError::NotFound),
                None => {}
            }
        }
    }

    async fn list(&self) -> Result<(), Error> {
        for (key, namesakes) in index_by_name(self.github.runner_groups().await?) {
            self.insert(key, namesakes).await;
        }
        Ok(())
    }
}

fn index_by_name(groups: Vec<RunnerGroup>) -> HashMap<String, Namesakes> {
    let mut by_name: HashMap<String, Namesakes> = HashMap::new();
    for group in groups {
        let entry = by_name.entry(group.name.to_lowercase());
        entry.and_modify(|namesakes| *namesakes = Namesakes::Several).or_insert(Namesakes::One(group));
    }
    by_name
}

fn require_managed(namesakes: &Namesakes) -> Result<ManagedGroup, GroupError> {
    match namesakes {
        Namesakes::One(group) if !group.default && !group.inherited => Ok(ManagedGroup::new(group)),
        Namesakes::One(_) | Namesakes::Several => Err(GroupError::Protected),
    }
}
