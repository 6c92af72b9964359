//! Writes events, many in one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Event;
use super::queue::Queue;
use crate::clock::Clock;
use crate::domain::outcome::Outcome;
use crate::domain::reason::Cause;
use crate::metrics;
use crate::store::database::{Connection, Database, Transaction, observed};
use crate::store::error::StoreError;
use crate::store::records::to_signed;

/// How many are written at once.
const MAX_BATCH: usize = 500;
/// How long is waited before writing is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);
const HOUR_MS: i64 = 3_600_000;

/// A row to be written.
#[derive(Debug, PartialEq)]
struct Row {
    at_ms: i64,
    last_ms: i64,
    operation: &'static str,
    outcome: &'static str,
    reason: Option<&'static str>,
    team: Option<i64>,
    caller: Option<String>,
    request_id: String,
    record: String,
    count: i64,
    refusal_hour: Option<i64>,
}

/// Writes what is in the queue, again and again until it is written.
pub(in crate::store) async fn write(queue: Arc<Queue>, database: Arc<Database>, clock: Clock) {
    loop {
        let batch = queue.first(MAX_BATCH).await;
        let count = batch.len();
        match write_batch(&database, batch).await {
            Ok(()) => {
                metrics::store_events_written(count as u64);
                queue.done(count);
            }
            Err(StoreError::Unavailable(_)) => {
                queue.failed();
                clock.sleep(TRY_AGAIN).await;
            }
            // It would not be accepted the next time either, and stand in the way of all others.
            Err(error) => {
                tracing::error!(%error, count, "events could not be kept");
                metrics::store_events_lost(count as u64);
                queue.done(count);
            }
        }
    }
}

async fn write_batch(database: &Database, batch: Vec<Event>) -> Result<(), StoreError> {
    let rows = rows(batch)?;
    let mut transaction = database.write_few(rows.len()).await?;
    if matches!(transaction.connection, Connection::Postgres(_)) {
        insert_all(&mut transaction, rows).await?;
    } else {
        insert_each(&mut transaction, rows).await?;
    }
    transaction.commit().await
}

/// The rows of a batch: refusals of one kind are one row. They come last, in an order that is the same for all processes, so
/// that two which count up the same rows don't wait for each other.
fn rows(batch: Vec<Event>) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::with_capacity(batch.len());
    let mut refusals: BTreeMap<_, Row> = BTreeMap::new();
    for event in batch {
        let row = row(event)?;
        if row.refusal_hour.is_none() {
            rows.push(row);
            continue;
        }
        let key = (row.caller.clone(), row.reason, row.refusal_hour);
        match refusals.get_mut(&key) {
            Some(first) => first.add(&row),
            None => drop(refusals.insert(key, row)),
        }
    }
    rows.extend(refusals.into_values());
    Ok(rows)
}

fn row(event: Event) -> Result<Row, StoreError> {
    let at_ms = to_signed(event.at_ms)?;
    let is_refusal = event.outcome == Outcome::Refused;
    // Nothing equals NULL, so a refusal without a caller or a reason has empty ones.
    let caller = event.caller.or_else(|| is_refusal.then(String::new));
    let reason = event.reason.map(Cause::as_str).or_else(|| is_refusal.then_some(""));
    Ok(Row {
        at_ms,
        last_ms: at_ms,
        operation: event.operation,
        outcome: event.outcome.as_str(),
        reason,
        team: event.team.map(|team| to_signed(team.0)).transpose()?,
        caller: caller.map(storable),
        request_id: storable(event.request_id),
        record: storable(event.record),
        count: 1,
        refusal_hour: is_refusal.then_some(at_ms / HOUR_MS),
    })
}

/// PostgreSQL's texts can't hold the character zero.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

impl Row {
    /// Counts another refusal of the same kind.
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.last_ms = other.last_ms;
        self.team = self.team.filter(|team| Some(*team) == other.team);
    }
}

/// How a refusal meets one that was kept before. A row that is about teams of several would show one of them the others.
macro_rules! insert {
    ($values:literal) => {
        concat!(
            "INSERT INTO arm_events (at_ms, last_ms, operation, outcome, reason, team, caller, request_id, record, count, ",
            "refusal_hour) ",
            $values,
            " ON CONFLICT (caller, reason, refusal_hour) WHERE refusal_hour IS NOT NULL DO UPDATE SET ",
            "count = arm_events.count + excluded.count, last_ms = excluded.last_ms, ",
            "team = CASE WHEN arm_events.team = excluded.team THEN arm_events.team END"
        )
    };
}

async fn insert_each(transaction: &mut Transaction, rows: Vec<Row>) -> Result<(), StoreError> {
    for row in rows {
        execute!(
            transaction,
            insert!("VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"),
            row.at_ms,
            row.last_ms,
            row.operation,
            row.outcome,
            row.reason,
            row.team,
            row.caller.as_deref(),
            row.request_id.as_str(),
            row.record.as_str(),
            row.count,
            row.refusal_hour,
        )?;
    }
    Ok(())
}

/// All in one statement: a server is far away.
async fn insert_all(transaction: &mut Transaction, rows: Vec<Row>) -> Result<(), StoreError> {
    let Connection::Postgres(connection) = &mut transaction.connection else {
        return insert_each(transaction, rows).await;
    };
    let statement = sqlx::query::<sqlx::Postgres>(insert!(
        "SELECT * FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::BIGINT[], \
         $7::TEXT[], $8::TEXT[], $9::TEXT[], $10::BIGINT[], $11::BIGINT[])"
    ))
    .bind(rows.iter().map(|row| row.at_ms).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.last_ms).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.operation).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.outcome).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.reason).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.team).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.caller.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.request_id.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.record.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.count).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.refusal_hour).collect::<Vec<_>>())
    .persistent(false);
    let monitor = transaction.monitor.clone();
    observed(&monitor, transaction.limit, statement.execute(&mut **connection)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::TeamId;
    use crate::domain::reason::Reason;

    fn refusal(caller: &str, team: u64, at_ms: u64) -> Event {
        Event {
            at_ms,
            operation: "repos-add",
            outcome: Outcome::Refused,
            reason: Some(Reason::DeniedByPolicy.into()),
            team: Some(TeamId(team)),
            caller: Some(caller.to_owned()),
            request_id: "a".to_owned(),
            record: "{}".to_owned(),
        }
    }

    #[test]
    fn refusals_of_one_caller_and_reason_within_an_hour_are_one_row() {
        let success = Event { outcome: Outcome::Success, reason: None, ..refusal("user:1", 7, 5) };
        let hour = 3_600_000;
        let batch = vec![
            refusal("user:2", 7, 1),
            refusal("user:1", 7, 2),
            success.clone(),
            refusal("user:1", 7, hour - 1),
            refusal("user:1", 8, hour),
            refusal("user:2", 9, 3),
            success,
        ];
        let rows = rows(batch).unwrap();
        let of = |row: &Row| (row.caller.clone().unwrap(), row.count, row.team, row.at_ms, row.last_ms);
        let expected = [
            ("user:1", 1, Some(7), 5, 5),
            ("user:1", 1, Some(7), 5, 5),
            ("user:1", 2, Some(7), 2, 3_599_999),
            ("user:1", 1, Some(8), 3_600_000, 3_600_000),
            ("user:2", 2, None, 1, 3),
        ];
        let expected =
            expected.map(|(caller, count, team, at, last)| (caller.to_owned(), count, team, at, last));
        assert_eq!(rows.iter().map(of).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_text_that_a_database_refuses_is_kept_without_what_it_refuses() {
        let event = Event { record: "a\0b".to_owned(), ..refusal("user:1", 7, 1) };
        assert_eq!(row(event).unwrap().record, "a\u{fffd}b");
    }
}
