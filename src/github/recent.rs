//! What this process did lately that GitHub's answers may not show yet: they come from copies that are brought up to date a
//! moment later.

use std::time::Duration;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::domain::ids::{GroupId, RunnerId};

/// For so long after it was made, a group that GitHub doesn't find is taken for one that it doesn't show yet.
const MADE_LATELY: Duration = Duration::from_secs(10);
/// For so long after GitHub confirmed its removal, a runner on a list is taken for one that it still shows.
const REMOVED_LATELY: Duration = Duration::from_mins(1);
/// The most of each that are remembered: what a process does in that time is far less.
const MAX_REMEMBERED: u64 = 10_000;

/// Groups made and runners removed by this process a short while ago.
pub(super) struct Recent {
    made: Cache<GroupId, ()>,
    removed: Cache<RunnerId, ()>,
}

impl Recent {
    pub(super) fn new(clock: &Clock) -> Self {
        Self {
            made: Cache::new(MAX_REMEMBERED, clock.clone()),
            removed: Cache::new(MAX_REMEMBERED, clock.clone()),
        }
    }

    /// A group was made.
    pub(super) async fn made(&self, group: GroupId) {
        self.made.insert(group, (), MADE_LATELY).await;
    }

    /// A group was deleted: from now on GitHub is right not to find it.
    pub(super) async fn deleted(&self, group: GroupId) {
        self.made.forget(&group).await;
    }

    /// Whether GitHub may not show a group yet.
    pub(super) async fn may_lag(&self, group: GroupId) -> bool {
        self.made.get(&group).await.is_some()
    }

    /// A runner was removed.
    pub(super) async fn removed(&self, runner: RunnerId) {
        self.removed.insert(runner, (), REMOVED_LATELY).await;
    }

    /// A list of runners without those that are gone.
    pub(super) async fn without_removed<R>(&self, listed: Vec<R>, id: impl Fn(&R) -> RunnerId) -> Vec<R> {
        let mut left = Vec::with_capacity(listed.len());
        for runner in listed {
            if self.removed.get(&id(&runner)).await.is_none() {
                left.push(runner);
            }
        }
        left
    }
}
