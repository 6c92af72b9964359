//! The runners of a team's group: listed, removed, moved to another team's group. Only runners that the group's
//! own list holds at the time of the call are ever touched, and none on which a job runs.

use futures_util::{StreamExt, stream};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{missing_group, reason_of};
use super::selection::{Filter, Selection, SkipReason, Skipped};
use super::{Error, Work};
use crate::access::{Authority, ManagedGroup, Reach};
use crate::domain::ids::RunnerId;
use crate::github::{self, Class, Github, Runner};

/// Writes of one request under way at once.
pub(super) const WRITES_AT_ONCE: usize = 4;

/// A runner as callers see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Runner)]
pub struct RunnerView {
    /// GitHub's id.
    #[schema(value_type = u64)]
    id: RunnerId,
    name: String,
    /// As GitHub says it; unknown until the runner connected once.
    os: String,
    /// As GitHub says it: online or offline.
    status: String,
    /// Whether a job runs on it.
    busy: bool,
    /// Whether it takes one job only.
    ephemeral: bool,
    labels: Vec<String>,
    /// Only where runners of several groups stand together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    group: Option<String>,
}

/// A runner that something was done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TouchedRunner)]
pub struct Touched {
    #[schema(value_type = u64)]
    id: RunnerId,
    name: String,
}

/// What became of each runner that was selected.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Done.
    pub done: Vec<Touched>,
    /// Left alone, and why.
    pub skipped: Vec<Skipped>,
}

impl RunnerView {
    pub(super) fn of(runner: &Runner, group: Option<&ManagedGroup>) -> Self {
        Self {
            id: runner.id,
            name: runner.name.clone(),
            os: runner.os.clone(),
            status: runner.status.clone(),
            busy: runner.busy,
            ephemeral: runner.ephemeral,
            labels: runner.labels.iter().map(|label| label.name.clone()).collect(),
            group: group.map(|group| group.name().to_owned()),
        }
    }
}

impl Touched {
    /// The runner's id.
    pub fn id(&self) -> RunnerId {
        self.id
    }
}

/// The runners of the team's group, or of every managed one.
pub async fn list(work: &Work<Reach>, filter: &Filter) -> Result<Vec<RunnerView>, Error> {
    let everywhere = matches!(work.proof(), Reach::Everything(_));
    let groups = runners_within(work).await?;
    let views = groups.iter().flat_map(|(group, runners)| {
        let shown = everywhere.then_some(group);
        runners.iter().filter(|runner| filter.fits(runner)).map(move |runner| RunnerView::of(runner, shown))
    });
    work.audit_if_administrator();
    Ok(views.collect())
}

/// Removes runners from the organisation; with `dry_run` only says which it would be.
pub async fn remove(work: &Work<Reach>, selection: &Selection, dry_run: bool) -> Result<Outcome, Error> {
    work.line().note(|details| details.dry_run = dry_run);
    let runners = runners_within(work).await?.into_iter().flat_map(|(_, runners)| runners).collect();
    let (chosen, skipped) = selection.choose(runners)?;
    if dry_run || chosen.is_empty() {
        work.audit_if_administrator();
        return Ok(Outcome { done: chosen.iter().map(touched).collect(), skipped });
    }
    work.reserve_line(&chosen)?;
    let own = work.clone();
    let write = async move {
        let outcome = each(&own, &chosen, |id| own.github().delete_runner(id)).await?;
        Ok(Outcome { skipped: outcome.skipped.into_iter().chain(skipped).collect(), ..outcome })
    };
    work.write(Box::pin(write)).await
}

/// Moves runners into the group of another team, which the caller maintains, too.
pub async fn transfer(work: &Work, to: &Authority, selection: &Selection) -> Result<Outcome, Error> {
    let target = work.organisation().groups.find(to).await?;
    work.require_selected(&target)?;
    let (_, runners) = runners_of_team(work).await?;
    let (chosen, skipped) = selection.choose(runners)?;
    if chosen.is_empty() {
        return Ok(Outcome { done: Vec::new(), skipped });
    }
    work.reserve_line(&chosen)?;
    let (own, to) = (work.clone(), to.clone());
    let write = async move {
        let outcome = move_all(&own, &chosen, target, &to).await?;
        Ok(Outcome { skipped: outcome.skipped.into_iter().chain(skipped).collect(), ..outcome })
    };
    work.write(Box::pin(write)).await
}

/// Moves runners into a group that was found for `to`, if it has room for all of them. The audit line stays about the group
/// that they leave.
pub(super) async fn move_all(
    work: &Work,
    runners: &[Runner],
    target: ManagedGroup,
    to: &Authority,
) -> Result<Outcome, Error> {
    work.on_group_of(to, target, |group| async move {
        let _turn = work.turn_for(&group, runners.len()).await?;
        let github = work.github();
        // Looked at again, whatever is remembered: a 404 to a move doesn't tell whether it is the group or the
        // runner that is gone, and the group may no longer be that team's, or be open to everybody.
        let now = github.runner_group(group.id()).await.map_err(missing_group)?;
        let group = work.organisation().groups.confirm(to, &now).await?;
        work.require_selected(&group)?;
        each(work, runners, |id| github.move_runner(id, group.id())).await
    })
    .await
}

/// The runners of each group within reach.
async fn runners_within(work: &Work<Reach>) -> Result<Vec<(ManagedGroup, Vec<Runner>)>, Error> {
    match work.proof() {
        Reach::Team(authority) => Ok(vec![runners_of_team(&work.on_team(authority)).await?]),
        Reach::Everything(oversight) => {
            work.of_managed_groups(oversight, |group| runners_of(work.github(), group)).await
        }
    }
}

async fn runners_of_team(work: &Work) -> Result<(ManagedGroup, Vec<Runner>), Error> {
    work.with_group(|group| runners_of(work.github(), group)).await
}

async fn runners_of(github: &Github, group: ManagedGroup) -> Result<(ManagedGroup, Vec<Runner>), Error> {
    let runners = github.group_runners(group.id()).await.map_err(missing_group)?;
    Ok((group, runners))
}

/// Writes once for each runner, a few at a time, and notes those that were touched. An error only when nothing was done at
/// all.
pub(super) async fn each<P, Written>(
    work: &Work<P>,
    runners: &[Runner],
    write: impl Fn(RunnerId) -> Written,
) -> Result<Outcome, Error>
where
    Written: Future<Output = Result<(), github::Error>>,
{
    let write_one = |(id, name): (RunnerId, String)| {
        let written = write(id);
        async move {
            let outcome = written.await;
            // At once: should the rest be given up, this one was touched all the same.
            if outcome.is_ok() {
                work.line().note(|details| details.runners.push(name));
            }
            outcome
        }
    };
    let whom: Vec<_> = runners.iter().map(|runner| (runner.id, runner.name.clone())).collect();
    let outcomes: Vec<_> =
        stream::iter(whom.into_iter().map(write_one)).buffered(WRITES_AT_ONCE).collect().await;
    let (mut outcome, mut failure) = (Outcome::default(), None);
    for (runner, written) in runners.iter().zip(outcomes) {
        match written {
            Ok(()) => outcome.done.push(touched(runner)),
            Err(error) => match error.class() {
                // It took a job since the list was read.
                Class::Rejected(_) | Class::Conflict => {
                    outcome.skipped.push(Skipped::new(runner, SkipReason::Busy));
                }
                Class::NotFound => outcome.skipped.push(Skipped::new(runner, SkipReason::RunnerNotFound)),
                _ => {
                    outcome.skipped.push(Skipped::new(runner, SkipReason::Failed(reason_of(&error))));
                    failure.get_or_insert(error);
                }
            },
        }
    }
    match failure {
        Some(error) if outcome.done.is_empty() => Err(error.into()),
        _ => Ok(outcome),
    }
}

fn touched(runner: &Runner) -> Touched {
    Touched { id: runner.id, name: runner.name.clone() }
}
