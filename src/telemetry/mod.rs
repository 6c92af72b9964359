//! Log lines: levels, formats, files. Secrets have types that don't print, so none reaches a line.

mod fields;
mod folders;
mod lines;
mod queue;
mod roller;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tracing::Subscriber;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogLevel, LoggingConfig};
use fields::SpanFields;
pub use folders::check_log_file;
use lines::{Choice, Lines, Sink};
use queue::{Output, Queue};
use roller::{Roller, Rotation};

/// The target of audit events. They are written whatever the level, always as JSON, and never dropped. If an
/// event has a field `record`, its text is the whole line.
pub const AUDIT_TARGET: &str = "audit";

/// Bytes of standard output that are written at once, at most.
const BUFFERED: usize = 64 << 10;
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
    /// Another subscriber is installed already.
    #[error("logging was started already")]
    AlreadyStarted,
}

/// Keeps logging alive; dropping it writes out what is queued.
pub struct Telemetry {
    choice: Arc<Choice>,
    queues: [Arc<Queue>; 2],
    /// Dropped last, which ends the threads.
    _threads: [WorkerGuard; 2],
}

/// Starts logging for the whole process.
///
/// # Errors
/// A log file can't be written, or logging was started already.
pub fn init(config: &LoggingConfig) -> Result<Telemetry, TelemetryError> {
    let (subscriber, telemetry) = queued(config)?;
    subscriber.try_init().map_err(|_| TelemetryError::AlreadyStarted)?;
    Ok(telemetry)
}

/// A subscriber that writes every line, audit included, to `writer` as it comes. For tests.
pub fn subscriber_for<W>(writer: W, level: LogLevel, format: LogFormat) -> impl Subscriber + Send + Sync
where
    W: io::Write + Send + 'static,
{
    let output = Output::new(writer);
    let (ordinary, audit) = (Sink::Direct(output.clone()), Sink::Direct(output));
    let lines = Lines { choice: Arc::new(Choice::new(level)), format, ordinary, audit };
    Registry::default().with(SpanFields).with(lines)
}

/// The subscriber of the real service, and what keeps it alive.
fn queued(
    config: &LoggingConfig,
) -> Result<(impl Subscriber + Send + Sync + use<>, Telemetry), TelemetryError> {
    let output = match config.file() {
        Some(file) => Output::new(rolling(&file, config)?),
        // Lines that wait together are written together; the queue's thread flushes when none waits.
        None => Output::new(io::BufWriter::with_capacity(BUFFERED, io::stdout())),
    };
    let audit_output = match &config.audit {
        Some(file) => Output::new(rolling(file, config)?),
        None => output.clone(),
    };
    let (ordinary_queue, ordinary_thread) = Queue::lossy(output);
    let (audit_queue, audit_thread) = Queue::lossless(audit_output);
    let choice = Arc::new(Choice::new(config.level));
    let lines = Lines {
        choice: choice.clone(),
        format: config.format,
        ordinary: Sink::Queue(ordinary_queue.clone()),
        audit: Sink::Queue(audit_queue.clone()),
    };
    let subscriber = Registry::default().with(SpanFields).with(lines);
    let telemetry = Telemetry {
        choice,
        queues: [ordinary_queue, audit_queue],
        _threads: [ordinary_thread, audit_thread],
    };
    Ok((subscriber, telemetry))
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
    /// Changes the level from now on.
    pub fn set_level(&self, level: LogLevel) {
        self.choice.set_level(level);
    }

    /// Waits, at most two seconds a queue, until the lines so far are written.
    pub fn flush(&self) {
        self.queues.iter().for_each(|queue| queue.flush(FLUSH_AT_MOST));
    }

    /// Lines lost so far, because the queue was full or the file could not be written.
    pub fn lost_lines(&self) -> u64 {
        self.queues.iter().map(|queue| queue.lost()).sum()
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests;
