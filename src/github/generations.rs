//! Which reads of a group may be shared: nobody joins one that began before a write to the group ended, so that whoever writes
//! and then reads sees the write, in whatever process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;

use crate::domain::ids::GroupId;
use crate::replicas::Replicas;

/// Groups that are remembered at once.
const MAX_GROUPS: u64 = 100_000;

/// The time between the ends of two writes to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation {
    here: u64,
    elsewhere: Elsewhere,
}

/// The writes of other processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Elsewhere {
    /// So many ended before. Always none if there are no others.
    Ended(u64),
    /// They are not known: only whoever has this very number may count on what was read.
    Unknown(u64),
}

/// The current generation of each group.
pub(super) struct Generations {
    current: Cache<GroupId, u64>,
    /// Counts over all groups: a group that was forgotten never gets a number that it had.
    begun: AtomicU64,
    replicas: Arc<Replicas>,
}

impl Generations {
    pub(super) fn new(replicas: Arc<Replicas>) -> Self {
        Self { current: Cache::new(MAX_GROUPS), begun: AtomicU64::new(0), replicas }
    }

    pub(super) async fn of(&self, group: GroupId) -> Generation {
        let elsewhere = if self.replicas.is_shared() {
            // Boxed: a process without others does without.
            match Box::pin(self.replicas.group_writes(group)).await {
                Some(writes) => Elsewhere::Ended(writes.count),
                None => Elsewhere::Unknown(self.next()),
            }
        } else {
            Elsewhere::Ended(0)
        };
        // After the others': what ends here meanwhile is noted there first.
        Generation { here: self.current.get(&group).unwrap_or(0), elsewhere }
    }

    /// Writes to these groups. Whoever is told of its end, however it ends, finds a generation of its own.
    pub(super) async fn write<T>(&self, groups: &[GroupId], write: impl Future<Output = T>) -> T {
        let mut writing = Writing { generations: self, groups, is_noted: false };
        let outcome = write.await;
        if self.replicas.is_shared() {
            Box::pin(self.replicas.note_group_writes(groups)).await;
        }
        writing.is_noted = true;
        outcome
    }

    fn next(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// A write under way.
struct Writing<'a> {
    generations: &'a Generations,
    groups: &'a [GroupId],
    is_noted: bool,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        for group in self.groups {
            self.generations.current.insert(*group, self.generations.next());
        }
        if !self.is_noted {
            self.generations.replicas.note_group_writes_later(self.groups);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::{join_all, pending};

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_write_begins_a_generation_of_its_groups_alone() {
        let generations = Generations::new(Arc::new(Replicas::none()));
        let [first, second, other] = [1, 2, 3].map(GroupId);
        let now = async || join_all([first, second, other].map(|group| generations.of(group))).await;
        let before = now().await;
        let groups = [first, second];
        let mut writing = Box::pin(generations.write(&groups, pending::<()>()));
        assert!((&mut writing).now_or_never().is_none());
        assert_eq!(now().await, before, "it is under way");
        drop(writing);
        let after = now().await;
        assert_ne!((after[0], after[1]), (before[0], before[1]), "also if it is given up");
        assert_eq!(after[2], before[2]);
        generations.write(&[other], async {}).await;
        assert_ne!(now().await[2], before[2]);
    }
}
