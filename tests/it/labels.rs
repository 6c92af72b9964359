//! The closed lists that metrics' labels take their values from: docs/operations.md has the same, and the code uses
//! each of them.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use actions_runner_manager::domain::reason::Cause;
use actions_runner_manager::github::MAX_ATTEMPTS;
use actions_runner_manager::http::Operation;
use actions_runner_manager::metrics::{
    Alone, Cache, CallKind, CallOutcome, CallerKind, CutOff, KeysFetched, Limiter, LookUp, ReloadOutcome,
    Reloaded, Scarce,
};

use crate::architecture::sources;
use crate::documents::{cells, operations, words};

/// The words of one list.
macro_rules! all {
    ($list:ident) => {
        $list::ALL.iter().map(|word| word.as_str().to_owned()).collect::<BTreeSet<String>>()
    };
}

/// What the page says of a label's values.
fn documented(label: &str) -> String {
    let rows = cells(&operations(), "## Metrics", "| label |");
    rows.into_iter()
        .find(|row| words(&row[0]) == [label])
        .unwrap_or_else(|| panic!("no row {label}"))
        .remove(1)
}

#[test]
fn the_page_lists_just_the_values_that_labels_can_have() {
    let attempts = (1..=MAX_ATTEMPTS).map(|attempt| attempt.to_string()).collect();
    let operations = Operation::ALL.iter().map(|operation| operation.name().to_owned());
    for (label, expected) in [
        ("operation", operations.chain(["none".to_owned()]).collect()),
        ("status", Cause::all().map(|cause| cause.status().to_string()).chain(["200".to_owned()]).collect()),
        ("reason", Cause::all().map(|cause| cause.as_str().to_owned()).chain(["none".to_owned()]).collect()),
        ("call", all!(CallKind)),
        ("attempt", attempts),
        ("cache", all!(Cache)),
        ("limiter", all!(Limiter)),
        ("caller", all!(CallerKind)),
        ("cause", all!(CutOff)),
        ("scarce", all!(Scarce)),
    ] {
        let listed: Vec<String> = words(&documented(label));
        assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), expected, "{label}");
        assert_eq!(listed.len(), expected.len(), "{label} has a value twice: {listed:?}");
    }
}

/// What the page says of a label that has other values in another metric.
fn listed_parts(page: &str) -> Vec<(&str, BTreeSet<String>)> {
    let part = |part: &str| words(part).into_iter().collect();
    page.split("; ").map(|text| (text.split_once(": ").unwrap().0, part(text))).collect()
}

#[test]
fn the_page_lists_just_the_outcomes_of_calls_look_ups_reloads_and_keys() {
    let expected = [
        ("of calls", all!(CallOutcome)),
        ("of look-ups", all!(LookUp)),
        ("of reloads", all!(ReloadOutcome)),
        ("of keys", all!(KeysFetched)),
    ];
    assert_eq!(listed_parts(&documented("outcome")), expected);
}

#[test]
fn the_page_lists_just_what_is_read_again_and_what_is_decided_alone() {
    let expected = [("of reloads", all!(Reloaded)), ("of what was decided alone", all!(Alone))];
    assert_eq!(listed_parts(&documented("what")), expected);
}

/// Those of a list that no source file names, such as `CallKind::Group`.
fn unused<T: Debug>(list: &str, words: &[T], sources: &str) -> Vec<String> {
    let names = words.iter().map(|word| format!("{list}::{word:?}"));
    let is_named = |name: &String| regex::Regex::new(&format!(r"\b{name}\b")).unwrap().is_match(sources);
    names.filter(|name| !is_named(name)).collect()
}

#[test]
fn no_list_has_a_word_that_the_code_never_uses() {
    let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
    let code: String =
        texts.map(|text| text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned()).collect();
    let mut unused_words = unused("CallKind", CallKind::ALL, &code);
    unused_words.extend(unused("CallOutcome", CallOutcome::ALL, &code));
    unused_words.extend(unused("Cache", Cache::ALL, &code));
    unused_words.extend(unused("LookUp", LookUp::ALL, &code));
    unused_words.extend(unused("Limiter", Limiter::ALL, &code));
    unused_words.extend(unused("Reloaded", Reloaded::ALL, &code));
    unused_words.extend(unused("ReloadOutcome", ReloadOutcome::ALL, &code));
    unused_words.extend(unused("CutOff", CutOff::ALL, &code));
    unused_words.extend(unused("KeysFetched", KeysFetched::ALL, &code));
    assert!(unused_words.is_empty(), "{unused_words:?}");
    assert_eq!(unused("CallKind", CallKind::ALL, "CallKind::GroupRunners").len(), CallKind::ALL.len() - 1);
}
