//! Runners that stay offline: where they are looked for, and how they are removed. No caller is behind this.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::runner_writes::{Action, Listed, Rereads, WRITES_AT_ONCE, each};
use super::runners::Outcome;
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
        // Each of them is looked at again before it is removed.
        let runners = work.github().read_group_runners(group.id()).await;
        if let Err(error) = &runners {
            tracing::warn!(%error, group = group.name(), "the group's runners can't be read");
        }
        (group, runners.ok().map(|listed| listed.into_iter().map(Arc::unwrap_or_clone).collect()))
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
    let (rereads, clock) = (&Rereads::of(work), &work.organisation().clock);
    let reads = runners.into_iter().map(|runner| async move {
        let as_of = clock.now();
        (runner.id, as_of, rereads.runner(runner.id, group.id()).await)
    });
    let again: Vec<_> = stream::iter(reads).buffered(WRITES_AT_ONCE).collect().await;
    let (mut still_offline, mut returned) = (Vec::new(), Vec::new());
    for (id, as_of, read) in again {
        match read? {
            Some(runner) if !runner.is_online() && !runner.busy => {
                still_offline.push(Listed { runner, group: group.id(), as_of });
            }
            // It came back, or another replica was faster.
            Some(_) | None => returned.push(id),
        }
    }
    if still_offline.is_empty() {
        return Ok((Outcome::default(), returned));
    }
    work.note_group(group);
    work.reserve_line(&still_offline)?;
    let own = work.clone();
    let write = async move { each(&own, &still_offline, Action::Remove, |runner| !runner.is_online()).await };
    Ok((work.write(Box::pin(write)).await?, returned))
}
