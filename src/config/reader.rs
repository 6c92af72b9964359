//! Reads settings by key from the environment and the file, and collects everything that is wrong.

mod lists;
mod notes;
mod parts;

use std::path::PathBuf;

pub(super) use self::lists::{Split, items_of};
use self::notes::Notes;
pub(super) use self::parts::{Inner, Part};
use super::diagnostic::Diagnostic;
use super::environment::{Environment, variable_of};
use super::file::File;
use super::node::{Node, looks_secret};
use super::origin::{Origin, Setting, Source};
use super::problem::{Problem, Problems};
use super::unknown;
use super::values::{Complaint, Outcome, in_yaml, text_or_empty};

/// A value, and who set it.
pub(super) struct Found {
    pub(super) key: &'static str,
    pub(super) node: Node,
    pub(super) origin: Origin,
}

impl Found {
    pub(super) fn is_from_file(&self) -> bool {
        matches!(self.origin, Origin::File(_))
    }

    /// How the administrator knows the setting.
    pub(super) fn name(&self) -> String {
        match &self.origin {
            Origin::Variable(name) => name.clone(),
            Origin::WholeFile | Origin::File(_) => self.key.to_owned(),
        }
    }
}

/// A value is not usable; the problem has been recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Invalid;

/// A usable value, or none. Reading continues either way.
pub(super) type Valid<T> = Result<T, Invalid>;

/// Looks values up by key. The keys that it was asked for are the known ones; any other key is reported at the end.
pub(super) struct Reader {
    file: Option<File>,
    environment: Environment,
    working_directory: PathBuf,
    known: Vec<&'static str>,
    settings: Vec<(&'static str, String, Option<Origin>)>,
    problems: Vec<Problem>,
    notes: Notes,
}

impl Reader {
    pub(super) fn new(file: Option<File>, environment: Environment, working_directory: PathBuf) -> Self {
        let (known, settings, problems) = (Vec::new(), Vec::new(), Vec::new());
        Self { file, environment, working_directory, known, settings, problems, notes: Notes::default() }
    }

    /// Finds a value and marks `key` as known. An empty variable and an empty key count as not set.
    pub(super) fn find(&mut self, key: &'static str) -> Option<Found> {
        self.known.push(key);
        let variables = self.environment.of(key);
        if let Some(first) = variables.first() {
            let node = first.node();
            let origin = Origin::Variable(first.name.clone());
            if let Some(other) = variables.iter().find(|other| other.value != first.value) {
                let message = format!("{} sets this differently; leave one out", other.name);
                self.complain(Some(origin.clone()), key, message);
            }
            let found = Found { key, node, origin };
            self.warn_of_override(&found, key);
            return Some(found);
        }
        let entry = self.file.as_ref()?.entry(key)?;
        // A block of YAML ends with a line break, which belongs to no setting.
        Some(Found { key, node: entry.node.trimmed(), origin: Origin::File(entry.position) })
    }

    /// Whether there is a configuration file.
    pub(super) fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// A value with a default, in the form that a variable has.
    pub(super) fn or_default<T>(
        &mut self,
        key: &'static str,
        default: &str,
        parse: impl Fn(&Node) -> Outcome<T>,
    ) -> Valid<T> {
        if let Some(found) = self.find(key) {
            return self.read(&found, parse);
        }
        self.settings.push((key, default.to_owned(), None));
        parse(&Node::Variable(default.to_owned())).map_err(|_| Invalid)
    }

    /// An optional path. A relative one starts from the file's folder, or from the working directory if a variable sets it.
    pub(super) fn path(&mut self, key: &'static str) -> Valid<Option<PathBuf>> {
        if let Some(found) = self.find(key) {
            return self.read_path(&found).map(Some);
        }
        self.unused(key);
        Ok(None)
    }

    /// A path. Without a configuration file it defaults to a file in the working directory, if that exists.
    pub(super) fn path_or_present(&mut self, key: &'static str, default: &str) -> Valid<Option<PathBuf>> {
        let present = self.working_directory.join(default);
        if self.file.is_some() || self.find(key).is_some() || !present.is_file() {
            return self.path(key);
        }
        self.settings.push((key, default.to_owned(), None));
        Ok(Some(present))
    }

    /// A path with an absolute default.
    pub(super) fn path_or_default(&mut self, key: &'static str, default: &str) -> Valid<PathBuf> {
        if let Some(found) = self.find(key) {
            return self.read_path(&found);
        }
        self.settings.push((key, default.to_owned(), None));
        Ok(PathBuf::from(default))
    }

    /// Reads a value that is not a secret.
    pub(super) fn read<T>(&mut self, found: &Found, parse: impl Fn(&Node) -> Outcome<T>) -> Valid<T> {
        self.settings.push((found.key, found.node.display(), Some(found.origin.clone())));
        match parse(&found.node) {
            Ok(value) => Ok(value),
            Err(complaint) => {
                let hint = quoting_hint(&found.node, &parse);
                let message = word(complaint, &found.node) + &hint;
                self.complain(Some(found.origin.clone()), found.key, message);
                Err(Invalid)
            }
        }
    }

    /// Reads a path; see [`Reader::path`].
    pub(super) fn read_path(&mut self, found: &Found) -> Valid<PathBuf> {
        let text = self.read(found, path_text)?;
        Ok(self.resolve(&found.origin, &text))
    }

    /// The path that a text from somewhere means; see [`Reader::path`].
    fn resolve(&self, origin: &Origin, text: &str) -> PathBuf {
        let base = match (origin, &self.file) {
            (Origin::File(_), Some(file)) => &file.folder,
            _ => &self.working_directory,
        };
        base.join(text)
    }

    /// Reads a secret: neither a message nor the list of settings repeats it.
    pub(super) fn read_secret<T, E: ToString>(
        &mut self,
        found: &Found,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Valid<T> {
        self.settings.push((found.key, "<secret>".to_owned(), Some(found.origin.clone())));
        let outcome = match &found.node {
            Node::Text(text) | Node::Variable(text) => parse(text).map_err(|error| error.to_string()),
            other => Err(format!("expected text, found {}", other.kind())),
        };
        outcome.map_err(|message| {
            self.complain(Some(found.origin.clone()), found.key, message);
            Invalid
        })
    }

    /// Reads a value that may hold a password: it is shown as it shows itself, and no message repeats it.
    pub(super) fn read_masked<T: ToString, E: ToString>(
        &mut self,
        found: &Found,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Valid<T> {
        let value = self.read_secret(found, parse)?;
        if let Some((_, shown, _)) = self.settings.last_mut() {
            *shown = value.to_string();
        }
        Ok(value)
    }

    /// Of two keys that exclude each other, the one in force. The environment takes precedence over the file.
    pub(super) fn either(&mut self, keys: [&'static str; 2]) -> Option<Found> {
        let in_force = match (self.find(keys[0]), self.find(keys[1])) {
            (Some(one), Some(two)) => {
                if one.is_from_file() == two.is_from_file() {
                    let message = format!("contradicts {}: set only one of them", one.name());
                    self.complain(Some(two.origin.clone()), two.key, message);
                }
                self.warn_of_override(&one, two.key);
                self.warn_of_override(&two, one.key);
                Some(if one.is_from_file() && !two.is_from_file() { two } else { one })
            }
            (one, two) => one.or(two),
        };
        for key in keys {
            if in_force.as_ref().is_none_or(|found| found.key != key) {
                self.unused(key);
            }
        }
        in_force
    }

    /// Marks a key as known and not in force.
    pub(super) fn unused(&mut self, key: &'static str) {
        self.settings.push((key, String::new(), None));
    }

    /// Whether the file has this section, even an empty one.
    pub(super) fn has_section(&self, key: &str) -> bool {
        let entry = self.file.as_ref().and_then(|file| file.entry(key));
        entry.is_some_and(|entry| matches!(entry.node, Node::Section(_)))
    }

    /// Reports a required value that no source sets.
    pub(super) fn missing(&mut self, key: &'static str, what: &str) {
        // The section around it has the wrong type, which is a problem of its own.
        if self.file.as_ref().is_some_and(|file| unknown::is_inside_of_a_value(&file.document.root, key)) {
            return;
        }
        let message = format!("missing; expected {what} (or the variable {})", variable_of(key));
        self.complain(None, key, message);
    }

    pub(super) fn complain(&mut self, origin: Option<Origin>, key: &str, message: String) {
        // A key that is looked up twice must not be complained about twice.
        if !self.problems.iter().any(|noted| noted.key == key && noted.message == message) {
            self.problems.push(Problem { origin, key: key.to_owned(), message });
        }
    }

    /// Reports unknown keys and variables, and returns the settings.
    pub(super) fn finish(mut self) -> Result<Vec<Setting>, Problems> {
        if let Some(file) = &self.file {
            self.problems.extend(unknown::in_document(&file.document.root, &self.known));
        }
        self.problems.extend(unknown::in_environment(&self.environment, &self.known));
        if !self.problems.is_empty() {
            return Err(Problems::new(
                self.problems.iter().map(|problem| self.diagnostic(problem)).collect(),
            ));
        }
        let asked = |key: &str| self.known.iter().position(|known| *known == key);
        self.settings.sort_by_key(|(key, ..)| asked(key));
        self.settings.dedup_by(|later, earlier| {
            let again = later.0 == earlier.0;
            if again {
                std::mem::swap(later, earlier);
            }
            again
        });
        Ok(self.settings.iter().map(|setting| self.setting(setting)).collect())
    }

    fn setting(&self, (key, value, origin): &(&'static str, String, Option<Origin>)) -> Setting {
        Setting { path: (*key).to_owned(), value: value.clone(), source: self.source_at(origin.as_ref()) }
    }

    fn source_at(&self, origin: Option<&Origin>) -> Source {
        match (origin, &self.file) {
            (Some(Origin::Variable(name)), _) => Source::Variable(name.clone()),
            (Some(Origin::File(position)), Some(file)) => file.source_at(Some(*position)),
            _ => Source::Default,
        }
    }

    fn diagnostic(&self, problem: &Problem) -> Diagnostic {
        let Problem { origin, key, message } = problem;
        let source = match (origin, &self.file) {
            (Some(Origin::Variable(name)), _) => Some(Source::Variable(name.clone())),
            (_, None) => None,
            (Some(Origin::File(position)), Some(file)) => Some(file.source_at(Some(*position))),
            (Some(Origin::WholeFile), Some(file)) => Some(file.source_at(None)),
            // The innermost section around the key that is there.
            (None, Some(file)) => {
                let entries = file.document.root.entries_to(key);
                Some(file.source_at(entries.last().map(|entry| entry.position)))
            }
        };
        diagnose(key, source, message)
    }
}

fn diagnose(key: &str, source: Option<Source>, message: &str) -> Diagnostic {
    match key {
        "" => Diagnostic::new(None, source, message),
        key => Diagnostic::of_setting(key, source, message),
    }
}

fn path_text(node: &Node) -> Outcome<String> {
    match text_or_empty(node) {
        Ok(text) if looks_secret(&text) || text.contains('\n') => Err(Complaint::Message(
            "expected the path of a file; this looks like what should be inside it".to_owned(),
        )),
        Ok(text) if !text.is_empty() => Ok(text),
        _ => Err(Complaint::Expected("the path of a file".to_owned())),
    }
}

fn word(complaint: Complaint, node: &Node) -> String {
    match complaint {
        Complaint::Expected(what) => format!("expected {what}, found {}", node.describe()),
        Complaint::Message(message) => message,
    }
}

/// A hint for common mistakes: quotes around a number, no quotes around text that looks like one, and words of YAML 1.1.
fn quoting_hint<T>(node: &Node, parse: impl Fn(&Node) -> Outcome<T>) -> String {
    match node {
        Node::Text(text) => match in_yaml(text).filter(|plain| parse(plain).is_ok()) {
            Some(plain) if plain.display() == *text => " (as text; leave the quotes out)".to_owned(),
            Some(plain) => format!(" (write {})", plain.display()),
            None => String::new(),
        },
        Node::Bool(_) | Node::Whole(_) | Node::Number(_) if parse(&Node::Text(node.display())).is_ok() => {
            " (put it in quotes)".to_owned()
        }
        _ => String::new(),
    }
}
