//! Reads the file and the environment.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::document::{Document, MOST_BYTES};
use super::environment::Environment;
use super::reader::{File, Reader};
use super::warnings::Surroundings;
use super::{Config, Noticed, Problems, mistyped, sections};

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
    /// What warnings need to know beside the configuration.
    pub(super) surroundings: Surroundings,
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

impl std::fmt::Display for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File { name, line } => write!(formatter, "{name}:{line}"),
            Self::Variable(name) => write!(formatter, "variable {name}"),
        }
    }
}

/// Reads and checks everything.
///
/// # Errors
/// All problems found, not only the first.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    load_noticing(sources, &mut Noticed::default())
}

/// The same; also gives what is learnt on the way.
///
/// # Errors
/// All problems found, not only the first.
pub fn load_noticing(sources: &Sources, noticed: &mut Noticed) -> Result<Loaded, Problems> {
    understand(read_file(sources)?, sources, noticed)
}

pub(super) fn understand(
    file: Option<File>,
    sources: &Sources,
    noticed: &mut Noticed,
) -> Result<Loaded, Problems> {
    let name = file.as_ref().map(|file| PathBuf::from(&file.name));
    let environment = Environment::new(&sources.environment);
    let mut reader = Reader::new(file, environment, sources.working_directory.clone());
    let config = sections::read(&mut reader);
    noticed.references = reader.references();
    noticed.warnings = reader.warnings();
    noticed.warnings.extend(mistyped::variables(&sources.environment, reader.known()));
    let settings = reader.finish().map_err(|problems| match name {
        Some(_) => problems,
        None => problems.with_note(format!(
            "There is no {DEFAULT_FILE} in {}: only environment variables were read.",
            sources.working_directory.display()
        )),
    })?;
    // Invalid only if a problem was noted, which ended it above.
    let config = config.map_err(|_| Problems::one("the configuration is incomplete"))?;
    let surroundings =
        Surroundings::new(name.as_ref().map(|_| file_of(sources)), noticed.warnings.clone(), sources);
    Ok(Loaded { config, file: name, settings, surroundings })
}

const DEFAULT_FILE: &str = "config.yml";
const PATH_VARIABLE: &str = "CONFIG_PATH";

/// Where the configuration's file is, or would be if there were one.
pub fn file_of(sources: &Sources) -> PathBuf {
    let given = named(sources).unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    sources.working_directory.join(given)
}

fn named(sources: &Sources) -> Option<PathBuf> {
    let from_variable = sources.environment.get(PATH_VARIABLE).filter(|path| !path.is_empty());
    sources.path.clone().or_else(|| from_variable.map(PathBuf::from))
}

fn read_file(sources: &Sources) -> Result<Option<File>, Problems> {
    let named = named(sources);
    let given = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    let path = file_of(sources);
    let name = given.display().to_string();
    let problem = |reason: &str| Problems::one(&format!("{name}: {reason}"));

    let mut bytes = Vec::new();
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => return Err(problem("expected a file, found a directory")),
        Err(cause) if cause.kind() == ErrorKind::NotFound && named.is_none() => return Ok(None),
        Ok(_) => {}
        Err(cause) => return Err(problem(&format!("cannot be read: {cause}"))),
    }
    // One byte more than allowed tells a file that is too large, even if it grows meanwhile or is a pipe.
    std::fs::File::open(&path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|cause| problem(&format!("cannot be read: {cause}")))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(problem(&format!("expected at most {MOST_BYTES} bytes; this is no configuration")));
    }
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    file(name, folder, bytes).map(Some)
}

pub(super) fn file(name: String, folder: PathBuf, bytes: Vec<u8>) -> Result<File, Problems> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes().iter().take(valid).filter(|byte| **byte == b'\n').count();
        Problems::at(&name, line, "expected UTF-8 text")
    })?;
    let document = Document::parse(text).map_err(|error| Problems::at(&name, error.line, &error.reason))?;
    Ok(File { name, document, folder })
}
