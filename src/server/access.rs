//! Keeps access entries in force: those of the configuration, whose teams and repositories GitHub has to know, and when entries
//! were used last.

use std::time::Duration;

use tokio::sync::watch;

use crate::access::Oversight;
use crate::domain::entry::configured::ConfiguredEntry;
use crate::domain::entry::{AccessEntry, EntryId, Holder, HolderRequest, Source};
use crate::domain::hash;
use crate::github;
use crate::state::{Check, Shared};

/// How often the store is told when entries were used last.
const USES_TOLD_EVERY: Duration = Duration::from_mins(1);
/// How often entries are looked up again whose team or repository was not found.
const LOOKED_UP_EVERY: Duration = Duration::from_mins(5);
/// How often it is tried whether GitHub responds.
const TRIED_EVERY: Duration = Duration::from_millis(500);

/// Has the store know when entries were used last. Never ends.
pub(super) async fn tell_uses(state: Shared) {
    loop {
        state.organisation.clock.sleep(USES_TOLD_EVERY).await;
        if let Err(error) = state.organisation.entries.tell_uses().await {
            tracing::debug!(%error, "when access entries were used can't be written; it is tried again");
        }
    }
}

/// Puts the configuration's entries in force, as soon as GitHub says which teams and repositories they are about. Never ends.
pub(super) async fn keep_configured(state: Shared, mut configured: watch::Receiver<Vec<ConfiguredEntry>>) {
    while !matches!(*state.check.borrow(), Check::Passed) {
        tokio::time::sleep(TRIED_EVERY).await;
    }
    loop {
        let wanted = configured.borrow_and_update().clone();
        let count = wanted.len();
        let mut found = Vec::with_capacity(count);
        for entry in wanted {
            found.extend(look_up(&state, entry).await);
        }
        let are_missing = found.len() < count;
        state.organisation.entries.configure(found);
        let again = async {
            if !are_missing {
                std::future::pending::<()>().await;
            }
            state.organisation.clock.sleep(LOOKED_UP_EVERY).await;
        };
        tokio::select! {
            changed = configured.changed() => if changed.is_err() { return },
            () = again => {}
        }
    }
}

/// The entry with the ids of its team and repository; nothing if that can't be found out, which is logged.
async fn look_up(state: &Shared, entry: ConfiguredEntry) -> Option<AccessEntry> {
    let team = entry.team.clone();
    match find(state, entry).await {
        Ok(None) => {
            tracing::error!(
                %team,
                "an entry of `access` counts for nothing: there is no such team, or it does not have the repository"
            );
            None
        }
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%error, %team, "an entry of `access` can't be looked up yet");
            None
        }
    }
}

/// The entry with the ids of its team and repository; nothing if either isn't there.
async fn find(state: &Shared, entry: ConfiguredEntry) -> Result<Option<AccessEntry>, github::Error> {
    let id = id_of(&entry);
    let organisation = &state.organisation;
    let oversight = Oversight::of_the_service();
    let Some(team) = organisation.teams.configured(&entry.team, &oversight).await? else { return Ok(None) };
    let request = entry.request;
    let holder = match request.holder {
        HolderRequest::GithubActions(wanted) => {
            let required = organisation.policy.load().repository_permission;
            let found = organisation.github.team_repository(team.slug(), &wanted.repository).await?;
            let Some(found) = found.filter(|found| found.grants(required)) else { return Ok(None) };
            Holder::GithubActions(wanted.of_repository(found.id))
        }
        HolderRequest::Oidc(conditions) => Holder::Oidc(conditions),
        // The configuration has none.
        HolderRequest::Token => return Ok(None),
    };
    Ok(Some(AccessEntry {
        id,
        team: team.id(),
        team_slug: team.slug().clone(),
        holder,
        operations: request.operations,
        labels: request.labels,
        per_hour: request.per_hour,
        note: request.note,
        source: Source::Configuration,
        expires_at: None,
    }))
}

/// The same for the same entry after each start, wherever it stands in the list.
fn id_of(entry: &ConfiguredEntry) -> EntryId {
    EntryId(hash::number(hash::sha256(format!("{entry:?}").as_bytes())))
}
