//! A value as it was found, before anybody knows what it should be.

use std::fmt::Write;

use crate::domain::text::{trimmed, unwrapped};

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
    /// A variable whose bytes are no text.
    NotText,
    List(Vec<Node>),
    /// Keys in the order of the file; a duplicate key is in it twice.
    Section(Vec<(String, Node)>),
}

/// More of a wrong value is not repeated.
const MOST_QUOTED: usize = 60;

impl Node {
    /// The value of a key, if this is a section that has it.
    pub(super) fn child(&self, key: &str) -> Option<&Node> {
        match self {
            Self::Section(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The same without the white space around text.
    pub(super) fn trimmed(&self) -> Node {
        match self {
            Self::Text(text) => Self::Text(trimmed(text).to_owned()),
            Self::List(items) => Self::List(items.iter().map(Self::trimmed).collect()),
            other => other.clone(),
        }
    }

    /// What sort of value this is, for values that must not be repeated.
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

    /// The value as a message repeats it, short and without control characters.
    pub(super) fn found(&self) -> String {
        match self {
            Self::Bool(_) | Self::Whole(_) => self.shown(),
            Self::Number(number) if number.is_finite() => number.to_string(),
            Self::Text(text) | Self::Variable(text) if looks_secret(text) => {
                "what looks like a secret".to_owned()
            }
            Self::Text(text) | Self::Variable(text) => {
                let mut quoted: String = text.chars().take(MOST_QUOTED).collect();
                if quoted.len() < text.len() {
                    quoted.push('…');
                }
                format!("{quoted:?}")
            }
            _ => self.kind().to_owned(),
        }
    }

    /// The value as a list of settings shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Null | Self::Section(_) | Self::NotText => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Whole(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(text) | Self::Variable(text) => text.clone(),
            Self::List(items) => {
                let mut list = String::from("[");
                for (index, item) in items.iter().enumerate() {
                    // Writing to a String can't fail.
                    let _ = write!(list, "{}{:?}", if index > 0 { ", " } else { "" }, item.shown());
                }
                list + "]"
            }
        }
    }
}

/// Whether a text is a key or token that strayed into the wrong setting.
pub(super) fn looks_secret(text: &str) -> bool {
    let starts = ["LS0tLS1CRUdJTi", "github_pat_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"];
    let text = unwrapped(text);
    text.contains("-----BEGIN") || starts.iter().any(|start| text.starts_with(start))
}
