//! A team's runner group: created, deleted, listed.

use serde::Serialize;

use super::{Error, find_group, on_group, write};
use crate::access::{Authority, ManagedGroup};
use crate::audit::Trail;
use crate::github::{self, Class, Github};
use crate::state::Shared;

/// What is in a group.
#[derive(Debug, Serialize)]
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

/// Deletes the team's group unless it holds runners; gives its name. GitHub may drop the runners of a deleted
/// group into Default, where any repository could reach them.
pub async fn delete(state: &Shared, authority: &Authority, trail: &Trail) -> Result<String, Error> {
    let found = find_group(state, authority, trail).await?;
    // Looked at here too, so that a caller who is refused or goes away leaves nothing behind.
    on_group(state, authority, trail, found.clone(), |group| check_empty(&state.github, group)).await?;
    let (shared, authority, notes) = (state.clone(), authority.clone(), trail.clone());
    let work = async move {
        let name =
            on_group(&shared, &authority, &notes, found, |group| delete_empty(&shared.github, group)).await?;
        shared.groups.forget(&authority).await;
        Ok(name)
    };
    write(state, trail, Box::pin(work)).await
}

async fn delete_empty(github: &Github, group: ManagedGroup) -> Result<String, Error> {
    github.delete_runner_group(group.id()).await.map_err(|error| match error.class() {
        Class::NotFound => Error::GroupNotFound,
        // A runner came in between, and GitHub refuses to delete a group with runners.
        Class::Conflict | Class::Rejected(_) => Error::GroupNotEmpty(Vec::new()),
        _ => error.into(),
    })?;
    Ok(group.name().to_owned())
}

async fn check_empty(github: &Github, group: ManagedGroup) -> Result<(), Error> {
    let (runners, hosted) = futures_util::future::try_join(
        github.group_runners(group.id()),
        github.group_hosted_runners(group.id()),
    )
    .await
    .map_err(missing_group)?;
    let names: Vec<_> = runners.into_iter().chain(hosted).map(|runner| runner.name).collect();
    if names.is_empty() { Ok(()) } else { Err(Error::GroupNotEmpty(names)) }
}

/// The repositories and runners of the team's group, both lists side by side.
pub async fn list(state: &Shared, authority: &Authority, trail: &Trail) -> Result<GroupContents, Error> {
    let found = find_group(state, authority, trail).await?;
    on_group(state, authority, trail, found, async |group| {
        let (repositories, runners) = futures_util::future::try_join(
            state.github.group_repositories(group.id()),
            state.github.group_runners(group.id()),
        )
        .await
        .map_err(missing_group)?;
        Ok(GroupContents {
            repos: repositories.into_iter().map(|repository| repository.name).collect(),
            runners: runners.into_iter().map(|runner| runner.name).collect(),
        })
    })
    .await
}

/// What a 404 on something inside a group means: the group is gone.
pub(super) fn missing_group(error: github::Error) -> Error {
    if error.is_not_found() { Error::GroupNotFound } else { error.into() }
}
