//! The blocks of `docs/access.md`, by the names in their first lines.

use actions_runner_manager::config;
use serde_json::{Value, json};

use crate::harness::{configuration, fake, load, merge};
use fake_github::World;

const PAGE: &str = include_str!("../../../docs/access.md");
/// Begins a block that is an example.
const MARK: &str = "# example: ";
/// Every example. Those called `configuration` are parts of a `config.yml`.
const NAMES: [&str; 21] = [
    "allow a Google service account",
    "allow a managed identity",
    "allow a service account",
    "allow a workflow",
    "allow a workflow for forks",
    "ask",
    "configuration",
    "configuration",
    "configuration",
    "configuration",
    "configuration",
    "configuration",
    "configuration",
    "make a team token",
    "pod",
    "remove an entry",
    "token in Container Apps",
    "token on Google Cloud",
    "token on an Azure virtual machine",
    "use a team token",
    "workflow",
];

/// The settings that all scripts of the page begin with, and the examples by name. Any other block is a mistake.
fn blocks() -> (String, Vec<(String, String)>) {
    let (mut settings, mut examples) = (String::new(), Vec::new());
    for block in PAGE.split("```").skip(1).step_by(2) {
        let (_, text) = block.split_once('\n').unwrap();
        match text.strip_prefix(MARK).and_then(|text| text.split_once('\n')) {
            Some((name, text)) => examples.push((name.to_owned(), text.to_owned())),
            None if text.starts_with("ARM=") && settings.is_empty() => text.clone_into(&mut settings),
            None => panic!("nothing runs this block, since it has no name: {text}"),
        }
    }
    (settings, examples)
}

/// The text of the one example that is called so.
pub fn example(name: &str) -> String {
    let (_, mut examples) = blocks();
    examples.retain(|(other, _)| other == name);
    assert_eq!(examples.len(), 1, "{name}");
    examples.remove(0).1
}

/// Examples of a shell, one after another, with the page's settings before them.
pub fn script(names: &[&str]) -> String {
    let examples = names.iter().map(|name| example(name));
    std::iter::once(blocks().0).chain(examples).collect()
}

/// An example in YAML.
pub fn yaml(name: &str) -> Value {
    serde_yaml::from_str(&example(name)).unwrap()
}

fn configurations() -> Vec<Value> {
    let (_, examples) = blocks();
    let parts = examples.iter().filter(|(name, _)| name == "configuration");
    parts.map(|(_, text)| serde_yaml::from_str(text).unwrap()).collect()
}

/// The configuration of an issuer as the page has it, for an issuer of the test and for all teams.
pub fn configured(name: &str, url: &str) -> Value {
    let with_issuer = configurations().into_iter().find(|part| part["oidc"]["issuers"][name].is_object());
    let mut part = with_issuer.unwrap_or_else(|| panic!("no issuer {name}"));
    let mut issuer = part["oidc"]["issuers"][name].take();
    issuer["url"] = json!(url);
    issuer.as_object_mut().unwrap().remove("teams");
    part["oidc"]["issuers"] = json!({ name: issuer });
    part
}

#[test]
fn every_block_of_the_page_is_an_example_that_something_here_runs_or_reads() {
    let (settings, examples) = blocks();
    assert!(settings.contains("AUTH="), "{settings}");
    let mut names: Vec<_> = examples.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, NAMES);
}

#[tokio::test]
async fn every_part_of_a_configuration_on_the_page_is_accepted() {
    let fake = fake(World::new("my-org"));
    for part in configurations() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = configuration(folder.path(), &fake, &json!({}));
        merge(&mut config, &part);
        // Fails with what is wrong.
        let _: config::Config = load(folder.path(), &config);
    }
}
