//! The runners of a team's group: listed, removed, moved to another team's group. Only runners that the group's
//! own list holds at the time of the call are ever touched, and none on which a job runs.

use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::missing_group;
use super::runner_writes::{Action, Listed, each};
use super::selection::{Filter, Selection, Skipped};
use super::{Error, Work};
use crate::access::{Authority, ManagedGroup, Reach};
use crate::domain::ids::RunnerId;
use crate::github::{Runner, SharedList};

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
    pub(super) fn of(runner: &Runner) -> Self {
        Self { id: runner.id, name: runner.name.clone() }
    }

    /// The runner's id.
    pub fn id(&self) -> RunnerId {
        self.id
    }
}

/// The runners of the team's group, or of every managed one.
pub async fn list(
    work: &Work<Reach>,
    filter: &Filter,
    render: fn(Vec<RunnerView>) -> Bytes,
) -> Result<Bytes, Error> {
    let rendered = match work.proof() {
        Reach::Team(authority) => {
            let work = work.on_team(authority);
            work.with_group(|group| shown(&work, group, filter, render)).await?
        }
        Reach::Everything(oversight) => {
            let groups = work.of_managed_groups(oversight, |group| shown_runners(work, group)).await?;
            let views = groups.iter().flat_map(|(group, runners)| {
                let fitting = runners.iter().filter(|runner| filter.fits(runner));
                fitting.map(move |runner| RunnerView::of(runner, Some(group)))
            });
            render(views.collect())
        }
    };
    work.audit_if_administrator();
    Ok(rendered)
}

/// The runners of one group.
async fn shown(
    work: &Work,
    group: ManagedGroup,
    filter: &Filter,
    render: fn(Vec<RunnerView>) -> Bytes,
) -> Result<Bytes, Error> {
    let (own_filter, id) = (filter.clone(), group.id());
    let make = move |work: Work| async move {
        let runners = work.github().shown_runners(id).await?;
        let fitting = runners.iter().filter(|runner| own_filter.fits(runner));
        Ok(render(fitting.map(|runner| RunnerView::of(runner, None)).collect()))
    };
    work.view("runners-list", &group, filter.key(), make).await
}

async fn shown_runners<P>(
    work: &Work<P>,
    group: ManagedGroup,
) -> Result<(ManagedGroup, SharedList<Runner>), Error> {
    let runners = work.github().shown_runners(group.id()).await.map_err(missing_group)?;
    Ok((group, runners))
}

/// Removes runners from the organisation; with `dry_run` only says which it would be.
pub async fn remove(work: &Work<Reach>, selection: &Selection, dry_run: bool) -> Result<Outcome, Error> {
    work.line().note(|details| details.dry_run = dry_run);
    let runners = runners_within(work).await?.into_iter().flat_map(|(_, runners)| runners).collect();
    let (chosen, skipped) = selection.choose(runners)?;
    if dry_run || chosen.is_empty() {
        work.audit_if_administrator();
        return Ok(Outcome {
            done: chosen.iter().map(|listed| Touched::of(&listed.runner)).collect(),
            skipped,
        });
    }
    work.reserve_line(&chosen)?;
    let (own, selection) = (work.clone(), selection.clone());
    let write = async move {
        let outcome = each(&own, &chosen, Action::Remove, |runner| selection.fits(runner)).await?;
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
    let (own, to, selection) = (work.clone(), to.clone(), selection.clone());
    let write = async move {
        let fits = |runner: &Runner| selection.fits(runner);
        let outcome = move_all(&own, &chosen, target, &to, fits).await?;
        Ok(Outcome { skipped: outcome.skipped.into_iter().chain(skipped).collect(), ..outcome })
    };
    work.write(Box::pin(write)).await
}

/// Moves runners into a group that was found for `to`, if it has room for all of them. The audit line stays about the group
/// that they leave.
pub(super) async fn move_all(
    work: &Work,
    runners: &[Listed],
    target: ManagedGroup,
    to: &Authority,
    fits: impl Fn(&Runner) -> bool + Copy,
) -> Result<Outcome, Error> {
    work.on_group_of(to, target, |group| async move {
        let _turn = work.turn_for(&group, runners.len()).await?;
        let github = work.github();
        // Looked at again, whatever is remembered: a 404 to a move doesn't tell whether it is the group or the
        // runner that is gone, and the group may no longer be that team's, or be open to everybody.
        let now = github.runner_group(group.id()).await.map_err(missing_group)?;
        let group = work.organisation().groups.confirm(to, &now).await?;
        work.require_selected(&group)?;
        each(work, runners, Action::MoveTo(group.id()), fits).await
    })
    .await
}

/// The runners of each group within reach.
async fn runners_within(work: &Work<Reach>) -> Result<Vec<(ManagedGroup, Vec<Listed>)>, Error> {
    match work.proof() {
        Reach::Team(authority) => Ok(vec![runners_of_team(&work.on_team(authority)).await?]),
        Reach::Everything(oversight) => {
            work.of_managed_groups(oversight, |group| runners_of(work, group)).await
        }
    }
}

async fn runners_of_team(work: &Work) -> Result<(ManagedGroup, Vec<Listed>), Error> {
    work.with_group(|group| runners_of(work, group)).await
}

async fn runners_of<P>(work: &Work<P>, group: ManagedGroup) -> Result<(ManagedGroup, Vec<Listed>), Error> {
    let as_of = work.organisation().clock.now();
    let runners = work.github().group_runners(group.id()).await.map_err(missing_group)?;
    let runners = Listed::all(runners, group.id(), as_of);
    Ok((group, runners))
}
