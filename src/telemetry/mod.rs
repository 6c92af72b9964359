//! Log lines: levels, formats, files. Secrets have types that don't print, so none reaches a line.

mod fields;
mod folders;
mod lines;
mod output;
mod queue;
mod roller;
mod room;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use tracing::Subscriber;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogLevel, LoggingConfig};
use fields::SpanFields;
pub use folders::check_log_file;
use lines::{Choice, Lines, Sink};
use output::Output;
use queue::{Failure, Queue};
use roller::{Roller, Rotation, Tidying};
pub use room::{AuditRoom, NoRoom, Reserved};

/// The target of audit events. They are written whatever the level, and never dropped. If an event has a field
/// `record`, its text is the whole line, as JSON; `reserved` beside it says whether room was reserved for it.
pub const AUDIT_TARGET: &str = "audit";

/// How long a flush may take: longer than any disk needs that still works.
const FLUSH_AT_MOST: Duration = Duration::from_secs(2);

/// Why logging can't start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log file can't be written.
    #[error("cannot write the log file {file}: {cause}", file = file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A thread that writes can't be started.
    #[error("no thread can be started that writes the log: {0}")]
    Thread(io::Error),
    /// Another subscriber is installed already.
    #[error("logging was started already")]
    AlreadyStarted,
}

/// Keeps logging alive; dropping it writes out what is queued.
pub struct Telemetry {
    choice: Arc<Choice>,
    ordinary: Arc<Queue>,
    audit: Arc<Queue>,
    room: AuditRoom,
    /// Of the files, if there are any.
    tidying: Vec<Arc<Tidying>>,
    /// Whether a flush waited in vain, so that the end need not wait once more.
    gave_up: AtomicBool,
}

/// Where the process's audit lines go, as [`init`] set it.
static ROOM: OnceLock<AuditRoom> = OnceLock::new();

/// What knows whether the process can write audit lines.
pub fn audit_room() -> AuditRoom {
    ROOM.get().cloned().unwrap_or_else(AuditRoom::unbounded)
}

/// Starts logging for the whole process.
///
/// # Errors
/// A log file can't be written, or logging was started already.
pub fn init(config: &LoggingConfig) -> Result<Telemetry, TelemetryError> {
    let (subscriber, telemetry) = queued(config)?;
    subscriber.try_init().map_err(|_| TelemetryError::AlreadyStarted)?;
    ROOM.get_or_init(|| telemetry.room.clone());
    // A line like all others, and never on standard error, where it could wait for a reader.
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(tracing::field::display);
        tracing::error!(location, message = panic.payload_as_str().unwrap_or("no message"), "panicked");
    }));
    Ok(telemetry)
}

/// A subscriber that writes every line, audit included, to `writer` as it comes. For tests.
pub fn subscriber_for<W>(writer: W, level: LogLevel, format: LogFormat) -> impl Subscriber + Send + Sync
where
    W: io::Write + Send + 'static,
{
    let output = Output::stream(writer);
    let (ordinary, audit) = (Sink::Direct(output.clone()), Sink::Direct(output));
    let lines = Lines { choice: Arc::new(Choice::new(level)), format, ordinary, audit_format: format, audit };
    Registry::default().with(SpanFields).with(lines)
}

/// The subscriber of the real service, and what keeps it alive.
fn queued(
    config: &LoggingConfig,
) -> Result<(impl Subscriber + Send + Sync + use<>, Telemetry), TelemetryError> {
    let mut tidying = Vec::new();
    let mut rolling = |file: &Path| {
        let roller = rolling(file, config)?;
        tidying.push(roller.tidying());
        Ok(Output::file(roller))
    };
    let output = match config.file() {
        Some(file) => rolling(&file)?,
        None => standard_output(),
    };
    let (audit_output, audit_format) = match &config.audit {
        Some(file) => (rolling(file)?, LogFormat::Json),
        None => (output.clone(), config.format),
    };
    let start = |output, bounds, failure, thread| {
        Queue::start(output, bounds, failure, thread).map_err(TelemetryError::Thread)
    };
    let ordinary = start(output, queue::ORDINARY, Failure::Drops, "log")?;
    let audit = start(audit_output, queue::AUDIT, Failure::Waits, "audit-log")?;
    let choice = Arc::new(Choice::new(config.level));
    let lines = Lines {
        choice: choice.clone(),
        format: config.format,
        ordinary: Sink::Queue(ordinary.clone()),
        audit_format,
        audit: Sink::Queue(audit.clone()),
    };
    let subscriber = Registry::default().with(SpanFields).with(lines);
    let room = AuditRoom::of(audit.clone(), ordinary.clone(), config.audit.is_none());
    Ok((subscriber, Telemetry { choice, ordinary, audit, room, tidying, gave_up: AtomicBool::new(false) }))
}

/// Not through `io::Stdout`, whose buffer would know what was written, and this not.
fn standard_output() -> Output {
    match io::stdout().as_fd().try_clone_to_owned() {
        Ok(descriptor) => Output::stream(File::from(descriptor)),
        Err(_) => Output::stream(io::stdout()),
    }
}

fn rolling(file: &Path, config: &LoggingConfig) -> Result<Roller, TelemetryError> {
    let rotation = Rotation {
        max_size: config.max_size,
        max_age: (config.max_age_days > 0).then(|| TimeDelta::days(config.max_age_days.into())),
        max_backups: (config.max_backups > 0).then_some(config.max_backups as usize),
        compress: config.compress,
    };
    Roller::open(file, rotation, Utc::now)
        .map_err(|cause| TelemetryError::File { file: file.to_owned(), cause })
}

impl Telemetry {
    /// What changes the level from then on.
    pub fn level_setter(&self) -> impl Fn(LogLevel) + Send + use<> {
        let choice = self.choice.clone();
        move |level| choice.set_level(level)
    }

    /// Waits, at most two seconds, until the lines so far are written. Says how many audit lines are not.
    pub fn flush(&self) -> u64 {
        let started = Instant::now();
        let audit = self.audit.flush(FLUSH_AT_MOST);
        let ordinary = self.ordinary.flush(FLUSH_AT_MOST.saturating_sub(started.elapsed()));
        self.gave_up.store(audit + ordinary > 0, Ordering::Relaxed);
        self.tidying.iter().for_each(|tidying| tidying.settled(FLUSH_AT_MOST));
        audit
    }

    /// Lines lost so far, because the queue was full or the file could not be written.
    pub fn lost_lines(&self) -> u64 {
        self.ordinary.lost() + self.audit.lost()
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if !self.gave_up.load(Ordering::Relaxed) {
            self.flush();
        }
        self.ordinary.end();
        self.audit.end();
    }
}

#[cfg(test)]
mod tests;
