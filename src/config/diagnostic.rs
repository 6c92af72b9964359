//! A problem or warning about a configuration: the setting, its source, and a sentence.

use std::fmt;

use super::origin::Source;
use crate::domain::text::one_line;

/// Something wrong with a configuration, or dangerous.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    key: Option<String>,
    source: Option<Source>,
    message: String,
}

/// Characters of one message: it may repeat a key, a value or a path.
const MAX_CHARACTERS: usize = 1_000;

impl Diagnostic {
    /// A sentence about one setting.
    pub(super) fn new(key: Option<String>, source: Option<Source>, message: &str) -> Self {
        let key = key.filter(|key| !key.is_empty());
        let source = source.filter(|source| *source != Source::Default);
        Self { key, source, message: one_line(message, MAX_CHARACTERS) }
    }

    /// A sentence about the configuration as a whole, or about what no single setting causes.
    pub fn general(message: &str) -> Self {
        Self::new(None, None, message)
    }

    /// What is wrong with the value of a setting.
    pub(super) fn of_setting(key: &str, source: Option<Source>, message: &str) -> Self {
        Self::new(Some(key.to_owned()), source, &format!("{key}: {message}"))
    }

    /// The full key of the setting, if it is about one.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The line of the file or the variable that it is about, if there is one.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// The sentence, in which the setting is named.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The line to sort by: what has no source comes first, variables come last.
    pub(super) fn line(&self) -> usize {
        match &self.source {
            Some(Source::File { line, .. }) => *line,
            Some(Source::Variable(_)) => usize::MAX,
            Some(Source::Default) | None => 0,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match &self.source {
            Some(Source::File { name, line }) => format!("{name}:{line}: {}", self.message),
            Some(Source::Variable(name)) if !self.message.starts_with(name) => {
                format!("{name}: {}", self.message)
            }
            _ => self.message.clone(),
        };
        formatter.write_str(&one_line(&line, MAX_CHARACTERS))
    }
}
