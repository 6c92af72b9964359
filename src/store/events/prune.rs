//! Removes events: those that are old, and of too many the refusals first. And what else has had its time.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::metrics;
use crate::store::Store;
use crate::store::access::remove_expired;
use crate::store::database::{Database, Transaction};
use crate::store::error::StoreError;
use crate::store::records::{id, to_signed};
use crate::store::settings::Settings;
use crate::store::shared::tidy;

/// How long after the start, when there is less to do, and how often.
const FIRST: Duration = Duration::from_mins(1);
const EVERY: Duration = Duration::from_hours(1);
/// Rows that are removed in one transaction, so that those who write don't wait for long.
const AT_ONCE: u64 = 10_000;
/// Any number will do, as long as all versions agree on it: `prun` in ASCII.
const LOCK: i64 = 0x7072_756E;
/// Above this part of what is kept at most, in per cent, the administrator is told.
const NEARLY_FULL: u64 = 80;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Bounds {
    keep: Duration,
    max_events: u64,
}

impl From<&Settings> for Bounds {
    fn from(settings: &Settings) -> Self {
        Self { keep: settings.keep, max_events: settings.max_events }
    }
}

// The oldest have the smallest ids, as near as matters; so no index by time is needed.
const DELETE_OLD: &str = "DELETE FROM arm_events WHERE id IN (SELECT id FROM (SELECT id, last_ms FROM arm_events \
                          ORDER BY id LIMIT $1) AS oldest WHERE last_ms < $2)";
const DELETE_REFUSALS: &str = "DELETE FROM arm_events WHERE id IN (SELECT id FROM arm_events \
                               WHERE refusal_hour IS NOT NULL ORDER BY id LIMIT $1)";
const DELETE_FIRST: &str =
    "DELETE FROM arm_events WHERE id IN (SELECT id FROM arm_events ORDER BY id LIMIT $1)";

/// Tokens that are no longer accepted anyway, long after their end: clocks may differ.
const DELETE_TOKENS: &str = "DELETE FROM arm_used_tokens WHERE expires_at < $1";
const TOKENS_KEPT_FOR: u64 = 3_600;
/// Such a runner took its one job long ago.
const DELETE_ORIGINS: &str = "DELETE FROM arm_origins WHERE at < $1";

impl Store {
    /// Removes events that are older than `store.keep` at this time (in seconds since 1970), and those over
    /// `store.mostEvents`. Returns how many were removed. The store does so by itself every hour.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn prune(&self, now: u64) -> Result<u64, StoreError> {
        prune(&self.database, self.bounds, now).await.map(|pruned| pruned.removed)
    }
}

/// Removes events again and again.
pub(in crate::store) async fn keep_bounded(database: Arc<Database>, bounds: Bounds, clock: Clock) {
    let mut wait = FIRST;
    loop {
        clock.sleep(wait).await;
        wait = EVERY;
        match prune(&database, bounds, clock.unix_seconds()).await {
            Ok(Pruned { kept, .. })
                if kept.saturating_mul(100) > bounds.max_events.saturating_mul(NEARLY_FULL) =>
            {
                let limit = bounds.max_events;
                tracing::warn!(
                    kept,
                    limit,
                    "the store is nearly full of events: soon refusals, then old ones are removed"
                );
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "old events could not be removed; it is tried again in an hour");
            }
        }
    }
}

/// What is left.
struct Pruned {
    removed: u64,
    kept: u64,
}

async fn prune(database: &Database, bounds: Bounds, now: u64) -> Result<Pruned, StoreError> {
    if database.is_shared() {
        let mut transaction = begin(database).await?;
        tidy(&mut transaction).await?;
        transaction.commit().await?;
    }
    let mut transaction = begin(database).await?;
    execute!(&mut transaction, DELETE_TOKENS, to_signed(now.saturating_sub(TOKENS_KEPT_FOR))?)?;
    let too_old = to_signed(now.saturating_sub(bounds.keep.as_secs()))?;
    execute!(&mut transaction, DELETE_ORIGINS, too_old)?;
    remove_expired(&mut transaction, too_old).await?;
    transaction.commit().await?;
    let oldest = to_signed(now.saturating_sub(bounds.keep.as_secs()).saturating_mul(1_000))?;
    let (mut removed, mut kept) = (0, 0);
    loop {
        let mut transaction = begin(database).await?;
        let count = execute!(&mut transaction, DELETE_OLD, to_signed(AT_ONCE)?, oldest)?;
        transaction.commit().await?;
        removed += count;
        if count == 0 {
            break;
        }
    }
    for delete in [DELETE_REFUSALS, DELETE_FIRST] {
        loop {
            let mut transaction = begin(database).await?;
            kept = count(&mut transaction).await?;
            metrics::store_events_kept(kept, bounds.max_events);
            let over = kept.saturating_sub(bounds.max_events).min(AT_ONCE);
            let count = if over == 0 { 0 } else { execute!(&mut transaction, delete, to_signed(over)?)? };
            transaction.commit().await?;
            removed += count;
            if count == 0 {
                break;
            }
        }
    }
    Ok(Pruned { removed, kept })
}

/// Begins a transaction of its own for each part. Processes that share the database take turns.
async fn begin(database: &Database) -> Result<Transaction, StoreError> {
    let mut transaction = database.write_at_length().await?;
    if database.is_shared() {
        execute!(&mut transaction, "SELECT pg_advisory_xact_lock($1)", LOCK)?;
    }
    Ok(transaction)
}

async fn count(transaction: &mut Transaction) -> Result<u64, StoreError> {
    let row = query!(transaction, fetch_optional(i64,), "SELECT COUNT(*) FROM arm_events")?;
    row.map_or(Ok(0), |(count,)| id(count))
}
