//! What is wrong with a configuration, all of it at once.

use std::fmt;

use crate::domain::text::one_line;

/// Everything wrong that was found; prints one problem a line and then how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    lines: Vec<String>,
    found: usize,
    note: Option<String>,
}

/// More problems than this are counted, not printed: they have one cause.
const MOST_PRINTED: usize = 50;
/// Characters of one problem that are printed: it may repeat a key, a value or a path.
const MOST_CHARACTERS: usize = 1_000;

impl Problems {
    /// Keeps the first problems of `all`, made printable by `print`, in the order of their lines.
    pub(super) fn new<T>(all: &[T], print: impl FnMut(&T) -> (usize, String)) -> Self {
        let mut printed: Vec<_> = all.iter().take(MOST_PRINTED).map(print).collect();
        printed.sort_by_key(|(line, _)| *line);
        let lines = printed.iter().map(|(_, text)| one_line(text, MOST_CHARACTERS)).collect();
        Self { lines, found: all.len(), note: None }
    }

    /// One problem with the whole file.
    pub fn one(line: &str) -> Self {
        Self { lines: vec![one_line(line, MOST_CHARACTERS)], found: 1, note: None }
    }

    /// Problems with the whole file.
    pub(super) fn of(lines: &[String]) -> Self {
        let found = lines.len();
        Self { lines: lines.iter().map(|line| one_line(line, MOST_CHARACTERS)).collect(), found, note: None }
    }

    /// The same, with problems with the whole file before them.
    pub(super) fn after(self, lines: &[String]) -> Self {
        let before = Self::of(lines);
        let found = before.found + self.found;
        let lines = before.lines.into_iter().chain(self.lines).take(MOST_PRINTED).collect();
        Self { lines, found, ..self }
    }

    /// Adds a remark that is no problem by itself.
    pub(super) fn with_note(self, note: String) -> Self {
        Self { note: Some(note), ..self }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.found
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(formatter, "{line}")?;
        }
        if let Some(note) = &self.note {
            writeln!(formatter, "{note}")?;
        }
        match self.found {
            1 => write!(formatter, "1 problem in the configuration"),
            found if found > self.lines.len() => {
                write!(
                    formatter,
                    "{found} problems in the configuration; the first {} are shown",
                    self.lines.len()
                )
            }
            found => write!(formatter, "{found} problems in the configuration"),
        }
    }
}

impl std::error::Error for Problems {}
