//! Keys and variables that nobody asked for, and what was probably meant.

use super::document::{Document, Step};
use super::environment::{Environment, variable_of};
use super::node::{Node, looks_secret};
use super::reader::{Origin, Problem};
use crate::domain::text::one_line;

/// More of an unknown key is not repeated.
const MOST_QUOTED: usize = 60;

/// Duplicate keys, unknown keys, and values where a section should be.
pub(super) fn in_document(document: &Document, known: &[&'static str]) -> Vec<Problem> {
    let mut problems: Vec<_> = document
        .duplicates
        .iter()
        .map(|steps| Problem {
            origin: Some(Origin::File(steps.clone())),
            key: one_line(&joined(steps), MOST_QUOTED),
            message: "stands twice in its section; leave one out".to_owned(),
        })
        .collect();
    match &document.root {
        Node::Section(_) | Node::Null => walk(&document.root, &mut Vec::new(), known, &mut problems),
        other => problems.push(Problem {
            origin: Some(Origin::File(Vec::new())),
            key: "the whole file".to_owned(),
            message: format!("expected keys and values such as `org: my-org`, found {}", other.kind()),
        }),
    }
    problems
}

fn walk(section: &Node, path: &mut Vec<Step>, known: &[&'static str], problems: &mut Vec<Problem>) {
    let Node::Section(entries) = section else { return };
    for (key, value) in entries {
        path.push(Step::Key(key.clone()));
        let full = joined(path);
        let is_section = known.iter().any(|known| is_below(known, &full));
        let message = match value {
            // `server.port: 1` is one key called "server.port", not a key of a section.
            _ if key.contains('.') => {
                Some("unknown key; sections are nested, not written with dots".to_owned())
            }
            _ if known.contains(&full.as_str()) => None,
            Node::Section(_) | Node::Null if is_section => None,
            other if is_section => {
                Some(format!("expected a section of keys and values, found {}", other.kind()))
            }
            _ => Some(format!("unknown key{}", suggestion(&full, known))),
        };
        if let Some(message) = message {
            let key = one_line(&full, MOST_QUOTED);
            problems.push(Problem { origin: Some(Origin::File(path.clone())), key, message });
        } else if is_section {
            walk(value, path, known, problems);
        }
        path.pop();
    }
}

/// Variables of ours that set nothing.
pub(super) fn in_environment(environment: &Environment, known: &[&'static str]) -> Vec<Problem> {
    let unknown = environment.unknown(known).into_iter();
    let problem = |name: &str| {
        let variables: Vec<String> = known.iter().map(|key| variable_of(key)).collect();
        let nearest = nearest(name, variables.iter().map(String::as_str));
        Problem {
            origin: Some(Origin::Variable(name.to_owned())),
            key: String::new(),
            message: format!("unknown setting{}", nearest.map(did_you_mean).unwrap_or_default()),
        }
    };
    unknown.map(|variable| problem(&variable.name)).collect()
}

/// Whether a plain value stands where the section around `key` should be.
pub(super) fn is_inside_of_a_value(root: &Node, key: &str) -> bool {
    let mut node = root;
    for part in key.split('.') {
        match node {
            Node::Section(_) => match node.child(part) {
                Some(child) => node = child,
                None => return false,
            },
            Node::Null => return false,
            _ => return true,
        }
    }
    false
}

fn is_below(key: &str, section: &str) -> bool {
    key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'))
}

fn joined(steps: &[Step]) -> String {
    let parts: Vec<_> = steps
        .iter()
        .map(|step| match step {
            Step::Key(key) | Step::Again(key, _) if looks_secret(key) => "<secret>".to_owned(),
            Step::Key(key) | Step::Again(key, _) => key.clone(),
            Step::Item(index) => format!("[{index}]"),
        })
        .collect();
    parts.join(".").replace(".[", "[")
}

fn suggestion(full: &str, known: &[&'static str]) -> String {
    let (section, name) = full.rsplit_once('.').unwrap_or(("", full));
    let below = |key: &'static str| {
        if section.is_empty() { Some(key) } else { key.strip_prefix(section)?.strip_prefix('.') }
    };
    let siblings =
        known.iter().filter_map(|key| below(key)).map(|rest| rest.split('.').next().unwrap_or(rest));
    if let Some(near) = nearest(name, siblings) {
        return did_you_mean(near);
    }
    // The right key in the wrong section.
    let leaf = |key: &str| key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
    let same = known.iter().find(|key| leaf(key) == name.to_ascii_lowercase());
    same.map(|key| did_you_mean(key)).unwrap_or_default()
}

fn did_you_mean(name: &str) -> String {
    format!("; did you mean {name}?")
}

/// The candidate that differs least, if it differs little.
fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name: String = name.chars().take(MOST_QUOTED).collect::<String>().to_ascii_lowercase();
    candidates
        .map(|candidate| (strsim::levenshtein(&name, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(4))
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["org", "server.rateLimit", "server.rateBurst", "server.tls.enabled"];

    #[test]
    fn a_near_key_of_the_same_section_is_suggested_first() {
        assert_eq!(suggestion("server.ratelimit", &KNOWN), "; did you mean rateLimit?");
        assert_eq!(suggestion("sever", &KNOWN), "; did you mean server?");
        assert_eq!(suggestion("server.tls.enable", &KNOWN), "; did you mean enabled?");
    }

    #[test]
    fn a_key_of_another_section_is_suggested_with_its_path() {
        assert_eq!(suggestion("rateLimit", &KNOWN), "; did you mean server.rateLimit?");
        assert_eq!(suggestion("colour", &KNOWN), "");
    }
}
