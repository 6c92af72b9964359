//! A value as it was found, before it is parsed for its setting.

use crate::domain::text::{trimmed, unwrapped};

/// Which key or item of the file it is: a number that grows from each to the next. What an alias repeats is numbered once
/// more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Position(pub(super) usize);

/// A key and its value.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) position: Position,
    pub(super) key: String,
    pub(super) node: Node,
}

/// A value in a list.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) position: Position,
    pub(super) node: Node,
}

/// A value from the file or the environment. No `Debug`: it may hold a secret.
#[derive(Clone)]
pub(super) enum Node {
    Null,
    Bool(bool),
    /// A whole number that is not negative.
    Whole(u64),
    /// Any other number.
    Number(f64),
    Text(String),
    /// The text of a variable or a default, which may stand for a number as well.
    Variable(String),
    /// A variable whose bytes are not UTF-8.
    NotText,
    List(Vec<Item>),
    /// Keys in the order of the file; a duplicate key is in it twice.
    Section(Vec<Entry>),
}

/// The maximum number of characters of a wrong value that a message repeats.
const MAX_QUOTED: usize = 60;

impl Node {
    /// The entries on the way to a key such as `server.port`, as far as they exist.
    pub(super) fn entries_to(&self, key: &str) -> Vec<&Entry> {
        let mut node = self;
        let mut entries = Vec::new();
        for part in key.split('.') {
            let Self::Section(section) = node else { break };
            let Some(entry) = section.iter().find(|entry| entry.key == part) else { break };
            node = &entry.node;
            entries.push(entry);
        }
        entries
    }

    /// The entry of a key such as `server.port`.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries_to(key).get(key.split('.').count() - 1).copied()
    }

    /// The same value, without white space around text.
    pub(super) fn trimmed(&self) -> Node {
        match self {
            Self::Text(text) => Self::Text(trimmed(text).to_owned()),
            Self::List(items) => {
                let trimmed = |item: &Item| Item { node: item.node.trimmed(), ..*item };
                Self::List(items.iter().map(trimmed).collect())
            }
            Self::Section(entries) => {
                let trimmed = |entry: &Entry| Entry { node: entry.node.trimmed(), ..entry.clone() };
                Self::Section(entries.iter().map(trimmed).collect())
            }
            other => other.clone(),
        }
    }

    /// The kind of value, for messages that must not repeat it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Whole(_) | Self::Number(_) => "a number",
            Self::Text(_) | Self::Variable(_) => "text",
            Self::NotText => "bytes that are not UTF-8 text",
            Self::List(_) => "a list",
            Self::Section(_) => "a section",
        }
    }

    /// The value as messages repeat it: short, and without control characters.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Bool(_) | Self::Whole(_) => self.display(),
            Self::Number(number) if number.is_finite() => number.to_string(),
            Self::Text(text) | Self::Variable(text) if looks_secret(text) => {
                "what looks like a secret".to_owned()
            }
            Self::Text(text) | Self::Variable(text) => {
                let mut quoted: String = text.chars().take(MAX_QUOTED).collect();
                if quoted.len() < text.len() {
                    quoted.push('…');
                }
                format!("{quoted:?}")
            }
            _ => self.kind().to_owned(),
        }
    }

    /// The value as a list of settings shows it.
    pub(super) fn display(&self) -> String {
        match self {
            Self::Null | Self::Section(_) | Self::NotText => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Whole(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(text) | Self::Variable(text) => text.clone(),
            Self::List(items) => show_list(items.iter().map(|item| &item.node)),
        }
    }

    /// The same with all that is in it, sections included.
    pub(super) fn display_all(&self) -> String {
        match self {
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| item.node.display_all()).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Section(entries) => {
                let shown = |entry: &Entry| format!("{}: {}", entry.key, entry.node.display_all());
                let entries: Vec<_> = entries.iter().map(shown).collect();
                format!("{{{}}}", entries.join(", "))
            }
            other => format!("{:?}", other.display()),
        }
    }
}

/// Values in the form of a list.
pub(super) fn show_list<'a>(items: impl Iterator<Item = &'a Node>) -> String {
    let items: Vec<_> = items.map(|item| format!("{:?}", item.display())).collect();
    format!("[{}]", items.join(", "))
}

/// Whether a text is a key or token that was put into the wrong setting.
pub(super) fn looks_secret(text: &str) -> bool {
    let starts = ["LS0tLS1CRUdJTi", "github_pat_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "armt_"];
    let text = unwrapped(text);
    text.contains("-----BEGIN") || starts.iter().any(|start| text.starts_with(start))
}
