//! How often each group was written to at GitHub, by any process: who reads a group may share what somebody else began to read
//! only if nothing was written meanwhile.

use std::time::Duration;

use super::seconds;
use crate::domain::ids::GroupId;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::records::{id, to_signed};

/// The writes to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupWrites {
    /// How many there were: another number after each.
    pub count: u64,
    /// How long ago another process wrote last, if one did lately.
    pub others_latest: Option<Duration>,
}

/// A row for each process: a sum grows with whatever is committed, in whatever order.
const NOTE: &str = "\
    INSERT INTO arm_group_writes AS kept (group_id, replica, writes, latest) VALUES ($1, $2, 1, statement_timestamp()) \
    ON CONFLICT (group_id, replica) DO UPDATE SET writes = kept.writes + 1, latest = excluded.latest";
const READ: &str = "\
    SELECT COALESCE(SUM(writes), 0)::BIGINT, EXTRACT(EPOCH FROM statement_timestamp() - \
        MAX(latest) FILTER (WHERE replica <> $2))::DOUBLE PRECISION FROM arm_group_writes WHERE group_id = $1";

impl Store {
    /// Notes that this process wrote to groups.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn note_group_writes(&self, groups: &[GroupId], replica: &str) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        // In one order, so that no two wait for each other.
        let mut groups = groups.to_vec();
        groups.sort_unstable();
        for group in groups {
            execute!(&mut transaction, NOTE, to_signed(group.0)?, replica)?;
        }
        transaction.commit().await
    }

    /// The writes to a group so far.
    ///
    /// # Errors
    /// The store doesn't respond within 50 ms, or was slow a moment ago.
    pub async fn group_writes(&self, group: GroupId, replica: &str) -> Result<GroupWrites, StoreError> {
        let read = Box::pin(async {
            let mut transaction = self.database.quick().await?;
            let group = to_signed(group.0)?;
            let row = query!(&mut transaction, fetch_optional(i64, Option<f64>), READ, group, replica)?;
            transaction.commit().await?;
            row.ok_or_else(|| StoreError::Unexpected("a sum is missing".to_owned()))
        });
        let (count, others_latest) = self.quick.run(read).await?;
        Ok(GroupWrites { count: id(count)?, others_latest: others_latest.map(seconds) })
    }
}
