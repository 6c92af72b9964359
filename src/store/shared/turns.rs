//! Turns with something that several processes change: in the order in which they came, one alone or several together.

use std::time::Duration;

use crate::store::Store;
use crate::store::database::Transaction;
use crate::store::error::StoreError;

/// Tickets are given out, and committed, one after the other: so none shows up before one that is smaller.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
const FORGET_EXPIRED: &str = "DELETE FROM arm_turns WHERE subject = $1 AND until < statement_timestamp()";
const JOIN: &str = "INSERT INTO arm_turns (holder, subject, alone, until) \
                    VALUES ($1, $2, $3, statement_timestamp() + make_interval(secs => $4))";
/// Nothing when the ticket itself has expired.
const IS_NEXT: &str = "\
    SELECT NOT EXISTS (SELECT 1 FROM arm_turns AS other WHERE other.subject = own.subject AND other.ticket < own.ticket \
        AND (own.alone OR other.alone) AND other.until >= statement_timestamp()) \
    FROM arm_turns AS own WHERE own.holder = $1 AND own.until >= statement_timestamp()";
const KEEP: &str = "UPDATE arm_turns SET until = statement_timestamp() + make_interval(secs => $2) \
                    WHERE holder = $1 AND until >= statement_timestamp()";
const LEAVE: &str = "DELETE FROM arm_turns WHERE holder = $1";

impl Store {
    /// Joins those who wait for a turn. Whether it has come already.
    ///
    /// # Errors
    /// The store is unavailable. The holder may wait all the same, until they leave.
    pub async fn join_turn(
        &self,
        subject: &str,
        holder: &str,
        alone: bool,
        time: Duration,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.database.write().await?;
        execute!(&mut transaction, LOCK, subject)?;
        execute!(&mut transaction, FORGET_EXPIRED, subject)?;
        execute!(&mut transaction, JOIN, holder, subject, alone, time.as_secs_f64())?;
        let is_next = is_next(&mut transaction, holder).await?;
        transaction.commit().await?;
        Ok(is_next == Some(true))
    }

    /// Whether the turn of somebody who waits has come; nothing if they are no longer known.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn is_turn(&self, holder: &str) -> Result<Option<bool>, StoreError> {
        let mut transaction = self.database.read().await?;
        let is_next = is_next(&mut transaction, holder).await?;
        transaction.commit().await?;
        Ok(is_next)
    }

    /// Keeps a turn, or a place among those who wait, for this time from now on. Whether it was there still.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn keep_turn(&self, holder: &str, time: Duration) -> Result<bool, StoreError> {
        let mut transaction = self.database.write().await?;
        let kept = execute!(&mut transaction, KEEP, holder, time.as_secs_f64())?;
        transaction.commit().await?;
        Ok(kept > 0)
    }

    /// Leaves a turn to the next.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn leave_turn(&self, holder: &str) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        execute!(&mut transaction, LEAVE, holder)?;
        transaction.commit().await
    }
}

async fn is_next(transaction: &mut Transaction, holder: &str) -> Result<Option<bool>, StoreError> {
    let row = query!(transaction, fetch_optional(bool,), IS_NEXT, holder)?;
    Ok(row.map(|(is_next,)| is_next))
}
