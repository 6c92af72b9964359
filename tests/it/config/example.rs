//! The example holds every setting, with its default.

use actions_runner_manager::domain::entry::fields::EntryField;

use super::*;

const EXAMPLE: &str = include_str!("../../../config.example.yml");

fn load_example(text: &str) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key.pem"), pem("RSA PRIVATE KEY")).unwrap();
    fs::write(folder.path().join("config.yml"), text).unwrap();
    load_in(folder.path(), &[]).unwrap()
}

/// Turns commented-out settings on, save those that exclude another.
fn uncommented() -> String {
    let excluded = ["privateKey:", "token:", "tokenFile:", "compression:"];
    let turn_on = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        match line.trim_start().strip_prefix('#') {
            Some(setting) if excluded.iter().any(|key| setting.starts_with(key)) => line.to_owned(),
            Some(setting) if !setting.starts_with(' ') => format!("{}{setting}", &line[..indent]),
            _ => line.to_owned(),
        }
    };
    EXAMPLE.lines().map(turn_on).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_loads_as_it_is() {
    let loaded = load_example(EXAMPLE);
    assert_eq!(loaded.config.org.as_str(), "my-org");
    // The defaults are those of the earlier service; the others are for whoever installs it to decide.
    let keys: Vec<_> =
        keyed(&loaded).into_iter().map(|(key, _)| key).filter(|key| key != "privateKeyFile").collect();
    let expected =
        ["logging.audit", "policy.registrationTokens", "policy.removalTokens", "policy.repositoryPermission"];
    assert_eq!(keys, expected);
}

#[test]
fn the_example_shows_every_key() {
    let text = uncommented();
    for setting in load_example(&text).settings {
        let shown = matches!(setting.source, Source::File { .. });
        let leaf = setting.path.rsplit('.').next().unwrap();
        assert!(shown || text.contains(&format!("#{leaf}: ")), "{} is not in the example", setting.path);
    }
}

#[test]
fn the_example_states_every_default_as_it_is() {
    let example = load_example(EXAMPLE).settings;
    let minimal = "org: my-org\ntoken: t\nserver: {tls: {certFile: a, keyFile: b}, admin: {}}\n";
    let defaults = load_bytes(minimal.as_bytes(), &[]).unwrap().settings;
    let mut compared = 0;
    for default in defaults.iter().filter(|setting| setting.source == Source::Default) {
        let shown = example.iter().find(|setting| setting.path == default.path).unwrap();
        if matches!(shown.source, Source::File { .. }) && !default.value.is_empty() {
            assert_eq!(shown.value, default.value, "{}", default.path);
            compared += 1;
        }
    }
    assert!(compared >= 40, "only {compared} defaults were compared");
}

/// The lines of comments that begin with three blanks, which are YAML once these are gone.
fn commented_below(key: &str) -> String {
    let end = EXAMPLE.find(&format!("\n{key}")).unwrap();
    let lines: Vec<_> =
        EXAMPLE[..end].lines().rev().take_while(|line| line.trim_start().starts_with('#')).collect();
    let yaml = lines.iter().rev().filter_map(|line| line.trim_start().strip_prefix("#   "));
    yaml.flat_map(|line| ["    ", line, "\n"]).collect()
}

#[test]
fn the_issuers_and_entries_that_it_shows_load_and_state_the_defaults() {
    let issuers = commented_below("  issuers: {}");
    let entries = commented_below("access: []");
    let shown = EXAMPLE
        .replace("  issuers: {}", &format!("  issuers:\n{issuers}"))
        .replace("access: []", &format!("access:\n{entries}"))
        .replace("#audience: ", "audience: ");
    let config = load_example(&shown).config;
    let minimal = "    github-actions: {}\n    cluster-a: {url: \"https://oidc.example.com/id/1\"}\n";
    let bare = EXAMPLE
        .replace("  issuers: {}", &format!("  issuers:\n{minimal}"))
        .replace("#audience: ", "audience: ");
    assert_eq!(config.oidc, load_example(&bare).config.oidc);
    assert_eq!((config.oidc.iter().count(), config.access.len()), (2, 2));
    for field in EntryField::ALL.iter().filter(|field| **field != EntryField::ExpiresIn) {
        assert!(entries.contains(&format!("{field}: ")), "{field} is not in the example");
    }
}
