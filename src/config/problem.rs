//! Everything that is wrong with a configuration.

use std::fmt;

use super::diagnostic::Diagnostic;
use super::origin::{Origin, Source};

/// A problem, before its line is looked up.
pub(super) struct Problem {
    /// Where; nowhere in particular if the value is missing from every source.
    pub(super) origin: Option<Origin>,
    /// The full key, with the index of a list item.
    pub(super) key: String,
    pub(super) message: String,
}

/// Everything wrong that was found; prints one problem a line and then how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    diagnostics: Vec<Diagnostic>,
    found: usize,
    note: Option<String>,
}

/// Further problems are counted but not printed: they have the same cause.
const MAX_PRINTED: usize = 50;

impl Problems {
    /// Keeps the first problems of `all`, in the order of their lines.
    pub fn new(all: Vec<Diagnostic>) -> Self {
        let found = all.len();
        let mut diagnostics: Vec<_> = all.into_iter().take(MAX_PRINTED).collect();
        diagnostics.sort_by_key(Diagnostic::line);
        Self { diagnostics, found, note: None }
    }

    /// One problem with the whole file.
    pub fn one(line: &str) -> Self {
        Self::new(vec![Diagnostic::general(line)])
    }

    /// One problem with a line of the file.
    pub(super) fn at(name: &str, line: usize, reason: &str) -> Self {
        let source = Source::File { name: name.to_owned(), line };
        Self::new(vec![Diagnostic::new(None, Some(source), reason)])
    }

    /// Adds what was found elsewhere.
    #[must_use]
    pub fn and(mut self, more: Vec<Diagnostic>) -> Self {
        self.found += more.len();
        self.diagnostics.extend(more);
        self.diagnostics.truncate(MAX_PRINTED);
        self.diagnostics.sort_by_key(Diagnostic::line);
        self
    }

    /// Adds a remark that is not itself a problem.
    pub(super) fn with_note(self, note: String) -> Self {
        Self { note: Some(note), ..self }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.found
    }

    /// Those that are printed, in the order of their lines.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.diagnostics {
            writeln!(formatter, "{diagnostic}")?;
        }
        if let Some(note) = &self.note {
            writeln!(formatter, "{note}")?;
        }
        let printed = self.diagnostics.len();
        match self.found {
            1 => write!(formatter, "1 problem in the configuration"),
            found if found > printed => {
                write!(formatter, "{found} problems in the configuration; the first {printed} are shown")
            }
            found => write!(formatter, "{found} problems in the configuration"),
        }
    }
}

impl std::error::Error for Problems {}
