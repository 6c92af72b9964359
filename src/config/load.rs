//! Reads the file and the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Config, Problems};

/// Where a configuration comes from.
#[derive(Clone)]
pub struct Sources {
    /// The file named with `--config`; without it `CONFIG_PATH`, then `config.yml`.
    pub path: Option<PathBuf>,
    /// The process's environment variables. They override the file.
    pub environment: BTreeMap<String, String>,
    /// What relative paths start from, save those in the file.
    pub working_directory: PathBuf,
}

/// A configuration, and where each setting came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// Every setting, in the order of `config.example.yml`.
    pub settings: Vec<Setting>,
}

/// One setting as it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The full key, such as `server.tls.certFile`.
    pub path: String,
    /// The value as written; `<secret>` for secrets, empty if not set.
    pub value: String,
    /// Who set it.
    pub source: Source,
}

/// Who set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody.
    Default,
    /// The file, on this line.
    File {
        /// The file's name as it was given.
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// The environment variable of this name.
    Variable(String),
}

/// Reads and checks everything.
///
/// # Errors
/// All problems found, not only the first.
pub fn load(_sources: &Sources) -> Result<Loaded, Problems> {
    Err(Problems::one("not written yet".to_owned()))
}
