//! Who did what, to which group, and how it ended: one JSON line for each operation that changed something
//! or was refused after the caller was known. Never a token.

mod limited;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

pub use self::limited::LimitedCallers;
use crate::config::Change;
use crate::domain::ids::{GroupId, TeamId, UserId};
use crate::telemetry::{AUDIT_TARGET, Reserved};
pub use crate::telemetry::{AuditRoom, NoRoom};

/// Bytes of a line beside the lists in it: names, ids, and a slug of the greatest length in several fields.
const FIXED_PART: usize = 2 << 10;
/// Bytes around an item of a list: quotes and a comma.
pub const QUOTED: usize = 3;

/// How lines call the service when it acts by itself, or as its administrator configured it.
const SYSTEM: &str = "system";

/// What is known about a request so far. Cloning gives the same trail.
#[derive(Clone)]
pub struct Trail(Arc<Mutex<Progress>>);

struct Progress {
    record: Record,
    line: Line,
    /// Room for the line; none until somebody is known whose doings are written down.
    room: Option<Reserved>,
}

/// Who writes a trail's one line.
#[derive(PartialEq)]
enum Line {
    /// The edge, if the request is refused.
    Open,
    /// A write that is under way: it knows best how it ended, even after the caller was answered.
    LeftToTheWrite,
    /// It is written, or there was no room for it before anything happened.
    Written,
}

/// An audit line. Fields that don't apply are left out.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Record {
    /// When it ended: RFC 3339, UTC. This and the next three begin every line of the log.
    pub timestamp: String,
    /// Always `info`: audit lines are written at any level.
    pub level: &'static str,
    /// Always `audit`.
    pub target: &'static str,
    /// Operation and outcome, for people.
    pub message: String,
    /// The same as `timestamp`, under the name that audit lines had first.
    pub time: String,
    /// The id that the caller saw as `X-Request-ID`.
    pub request_id: String,
    /// What was asked for, such as `repos-add`.
    pub operation: &'static str,
    /// `success`, `partial`, `refused` or `failed`.
    pub outcome: &'static str,
    /// Why it was refused or failed: the envelope's `Reason`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// How many requests this line stands for, where one stands for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The caller's login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The caller's id at GitHub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Where the request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// The team's slug: as asked for until GitHub told the canonical one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The team's id, once GitHub told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
    /// The slug of the team that runners were to be moved to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_team: Option<String>,
    /// Whether the caller acted as a maintainer of the administrators' team.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub as_administrator: bool,
    /// Whether it was only to be said what would be done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The runner group's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The runner group's id, once it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<GroupId>,
    /// Repositories that were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// Runners that were acted on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runners: Vec<String>,
    /// Settings with another value than before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Those of them that are in force only after a restart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs_restart: Vec<String>,
    /// GitHub's ids of the calls that changed, or were to change, something.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub github_request_ids: Vec<String>,
}

impl Trail {
    /// The trail of a new request.
    pub fn new(request_id: String) -> Self {
        let record = Record { request_id, level: "info", target: AUDIT_TARGET, ..Record::default() };
        Self(Arc::new(Mutex::new(Progress { record, line: Line::Open, room: None })))
    }

    /// Makes sure that the line can be written, with lists of `bytes` in it. To be called before anything is done that
    /// leaves a line, and again when more becomes known about it. Without room for any line, none is written.
    pub fn reserve(&self, room: &AuditRoom, bytes: usize) -> Result<(), NoRoom> {
        let mut progress = self.lock();
        let bytes = FIXED_PART + bytes;
        if let Some(reserved) = &mut progress.room {
            return reserved.grow_to(bytes);
        }
        let reserved = room.reserve(bytes);
        if reserved.is_err() {
            progress.line = Line::Written;
        }
        progress.room = Some(reserved?);
        Ok(())
    }

    /// The trail of something that no request is behind.
    pub fn of_the_system(operation: &'static str) -> Self {
        let trail = Self::new(uuid::Uuid::now_v7().simple().to_string());
        trail.note(|record| {
            record.operation = operation;
            record.user = Some(SYSTEM.to_owned());
        });
        trail
    }

    /// Writes the line of a configuration that took the place of another.
    pub fn write_changes(&self, changes: Vec<Change>) {
        let waiting = changes.iter().filter(|change| change.needs_restart());
        let needs_restart = waiting.map(|change| change.key.clone()).collect();
        self.note(|record| {
            record.needs_restart = needs_restart;
            record.changes = changes;
        });
        self.write("success", None);
    }

    /// Adds what became known.
    pub fn note(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.lock().record);
    }

    /// Looks at what is known so far. What looks must not use the trail.
    pub fn look<T>(&self, look: impl FnOnce(&Record) -> T) -> T {
        look(&self.lock().record)
    }

    /// Leaves the line to a write that begins now.
    pub fn leave_to_the_write(&self) {
        self.lock().line = Line::LeftToTheWrite;
    }

    /// Bytes of the lists in the line, as far as they are known.
    pub fn lists(&self) -> usize {
        let record = &self.lock().record;
        record.repositories.iter().chain(&record.runners).map(|name| name.len() + QUOTED).sum()
    }

    /// Takes the line over, if it is still the edge's.
    fn claim(&self) -> bool {
        let mut progress = self.lock();
        let is_open = progress.line == Line::Open;
        if is_open {
            progress.line = Line::LeftToTheWrite;
        }
        is_open
    }

    /// The line won't be written.
    fn give_up(&self) {
        let mut progress = self.lock();
        (progress.line, progress.room) = (Line::Written, None);
    }

    /// Writes the line of a request that was refused or failed, unless a write did or is about to.
    pub fn write_refusal(&self, outcome: &'static str, reason: &'static str) {
        if self.lock().line == Line::Open {
            self.write(outcome, Some(reason));
        }
    }

    /// Writes the line, unless it was written already.
    pub fn write(&self, outcome: &'static str, reason: Option<&'static str>) {
        let mut progress = self.lock();
        if std::mem::replace(&mut progress.line, Line::Written) == Line::Written {
            return;
        }
        let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let record = &mut progress.record;
        (record.outcome, record.reason) = (outcome, reason);
        record.message = format!("{}: {outcome}", record.operation);
        (record.timestamp, record.time) = (now.clone(), now);
        let record = serde_json::to_string(record);
        match record {
            Ok(record) => tracing::info!(target: AUDIT_TARGET, reserved = progress.room.is_some(), record),
            Err(error) => tracing::error!(%error, "an audit line could not be written"),
        }
        progress.room = None;
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
