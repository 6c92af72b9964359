//! Log lines: levels, formats, files. Secrets have types that don't print, so none reaches a line.

mod fields;
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
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

use crate::config::{LogFormat, LogLevel, LoggingConfig};
use fields::SpanFields;
use lines::{Choice, Lines, Sink};
use queue::{Output, Queue};
use roller::{Roller, Rotation};

/// The target of audit events. They are written whatever the level, always as JSON, and never dropped. If an
/// event has a field `record`, its text is the whole line.
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
    /// Another subscriber is installed already.
    #[error("logging was started already")]
    AlreadyStarted,
}

/// Keeps logging alive; dropping it writes out what is queued.
pub struct Telemetry {
    level: Box<dyn Fn(LogLevel) + Send + Sync>,
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
    let ordinary = Lines { sink: Sink::Direct(output.clone()), format };
    let audit = Lines { sink: Sink::Direct(output), format: LogFormat::Json };
    Registry::default()
        .with(SpanFields)
        .with(ordinary.with_filter(Choice::Ordinary(level)))
        .with(audit.with_filter(Choice::Audit))
}

/// The subscriber of the real service, and what keeps it alive.
fn queued(
    config: &LoggingConfig,
) -> Result<(impl Subscriber + Send + Sync + use<>, Telemetry), TelemetryError> {
    let output = match config.file() {
        Some(file) => Output::new(rolling(&file, config)?),
        None => Output::new(io::stdout()),
    };
    let audit_output = match &config.audit {
        Some(file) => Output::new(rolling(file, config)?),
        None => output.clone(),
    };
    let (ordinary_queue, ordinary_thread) = Queue::lossy(output);
    let (audit_queue, audit_thread) = Queue::lossless(audit_output);
    let ordinary = Lines { sink: Sink::Queue(ordinary_queue.clone()), format: config.format };
    let audit = Lines { sink: Sink::Queue(audit_queue.clone()), format: LogFormat::Json };

    let (choice, handle) = reload::Layer::new(Choice::Ordinary(config.level));
    let subscriber = Registry::default()
        .with(SpanFields)
        .with(ordinary.with_filter(choice))
        .with(audit.with_filter(Choice::Audit));
    let telemetry = Telemetry {
        // Fails only when the subscriber is gone, and with it all logging.
        level: Box::new(move |level| drop(handle.reload(Choice::Ordinary(level)))),
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
        (self.level)(level);
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
