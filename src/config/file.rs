//! The file that settings are read from.

use std::path::PathBuf;

use super::document::Document;
use super::node::{Entry, Node, Position};
use super::origin::Source;

/// The file that is read, and its name as the administrator gave it.
pub(super) struct File {
    pub(super) name: String,
    pub(super) document: Document,
    /// What relative paths in it start from.
    pub(super) folder: PathBuf,
}

impl File {
    /// The entry of a key that has a value.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.document.root.entry(key).filter(|entry| !matches!(entry.node, Node::Null))
    }

    /// Where in the file that is; its first line if nowhere in particular.
    pub(super) fn source_at(&self, position: Option<Position>) -> Source {
        let line = position.map_or(1, |position| self.document.line_of(position));
        Source::File { name: self.name.clone(), line }
    }
}
