//! A configuration that was read, and what it was read from.

use std::collections::BTreeMap;
#[cfg(any(test, fuzzing))]
use std::path::Path;
use std::path::PathBuf;

use super::Config;
use super::diagnostic::Diagnostic;
use super::origin::Setting;

/// The file that is read if none is named.
pub(super) const DEFAULT_FILE: &str = "config.yml";

/// Where a configuration comes from.
#[derive(Clone)]
pub struct Sources {
    /// The file named with `--config`; without it `CONFIG_PATH`, then `config.yml`.
    pub path: Option<PathBuf>,
    /// The process's environment variables, with a replacement character for each byte that is no text. They override
    /// the file.
    pub environment: BTreeMap<String, String>,
    /// The folder that relative paths start from, except those in the file.
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
    /// The content of the file, if any.
    pub snapshot: Option<Snapshot>,
    /// Whether the file's last line is YAML's end mark, so that a later file that is cut off is recognised.
    pub has_end_mark: bool,
    /// What warnings need to know in addition to the configuration.
    pub(super) surroundings: Surroundings,
}

/// The content of a configuration's file at one moment. It may contain secrets, so it isn't printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// As the administrator gave it.
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) bytes: Vec<u8>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Snapshot").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(any(test, fuzzing))]
impl Snapshot {
    /// A file with this content.
    pub(super) fn of(text: &[u8], folder: &Path) -> Self {
        Self { name: DEFAULT_FILE.to_owned(), folder: folder.to_owned(), bytes: text.to_vec() }
    }
}

/// What warnings need to know in addition to the configuration.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    /// Where the file is, if there is one.
    pub(super) file: Option<PathBuf>,
    /// What was noticed while the configuration was read.
    pub(super) noticed: Vec<Diagnostic>,
    /// Whether the process runs in a container, whose addresses are its own.
    pub(super) is_container: bool,
}

/// The first is set in every container of Kubernetes, the second by container managers and our image.
const CONTAINER_VARIABLES: [&str; 2] = ["KUBERNETES_SERVICE_HOST", "container"];

impl Surroundings {
    pub(super) fn new(file: Option<PathBuf>, noticed: Vec<Diagnostic>, sources: &Sources) -> Self {
        let is_set = |name: &&str| sources.environment.get(*name).is_some_and(|value| !value.is_empty());
        Self { file, noticed, is_container: CONTAINER_VARIABLES.iter().any(is_set) }
    }
}
