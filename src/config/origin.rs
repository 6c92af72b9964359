//! Where a value comes from.

use super::node::Position;

/// Where a value comes from, before its line is looked up.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Origin {
    WholeFile,
    File(Position),
    Variable(String),
}

/// A setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The full key, such as `server.tls.certFile`.
    pub path: String,
    /// The value as written; `<secret>` for secrets, empty if not set.
    pub value: String,
    /// Where the value comes from.
    pub source: Source,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The default.
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
