//! What was done, for those who ask later. Events wait in memory and are written together, so nobody waits for the store;
//! the audit log, not this index, is what must not lose a line.

mod prune;
mod queue;
mod write;

pub(super) use self::prune::{Bounds, keep_bounded};
pub(super) use self::queue::Queue;
pub(super) use self::write::write;
use super::Store;
use super::error::StoreError;
use super::records::{id, to_signed};
use crate::domain::ids::TeamId;
use crate::domain::outcome::Outcome;
use crate::domain::reason::Cause;

/// Something that was done, or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it ended, in milliseconds since 1970.
    pub at_ms: u64,
    /// The operation.
    pub operation: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not succeed.
    pub reason: Option<Cause>,
    /// The team that it was about, for good.
    pub team: Option<TeamId>,
    /// Who did it: kind and id, not a name.
    pub caller: Option<String>,
    /// The request's id.
    pub request_id: String,
    /// The audit line, as JSON. No secret is in it.
    pub record: String,
}

/// An event as it was kept, perhaps by another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place: later events have larger ones.
    pub id: i64,
    /// When it ended, in milliseconds since 1970. Of several refusals, the first.
    pub at_ms: u64,
    /// The same of the last one.
    pub last_ms: u64,
    /// The operation.
    pub operation: String,
    /// How it ended, as audit lines say it.
    pub outcome: String,
    /// Why it did not succeed, likewise.
    pub reason: Option<String>,
    /// The team that it was about. Of refusals about several teams, none.
    pub team: Option<TeamId>,
    /// Who did it.
    pub caller: Option<String>,
    /// The id of the request, or of the first one.
    pub request_id: String,
    /// The audit line, or the first one, as JSON.
    pub record: String,
    /// How many there were: refusals of one caller for one reason within an hour are one event.
    pub count: u64,
}

type Row = (i64, i64, i64, String, String, Option<String>, Option<i64>, Option<String>, String, String, i64);

const OF_ALL: &str = "SELECT id, at_ms, last_ms, operation, outcome, reason, team, caller, request_id, record, count \
                      FROM arm_events WHERE id < $1 ORDER BY id DESC LIMIT $2";
const OF_TEAM: &str = "SELECT id, at_ms, last_ms, operation, outcome, reason, team, caller, request_id, record, count \
                       FROM arm_events WHERE team = $3 AND id < $1 ORDER BY id DESC LIMIT $2";

impl Store {
    /// Keeps an event. Never waits: it is written soon, or counted as lost if too many wait already.
    pub fn push_event(&self, event: Event) {
        self.events.push(event);
    }

    /// Waits until the events that wait are written, or could not be. Returns how many still wait.
    pub async fn flush(&self) -> usize {
        self.events.flushed().await
    }

    /// Events about one team, or all; those with ids smaller than `before`, newest first, at most `limit`.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn events(
        &self,
        team: Option<TeamId>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let (before, limit) = (before.unwrap_or(i64::MAX), i64::from(limit));
        let team = team.map(|team| to_signed(team.0)).transpose()?;
        let mut transaction = self.database.read().await?;
        let rows = match team {
            Some(team) => query!(&mut transaction, fetch_all Row, OF_TEAM, before, limit, team)?,
            None => query!(&mut transaction, fetch_all Row, OF_ALL, before, limit)?,
        };
        transaction.commit().await?;
        rows.into_iter().map(event).collect()
    }
}

fn event(row: Row) -> Result<StoredEvent, StoreError> {
    let (id_, at_ms, last_ms, operation, outcome, reason, team, caller, request_id, record, count) = row;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(StoredEvent {
        id: id_,
        at_ms: id(at_ms)?,
        last_ms: id(last_ms)?,
        operation,
        outcome,
        reason: given(reason),
        team: team.map(|team| id(team).map(TeamId)).transpose()?,
        caller: given(caller),
        request_id,
        record,
        count: id(count)?,
    })
}
