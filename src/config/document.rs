//! The YAML file as a tree, and the line of each of its keys. The only place that knows YAML.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};
use serde_yaml::Deserializer as Yaml;

use super::node::{Entry, Item, Node, Position};

/// A larger file is not a configuration.
pub(super) const MAX_BYTES: u64 = 1 << 20;
/// Aliases can expand a small file enormously; the largest sensible configuration has a few hundred values.
const MAX_VALUES: usize = 10_000;
/// The maximum number of bytes of text in all values together, aliases expanded.
const MAX_TEXT: usize = 4 << 20;

/// YAML's end mark. As a file's last line it shows that the file was not cut off.
pub(super) const END_MARK: &str = "...";

/// A parsed file.
pub(super) struct Document {
    text: String,
    pub(super) root: Node,
    /// Whether the end mark is the last line.
    pub(super) has_end_mark: bool,
}

/// Why a text is not a document, and on which line.
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) reason: String,
}

impl Document {
    pub(super) fn parse(text: String) -> Result<Self, SyntaxError> {
        let has_end_mark = has_end_mark(&text)?;
        let blank = |line: &str| {
            line.trim().is_empty() || line.trim_start().starts_with('#') || line.trim_end() == END_MARK
        };
        // YAML also ends a line, and so a comment, at these.
        if text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).all(blank) {
            return Ok(Self { text, root: Node::Null, has_end_mark });
        }
        if let Some(at) = text.find('\0') {
            let line = 1 + text[..at].matches('\n').count();
            let reason =
                "expected text, found a zero byte: the file is damaged, or something other than text";
            return Err(SyntaxError { line, reason: reason.to_owned() });
        }
        match Builder::default().deserialize(Yaml::from_str(&text)) {
            Ok(root) => Ok(Self { text, root, has_end_mark }),
            Err(error) => {
                let line = error.location().map_or(1, |location| location.line());
                let hint =
                    if is_indented_by_tabs(&text, line) { "; indent with spaces, not with tabs" } else { "" };
                Err(SyntaxError { line, reason: format!("not usable as YAML: {error}{hint}") })
            }
        }
    }

    /// The line of a key or an item. The library gives a line with an error only, so the tree is built once more, up to an
    /// error there.
    pub(super) fn line_of(&self, position: Position) -> usize {
        let end = Builder::up_to(position).deserialize(Yaml::from_str(&self.text)).err();
        end.and_then(|error| error.location()).map_or(1, |location| location.line())
    }
}

/// Whether the end mark is the last line: `...` at the line's start, followed only by white space. Anything else after
/// a mark is refused, even a comment: a file that is cut off there would look complete.
pub(super) fn has_end_mark(text: &str) -> Result<bool, SyntaxError> {
    // The line in which the mark is.
    let mut mark = None;
    for (index, line) in text.split('\n').enumerate() {
        // A lone CR ends a line as well; with the LF behind it, it leaves an empty line.
        for line in line.split('\r') {
            let behind = match line.strip_prefix(END_MARK) {
                Some(rest) if mark.is_none() && !rest.starts_with(|next: char| !next.is_whitespace()) => {
                    mark = Some(index);
                    rest
                }
                _ => line,
            };
            if mark.is_some() && !behind.trim().is_empty() {
                let reason = format!("expected nothing after {END_MARK}, which ends the file");
                return Err(SyntaxError { line: index + 1, reason });
            }
        }
    }
    Ok(mark.is_some())
}

fn is_indented_by_tabs(text: &str, line: usize) -> bool {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    line.len() > line.trim_start().len() && line[..line.len() - line.trim_start().len()].contains('\t')
}

/// Builds the tree. Unlike the library's own builder, it keeps duplicate keys and limits aliases.
#[derive(Default)]
struct Builder {
    /// Building ends here, with an error.
    until: Option<Position>,
    /// The last position that was given.
    positions: usize,
    /// Whether the next value is the item that building ends at.
    is_at_end: bool,
    values: usize,
    text: usize,
}

impl Builder {
    fn up_to(position: Position) -> Self {
        Self { until: Some(position), ..Self::default() }
    }

    fn next_position(&mut self) -> Position {
        self.positions += 1;
        Position(self.positions)
    }

    /// Counts a value before anything in it is built.
    fn count<E: Error>(&mut self, text: usize) -> Result<(), E> {
        if self.is_at_end {
            return Err(E::custom("here"));
        }
        self.values += 1;
        self.text += text;
        if self.values > MAX_VALUES || self.text > MAX_TEXT {
            return Err(E::custom(format!("more than {MAX_VALUES} values or {MAX_TEXT} bytes of text")));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Builder {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Builder {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.count(0).map(|()| Node::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.count(0).map(|()| Node::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.count(0).map(|()| Node::Whole(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.visit_f64(i32::try_from(value).map_or(f64::NEG_INFINITY, f64::from))
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Node, E> {
        self.visit_f64(f64::INFINITY)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Node, E> {
        self.visit_f64(f64::NEG_INFINITY)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.count(0).map(|()| Node::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.count(value.len()).map(|()| Node::Text(value.to_owned()))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        Err(A::Error::custom("tags (words that start with !) are not supported"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        self.count(0)?;
        let mut list = Vec::new();
        loop {
            let position = self.next_position();
            self.is_at_end = self.until == Some(position);
            match items.next_element_seed(&mut *self)? {
                Some(node) => list.push(Item { position, node }),
                None => return Ok(Node::List(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        self.count(0)?;
        let mut section = Vec::new();
        loop {
            let position = self.next_position();
            let Some(key) = entries.next_key_seed(Key { is_end: self.until == Some(position) })? else {
                return Ok(Node::Section(section));
            };
            let node = entries.next_value_seed(&mut *self)?;
            section.push(Entry { position, key, node });
        }
    }
}

/// Reads a key, or fails at it if building ends there.
struct Key {
    is_end: bool,
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<String, E> {
        if self.is_end { Err(E::custom("here")) } else { Ok(key.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of all keys and items, in the order of the file.
    fn lines(text: &str) -> Vec<(String, usize)> {
        let document = Document::parse(text.to_owned()).map_err(|error| error.reason).unwrap();
        let mut lines = Vec::new();
        collect(&document, &document.root, &mut lines);
        lines
    }

    fn collect(document: &Document, node: &Node, lines: &mut Vec<(String, usize)>) {
        match node {
            Node::Section(entries) => {
                for entry in entries {
                    lines.push((entry.key.clone(), document.line_of(entry.position)));
                    collect(document, &entry.node, lines);
                }
            }
            Node::List(items) => {
                for item in items {
                    lines.push((item.node.display(), document.line_of(item.position)));
                    collect(document, &item.node, lines);
                }
            }
            _ => {}
        }
    }

    fn assert_lines(text: &str, expected: &[(&str, usize)]) {
        let expected: Vec<_> = expected.iter().map(|&(key, line)| (key.to_owned(), line)).collect();
        assert_eq!(lines(text), expected, "{text}");
    }

    #[test]
    fn every_key_and_item_has_the_line_that_it_begins_in() {
        assert_lines(
            "a: 1\n\nb:\n  c: {d: 1,\n    e: 2}\n",
            &[("a", 1), ("b", 3), ("c", 4), ("d", 4), ("e", 5)],
        );
        assert_lines(
            "a:\n- 1\n-\n- |\n  x\n- b:\n  -\n   c",
            &[("a", 1), ("1", 2), ("", 3), ("x\n", 4), ("", 6), ("b", 6), ("c", 8)],
        );
        let too_long = "9".repeat(30);
        assert_lines(&format!("a:\n- {too_long}\n- -{too_long}"), &[("a", 1), ("inf", 2), ("-inf", 3)]);
    }

    #[test]
    fn a_section_that_stands_twice_has_the_lines_of_both() {
        assert_lines("a:\n  b: 1\na:\n  b: 2\n  b: 3\n", &[("a", 1), ("b", 2), ("a", 3), ("b", 4), ("b", 5)]);
    }

    #[test]
    fn what_an_alias_repeats_has_the_lines_of_the_anchor() {
        assert_lines(
            "a: &x\n  b: 1\nc: *x\nd: [*x]\n",
            &[("a", 1), ("b", 2), ("c", 3), ("b", 2), ("d", 4), ("", 1), ("b", 2)],
        );
    }
}
