//! Lists, which a variable holds as one text.

use super::{Invalid, Reader, Valid, quoting_hint, word};
use crate::config::node::{Node, show_list};
use crate::config::origin::Origin;
use crate::config::values::{Complaint, Outcome};
use crate::domain::text::unwrapped;

/// How the text of a variable becomes a list. A line break always separates.
#[derive(Clone, Copy)]
pub(in crate::config) enum Split {
    /// Else at `;` only: a comma may be part of an item.
    Semicolons,
    /// Else at `;`, or at `,` when there is no `;`.
    SemicolonsOrCommas,
}

impl Reader {
    /// A list with a default.
    pub(in crate::config) fn list<T>(
        &mut self,
        key: &'static str,
        default: &[&str],
        split: Split,
        parse: impl Fn(&Node) -> Outcome<T>,
    ) -> Valid<Vec<T>> {
        let items = self.items(key, default, split)?;
        let mut values = Vec::new();
        for (index, (item, origin)) in items.iter().enumerate() {
            match (whole_item(item).and_then(|()| parse(item)), origin) {
                (Ok(value), _) => values.push(value),
                (Err(complaint), Some(Origin::File(_))) => {
                    let message = word(complaint, item) + &quoting_hint(item, &parse);
                    self.complain(origin.clone(), &format!("{key}[{index}]"), message);
                }
                (Err(complaint), _) => self.complain(origin.clone(), key, word(complaint, item)),
            }
        }
        (values.len() == items.len()).then_some(values).ok_or(Invalid)
    }

    /// The items of a list, and who set each.
    fn items(
        &mut self,
        key: &'static str,
        default: &[&str],
        split: Split,
    ) -> Valid<Vec<(Node, Option<Origin>)>> {
        let found = self.find(key);
        let origin = found.as_ref().map(|found| found.origin.clone());
        let items: Vec<_> = match found.map(|found| found.node) {
            None => default.iter().map(|&item| (Node::Variable(item.to_owned()), None)).collect(),
            Some(Node::List(items)) => {
                items.into_iter().map(|item| (item.node, Some(Origin::File(item.position)))).collect()
            }
            Some(Node::Variable(text)) => {
                items_of(&text, split).into_iter().map(|item| (item, origin.clone())).collect()
            }
            Some(other) => {
                let message = format!("expected a list such as [\"a\", \"b\"], found {}", other.describe());
                self.complain(origin, key, message);
                return Err(Invalid);
            }
        };
        self.settings.push((key, show_list(items.iter().map(|(item, _)| item)), origin));
        Ok(items)
    }
}

/// The items of a list that is one text: separated, or as a list of JSON. Quotes around an item are not part of it.
pub(in crate::config) fn items_of(text: &str, split: Split) -> Vec<Node> {
    let variable = |item: &str| Node::Variable(item.to_owned());
    if let Some(items) =
        text.starts_with('[').then(|| serde_json::from_str::<Vec<String>>(text).ok()).flatten()
    {
        return items.iter().map(|item| variable(unwrapped(item))).collect();
    }
    let separator = match split {
        Split::SemicolonsOrCommas if !text.contains(';') => ',',
        _ => ';',
    };
    let items = text.split([separator, '\n', '\r']).map(unwrapped).filter(|item| !item.is_empty());
    items.map(variable).collect()
}

/// Refuses an item of a variable that was cut out of quotes: as a pattern it would match nothing, and deny nothing.
fn whole_item(item: &Node) -> Outcome<()> {
    match item {
        Node::Variable(text) if text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']) => {
            Err(Complaint::Expected("quotes around all of an item, or none".to_owned()))
        }
        _ => Ok(()),
    }
}
