//! GitHub is eventually consistent: what the API made isn't seen everywhere at once, and what it deleted lingers.

use std::collections::HashMap;
use std::time::Duration;

use super::{Group, GroupId, Holder, Runner, RunnerId, World};
use chrono::{DateTime, TimeDelta, Utc};

/// What isn't seen yet, and what is still seen.
pub(super) struct Lag {
    by: TimeDelta,
    hidden_groups: HashMap<GroupId, DateTime<Utc>>,
    deleted_runners: Vec<(Runner, DateTime<Utc>)>,
}

impl Lag {
    pub(super) fn new() -> Self {
        Self { by: TimeDelta::zero(), hidden_groups: HashMap::new(), deleted_runners: Vec::new() }
    }
}

impl World {
    /// Makes this GitHub eventually consistent, by so much of its own clock, for what the API makes or deletes from now
    /// on: a new group isn't found by its number and is missing from lists, a new installation token is refused with
    /// 401, and a deleted runner stays in lists (but isn't found by its number).
    pub fn set_lag(&mut self, lag: Duration) {
        self.lag.by = TimeDelta::from_std(lag).unwrap_or(TimeDelta::MAX);
    }

    /// The moment until which something that happens now isn't seen; `None` without a lag.
    fn seen_from(&self) -> Option<DateTime<Utc>> {
        let lagging = self.lag.by > TimeDelta::zero();
        lagging.then(|| self.now().checked_add_signed(self.lag.by).unwrap_or(DateTime::<Utc>::MAX_UTC))
    }

    pub(crate) fn hide_new_group(&mut self, group: GroupId) {
        if let Some(from) = self.seen_from() {
            self.lag.hidden_groups.insert(group, from);
        }
    }

    pub(crate) fn hide_new_token(&mut self, token: &str) {
        let from = self.seen_from();
        if let Some(Holder::Installation(held)) = self.people.tokens.get_mut(token) {
            held.works_from = from;
        }
    }

    /// Deletes a runner as the API does: it stays in lists for a while.
    pub(crate) fn delete_runner_with_lag(&mut self, runner: RunnerId) {
        let now = self.now();
        self.lag.deleted_runners.retain(|(_, until)| *until > now);
        if let (Some(until), Some(gone)) = (self.seen_from(), self.runner(runner)) {
            let gone = gone.clone();
            self.lag.deleted_runners.push((gone, until));
        }
        self.delete_runner(runner);
    }

    /// The groups that the API shows, by number.
    pub(crate) fn visible_groups(&self) -> impl Iterator<Item = &Group> {
        let now = self.now();
        self.groups().filter(move |group| self.is_visible(group.id, now))
    }

    /// The group with this number, if the API shows it.
    pub(crate) fn visible_group(&self, group: GroupId) -> Option<&Group> {
        self.group(group).filter(|group| self.is_visible(group.id, self.now()))
    }

    fn is_visible(&self, group: GroupId, now: DateTime<Utc>) -> bool {
        self.lag.hidden_groups.get(&group).is_none_or(|from| *from <= now)
    }

    /// The numbers of these runners as a list shows them: with those deleted a moment ago that fit, in order.
    pub(crate) fn listed_runners(
        &self,
        present: impl Iterator<Item = RunnerId>,
        fits: impl Fn(&Runner) -> bool,
    ) -> Vec<RunnerId> {
        let mut seen: Vec<RunnerId> = present.collect();
        let now = self.now();
        let before = seen.len();
        let lingering =
            self.lag.deleted_runners.iter().filter(|(runner, until)| *until > now && fits(runner));
        seen.extend(lingering.map(|(runner, _)| runner.id));
        if seen.len() > before {
            seen.sort();
        }
        seen
    }

    /// A runner of a list.
    pub(crate) fn listed_runner(&self, id: RunnerId) -> Option<&Runner> {
        let deleted = || self.lag.deleted_runners.iter().map(|(runner, _)| runner).find(|gone| gone.id == id);
        self.runner(id).or_else(deleted)
    }
}
