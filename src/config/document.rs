//! The YAML file as a tree, and the line of each of its keys. The only place that knows YAML.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_yaml::Deserializer as Yaml;

use super::node::Node;

/// A larger file is not a configuration.
pub(super) const MOST_BYTES: u64 = 1 << 20;
/// Aliases can blow a small file up; the largest sensible configuration has a few hundred values.
const MOST_VALUES: usize = 10_000;
/// The most text that all values together may hold, aliases spelt out.
const MOST_TEXT: usize = 4 << 20;

/// YAML's end mark. As a file's last line it tells a whole file from one that was cut off.
pub(super) const END_MARK: &str = "...";

/// One step on the way to a value.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// The value of this key.
    Key(String),
    /// This key once more, after so many of the same name.
    Again(String, usize),
    /// The list item at this index.
    Item(usize),
}

/// A parsed file.
pub(super) struct Document {
    text: String,
    pub(super) root: Node,
    /// The keys that stand twice in their section.
    pub(super) duplicates: Vec<Vec<Step>>,
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
            return Ok(Self { text, root: Node::Null, duplicates: Vec::new(), has_end_mark });
        }
        if let Some(at) = text.find('\0') {
            let line = 1 + text[..at].matches('\n').count();
            let reason =
                "expected text, found a zero byte: the file is damaged, or something other than text";
            return Err(SyntaxError { line, reason: reason.to_owned() });
        }
        let state = RefCell::new(State::default());
        match Build(&state).deserialize(Yaml::from_str(&text)) {
            Ok(root) => Ok(Self { text, root, duplicates: state.into_inner().duplicates, has_end_mark }),
            Err(error) => {
                let line = error.location().map_or(1, |location| location.line());
                let hint =
                    if is_indented_by_tabs(&text, line) { "; indent with spaces, not with tabs" } else { "" };
                Err(SyntaxError { line, reason: format!("not usable as YAML: {error}{hint}") })
            }
        }
    }

    /// The line of the key or item that `steps` lead to, if the file has it.
    pub(super) fn line_of(&self, steps: &[Step]) -> Option<usize> {
        if steps.is_empty() || matches!(self.root, Node::Null) {
            return None;
        }
        // Arriving is reported as an error, because only errors carry a location.
        let arrived = Cell::new(false);
        let end = Follow { steps, arrived: &arrived }.deserialize(Yaml::from_str(&self.text)).err()?;
        end.location().filter(|_| arrived.get()).map(|location| location.line())
    }
}

/// Whether the end mark is the last line: `...` from the line's start, with nothing but white space after it. Whatever
/// comes behind a mark is refused, a comment too: a file that is cut off there would look whole.
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

#[derive(Default)]
struct State {
    path: Vec<Step>,
    duplicates: Vec<Vec<Step>>,
    values: usize,
    text: usize,
}

/// Builds the tree. Unlike the library's own, it collects duplicate keys and bounds aliases.
#[derive(Clone, Copy)]
struct Build<'a>(&'a RefCell<State>);

impl Build<'_> {
    fn count<E: Error>(self, text: usize) -> Result<(), E> {
        let mut state = self.0.borrow_mut();
        state.values += 1;
        state.text += text;
        if state.values > MOST_VALUES || state.text > MOST_TEXT {
            return Err(E::custom(format!("more than {MOST_VALUES} values or {MOST_TEXT} bytes of text")));
        }
        Ok(())
    }

    fn inside<T, E>(self, step: Step, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.0.borrow_mut().path.push(step);
        let value = read();
        self.0.borrow_mut().path.pop();
        value
    }
}

impl<'de> DeserializeSeed<'de> for Build<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Build<'_> {
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
        while let Some(item) = self.inside(Step::Item(list.len()), || items.next_element_seed(self))? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        self.count(0)?;
        let mut section: Vec<(String, Node)> = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            let earlier = section.iter().filter(|(other, _)| *other == key).count();
            if earlier > 0 {
                let mut state = self.0.borrow_mut();
                let mut path = state.path.clone();
                path.push(Step::Again(key.clone(), earlier));
                state.duplicates.push(path);
            }
            let value = self.inside(Step::Key(key.clone()), || entries.next_value_seed(self))?;
            section.push((key, value));
        }
        Ok(Node::Section(section))
    }
}

/// Walks to a key or item and fails there.
#[derive(Clone, Copy)]
struct Follow<'a> {
    steps: &'a [Step],
    /// Tells arriving from other failures, such as a section that was left before its end.
    arrived: &'a Cell<bool>,
}

impl Follow<'_> {
    fn here<E: Error>(self) -> E {
        self.arrived.set(true);
        E::custom("here")
    }

    /// A list item is arrived at; a section that has no keys at all is not.
    fn scalar<E: Error>(self) -> Result<(), E> {
        if self.steps.is_empty() { Err(self.here()) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Follow<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Follow<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the next step")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar()
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.scalar()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.scalar()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Some((Step::Item(wanted), steps)) = self.steps.split_first() else { return Err(self.here()) };
        for _ in 0..*wanted {
            items.next_element::<IgnoredAny>()?;
        }
        items.next_element_seed(Follow { steps, ..self }).map(|_| ())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let (wanted, mut skip, steps) = match self.steps.split_first() {
            Some((Step::Key(key), steps)) => (key, 0, steps),
            Some((Step::Again(key, earlier), steps)) => (key, *earlier, steps),
            _ => return Err(self.here()),
        };
        loop {
            let stop = (steps.is_empty() && skip == 0).then_some(self);
            match entries.next_key_seed(KeyIs { wanted, stop })? {
                None => return Ok(()),
                Some(true) if skip == 0 => return entries.next_value_seed(Follow { steps, ..self }),
                Some(is_wanted) => {
                    skip -= usize::from(is_wanted);
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
    }
}

/// Compares a key; fails at the one wanted if that is where the way ends.
struct KeyIs<'a> {
    wanted: &'a str,
    stop: Option<Follow<'a>>,
}

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        match self.stop {
            Some(follow) if key == self.wanted => Err(follow.here()),
            _ => Ok(key == self.wanted),
        }
    }
}
