//! Who did what, to which group, and how it ended: one JSON line for each operation that changed something
//! or was refused after the caller was known. Never a token.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::config::Change;

/// How lines call the service when it acts by itself, or as its administrator configured it.
const SYSTEM: &str = "system";

/// What is known about a request so far. Cloning gives the same trail.
#[derive(Clone)]
pub struct Trail(Arc<Mutex<Progress>>);

struct Progress {
    record: Record,
    line: Line,
}

/// Who writes a trail's one line.
#[derive(PartialEq)]
enum Line {
    /// The edge, if the request is refused.
    Open,
    /// A write that is under way: it knows best how it ended, even after the caller was answered.
    LeftToTheWrite,
    /// It is written.
    Written,
}

/// An audit line. Fields that don't apply are left out.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Record {
    /// When it ended: RFC 3339, UTC.
    pub time: String,
    /// Always `audit`.
    pub target: &'static str,
    /// The id that the caller saw as `X-Request-ID`.
    pub request_id: String,
    /// What was asked for, such as `repos-add`.
    pub operation: &'static str,
    /// `success`, `partial`, `refused` or `failed`.
    pub outcome: &'static str,
    /// Why it was refused or failed: the envelope's `Reason`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The caller's login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The caller's id at GitHub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<u64>,
    /// Where the request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// The team's slug: as asked for until GitHub told the canonical one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The team's id, once GitHub told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_id: Option<u64>,
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
    pub group_id: Option<u64>,
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
        let record = Record { request_id, target: "audit", ..Record::default() };
        Self(Arc::new(Mutex::new(Progress { record, line: Line::Open })))
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
        progress.record.outcome = outcome;
        progress.record.reason = reason;
        progress.record.time = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        match serde_json::to_string(&progress.record) {
            Ok(record) => tracing::info!(target: "audit", record),
            Err(error) => tracing::error!(%error, "an audit line could not be written"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
