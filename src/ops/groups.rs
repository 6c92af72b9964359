//! A team's runner group: created, deleted, listed.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::missing_group;
use super::runners::{GROUPS_AT_ONCE, Outcome, each, move_all};
use super::{Error, find_group, on_group, places, room_for_line, write};
use crate::access::{Authority, ManagedGroup, Reach};
use crate::audit::Trail;
use crate::domain::ids::GroupId;
use crate::github::{Class, Github, Runner};
use crate::state::Shared;

/// What is in a group.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct GroupContents {
    /// Names of the repositories that may use it.
    pub repos: Vec<String>,
    /// Names of its self-hosted runners.
    pub runners: Vec<String>,
}

/// Creates the team's group; gives its name. GitHub says when the name is taken, so nothing is listed before.
pub async fn add(state: &Shared, authority: &Authority, trail: &Trail) -> Result<String, Error> {
    if authority.team().group().is_default() {
        return Err(Error::GroupProtected("The Default runner group can't be managed here"));
    }
    let (shared, authority, notes) = (state.clone(), authority.clone(), trail.clone());
    let work = async move {
        match shared.github.create_runner_group(authority.team().group()).await {
            Ok(group) => {
                notes.note(|record| record.group_id = Some(group.id));
                shared.groups.remember(&group).await;
                Ok(group.name)
            }
            Err(error) => Err(match error.class() {
                // Taken by a group of the team's, or by one that nobody may manage here?
                Class::Conflict => match find_group(&shared, &authority, &notes).await {
                    Err(protected @ Error::GroupProtected(_)) => protected,
                    _ => Error::GroupExists,
                },
                Class::Rejected(message) => Error::Rejected(message.clone()),
                _ => error.into(),
            }),
        }
    };
    write(state, trail, Box::pin(work)).await
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
pub async fn delete(
    state: &Shared,
    authority: &Authority,
    plan: RunnersOfDeleted,
    trail: &Trail,
) -> Result<String, Error> {
    let found = find_group(state, authority, trail).await?;
    // Looked at here, so that a caller who is refused or goes away changes nothing.
    let read = |group: ManagedGroup| async move {
        let runners = idle_runners(&state.github, &group).await?;
        Ok((group, runners))
    };
    let (group, runners) = on_group(state, authority, trail, found, read).await?;
    let target = match &plan {
        RunnersOfDeleted::MustBeNone if !runners.is_empty() => return Err(not_empty(&runners)),
        RunnersOfDeleted::MovedTo(to) => Some(state.groups.find(to).await?),
        RunnersOfDeleted::MustBeNone | RunnersOfDeleted::Removed => None,
    };
    room_for_line(state, trail, &runners)?;
    let (shared, authority, notes) = (state.clone(), authority.clone(), trail.clone());
    let work = async move {
        let outcome = match (plan, target) {
            _ if runners.is_empty() => Outcome::default(),
            (RunnersOfDeleted::MovedTo(to), Some(target)) => {
                move_all(&shared, &runners, target, &to, &notes).await?
            }
            _ => each(&runners, &notes, |id| shared.github.delete_runner(id)).await?,
        };
        let gone = |group| delete_empty(&shared, group);
        let name = on_group(&shared, &authority, &notes, group, gone).await.map_err(|error| match error {
            Error::GroupNotEmpty { left, .. } => {
                Error::GroupNotEmpty { left, changed: !outcome.done.is_empty() }
            }
            error => error,
        })?;
        shared.groups.forget(&authority).await;
        Ok(name)
    };
    write(state, trail, Box::pin(work)).await
}

/// Looks once more right before, since a runner may have come, or stayed, and deletes the group.
async fn delete_empty(state: &Shared, group: ManagedGroup) -> Result<String, Error> {
    // From the look to the end, no runner comes through this process.
    let _turn = places::alone(state, &group).await;
    let left = idle_runners(&state.github, &group).await?;
    if !left.is_empty() {
        return Err(not_empty(&left));
    }
    state.github.delete_runner_group(group.id()).await.map_err(|error| match error.class() {
        Class::NotFound => Error::GroupNotFound,
        // A runner came in between, and GitHub refuses to delete a group with runners.
        Class::Conflict | Class::Rejected(_) => not_empty(&[]),
        _ => error.into(),
    })?;
    Ok(group.name().to_owned())
}

fn not_empty(runners: &[Runner]) -> Error {
    let left = runners.iter().map(|runner| runner.name.clone()).collect();
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
pub async fn list(state: &Shared, reach: &Reach, trail: &Trail) -> Result<GroupContents, Error> {
    let oversight = match reach {
        Reach::Team(authority) => {
            let found = find_group(state, authority, trail).await?;
            let read = |group: ManagedGroup| async move { contents(&state.github, group.id()).await };
            return on_group(state, authority, trail, found, read).await;
        }
        Reach::Everything(oversight) => oversight,
    };
    let names = state.teams.group_names().await?;
    let groups = state.groups.managed(oversight, &names).await?;
    let read = groups.into_iter().map(|group| async move {
        match contents(&state.github, group.id()).await {
            // Deleted since the groups were listed.
            Err(Error::GroupNotFound) => Ok(GroupContents::default()),
            contents => contents,
        }
    });
    let mut all = GroupContents::default();
    let read: Vec<_> = stream::iter(read).buffered(GROUPS_AT_ONCE).try_collect().await?;
    for one in read {
        all.repos.extend(one.repos);
        all.runners.extend(one.runners);
    }
    all.repos.sort();
    all.repos.dedup();
    Ok(all)
}

async fn contents(github: &Github, group: GroupId) -> Result<GroupContents, Error> {
    let (repositories, runners) =
        futures_util::future::try_join(github.group_repositories(group), github.group_runners(group))
            .await
            .map_err(missing_group)?;
    Ok(GroupContents {
        repos: repositories.into_iter().map(|repository| repository.name).collect(),
        runners: runners.into_iter().map(|runner| runner.name).collect(),
    })
}
