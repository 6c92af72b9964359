//! What is noticed while reading and is no problem: what settings refer to, and variables that surprise.

use super::{Found, Reader};
use crate::config::diagnostic::Diagnostic;
use crate::config::environment::PREFIX;
use crate::config::origin::{Origin, Source};
use crate::config::references::{Reference, Target};

/// What was noticed.
#[derive(Default)]
pub(super) struct Notes {
    /// The full key of each, and who set it; of a setting nothing, since that is known later.
    references: Vec<(String, Option<Origin>, Target)>,
    warnings: Vec<Diagnostic>,
}

impl Reader {
    /// Notes what a setting that was read refers to.
    pub(in crate::config) fn refer(&mut self, key: &'static str, target: Target) {
        self.notes.references.push((key.to_owned(), None, target));
    }

    /// The same of a key that is no setting of its own.
    pub(super) fn refer_at(&mut self, path: String, origin: Origin, target: Target) {
        self.notes.references.push((path, Some(origin), target));
    }

    /// Everything that settings refer to, as far as they could be read.
    pub(in crate::config) fn references(&mut self) -> Vec<Reference> {
        let noted = std::mem::take(&mut self.notes.references);
        let reference = |(key, origin, target): (String, Option<Origin>, Target)| {
            let source = match origin {
                Some(origin) => self.source_at(Some(&origin)),
                None => self.source_of(&key),
            };
            Reference { key, source, target }
        };
        noted.into_iter().map(reference).collect()
    }

    /// The warnings so far, and those about variables that set nothing.
    pub(in crate::config) fn warnings(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.notes.warnings)
    }

    /// The keys that were asked for.
    pub(in crate::config) fn known(&self) -> &[&'static str] {
        &self.known
    }

    /// Whether a file was read, and has a value for this key.
    pub(in crate::config) fn file_sets(&self, key: &str) -> Option<bool> {
        self.file.as_ref().map(|file| file.entry(key).is_some())
    }

    /// Warns of a variable that changes what the service is, or where it sends its credential.
    pub(in crate::config) fn warn_of_variable(&mut self, found: &Found, message: &str) {
        let Origin::Variable(name) = &found.origin else { return };
        let warning = Diagnostic::new(
            Some(found.key.to_owned()),
            Some(Source::Variable(name.clone())),
            &format!("{name} {message}"),
        );
        if !self.notes.warnings.contains(&warning) {
            self.notes.warnings.push(warning);
        }
    }

    /// Warns if a variable takes the place of another value in the file. One that has our prefix is meant for the
    /// service; the others are set by many a shell, CI or platform for reasons of their own.
    pub(super) fn warn_of_override(&mut self, found: &Found, key: &str) {
        let (Origin::Variable(name), Some(file)) = (&found.origin, &self.file) else { return };
        let Some(in_file) = file.entry(key) else { return };
        if name.starts_with(PREFIX) || in_file.node.display() == found.node.display() {
            return;
        }
        let place = format!("{}:{}", file.name, file.document.line_of(in_file.position));
        self.warn_of_variable(found, &format!("overrides {key}, which {place} sets"));
    }

    /// Where a value of the file stands, as a message says it.
    pub(in crate::config) fn place_of(&self, found: &Found) -> String {
        match (&found.origin, &self.file) {
            (Origin::File(position), Some(file)) => {
                format!("{}:{}", file.name, file.document.line_of(*position))
            }
            (Origin::Variable(name), _) => name.clone(),
            _ => found.key.to_owned(),
        }
    }

    fn source_of(&self, key: &str) -> Source {
        let setting = self.settings.iter().rev().find(|(name, ..)| *name == key);
        setting.map_or(Source::Default, |setting| self.setting(setting).source)
    }
}
