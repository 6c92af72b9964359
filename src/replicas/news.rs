//! What the other processes don't know yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use crate::domain::ids::GroupId;

/// Groups whose writes wait to be noted; more are noted no earlier than their next write.
const MAX_GROUPS: usize = 10_000;

/// What is to be told.
#[derive(Default)]
pub(super) struct News {
    waiting: Mutex<Waiting>,
    came: Notify,
}

#[derive(Default)]
struct Waiting {
    /// What GitHub asked to wait for, and until when. In one order, so that no two processes wait for each other's rows.
    holds: BTreeMap<String, Instant>,
    /// Groups that were written to.
    groups: BTreeSet<GroupId>,
}

impl News {
    /// GitHub asked to wait. Told at once.
    pub(super) fn tell_hold(&self, scope: String, until: Instant) {
        self.lock().hold(scope, until);
        self.came.notify_one();
    }

    /// Groups were written to, and that could not be noted.
    pub(super) fn note_later(&self, groups: &[GroupId]) {
        self.lock().groups(groups);
    }

    /// Waits until there is something to tell at once.
    pub(super) async fn there_is_some(&self) {
        self.came.notified().await;
    }

    /// Everything that is to be told.
    pub(super) fn take(&self) -> (Vec<(String, Instant)>, Vec<GroupId>) {
        let Waiting { holds, groups } = std::mem::take(&mut *self.lock());
        (holds.into_iter().collect(), groups.into_iter().collect())
    }

    /// It could not be told.
    pub(super) fn give_back(&self, holds: Vec<(String, Instant)>, groups: &[GroupId]) {
        let mut waiting = self.lock();
        let now = Instant::now();
        for (scope, until) in holds.into_iter().filter(|(_, until)| *until > now) {
            waiting.hold(scope, until);
        }
        waiting.groups(groups);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn hold(&mut self, scope: String, until: Instant) {
        let latest = self.holds.entry(scope).or_insert(until);
        *latest = until.max(*latest);
    }

    fn groups(&mut self, groups: &[GroupId]) {
        let room = MAX_GROUPS.saturating_sub(self.groups.len());
        self.groups.extend(groups.iter().take(room));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_could_not_be_told_is_told_later_unless_it_is_over() {
        let (news, now) = (News::default(), Instant::now());
        news.tell_hold("all".to_owned(), now + Duration::from_mins(1));
        news.tell_hold("resource:core".to_owned(), now);
        news.note_later(&[GroupId(2), GroupId(1)]);
        let (holds, groups) = news.take();
        assert_eq!((holds.len(), groups.as_slice()), (2, [GroupId(1), GroupId(2)].as_slice()));
        assert_eq!(news.take(), (Vec::new(), Vec::new()));
        news.tell_hold("all".to_owned(), now + Duration::from_mins(2));
        news.give_back(holds, &groups);
        let later = ("all".to_owned(), now + Duration::from_mins(2));
        assert_eq!(news.take(), (vec![later], vec![GroupId(1), GroupId(2)]));
    }
}
