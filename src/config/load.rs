//! Reads the file and the environment.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::diagnostic::Diagnostic;
use super::document::{Document, END_MARK, MAX_BYTES, has_end_mark};
use super::environment::{Environment, is_text, variable};
use super::file::File;
use super::loaded::{DEFAULT_FILE, Loaded, Snapshot, Sources, Surroundings};
use super::node::Node;
use super::origin::Source;
use super::problem::Problems;
use super::reader::Reader;
use super::references::Noticed;
use super::{mistyped, sections};
use crate::domain::text::{NotText, decoded};

/// Reads and checks everything.
///
/// # Errors
/// All problems found, not only the first.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    load_noticing(sources, &mut Noticed::default())
}

/// The same; also collects what is noticed on the way.
///
/// # Errors
/// All problems found, not only the first.
pub fn load_noticing(sources: &Sources, noticed: &mut Noticed) -> Result<Loaded, Problems> {
    understand(read_file(sources)?, sources, None, noticed)
}

/// The file as it is now, for [`load_again`]; nothing if there is none and none was named.
///
/// # Errors
/// It can't be read, or is no plain file: a pipe can't be read again.
pub fn look(sources: &Sources) -> Result<Option<Snapshot>, Problems> {
    let path = file_of(sources);
    if std::fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
        let name = given_name(sources);
        return Err(Problems::one(&format!("{name}: expected a plain file, which can be read again")));
    }
    read_file(sources)
}

/// Checks a configuration that is to replace the one in force. If that one had a file or an end mark, so must this one.
///
/// # Errors
/// All problems found; that the file is gone or was cut off is one.
pub fn load_again(
    snapshot: Option<Snapshot>,
    sources: &Sources,
    in_force: &Loaded,
) -> Result<Loaded, Problems> {
    match (&snapshot, &in_force.file) {
        (None, Some(file)) => Err(Problems::one(&format!("{}: the file is gone", file.display()))),
        _ => understand(snapshot, sources, Some(in_force), &mut Noticed::default()),
    }
}

pub(super) fn understand(
    snapshot: Option<Snapshot>,
    sources: &Sources,
    in_force: Option<&Loaded>,
    noticed: &mut Noticed,
) -> Result<Loaded, Problems> {
    let mut of_the_end = Vec::new();
    let end = end_of(sources, in_force).unwrap_or_else(|reason| {
        of_the_end.push(Diagnostic::general(&reason));
        None
    });
    let file = match snapshot.as_ref().map(|snapshot| file(snapshot, end, &mut of_the_end)).transpose() {
        Ok(file) => file,
        Err(problems) => return Err(problems.and(of_the_end)),
    };
    let name = file.as_ref().map(|file| PathBuf::from(&file.name));
    if let (None, Some(End::Required)) = (&file, end) {
        of_the_end.push(Diagnostic::general(&format!(
            "{DEFAULT_FILE}: there is no such file, but {END_VARIABLE}={REQUIRED} expects one"
        )));
    }
    let has_end_mark = file.as_ref().is_some_and(|file| file.document.has_end_mark);
    let environment = Environment::new(&sources.environment);
    let mut reader = Reader::new(file, environment, sources.working_directory.clone());
    let config = sections::read(&mut reader);
    noticed.references = reader.references();
    noticed.warnings = reader.warnings();
    noticed.warnings.extend(mistyped::variables(&sources.environment, reader.known()));
    let settings = reader.finish().map_err(|problems| match name {
        Some(_) => problems.and(of_the_end.clone()),
        None => problems.and(of_the_end.clone()).with_note(format!(
            "There is no {DEFAULT_FILE} in {}: only environment variables were read.",
            sources.working_directory.display()
        )),
    })?;
    if !of_the_end.is_empty() {
        return Err(Problems::new(of_the_end));
    }
    // Invalid only if a problem was noted, which ended it above.
    let mut config = config.map_err(|_| Problems::one("the configuration is incomplete"))?;
    config.file.clone_from(&name);
    if let Some(file) = name.as_ref().filter(|_| !has_end_mark) {
        noticed.warnings.push(Diagnostic::general(&format!(
            "{}: the last line is not {END_MARK} (YAML's end mark): without it, a file that is cut off, such as by a \
             full disk, can't be told from a whole one",
            file.display()
        )));
    }
    let surroundings =
        Surroundings::new(name.as_ref().map(|_| file_of(sources)), noticed.warnings.clone(), sources);
    Ok(Loaded { config, file: name, settings, snapshot, has_end_mark, surroundings })
}

/// Why a file must end with the mark.
#[derive(Clone, Copy)]
enum End {
    /// The environment asks for it.
    Required,
    /// The file in force does.
    AsInForce,
}

/// Whether the file must end with the mark, or what is wrong with the variable that requires it.
fn end_of(sources: &Sources, in_force: Option<&Loaded>) -> Result<Option<End>, String> {
    let value = sources.environment.get(END_VARIABLE).map_or("", |value| value.trim());
    match value {
        _ if in_force.is_some_and(|loaded| loaded.has_end_mark) => Ok(Some(End::AsInForce)),
        "" => Ok(None),
        REQUIRED => Ok(Some(End::Required)),
        other => Err(format!("{END_VARIABLE}: expected `{REQUIRED}` or nothing, found `{other}`")),
    }
}

const PATH_VARIABLE: &str = "CONFIG_PATH";
/// The variable that asks for the end mark, and its one value.
const END_VARIABLE: &str = "CONFIG_END";
const REQUIRED: &str = "required";

/// Where the configuration's file is, or would be if there were one.
fn file_of(sources: &Sources) -> PathBuf {
    let given = selected_path(sources).unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    sources.working_directory.join(given)
}

fn selected_path(sources: &Sources) -> Option<PathBuf> {
    let from_variable = variable(&sources.environment, PATH_VARIABLE);
    sources.path.clone().or_else(|| from_variable.map(PathBuf::from))
}

fn given_name(sources: &Sources) -> String {
    selected_path(sources).unwrap_or_else(|| PathBuf::from(DEFAULT_FILE)).display().to_string()
}

fn read_file(sources: &Sources) -> Result<Option<Snapshot>, Problems> {
    if sources.path.is_none()
        && variable(&sources.environment, PATH_VARIABLE).is_some_and(|path| !is_text(path))
    {
        let message = format!("{PATH_VARIABLE}: expected the path of a file, found {}", Node::NotText.kind());
        return Err(Problems::one(&message));
    }
    let path = file_of(sources);
    let name = given_name(sources);
    let problem = |reason: &str| Problems::one(&format!("{name}: {reason}"));

    let mut bytes = Vec::new();
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => return Err(problem("expected a file, found a directory")),
        Err(cause) if cause.kind() == ErrorKind::NotFound && selected_path(sources).is_none() => {
            return Ok(None);
        }
        Ok(_) => {}
        Err(cause) => return Err(problem(&format!("cannot be read: {cause}"))),
    }
    // One byte more than allowed tells a file that is too large, even if it grows meanwhile or is a pipe.
    std::fs::File::open(&path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|cause| problem(&format!("cannot be read: {cause}")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(problem(&format!("expected at most {MAX_BYTES} bytes; this is no configuration")));
    }
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    Ok(Some(Snapshot { name, folder, bytes }))
}

/// Parses a file. If a required end mark is missing, that is added to `problems`.
fn file(snapshot: &Snapshot, end: Option<End>, problems: &mut Vec<Diagnostic>) -> Result<File, Problems> {
    let Snapshot { name, folder, bytes } = snapshot;
    let text = decoded(bytes.clone()).map_err(|reason| {
        let line = if let NotText::OtherBytes { line } = reason { line } else { 1 };
        Problems::at(name, line, &format!("expected UTF-8 text; {reason}"))
    })?;
    // YAML knows all three kinds of line breaks; what counts lines here knows one.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if let (Ok(false), Some(end)) = (has_end_mark(&text), end) {
        let expected = format!("expected {END_MARK} (YAML's end mark) as the last line");
        let reason = match end {
            End::AsInForce => {
                format!(
                    "{expected}, which the file in force has: this one was cut off; write it again as a whole"
                )
            }
            End::Required => format!(
                "{expected}, since {END_VARIABLE}={REQUIRED}: if the file was cut off, write it again as a whole; \
                 if it never had the mark, add it"
            ),
        };
        let source = Source::File { name: name.clone(), line: text.lines().count().max(1) };
        problems.push(Diagnostic::new(None, Some(source), &reason));
    }
    let document = Document::parse(text).map_err(|error| Problems::at(name, error.line, &error.reason))?;
    Ok(File { name: name.clone(), document, folder: folder.clone() })
}
