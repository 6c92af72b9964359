//! Without a store, the name of a group says whose it is: it is the one that the template gives for the team's slug and id.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Checks, GroupError, MAX_GROUPS, ManagedGroup, REMEMBERED_FOR, managed};
use crate::cache::Cache;
use crate::clock::Clock;
use crate::domain::template::GroupName;
use crate::github::{Error, Github, RunnerGroup};
use crate::metrics;
use crate::single_flight::SingleFlight;

/// The groups of a name, and until when they are used without a check.
#[derive(Debug, Clone)]
struct Entry {
    namesakes: Namesakes,
    fresh_until: Duration,
}

/// The groups of one name in lower case.
#[derive(Debug, Clone)]
pub(super) enum Namesakes {
    One(RunnerGroup),
    /// Groups that differ in case only; GitHub should not have let it happen.
    Several,
}

impl Namesakes {
    /// The proof, if there is just one that may be managed.
    pub(super) fn require_managed(&self) -> Result<ManagedGroup, GroupError> {
        match self {
            Self::One(group) => managed(group),
            Self::Several => Err(GroupError::Protected),
        }
    }
}

/// The organisation's runner groups, remembered by the name in lower case.
pub(super) struct ByName {
    entries: Cache<String, Arc<Entry>>,
    /// Whether the groups were listed, or the one who was to list them found that somebody else had just done it.
    listing: SingleFlight<(), Result<bool, Error>>,
    ttl: Duration,
    github: Arc<Github>,
    clock: Clock,
}

impl ByName {
    pub(super) fn new(ttl: Duration, github: Arc<Github>, clock: Clock) -> Self {
        Self {
            entries: Cache::counted(metrics::Cache::Group, MAX_GROUPS, clock.clone()),
            listing: SingleFlight::new(),
            ttl,
            github,
            clock,
        }
    }

    /// The group of this name.
    pub(super) async fn find(&self, name: &GroupName, checks: &Checks) -> Result<ManagedGroup, GroupError> {
        let key = name.key();
        if let Some(entry) = self.entries.get(&key).await {
            if self.is_fresh(&entry) {
                return entry.namesakes.require_managed();
            }
            if let Namesakes::One(group) = &entry.namesakes {
                match Box::pin(checks.check(group.id, checks.github.runner_group(group.id))).await {
                    Ok(group) if name.is(&group.name) => {
                        self.remember(&group).await;
                        return managed(&group);
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

    /// Remembers a group that was just created, or read.
    pub(super) async fn remember(&self, group: &RunnerGroup) {
        self.insert(group.name.to_lowercase(), Namesakes::One(group.clone())).await;
    }

    /// Forgets a group that is gone, or that GitHub no longer finds.
    pub(super) async fn forget(&self, name: &GroupName) {
        self.entries.forget(&name.key()).await;
    }

    async fn insert(&self, key: String, namesakes: Namesakes) {
        let entry = Entry { namesakes, fresh_until: self.clock.now() + self.ttl };
        self.entries.insert(key, Arc::new(entry), REMEMBERED_FOR).await;
    }

    fn is_fresh(&self, entry: &Entry) -> bool {
        entry.fresh_until > self.clock.now()
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
                Some(entry) => return entry.namesakes.require_managed(),
                None if listed => return Err(GroupError::NotFound),
                None => {}
            }
        }
    }

    async fn list(&self) -> Result<(), Error> {
        for (key, namesakes) in index(self.github.runner_groups().await?) {
            self.insert(key, namesakes).await;
        }
        Ok(())
    }
}

/// Groups by their names in lower case.
pub(super) fn index(groups: Vec<RunnerGroup>) -> HashMap<String, Namesakes> {
    let mut by_name: HashMap<String, Namesakes> = HashMap::new();
    for group in groups {
        let entry = by_name.entry(group.name.to_lowercase());
        entry.and_modify(|namesakes| *namesakes = Namesakes::Several).or_insert(Namesakes::One(group));
    }
    by_name
}
