//! Who set a value.

use super::node::Position;

/// Who set a value, before lines are looked up.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Origin {
    WholeFile,
    File(Position),
    Variable(String),
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
