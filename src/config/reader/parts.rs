//! Sections whose place is not known in advance: those with names of the administrator's, and those in a list.

use std::path::PathBuf;

use super::{Invalid, Reader, Valid, path_text, quoting_hint, word};
use crate::config::document::Document;
use crate::config::node::{Entry, Node, Position};
use crate::config::origin::Origin;
use crate::config::references::Target;
use crate::config::unknown;
use crate::config::values::Outcome;

/// One such section. Unlike in others, a key without a value is refused: as a condition that is missing it would let more in.
pub(in crate::config) struct Part<'a> {
    reader: &'a mut Reader,
    /// As messages name it: `oidc.issuers.cluster-a`, `access[2]`.
    path: String,
    /// Where it begins.
    origin: Origin,
    entries: Vec<Entry>,
    asked: Vec<&'static str>,
}

/// A value within a part's key: an item of a list, or a key of a section.
#[derive(Clone)]
pub(in crate::config) struct Inner {
    /// The name, in a section.
    pub(in crate::config) name: Option<String>,
    pub(in crate::config) node: Node,
    path: String,
    origin: Origin,
}

/// What a key holds that is read in parts, and who set it.
struct Tree {
    node: Node,
    origin: Origin,
}

impl Tree {
    /// Where something within it is. Of a variable no lines are told.
    fn at(&self, position: Position) -> Origin {
        place(&self.origin, position)
    }
}

fn place(around: &Origin, position: Position) -> Origin {
    match around {
        Origin::Variable(_) => around.clone(),
        Origin::WholeFile | Origin::File(_) => Origin::File(position),
    }
}

impl Reader {
    /// Reads the sections that a key holds under names. Each name comes with its section; if the name itself is wrong,
    /// `read` returns so.
    pub(in crate::config) fn named_parts<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Part<'_>, &str) -> Valid<T>,
    ) -> Valid<Vec<T>> {
        let Some(tree) = self.tree(key, "{}")? else { return Ok(Vec::new()) };
        let Node::Section(entries) = &tree.node else {
            return self.of_another_kind(key, &tree, "a section of names, each with a section of its own");
        };
        let mut outcomes = Vec::new();
        for entry in entries {
            let path = format!("{key}.{}", unknown::shown_key(&entry.key));
            outcomes
                .push(self.part(path, &entry.node, tree.at(entry.position), |part| read(part, &entry.key)));
        }
        outcomes.into_iter().collect()
    }

    /// Reads the sections that a key holds in a list.
    pub(in crate::config) fn listed_parts<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Part<'_>) -> Valid<T>,
    ) -> Valid<Vec<T>> {
        let Some(tree) = self.tree(key, "[]")? else { return Ok(Vec::new()) };
        let Node::List(items) = &tree.node else {
            return self.of_another_kind(key, &tree, "a list of sections");
        };
        let mut outcomes = Vec::new();
        for (index, item) in items.iter().enumerate() {
            outcomes.push(self.part(
                format!("{key}[{index}]"),
                &item.node,
                tree.at(item.position),
                &mut read,
            ));
        }
        outcomes.into_iter().collect()
    }

    /// The value of such a key: as it is in the file, or as the text of a variable has it as YAML, of which JSON is a part.
    fn tree(&mut self, key: &'static str, default: &str) -> Valid<Option<Tree>> {
        let Some(found) = self.find(key) else {
            self.settings.push((key, default.to_owned(), None));
            return Ok(None);
        };
        let Node::Variable(text) = &found.node else {
            self.settings.push((key, found.node.display_all(), Some(found.origin.clone())));
            return Ok(Some(Tree { node: found.node, origin: found.origin }));
        };
        let document = Document::parse(text.clone()).map_err(|error| {
            let message = format!("expected YAML or JSON, found in line {}: {}", error.line, error.reason);
            self.complain(Some(found.origin.clone()), key, message);
            Invalid
        })?;
        for problem in unknown::duplicates_below(key, &document.root) {
            self.complain(Some(found.origin.clone()), &problem.key, problem.message);
        }
        let node = document.root.trimmed();
        self.settings.push((key, node.display_all(), Some(found.origin.clone())));
        Ok(Some(Tree { node, origin: found.origin }))
    }

    fn of_another_kind<T>(&mut self, key: &str, tree: &Tree, expected: &str) -> Valid<T> {
        let message = format!("expected {expected}, found {}", tree.node.describe());
        self.complain(Some(tree.origin.clone()), key, message);
        Err(Invalid)
    }

    fn part<T>(
        &mut self,
        path: String,
        node: &Node,
        origin: Origin,
        read: impl FnOnce(&mut Part<'_>) -> Valid<T>,
    ) -> Valid<T> {
        let entries = match node {
            Node::Section(entries) => entries.clone(),
            Node::Null => Vec::new(),
            other => {
                let message = format!("expected a section of keys and values, found {}", other.describe());
                self.complain(Some(origin), &path, message);
                return Err(Invalid);
            }
        };
        let mut part = Part { reader: self, path, origin, entries, asked: Vec::new() };
        let outcome = read(&mut part);
        part.finish();
        outcome
    }
}

impl Part<'_> {
    /// The value of a key, if the key is there.
    pub(in crate::config) fn find(&mut self, key: &'static str) -> Option<Node> {
        self.asked.push(key);
        self.entry(key).map(|entry| entry.node.clone())
    }

    /// A value that may be omitted.
    pub(in crate::config) fn read<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&Node) -> Outcome<T>,
    ) -> Valid<Option<T>> {
        let Some(node) = self.find(key) else { return Ok(None) };
        match parse(&node) {
            Ok(value) => Ok(Some(value)),
            Err(complaint) => {
                let message = word(complaint, &node) + &quoting_hint(&node, &parse);
                self.complain(key, message);
                Err(Invalid)
            }
        }
    }

    /// A list that may be omitted.
    pub(in crate::config) fn list<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&Node) -> Outcome<T>,
    ) -> Valid<Option<Vec<T>>> {
        match self.find(key) {
            None => Ok(None),
            Some(Node::List(_)) => self.each_inner(key, |inner| parse(&inner.node)),
            Some(other) => {
                let message = format!("expected a list such as [\"a\", \"b\"], found {}", other.describe());
                self.complain(key, message);
                Err(Invalid)
            }
        }
    }

    /// The same of a key that may hold a section in place of a list; then each has a name.
    pub(in crate::config) fn list_or_section<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&Inner) -> Outcome<T>,
    ) -> Valid<Option<Vec<T>>> {
        match self.find(key) {
            None => Ok(None),
            Some(Node::List(_) | Node::Section(_)) => self.each_inner(key, parse),
            Some(other) => {
                self.complain(key, format!("expected {expected}, found {}", other.describe()));
                Err(Invalid)
            }
        }
    }

    fn each_inner<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&Inner) -> Outcome<T>,
    ) -> Valid<Option<Vec<T>>> {
        let mut outcomes = Vec::new();
        for inner in self.inner_values(key) {
            outcomes.push(parse(&inner).map_err(|complaint| {
                let again = |node: &Node| parse(&Inner { node: node.clone(), ..inner.clone() });
                let message = word(complaint, &inner.node) + &quoting_hint(&inner.node, again);
                self.reader.complain(Some(inner.origin.clone()), &inner.path, message);
                Invalid
            }));
        }
        outcomes.into_iter().collect::<Valid<Vec<T>>>().map(Some)
    }

    fn inner_values(&self, key: &'static str) -> Vec<Inner> {
        let path = self.path_of(key);
        match self.entry(key).map(|entry| &entry.node) {
            Some(Node::List(items)) => items
                .iter()
                .enumerate()
                .map(|(index, item)| Inner {
                    name: None,
                    node: item.node.clone(),
                    path: format!("{path}[{index}]"),
                    origin: place(&self.origin, item.position),
                })
                .collect(),
            Some(Node::Section(entries)) => entries
                .iter()
                .map(|entry| Inner {
                    name: Some(entry.key.clone()),
                    node: entry.node.clone(),
                    path: format!("{path}.{}", unknown::shown_key(&entry.key)),
                    origin: place(&self.origin, entry.position),
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The path of a file; nothing if it is omitted or empty.
    pub(in crate::config) fn path(&mut self, key: &'static str) -> Valid<Option<PathBuf>> {
        if matches!(self.entry(key), Some(Entry { node: Node::Text(text), .. }) if text.is_empty()) {
            self.asked.push(key);
            return Ok(None);
        }
        let text = self.read(key, path_text)?;
        Ok(text.map(|text| self.reader.resolve(&self.origin, &text)))
    }

    /// Notes what a key that was read refers to.
    pub(in crate::config) fn refer(&mut self, key: &'static str, target: Target) {
        let (path, origin) = (self.path_of(key), self.origin_of(key));
        self.reader.refer_at(path, origin, target);
    }

    /// Records what is wrong with a key, or that it is missing.
    pub(in crate::config) fn complain(&mut self, key: &'static str, message: String) {
        let (path, origin) = (self.path_of(key), self.origin_of(key));
        self.reader.complain(Some(origin), &path, message);
    }

    /// Records what is wrong with the section itself.
    pub(in crate::config) fn complain_of_all(&mut self, message: String) {
        self.reader.complain(Some(self.origin.clone()), &self.path, message);
    }

    fn finish(self) {
        for (entry, problem) in unknown::in_part(&self.path, &self.entries, &self.asked) {
            self.reader.complain(Some(place(&self.origin, entry.position)), &problem.key, problem.message);
        }
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    fn path_of(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// Where a key is; the section, if the key is missing.
    fn origin_of(&self, key: &str) -> Origin {
        self.entry(key).map_or_else(|| self.origin.clone(), |entry| place(&self.origin, entry.position))
    }
}
