//! The file that settings are read from.

use std::path::PathBuf;

use super::document::Document;
use super::node::{Entry, Node, Position};
use super::origin::Source;

/// A parsed file.
pub(super) struct File {
    /// As the administrator gave it.
    pub(super) name: String,
    pub(super) document: Document,
    /// The folder that relative paths in it start from.
    pub(super) folder: PathBuf,
}

impl File {
    /// The entry of a key that has a value.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.document.root.entry(key).filter(|entry| !matches!(entry.node, Node::Null))
    }

    /// The line of a position; without one, the first line.
    pub(super) fn source_at(&self, position: Option<Position>) -> Source {
        let line = position.map_or(1, |position| self.document.line_of(position));
        Source::File { name: self.name.clone(), line }
    }
}
