//! Keys and variables that no setting has, with a suggestion of what was intended.

use std::collections::HashSet;

use super::environment::{Environment, variable_of};
use super::node::{Entry, Node, looks_secret};
use super::origin::Origin;
use super::problem::Problem;
use crate::domain::text::one_line;

/// The maximum number of characters of an unknown key that a message repeats.
const MAX_QUOTED: usize = 64;

/// Duplicate keys, unknown keys, and values where a section should be.
pub(super) fn in_document(root: &Node, known: &[&'static str]) -> Vec<Problem> {
    let mut problems = Vec::new();
    find_duplicates(root, &mut Vec::new(), &mut problems);
    match root {
        Node::Section(_) | Node::Null => find_unknown(root, &mut Vec::new(), known, &mut problems),
        other => problems.push(Problem {
            origin: Some(Origin::WholeFile),
            key: "the whole file".to_owned(),
            message: format!("expected keys and values such as `org: my-org`, found {}", other.kind()),
        }),
    }
    problems
}

/// Duplicate keys in what a variable holds of a key.
pub(super) fn duplicates_below(key: &str, root: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    find_duplicates(root, &mut vec![key.to_owned()], &mut problems);
    problems
}

/// Keys of a section that none of `known` is, each with its problem.
pub(super) fn in_part<'a>(
    path: &str,
    entries: &'a [Entry],
    known: &[&'static str],
) -> Vec<(&'a Entry, Problem)> {
    let unknown = entries.iter().filter(|entry| !known.contains(&entry.key.as_str()));
    let problem = |entry: &'a Entry| {
        let message = format!("unknown key{}", suggestion(&entry.key, known));
        let origin = Some(Origin::File(entry.position));
        (entry, Problem { origin, key: format!("{path}.{}", shown_key(&entry.key)), message })
    };
    unknown.map(problem).collect()
}

fn find_duplicates(node: &Node, path: &mut Vec<String>, problems: &mut Vec<Problem>) {
    match node {
        Node::Section(entries) => {
            let mut earlier = HashSet::new();
            for entry in entries {
                path.push(mask_secret(&entry.key));
                if !earlier.insert(&entry.key) {
                    let message = "stands twice in its section; leave one out".to_owned();
                    problems.push(problem_at(entry, path, message));
                }
                find_duplicates(&entry.node, path, problems);
                path.pop();
            }
        }
        Node::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(format!("[{index}]"));
                find_duplicates(&item.node, path, problems);
                path.pop();
            }
        }
        _ => {}
    }
}

fn find_unknown(section: &Node, path: &mut Vec<String>, known: &[&'static str], problems: &mut Vec<Problem>) {
    let Node::Section(entries) = section else { return };
    for entry in entries {
        path.push(mask_secret(&entry.key));
        let full = joined(path);
        let is_section = known.iter().any(|known| is_below(known, &full));
        let message = match &entry.node {
            // `server.port: 1` is one key called "server.port", not a key of a section.
            _ if entry.key.contains('.') => {
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
            problems.push(problem_at(entry, path, message));
        } else if is_section {
            find_unknown(&entry.node, path, known, problems);
        }
        path.pop();
    }
}

fn problem_at(entry: &Entry, path: &[String], message: String) -> Problem {
    let origin = Some(Origin::File(entry.position));
    Problem { origin, key: one_line(&joined(path), MAX_QUOTED), message }
}

/// Variables with our prefix that set nothing.
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

/// Whether there is a plain value in the place of the section around `key`.
pub(super) fn is_inside_of_a_value(root: &Node, key: &str) -> bool {
    let entries = root.entries_to(key);
    let deepest = entries.last().map_or(root, |entry| &entry.node);
    entries.len() < key.split('.').count() && !matches!(deepest, Node::Section(_) | Node::Null)
}

fn is_below(key: &str, section: &str) -> bool {
    key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'))
}

/// A key as a message repeats it.
fn mask_secret(key: &str) -> String {
    if looks_secret(key) { "<secret>".to_owned() } else { key.to_owned() }
}

/// The same of a key that the administrator chose: short, and in one line.
pub(super) fn shown_key(key: &str) -> String {
    one_line(&mask_secret(key), MAX_QUOTED)
}

fn joined(path: &[String]) -> String {
    path.join(".").replace(".[", "[")
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

/// The most similar candidate, if it is similar enough.
fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name: String = name.chars().take(MAX_QUOTED).collect::<String>().to_ascii_lowercase();
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
