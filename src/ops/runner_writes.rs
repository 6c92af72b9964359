//! Writes to runners: removed from the organisation, or moved to another group. Right before each, the runner is known to be
//! in the group by a response of the last seconds: since its list was read, it may have become another team's.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::Mutex;

use super::error::reason_of;
use super::runners::{Outcome, Touched};
use super::selection::{SkipReason, Skipped};
use super::{Error, Work};
use crate::domain::ids::{GroupId, RunnerId};
use crate::github::{self, Class, Github, Runner};
use crate::organisation::{Moved, Organisation};

/// Writes of one request under way at once.
pub(super) const WRITES_AT_ONCE: usize = 4;
/// A runner is written to if its group was asked for within this time; otherwise it is asked for again.
const MAX_AGE: Duration = Duration::from_secs(5);

/// When something was written is known about as exactly as this.
const TOLERANCE: Duration = Duration::from_secs(1);

/// A runner that a group's list held.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) runner: Runner,
    pub(super) group: GroupId,
    /// When the reading of the list began, on the service's clock.
    pub(super) as_of: Duration,
}

/// What is done to runners.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    /// They are removed from the organisation.
    Remove,
    /// They are moved into this group.
    MoveTo(GroupId),
}

/// How a write to one runner ended.
enum End {
    Done,
    Skipped(SkipReason),
    Failed(github::Error),
}

/// What a write needs of a runner.
struct Target {
    id: RunnerId,
    name: String,
    group: GroupId,
    as_of: Duration,
}

/// Reads runners again, for one request.
pub(super) struct Rereads<'a> {
    organisation: &'a Organisation,
    /// Groups' lists, and when their reading began: of servers that don't say which group a runner is in.
    lists: Mutex<HashMap<GroupId, (Duration, Vec<Runner>)>>,
}

impl Listed {
    /// The runners of a group's list.
    pub(super) fn all(runners: Vec<Runner>, group: GroupId, as_of: Duration) -> Vec<Self> {
        runners.into_iter().map(|runner| Self { runner, group, as_of }).collect()
    }
}

impl Borrow<Runner> for Listed {
    fn borrow(&self) -> &Runner {
        &self.runner
    }
}

impl Action {
    async fn perform(self, github: &Github, target: &Target) -> Result<(), github::Error> {
        match self {
            Self::Remove => github.delete_runner(target.id, target.group).await,
            Self::MoveTo(group) => github.move_runner(target.id, target.group, group).await,
        }
    }

    /// Where the runner was moved, or may have been.
    fn moved(self, outcome: &Result<(), github::Error>, at: Duration) -> Option<Moved> {
        let Self::MoveTo(to) = self else { return None };
        match outcome.as_ref().map_err(github::Error::class) {
            Ok(()) => Some(Moved { to, at, is_confirmed: true }),
            Err(Class::Timeout | Class::Faulty { .. } | Class::Unexpected) => {
                Some(Moved { to, at, is_confirmed: false })
            }
            Err(_) => None,
        }
    }
}

/// Writes once for each runner, a few at a time, and notes those that were touched. Those that are no longer in the group they
/// were listed in, took a job, or no longer fit are skipped. An error only when nothing was done at all.
pub(super) async fn each<P>(
    work: &Work<P>,
    runners: &[Listed],
    action: Action,
    fits: impl Fn(&Runner) -> bool,
) -> Result<Outcome, Error> {
    let rereads = Rereads::of(work);
    let targets: Vec<_> = runners.iter().map(Target::of).collect();
    let writes = targets.into_iter().map(|target| one(work, &rereads, target, action, &fits));
    let ends: Vec<_> = stream::iter(writes).buffered(WRITES_AT_ONCE).collect().await;
    let (mut outcome, mut failure) = (Outcome::default(), None);
    for (Listed { runner, .. }, end) in runners.iter().zip(ends) {
        match end {
            End::Done => outcome.done.push(Touched::of(runner)),
            End::Skipped(reason) => outcome.skipped.push(Skipped::new(runner, reason)),
            End::Failed(error) => {
                outcome.skipped.push(Skipped::new(runner, SkipReason::Failed(reason_of(&error))));
                failure.get_or_insert(error);
            }
        }
    }
    match failure {
        Some(error) if outcome.done.is_empty() => Err(error.into()),
        _ => Ok(outcome),
    }
}

async fn one<P>(
    work: &Work<P>,
    rereads: &Rereads<'_>,
    target: Target,
    action: Action,
    fits: &impl Fn(&Runner) -> bool,
) -> End {
    // Until the end, nobody else in this process moves or removes it.
    let mut moved = work.organisation().runner_turns.turn_with(target.id).await;
    match rereads.reason_to_skip(&target, *moved, fits).await {
        Ok(None) => {}
        Ok(Some(reason)) => return End::Skipped(reason),
        Err(error) => return End::Failed(error),
    }
    let outcome = action.perform(work.github(), &target).await;
    if let Some(now) = action.moved(&outcome, work.organisation().clock.now()) {
        *moved = Some(now);
    }
    match outcome {
        Ok(()) => {
            // At once: should the rest be given up, this one was touched all the same.
            work.line().note(|details| details.runners.push(target.name));
            End::Done
        }
        Err(error) => match error.class() {
            // It took a job since it was read.
            Class::Rejected(_) | Class::Conflict => End::Skipped(SkipReason::Busy),
            Class::NotFound => End::Skipped(SkipReason::RunnerNotFound),
            _ => End::Failed(error),
        },
    }
}

impl Target {
    fn of(Listed { runner, group, as_of }: &Listed) -> Self {
        Self { id: runner.id, name: runner.name.clone(), group: *group, as_of: *as_of }
    }
}

impl<'a> Rereads<'a> {
    pub(super) fn of<P>(work: &'a Work<P>) -> Self {
        Self { organisation: work.organisation(), lists: Mutex::default() }
    }

    /// Why a runner is not written to, by what is known of it now; `moved` is where this process moved it.
    async fn reason_to_skip(
        &self,
        target: &Target,
        moved: Option<Moved>,
        fits: &impl Fn(&Runner) -> bool,
    ) -> Result<Option<SkipReason>, github::Error> {
        match moved.filter(|moved| moved.to != target.group && moved.at >= target.as_of) {
            Some(moved) if moved.is_confirmed => return Ok(Some(SkipReason::RunnerNotFound)),
            None if self.is_fresh(target.as_of) && !self.others_wrote(target).await => return Ok(None),
            Some(_) | None => {}
        }
        Ok(match self.runner(target.id, target.group).await? {
            None => Some(SkipReason::RunnerNotFound),
            Some(runner) if runner.busy => Some(SkipReason::Busy),
            Some(runner) if !fits(&runner) => Some(SkipReason::NotMatching),
            Some(_) => None,
        })
    }

    /// Whether another process may have written to the group since it was read.
    async fn others_wrote(&self, target: &Target) -> bool {
        let (clock, replicas) = (&self.organisation.clock, &self.organisation.replicas);
        if !replicas.is_shared() {
            return false;
        }
        let Some(writes) = replicas.group_writes(target.group).await else { return true };
        writes.others_latest.is_some_and(|ago| clock.now().saturating_sub(ago) + TOLERANCE >= target.as_of)
    }

    /// The runner as it is now; none if it is no longer in the group.
    pub(super) async fn runner(&self, id: RunnerId, group: GroupId) -> Result<Option<Runner>, github::Error> {
        if !self.lists.lock().await.contains_key(&group) {
            match self.organisation.github.runner(id).await {
                Ok(runner) => {
                    if let Some(now_in) = runner.runner_group_id {
                        return Ok((now_in == group).then_some(runner));
                    }
                }
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        self.listed(id, group).await
    }

    /// The runner in the group's own list, which is read at most once in [`MAX_AGE`].
    async fn listed(&self, id: RunnerId, group: GroupId) -> Result<Option<Runner>, github::Error> {
        // Held while the list is read, so that it is read once for all who wait.
        let mut lists = self.lists.lock().await;
        if !lists.get(&group).is_some_and(|(as_of, _)| self.is_fresh(*as_of)) {
            let as_of = self.organisation.clock.now();
            let runners = match self.organisation.github.group_runners(group).await {
                // With the group its runners are gone from it.
                Err(error) if error.is_not_found() => Vec::new(),
                outcome => outcome?,
            };
            lists.insert(group, (as_of, runners));
        }
        let list = lists.get(&group).map(|(_, runners)| runners.as_slice()).unwrap_or_default();
        Ok(list.iter().find(|runner| runner.id == id).cloned())
    }

    fn is_fresh(&self, as_of: Duration) -> bool {
        self.organisation.clock.now().saturating_sub(as_of) <= MAX_AGE
    }
}
