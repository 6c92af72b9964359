//! The repositories that may use a team's group. Only those on which the team itself has the permission that
//! `policy.repositoryPermission` demands can be added, so nobody opens a group to somebody else's repository.

use std::collections::HashSet;

use futures_util::{StreamExt, stream};

use super::error::missing_group;
use super::work::still_good;
use super::{Error, Work};
use crate::access::ManagedGroup;
use crate::domain::ids::RepositoryId;
use crate::domain::names::RepoName;
use crate::domain::policy::RepositoryPermission;
use crate::github::{self, Repository};
use crate::replicas::WhenStoreFails;

/// Up to so many repositories are changed one by one; more at once, since GitHub counts each write.
const MAX_SINGLE_WRITES: usize = 10;
/// Writes of one request under way at once: far from GitHub's bound of 100 concurrent calls.
const WRITES_AT_ONCE: usize = 8;

/// What becomes of each of several repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It may use the group.
    Add,
    /// It no longer may. One that isn't there any more is done already.
    Remove,
}

/// Lets more repositories use the team's group, or some no longer.
pub async fn change(work: &Work, names: &[RepoName], change: Change) -> Result<(), Error> {
    let required = match change {
        Change::Add => work.organisation().policy.load().repository_permission,
        // Whatever the team may see, it may take out.
        Change::Remove => RepositoryPermission::Read,
    };
    let (found, mut visible) = look_up(work, names, required).await?;
    if change == Change::Remove && visible.contains(&None) {
        // The team may have lost its access since it added the repository.
        let inside = work.github().group_repositories(found.id()).await.map_err(missing_group)?;
        for (name, slot) in names.iter().zip(&mut visible).filter(|(_, slot)| slot.is_none()) {
            *slot = inside.iter().find(|repository| name.is(&repository.name)).cloned();
        }
    }
    let repositories = all_of(names, visible, required)?;
    let own = work.clone();
    let write = async move {
        let (own, repositories) = (&own, repositories.as_slice());
        own.on_group(found, |group| async move {
            let is_done =
                repositories.len() > MAX_SINGLE_WRITES && at_once(own, &group, repositories, change).await?;
            if is_done { Ok(()) } else { one_by_one(own, &group, repositories, change).await }
        })
        .await
    };
    work.write(Box::pin(write)).await
}

/// Lets exactly these repositories use the team's group; none empties it.
pub async fn set(work: &Work, names: &[RepoName]) -> Result<(), Error> {
    let required = work.organisation().policy.load().repository_permission;
    let (found, visible) = look_up(work, names, required).await?;
    let ids: Vec<_> = all_of(names, visible, required)?.iter().map(|repository| repository.id).collect();
    let own = work.clone();
    let write = async move {
        let ids = &ids;
        let own = &own;
        own.on_group(found, |group| async move {
            let _turn = own.turn_alone(&group, WhenStoreFails::GoOn).await?;
            own.github().set_group_repositories(group.id(), ids).await.map_err(missing_group)
        })
        .await
    };
    work.write(Box::pin(write)).await
}

/// The group, and which of `names` the team has the required permission on: found out side by side.
async fn look_up(
    work: &Work,
    names: &[RepoName],
    required: RepositoryPermission,
) -> Result<(ManagedGroup, Vec<Option<Repository>>), Error> {
    work.line().note(|details| details.repositories = names.iter().map(ToString::to_string).collect());
    let team = work.authority().team();
    let (group, visible) = futures_util::future::join(
        work.find_group(),
        work.github().team_repositories(team.slug(), names, team.repositories()),
    )
    .await;
    let group = group?;
    if !group.selected_repositories_only() {
        // Whatever the administrator allows: GitHub selects repositories of other groups only.
        return Err(Error::GroupProtected(
            "An organisation owner opened this runner group to all repositories",
        ));
    }
    match visible {
        // The team itself is gone from under its slug.
        Err(error) if error.is_not_found() => {
            work.organisation().teams.forget(team.slug()).await;
            Err(missing(names.iter().map(ToString::to_string).collect(), required))
        }
        visible => {
            let granted = |found: Option<Repository>| found.filter(|repository| repository.grants(required));
            Ok((group, visible?.into_iter().map(granted).collect()))
        }
    }
}

/// Every repository, or which names have none.
fn all_of(
    names: &[RepoName],
    visible: Vec<Option<Repository>>,
    required: RepositoryPermission,
) -> Result<Vec<Repository>, Error> {
    let without: Vec<_> = names
        .iter()
        .zip(&visible)
        .filter(|(_, found)| found.is_none())
        .map(|(name, _)| name.to_string())
        .collect();
    if without.is_empty() {
        Ok(visible.into_iter().flatten().collect())
    } else {
        Err(missing(without, required))
    }
}

/// One error for repositories that don't exist, that the team can't see, and on which it has too little permission: which
/// of these it is would tell what exists.
pub(super) fn missing(names: Vec<String>, required: RepositoryPermission) -> Error {
    match required {
        RepositoryPermission::Read => Error::RepoNotFound(names),
        required => Error::RepoNotGranted(required, names),
    }
}

/// Changes many repositories by setting the group's whole list: one write, and all or none of it. False, and nothing is done,
/// if GitHub's list lacks some by its own count: setting it would take those out.
async fn at_once(
    work: &Work,
    group: &ManagedGroup,
    repositories: &[Repository],
    change: Change,
) -> Result<bool, Error> {
    // From the list to the write nobody else changes it through this service, so that no change is lost.
    let turn = work.turn_alone(group, WhenStoreFails::GoOn).await?;
    let listed = work.github().whole_group_repositories(group.id()).await.map_err(missing_group)?;
    let Some(listed) = listed else { return Ok(false) };
    let named: HashSet<_> = repositories.iter().map(|repository| repository.id).collect();
    let others = listed.iter().map(|repository| repository.id).filter(|id| !named.contains(id));
    let added = repositories.iter().map(|repository| repository.id).filter(|_| change == Change::Add);
    let ids: Vec<_> = others.chain(added).collect();
    still_good(&turn)?;
    work.github().set_group_repositories(group.id(), &ids).await.map_err(missing_group)?;
    Ok(true)
}

/// Changes a few repositories with a write for each, which leaves alone what others change meanwhile.
async fn one_by_one(
    work: &Work,
    group: &ManagedGroup,
    repositories: &[Repository],
    change: Change,
) -> Result<(), Error> {
    let _turn = work.turn_together(group).await?;
    let (github, group) = (work.github(), group.id());
    each(repositories, |id| async move {
        match change {
            Change::Add => github.add_group_repository(group, id).await,
            Change::Remove => github.remove_group_repository(group, id).await,
        }
    })
    .await
}

/// Writes once for each repository, side by side. When some fail, the error says which were done; repeating
/// the request is safe and finishes the job.
async fn each<Written>(
    repositories: &[Repository],
    write: impl Fn(RepositoryId) -> Written,
) -> Result<(), Error>
where
    Written: Future<Output = Result<(), github::Error>>,
{
    let ids: Vec<_> = repositories.iter().map(|repository| repository.id).collect();
    let writes = stream::iter(ids.into_iter().map(write));
    let outcomes: Vec<_> = writes.buffered(WRITES_AT_ONCE).collect().await;
    let (mut done, mut failed, mut cause) = (Vec::new(), Vec::new(), None);
    for (repository, outcome) in repositories.iter().zip(outcomes) {
        match outcome {
            Ok(()) => done.push(repository.name.clone()),
            Err(error) => {
                failed.push(repository.name.clone());
                cause.get_or_insert(error);
            }
        }
    }
    match cause {
        None => Ok(()),
        Some(error) if done.is_empty() && error.is_not_found() => Err(Error::GroupNotFound),
        Some(error) => {
            // The group took others, so it is the repository that is gone.
            let cause = if error.is_not_found() { Error::RepoNotFound(failed.clone()) } else { error.into() };
            Err(Error::Partial { done, failed, cause: Box::new(cause) })
        }
    }
}
