//! With a store, a record says which group is a team's, by the ids of both.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::{Checks, GroupError, MAX_GROUPS, ManagedGroup, REMEMBERED_FOR, managed};
use crate::access::ManagedTeam;
use crate::access::records::Records;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::domain::ids::GroupId;
use crate::github::RunnerGroup;
use crate::metrics;

/// A group, and until when it is used without a check.
#[derive(Debug, Clone)]
struct Entry {
    group: RunnerGroup,
    fresh_until: Duration,
}

/// Recorded groups, remembered by their ids.
pub(super) struct ByRecord {
    pub(super) records: Arc<Records>,
    entries: Cache<GroupId, Arc<Entry>>,
    /// Notified when GitHub doesn't find a recorded group.
    missing: Notify,
    ttl: Duration,
    clock: Clock,
}

impl ByRecord {
    pub(super) fn new(records: Arc<Records>, ttl: Duration, clock: Clock) -> Self {
        Self {
            records,
            entries: Cache::counted(metrics::Cache::Group, MAX_GROUPS, clock.clone()),
            missing: Notify::new(),
            ttl,
            clock,
        }
    }

    /// The recorded group of the team.
    pub(super) async fn find(&self, team: &ManagedTeam, checks: &Checks) -> Result<ManagedGroup, GroupError> {
        let record = self.records.of_team(team.id()).await?.ok_or(GroupError::NotFound)?;
        if let Some(entry) = self.fresh(record.group).await {
            return managed(&entry.group);
        }
        let read = async {
            // Another check may have ended since.
            if let Some(entry) = self.fresh(record.group).await {
                return Ok(entry.group.clone());
            }
            let group = checks.github.runner_group(record.group).await?;
            self.remember(&group).await;
            Ok(group)
        };
        // Boxed: the usual case, a fresh entry, does without this large future.
        match Box::pin(checks.check(record.group, read)).await {
            Ok(group) => managed(&group),
            Err(error) if error.is_not_found() => {
                self.entries.forget(&record.group).await;
                // The record stays: one 404 proves little.
                self.missing.notify_one();
                Err(GroupError::NotFound)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A group that is used without a check.
    async fn fresh(&self, id: GroupId) -> Option<Arc<Entry>> {
        self.entries.get(&id).await.filter(|entry| entry.fresh_until > self.clock.now())
    }

    /// Remembers a group that was just created, or read.
    pub(super) async fn remember(&self, group: &RunnerGroup) {
        let entry = Entry { group: group.clone(), fresh_until: self.clock.now() + self.ttl };
        self.entries.insert(group.id, Arc::new(entry), REMEMBERED_FOR).await;
    }

    /// Forgets what is remembered of the team's group; its record stays.
    pub(super) async fn forget(&self, team: &ManagedTeam) {
        if let Ok(Some(record)) = self.records.of_team(team.id()).await {
            self.entries.forget(&record.group).await;
        }
    }

    /// Waits until GitHub didn't find a recorded group, or didn't since this was last waited for.
    pub(super) async fn missed(&self) {
        self.missing.notified().await;
    }
}
