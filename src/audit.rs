//! Who did what, to which group, and how it ended: one line for each operation that changed something or was refused
//! after the caller was known. It is made from the request's facts, what the operation noted, and the outcome; nobody
//! reads it back. Never a token.

mod limited;
mod record;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::limited::LimitedCallers;
use self::record::Record;
use crate::config::Change;
use crate::domain::entry::EntryId;
use crate::domain::ids::{GroupId, TeamId};
use crate::domain::outcome::Outcome;
use crate::domain::reason::{Cause, Reason};
use crate::request::Context;
use crate::store::Store;
pub use crate::telemetry::NoRoom;
use crate::telemetry::{AUDIT_TARGET, AuditRoom, Reserved};

/// Bytes of a line in addition to its lists: names, ids, a slug of the greatest length in several fields, and what a token of an
/// issuer says of its holder.
const FIXED_PART: usize = 4 << 10;
/// Bytes around an item of a list: quotes and a comma.
const QUOTED: usize = 3;

/// Where audit lines go: to the log, and as events into the store, if there is one.
#[derive(Clone)]
pub struct AuditLog {
    room: AuditRoom,
    store: Option<Arc<Store>>,
}

impl AuditLog {
    /// A log with so much room.
    pub fn new(room: AuditRoom, store: Option<Arc<Store>>) -> Self {
        Self { room, store }
    }

    /// Lines are written as they come, and to the log alone.
    pub fn unbounded() -> Self {
        Self::new(AuditRoom::unbounded(), None)
    }

    /// What keeps audit lines from being written, in a word.
    pub fn audit_problem(&self) -> Option<&'static str> {
        self.room.audit_problem()
    }

    /// What keeps other lines from being written, in a word.
    pub fn log_problem(&self) -> Option<&'static str> {
        self.room.log_problem()
    }
}

/// The audit line of one request, or of something that the service does by itself. Cloning gives the same line.
#[derive(Clone)]
pub struct AuditLine(Arc<Line>);

struct Line {
    context: Context,
    log: AuditLog,
    progress: Mutex<Progress>,
}

struct Progress {
    details: Details,
    stage: Stage,
    /// Room in the log; none until somebody is known whose doings are written down.
    reserved: Option<Reserved>,
}

/// Who writes the line.
#[derive(PartialEq)]
enum Stage {
    /// The edge, if the request is refused.
    Open,
    /// A write that is under way: it knows best how it ended, even after the caller was answered.
    LeftToTheWrite,
    /// It is written, or there was no room for it before anything happened.
    Written,
}

/// What an operation notes about itself.
#[derive(Debug, Clone, Default)]
pub struct Details {
    /// The slug of the team that runners were to be moved to.
    pub to_team: Option<String>,
    /// Whether it was only to be said what would be done.
    pub dry_run: bool,
    /// The runner group that was found or made: name and id.
    pub group: Option<(String, GroupId)>,
    /// The group or groups as they were named.
    pub named_group: Option<String>,
    /// Groups that were given to a team, or taken from it.
    pub records: Vec<(TeamId, GroupId, String)>,
    /// Repositories that were asked for.
    pub repositories: Vec<String>,
    /// Runners that were acted on.
    pub runners: Vec<String>,
    /// An access entry that was made or removed.
    pub entry: Option<EntryId>,
    /// Settings with another value than before.
    pub changes: Vec<Change>,
    /// GitHub's ids of the calls that changed, or were to change, something.
    pub github_request_ids: Vec<String>,
    /// How many requests this line stands for, where one stands for several.
    count: Option<u64>,
}

impl AuditLine {
    /// The line of a new request.
    pub fn new(context: Context, log: AuditLog) -> Self {
        let progress = Progress { details: Details::default(), stage: Stage::Open, reserved: None };
        Self(Arc::new(Line { context, log, progress: Mutex::new(progress) }))
    }

    /// Makes sure that the line can be written, with lists of so many bytes in addition to those noted so far. To be called
    /// before anything is done that leaves a line, and again when more becomes known about it. Without room for any line,
    /// none is written.
    ///
    /// # Errors
    /// The log has no room for the line.
    pub fn reserve(&self, bytes: usize) -> Result<(), NoRoom> {
        let mut progress = self.lock();
        let Details { repositories, runners, .. } = &progress.details;
        let noted: usize = repositories.iter().chain(runners).map(|name| name.len() + QUOTED).sum();
        let bytes = FIXED_PART + noted + bytes;
        if let Some(reserved) = &mut progress.reserved {
            return reserved.grow_to(bytes);
        }
        let reserved = self.0.log.room.reserve(bytes);
        if reserved.is_err() {
            progress.stage = Stage::Written;
        }
        progress.reserved = Some(reserved?);
        Ok(())
    }

    /// The same, with these names in its lists.
    ///
    /// # Errors
    /// The log has no room for the line.
    pub fn reserve_names<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        bytes: usize,
    ) -> Result<(), NoRoom> {
        self.reserve(names.map(|name| name.len() + QUOTED).sum::<usize>() + bytes)
    }

    /// Notes what became known about the operation.
    pub fn note(&self, note: impl FnOnce(&mut Details)) {
        note(&mut self.lock().details);
    }

    /// Leaves the line to a write that begins now.
    pub fn leave_to_the_write(&self) {
        self.lock().stage = Stage::LeftToTheWrite;
    }

    /// Writes the line of a request that was refused or failed, unless a write did or is about to.
    pub fn write_refusal(&self, outcome: Outcome, cause: Cause) {
        if self.lock().stage == Stage::Open {
            self.write(outcome, Some(cause));
        }
    }

    /// Writes the line, unless it was written already.
    pub fn write(&self, outcome: Outcome, cause: Option<Cause>) {
        let mut progress = self.lock();
        if std::mem::replace(&mut progress.stage, Stage::Written) == Stage::Written {
            return;
        }
        let record = Record::new(&self.0.context, &progress.details, outcome, cause);
        match serde_json::to_string(&record) {
            Ok(json) => {
                tracing::info!(target: AUDIT_TARGET, reserved = progress.reserved.is_some(), record = json);
                // Of what was free to try, and costs nothing, nothing is kept.
                let is_kept = cause != Some(Cause::Reason(Reason::NotTrusted));
                if let Some(store) = self.0.log.store.as_ref().filter(|_| is_kept) {
                    store.push_event(record.event(&self.0.context, json));
                }
            }
            Err(error) => tracing::error!(%error, "an audit line could not be written"),
        }
        progress.reserved = None;
    }

    /// The log that it is a line of.
    pub fn log(&self) -> AuditLog {
        self.0.log.clone()
    }

    /// Takes the line over, if it is still the edge's.
    fn claim(&self) -> bool {
        let mut progress = self.lock();
        let is_open = progress.stage == Stage::Open;
        if is_open {
            progress.stage = Stage::LeftToTheWrite;
        }
        is_open
    }

    /// The line won't be written.
    fn give_up(&self) {
        let mut progress = self.lock();
        (progress.stage, progress.reserved) = (Stage::Written, None);
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the line of a configuration that took the place of another.
pub fn write_changes(changes: Vec<Change>, log: AuditLog) {
    let line = AuditLine::new(Context::of_the_system("configuration-reload"), log);
    line.note(|details| details.changes = changes);
    line.write(Outcome::Success, None);
}
