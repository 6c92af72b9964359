//! A file that is cut off, wherever that is: what was in force stays, once it ended with the mark.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::load::understand;
use super::loaded::{Loaded, Snapshot, Sources};
use super::problem::Problems;
use super::references::Noticed;

const EXAMPLE: &str = include_str!("../../config.example.yml");
/// Forms in which a part could pass for the whole: dots in other places, and every kind of value.
const TRICKY: [&str; 7] = [
    "org: my-org\ntoken: t\nserver: {tls: {enabled: false}}\npolicy:\n  teams:\n    deny: [a, b]\n...\n",
    "org: my-org\r\ntoken: t\r\nserver: {tls: {enabled: false}}\r\npolicy: {maxRunners: 12}\r\n... \t\r\n\r\n",
    "org: my-org\rtoken: t\rserver: {tls: {enabled: false}}\rpolicy: {maxRunners: 12}\r...",
    "{org: my-org, token: t, server: {tls: {enabled: false}},\n\"policy\": {teams: {deny: [\n...a,\n...]\n}}}\n...",
    "# ...\norg: my-org\ntoken: t # ...\nserver: {tls: {enabled: false}}\nscopes:\n  deny:\n  - |-\n    ...\n  - ...\n...\n\n",
    "---\norg: my-org\ntoken: \"t\\\n  ...\"\nserver: {tls: {enabled: false}}\npolicy: {teams: {deny: [\"*\"]}}\n...\n \n",
    "\u{feff}org: my-org\ntoken: t\nserver: {tls: {enabled: false}}\npolicy: {teams: {deny: [\"ä\"]}}\n...\n",
];

fn sources() -> Sources {
    let environment = BTreeMap::from([("ARM_TOKEN".to_owned(), "t".to_owned())]);
    Sources { path: None, environment, working_directory: PathBuf::from("/nowhere") }
}

fn load(text: &[u8], in_force: Option<&Loaded>) -> Result<Loaded, Problems> {
    understand(
        Some(Snapshot::of(text, &sources().working_directory)),
        &sources(),
        in_force,
        &mut Noticed::default(),
    )
}

/// What the service goes by.
fn effect(loaded: &Loaded) -> String {
    format!("{:?}", loaded.config)
}

/// Loads each of the beginnings in place of the whole: it is refused, or means just the same.
fn assert_never_looser<'a>(whole: &str, beginnings: impl Iterator<Item = &'a [u8]>) -> usize {
    let in_force = load(whole.as_bytes(), None).unwrap_or_else(|problems| panic!("{whole:?}: {problems}"));
    assert!(in_force.has_end_mark, "{whole:?}");
    let effect_of_whole = effect(&in_force);
    let mut refused = 0;
    for beginning in beginnings {
        match load(beginning, Some(&in_force)) {
            Ok(loaded) => {
                assert_eq!(effect(&loaded), effect_of_whole, "{:?}", String::from_utf8_lossy(beginning));
                assert!(loaded.has_end_mark);
            }
            Err(_) => refused += 1,
        }
    }
    refused
}

#[test]
fn a_file_that_ended_with_the_mark_is_never_looser_when_it_is_cut_at_any_byte() {
    for whole in TRICKY {
        let bytes = whole.as_bytes();
        let refused = assert_never_looser(whole, (0..=bytes.len()).map(|end| &bytes[..end]));
        // Nothing but white space behind the mark may be missing.
        assert_eq!(refused, whole.trim_end().len(), "{whole:?}");
    }
}

#[test]
fn the_example_is_never_looser_when_it_is_cut_at_any_line() {
    let example = EXAMPLE.replace("privateKeyFile: key.pem", "").replace("appID: 12345", "");
    let mut end = 0;
    let ends = example.split_inclusive('\n').map(|line| {
        end += line.len();
        &example.as_bytes()[..end]
    });
    assert_never_looser(&example, ends);
}

#[test]
fn a_cut_file_is_named_with_what_to_do() {
    let whole = TRICKY[0];
    let in_force = load(whole.as_bytes(), None).unwrap();
    let cut = whole.split("policy").next().unwrap();
    let printed = load(cut.as_bytes(), Some(&in_force)).map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        printed,
        "config.yml:3: expected ... (YAML's end mark) as the last line, which the file in force has: this one was \
         cut off; write it again as a whole\n1 problem in the configuration"
    );
    // Before anything was in force, nobody can tell.
    assert!(!load(cut.as_bytes(), None).unwrap().has_end_mark);
    // What else is wrong is said as well.
    let printed =
        load(format!("{cut}colour: 1\n").as_bytes(), Some(&in_force)).map(|_| ()).unwrap_err().to_string();
    assert!(printed.contains("was cut off") && printed.contains("colour"), "{printed}");
    assert!(printed.ends_with("2 problems in the configuration"), "{printed}");
}
