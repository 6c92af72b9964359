//! The runners of a team's group: listed, removed, moved to another team's group. Only runners that the group's
//! own list holds at the time of the call are ever touched, and none on which a job runs.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::error::missing_group;
use super::runner_writes::{Action, Listed, each};
use super::selection::{Filter, Selection, Skipped};
use super::{Error, Work};
use crate::access::{Authority, ManagedGroup, Reach};
use crate::domain::ids::{RunnerId, TeamId};
use crate::github::{Runner, SharedList};
use crate::store::Origin;

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
    /// Who was given its JIT config, as far as that is known: what they are, their name, and of a workflow its run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Object>)]
    registered_by: Option<Json>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    registered_at: Option<String>,
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
            registered_by: None,
            registered_at: None,
            group: group.map(|group| group.name().to_owned()),
        }
    }

    fn from(mut self, origin: &Origin) -> Self {
        self.registered_by = serde_json::from_str(&origin.caller).ok();
        self.registered_at = super::access::time(origin.at);
        self
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
            let fitting = groups.iter().flat_map(|(group, runners)| {
                runners
                    .iter()
                    .filter(|runner| filter.fits(runner))
                    .map(move |runner| (&**runner, Some(group)))
            });
            render(views_of(work, fitting.collect(), None).await)
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
        let fitting = runners.iter().filter(|runner| own_filter.fits(runner)).map(|runner| (&**runner, None));
        let team = work.authority().team().id();
        Ok(render(views_of(&work, fitting.collect(), Some(team)).await))
    };
    work.view("runners-list", &group, filter.key(), make).await
}

/// Runners as callers see them. Where a runner comes from is told to that team alone whose group it was registered into; without a
/// team, to administrators.
async fn views_of<P>(
    work: &Work<P>,
    runners: Vec<(&Runner, Option<&ManagedGroup>)>,
    team: Option<TeamId>,
) -> Vec<RunnerView> {
    let ids: Vec<_> = runners.iter().map(|(runner, _)| runner.id).collect();
    let records = work.organisation().records.as_ref().filter(|records| records.is_usable());
    let origins = match records {
        Some(records) => records.store().origins_of(&ids).await.unwrap_or_default(),
        None => HashMap::new(),
    };
    let view = |(runner, group): (&Runner, Option<&ManagedGroup>)| {
        let view = RunnerView::of(runner, group);
        let origin = origins.get(&runner.id).filter(|origin| team.is_none_or(|team| origin.team == team));
        origin.into_iter().fold(view, RunnerView::from)
    };
    runners.into_iter().map(view).collect()
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
    let runners = runners_within(work).await?.into_iter().flat_map(|(_, runners)| runners);
    let runners = within_entry(work, runners.collect()).await?;
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

/// Of somebody who is no user, only the runners whose configs their access entry was given: what others registered is not theirs.
async fn within_entry(work: &Work<Reach>, runners: Vec<Listed>) -> Result<Vec<Listed>, Error> {
    let Reach::Team(authority) = work.proof() else { return Ok(runners) };
    let Some(entry) = authority.entry() else { return Ok(runners) };
    let organisation = work.organisation();
    let kept = match organisation.records.as_ref().filter(|records| records.is_usable()) {
        Some(records) => records.store().runners_of_entry(entry.id).await?,
        None => HashSet::new(),
    };
    let is_own = |listed: &Listed| {
        let id = listed.runner.id;
        kept.contains(&id) || organisation.handed_out.is_of(id, entry.id)
    };
    Ok(runners.into_iter().filter(is_own).collect())
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
