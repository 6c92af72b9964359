//! The pulse: each process says again and again that it is there, and hears in the same statement what is new.

use std::time::Duration;

use uuid::Uuid;

use super::{process, seconds};
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::records::id;

/// A process that was not seen for so long is gone, in seconds.
const GONE_AFTER: f64 = 10.0;

/// What is new.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pulse {
    /// The digests of the policies that other processes go by: one for each process that is there.
    pub others: Vec<String>,
    /// What GitHub asked to wait for.
    pub holds: Vec<ToldHold>,
    /// The revision of the records, see [`Records`](crate::store::Records).
    pub records: u64,
    /// The revision of the access entries.
    pub access: u64,
}

/// Something that GitHub asked to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldHold {
    /// What it is about, as the process that was asked names it.
    pub scope: String,
    /// For how long from now on.
    pub wait: Duration,
}

const TELL: &str = "\
    INSERT INTO arm_holds AS kept (scope, until) VALUES ($1, statement_timestamp() + make_interval(secs => $2)) \
    ON CONFLICT (scope) DO UPDATE SET until = GREATEST(kept.until, excluded.until)";

/// One statement for all, since it runs often. It doesn't see what it writes itself.
const PULSE: &str = "\
    WITH own AS (INSERT INTO arm_replicas (id, policy, seen) VALUES ($1, $2, statement_timestamp()) \
        ON CONFLICT (id) DO UPDATE SET policy = excluded.policy, seen = excluded.seen) \
    SELECT 'replica', policy, 0::DOUBLE PRECISION, 0::BIGINT FROM arm_replicas \
        WHERE id <> $1 AND seen > statement_timestamp() - make_interval(secs => $3) \
    UNION ALL SELECT 'hold', scope, EXTRACT(EPOCH FROM until - statement_timestamp())::DOUBLE PRECISION, 0 FROM arm_holds \
        WHERE until > statement_timestamp() \
    UNION ALL SELECT 'revision', name, 0, value FROM arm_revisions";

const LEAVE: &str = "DELETE FROM arm_replicas WHERE id = $1";

impl Store {
    /// Says that a process is there, by which policy it goes, and what GitHub asked it to wait for since it said so last.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn pulse(&self, replica: Uuid, policy: &str, holds: &[ToldHold]) -> Result<Pulse, StoreError> {
        let replica = process(replica);
        let mut transaction = self.database.write().await?;
        for hold in holds {
            execute!(&mut transaction, TELL, hold.scope.as_str(), hold.wait.as_secs_f64())?;
        }
        let rows = query!(
            &mut transaction,
            fetch_all(String, String, f64, i64),
            PULSE,
            replica,
            policy,
            GONE_AFTER
        )?;
        transaction.commit().await?;
        // What requests wait for should not have to connect first.
        self.database.keep_quick_ready();
        let mut pulse = Pulse::default();
        for (kind, text, wait, value) in rows {
            match (kind.as_str(), text.as_str()) {
                ("replica", _) => pulse.others.push(text),
                ("hold", _) => pulse.holds.push(ToldHold { scope: text, wait: seconds(wait) }),
                ("revision", "records") => pulse.records = id(value)?,
                ("revision", "access") => pulse.access = id(value)?,
                _ => {}
            }
        }
        Ok(pulse)
    }

    /// A process ends: it no longer counts.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn leave(&self, replica: Uuid) -> Result<(), StoreError> {
        let replica = process(replica);
        let mut transaction = self.database.write().await?;
        execute!(&mut transaction, LEAVE, replica.as_str())?;
        transaction.commit().await
    }
}
