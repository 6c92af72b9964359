//! The `logging` section.

use std::path::{Path, PathBuf};

/// Where log lines go and how they look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggingConfig {
    /// The minimum level that is written. Read again on SIGHUP.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
    /// Where ordinary lines go when not to standard output.
    pub directory: Option<PathBuf>,
    /// Backups older than this many days are removed; 0 keeps them for ever.
    pub max_age_days: u32,
    /// The maximum number of backups; 0 keeps all.
    pub max_backups: u32,
    /// The maximum size of one file in bytes.
    pub max_size: u64,
    /// Whether backups are compressed with gzip.
    pub compress: bool,
    /// A file for audit lines; without it they go where the other lines go.
    pub audit: Option<PathBuf>,
}

/// How important a line has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything of our own code.
    Debug,
    /// Each request, and what the service does by itself.
    Info,
    /// What may need attention.
    Warn,
    /// What failed.
    Error,
    /// As `Error`; a level of its own in the earlier service.
    Fatal,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One flat JSON object a line.
    Json,
    /// Text for people.
    Text,
}

impl LoggingConfig {
    /// The file of ordinary lines, if they don't go to standard output.
    pub fn file(&self) -> Option<PathBuf> {
        self.directory.as_deref().map(Self::file_in)
    }

    /// The file of ordinary lines in `logging.logDirectory`.
    pub(super) fn file_in(directory: &Path) -> PathBuf {
        directory.join("actions-runner-manager/server.log")
    }
}
