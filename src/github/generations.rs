//! Which reads of a group may be shared: nobody joins one that began before a write to the group ended, so that whoever writes
//! and then reads sees the write.

use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;

use crate::domain::ids::GroupId;

/// Groups that are remembered at once.
const MAX_GROUPS: u64 = 100_000;

/// The time between the ends of two writes to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation(u64);

/// The current generation of each group.
pub(super) struct Generations {
    current: Cache<GroupId, Generation>,
    /// Counts over all groups: a group that was forgotten never gets one that it had.
    begun: AtomicU64,
}

impl Generations {
    pub(super) fn new() -> Self {
        Self { current: Cache::new(MAX_GROUPS), begun: AtomicU64::new(0) }
    }

    pub(super) fn of(&self, group: GroupId) -> Generation {
        self.current.get(&group).unwrap_or(Generation(0))
    }

    /// Marks a write to these groups, to be held until it ended, however it ends.
    pub(super) fn writing<const N: usize>(&self, groups: [GroupId; N]) -> Writing<'_, N> {
        Writing { generations: self, groups }
    }
}

/// A write under way.
#[must_use]
pub(super) struct Writing<'a, const N: usize> {
    generations: &'a Generations,
    groups: [GroupId; N],
}

impl<const N: usize> Drop for Writing<'_, N> {
    fn drop(&mut self) {
        for group in self.groups {
            let next = self.generations.begun.fetch_add(1, Ordering::Relaxed) + 1;
            self.generations.current.insert(group, Generation(next));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_write_begins_a_generation_of_its_groups_alone() {
        let generations = Generations::new();
        let [first, second, other] = [1, 2, 3].map(GroupId);
        let before = [first, second, other].map(|group| generations.of(group));
        let writing = generations.writing([first, second]);
        assert_eq!([first, second, other].map(|group| generations.of(group)), before, "it is under way");
        drop(writing);
        let after = [first, second, other].map(|group| generations.of(group));
        assert_ne!((after[0], after[1]), (before[0], before[1]));
        assert_eq!(after[2], before[2]);
    }
}
