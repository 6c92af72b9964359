//! A team's runner group: created, deleted, listed.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::missing_group;
use super::runner_writes::{Action, Listed, each};
use super::runners::{Outcome, move_all};
use super::selection::StatusFilter;
use super::work::still_good;
use super::{Error, Work};
use crate::access::{Authority, ManagedGroup, Reach};
use crate::domain::ids::{GroupId, RepositoryId, TeamId};
use crate::github::{self, Class, Github, Repository, Runner};
use crate::replicas::WhenStoreFails;

/// What is in a group.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct GroupContents {
    /// Names of the repositories that may use it.
    pub repos: Vec<String>,
    /// Names of its self-hosted runners.
    pub runners: Vec<String>,
}

/// What becomes of the runners of a group that is deleted.
#[derive(Debug, Clone)]
pub enum RunnersOfDeleted {
    /// There must be none.
    MustBeNone,
    /// They are moved to the group of another team that the caller maintains.
    MovedTo(Box<Authority>),
    /// They are removed from the organisation.
    Removed,
}

/// Deletes the team's group; gives its name. Never with runners in it: GitHub may drop them into Default, where
/// any repository could reach them. Repeating it after a failure finishes the job.
pub async fn delete(work: &Work, plan: RunnersOfDeleted) -> Result<String, Error> {
    work.organisation().groups.require_records_writable()?;
    // Looked at here, so that a caller who is refused or goes away changes nothing.
    let read = |group: ManagedGroup| async move {
        let as_of = work.organisation().clock.now();
        let runners = idle_runners(work.github(), &group).await?;
        let runners = Listed::all(runners, group.id(), as_of);
        Ok((group, runners))
    };
    let (group, runners) = work.with_group(read).await?;
    work.require_selected(&group)?;
    let target = match &plan {
        RunnersOfDeleted::MustBeNone if !runners.is_empty() => {
            return Err(not_empty(runners.iter().map(|listed| &listed.runner)));
        }
        RunnersOfDeleted::MovedTo(to) => {
            let target = work.organisation().groups.find(to).await?;
            work.require_selected(&target)?;
            Some(target)
        }
        RunnersOfDeleted::MustBeNone | RunnersOfDeleted::Removed => None,
    };
    work.reserve_line(&runners)?;
    let own = work.clone();
    let write = async move {
        let outcome = match (plan, target) {
            _ if runners.is_empty() => Outcome::default(),
            (RunnersOfDeleted::MovedTo(to), Some(target)) => {
                move_all(&own, &runners, target, &to, |_| true).await?
            }
            _ => each(&own, &runners, Action::Remove, |_| true).await?,
        };
        let gone = |group| delete_empty(&own, group);
        let name = own.on_group(group, gone).await.map_err(|error| match error {
            Error::GroupNotEmpty { left, .. } => {
                Error::GroupNotEmpty { left, changed: !outcome.done.is_empty() }
            }
            error => error,
        })?;
        Ok(name)
    };
    work.write(Box::pin(write)).await
}

/// Looks once more right before, since a runner may have come, or stayed, and deletes the group.
async fn delete_empty(work: &Work, group: ManagedGroup) -> Result<String, Error> {
    // From the look to the end, no runner comes through this service.
    let turn = work.turn_alone(&group, WhenStoreFails::Refuse).await?;
    let left = idle_runners(work.github(), &group).await?;
    if !left.is_empty() {
        return Err(not_empty(&left));
    }
    still_good(&turn)?;
    work.github().delete_runner_group(group.id()).await.map_err(|error| match error.class() {
        Class::NotFound => Error::GroupNotFound,
        // A runner came in between, and GitHub refuses to delete a group with runners.
        Class::Conflict | Class::Rejected(_) => not_empty([]),
        _ => error.into(),
    })?;
    work.organisation().groups.deleted(work.authority(), group.id()).await;
    Ok(group.name().to_owned())
}

fn not_empty<'a>(runners: impl IntoIterator<Item = &'a Runner>) -> Error {
    let left = runners.into_iter().map(|runner| runner.name.clone()).collect();
    Error::GroupNotEmpty { left, changed: false }
}

/// The group's runners. An error that names them when some are busy, or are GitHub's own, which can't be moved
/// or removed here.
async fn idle_runners(github: &Github, group: &ManagedGroup) -> Result<Vec<Runner>, Error> {
    let (runners, hosted) = futures_util::future::try_join(
        github.group_runners(group.id()),
        github.group_hosted_runners(group.id()),
    )
    .await
    .map_err(missing_group)?;
    let busy = runners.iter().filter(|runner| runner.busy);
    let immovable: Vec<_> = busy.chain(&hosted).cloned().collect();
    if immovable.is_empty() { Ok(runners) } else { Err(not_empty(&immovable)) }
}

/// The repositories and runners of the team's group, or of every managed one; both lists side by side.
pub async fn list(work: &Work<Reach>, render: fn(GroupContents) -> Bytes) -> Result<Bytes, Error> {
    let rendered = match work.proof() {
        Reach::Team(authority) => {
            let work = work.on_team(authority);
            work.with_group(|group| shown(&work, group, render)).await?
        }
        Reach::Everything(oversight) => {
            let read = |group: ManagedGroup| async move {
                contents(work.github(), group.id()).await.map_err(missing_group)
            };
            render(together(work.of_managed_groups(oversight, read).await?))
        }
    };
    work.audit_if_administrator();
    Ok(rendered)
}

/// The contents of one group.
async fn shown(work: &Work, group: ManagedGroup, render: fn(GroupContents) -> Bytes) -> Result<Bytes, Error> {
    let id = group.id();
    let make = move |work: Work| async move { Ok(render(contents(work.github(), id).await?)) };
    work.view("group-list", &group, String::new(), make).await
}

/// The contents of several groups; a repository that may use more than one stands there once.
fn together(groups: Vec<GroupContents>) -> GroupContents {
    let mut all = GroupContents::default();
    for one in groups {
        all.repos.extend(one.repos);
        all.runners.extend(one.runners);
    }
    all.repos.sort();
    all.repos.dedup();
    all
}

/// A team's group in full.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupDetails {
    team: TeamSummary,
    group: GroupSettings,
    /// The repositories that may use it.
    repositories: Vec<RepositorySummary>,
    runners: RunnerCounts,
}

/// A team.
#[derive(Debug, Serialize, ToSchema)]
struct TeamSummary {
    /// GitHub's id; stays the same when the team is renamed.
    #[schema(value_type = u64)]
    id: TeamId,
    slug: String,
}

/// How a group is set up.
#[derive(Debug, Serialize, ToSchema)]
struct GroupSettings {
    /// GitHub's id; stays the same when the group is renamed.
    #[schema(value_type = u64)]
    id: GroupId,
    /// What `config.sh --runnergroup` takes.
    name: String,
    /// selected, all or private.
    visibility: String,
    /// Whether jobs of public repositories may run in it.
    allows_public_repositories: bool,
    /// Whether only the selected workflows may use it.
    restricted_to_workflows: bool,
    /// The workflows that may use it, if it is restricted.
    selected_workflows: Vec<String>,
    /// Whether the restriction can't be changed in the organisation.
    workflow_restrictions_read_only: bool,
}

/// A repository.
#[derive(Debug, Serialize, ToSchema)]
struct RepositorySummary {
    /// GitHub's id; stays the same when the repository is renamed.
    #[schema(value_type = u64)]
    id: RepositoryId,
    name: String,
    /// Whether only those with access see it.
    private: bool,
}

/// How many self-hosted runners a group has.
#[derive(Debug, Default, Serialize, ToSchema)]
struct RunnerCounts {
    total: usize,
    /// Connected to GitHub.
    online: usize,
    /// Connected, and no job runs on them.
    idle: usize,
    /// A job runs on them.
    busy: usize,
    /// Not connected.
    offline: usize,
}

/// The team's group in full, as it is now: its settings, repositories and runners are read side by side.
pub async fn show(work: &Work) -> Result<GroupDetails, Error> {
    work.with_group(|group| details(work, group.id())).await
}

async fn details(work: &Work, id: GroupId) -> Result<GroupDetails, Error> {
    let github = work.github();
    let (group, repositories, runners) = futures_util::future::try_join3(
        github.runner_group(id),
        github.shown_repositories(id),
        github.shown_runners(id),
    )
    .await
    .map_err(missing_group)?;
    let team = work.authority().team();
    let summary = |repository: &Arc<Repository>| RepositorySummary {
        id: repository.id,
        name: repository.name.clone(),
        private: repository.private,
    };
    Ok(GroupDetails {
        team: TeamSummary { id: team.id(), slug: team.slug().to_string() },
        group: GroupSettings {
            id: group.id,
            name: group.name,
            visibility: group.visibility,
            allows_public_repositories: group.allows_public_repositories,
            restricted_to_workflows: group.restricted_to_workflows,
            selected_workflows: group.selected_workflows.unwrap_or_default(),
            workflow_restrictions_read_only: group.workflow_restrictions_read_only,
        },
        repositories: repositories.iter().map(summary).collect(),
        runners: count(&runners),
    })
}

fn count(runners: &[Arc<Runner>]) -> RunnerCounts {
    let number = |status: StatusFilter| runners.iter().filter(|runner| status.fits(runner)).count();
    RunnerCounts {
        total: runners.len(),
        online: number(StatusFilter::Online),
        idle: number(StatusFilter::Idle),
        busy: number(StatusFilter::Busy),
        offline: number(StatusFilter::Offline),
    }
}

async fn contents(github: &Arc<Github>, group: GroupId) -> Result<GroupContents, github::Error> {
    let (repositories, runners) =
        futures_util::future::try_join(github.shown_repositories(group), github.shown_runners(group)).await?;
    Ok(GroupContents {
        repos: repositories.iter().map(|repository| repository.name.clone()).collect(),
        runners: runners.iter().map(|runner| runner.name.clone()).collect(),
    })
}
