//! Runners that stay offline: where they are looked for, and how they are removed. No caller is behind this.

use std::collections::HashSet;

use futures_util::{StreamExt, stream};

use super::runners::{Outcome, WRITES_AT_ONCE, each};
use super::work::GROUPS_AT_ONCE;
use super::{Error, Work};
use crate::access::{ManagedGroup, Oversight};
use crate::domain::ids::RunnerId;
use crate::domain::sweep::SweepScope;
use crate::github::Runner;

/// A group and its runners; none when they couldn't be read.
pub type Read = (ManagedGroup, Option<Vec<Runner>>);

/// The runners of every group that is covered.
pub async fn runners(work: &Work<Oversight>, scope: &SweepScope) -> Result<Vec<Read>, Error> {
    let (organisation, oversight) = (work.organisation(), work.proof());
    let groups = match scope {
        SweepScope::Managed => work.managed_groups(oversight).await?,
        SweepScope::Named(names) => {
            let names: HashSet<_> = names.iter().map(|name| name.to_lowercase()).collect();
            organisation.groups.named(oversight, &names).await?
        }
    };
    let read = groups.into_iter().map(|group| async move {
        let runners = work.github().group_runners(group.id()).await;
        if let Err(error) = &runners {
            tracing::warn!(%error, group = group.name(), "the group's runners can't be read");
        }
        (group, runners.ok())
    });
    Ok(stream::iter(read).buffered(GROUPS_AT_ONCE).collect().await)
}

/// Removes those runners that are still offline, idle and in the group; says which were removed, and which are
/// no longer offline.
pub async fn remove(
    work: &Work<Oversight>,
    group: &ManagedGroup,
    runners: Vec<Runner>,
) -> Result<(Outcome, Vec<RunnerId>), Error> {
    let reads =
        runners.into_iter().map(|runner| async move { (runner.id, work.github().runner(runner.id).await) });
    let again: Vec<_> = stream::iter(reads).buffered(WRITES_AT_ONCE).collect().await;
    let (mut still_offline, mut returned) = (Vec::new(), Vec::new());
    for (id, read) in again {
        match read {
            Ok(runner) if is_in(&runner, group) && !runner.is_online() && !runner.busy => {
                still_offline.push(runner);
            }
            Ok(_) => returned.push(id),
            // Another replica was faster.
            Err(error) if error.is_not_found() => returned.push(id),
            Err(error) => return Err(error.into()),
        }
    }
    if still_offline.is_empty() {
        return Ok((Outcome::default(), returned));
    }
    work.note_group(group);
    work.reserve_line(&still_offline)?;
    let own = work.clone();
    let write = async move { each(&own, &still_offline, |id| own.github().delete_runner(id)).await };
    Ok((work.write(Box::pin(write)).await?, returned))
}

/// Older servers don't say which group a runner is in; there the list that was just read has to do.
fn is_in(runner: &Runner, group: &ManagedGroup) -> bool {
    runner.runner_group_id.is_none_or(|id| id == group.id())
}
