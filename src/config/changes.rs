//! The differences between the configuration in force and the one that replaces it.

use serde::Serialize;

use super::loaded::Loaded;

/// Sections and settings that take effect while the service runs. All others require a restart.
const LIVE: [&str; 8] = [
    "policy",
    "scopes",
    "oidc",
    "access",
    "server.rateLimit",
    "server.rateBurst",
    "server.unknownTokenRate",
    "logging.level",
];

/// How a secret is shown.
const SECRET: &str = "<secret>";

/// A setting with another value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The full key, such as `server.tls.certFile`.
    pub key: String,
    /// The value before, as written; `<secret>` for a secret, empty if not set.
    pub old: String,
    /// The value now, likewise.
    pub new: String,
}

impl Change {
    /// Whether the new value takes effect only after a restart.
    pub fn needs_restart(&self) -> bool {
        let is_in = |section: &str| self.key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
        !LIVE.iter().any(|live| self.key == *live || is_in(live))
    }
}

/// The settings whose values differ, wherever they come from.
pub fn changes(old: &Loaded, new: &Loaded) -> Vec<Change> {
    let value = |loaded: &Loaded, key: &str| {
        let setting = loaded.settings.iter().find(|setting| setting.path == key);
        setting.map_or_else(String::new, |setting| setting.value.clone())
    };
    let keys_of = |loaded: &Loaded| -> Vec<String> {
        loaded.settings.iter().map(|setting| setting.path.clone()).collect()
    };
    let mut keys = keys_of(new);
    let gone = keys_of(old).into_iter().filter(|key| !keys.contains(key)).collect::<Vec<_>>();
    keys.extend(gone);
    let another_secret = |key: &str| match key {
        "store.url" => old.config.store.url != new.config.store.url,
        _ => !old.config.credentials.have_the_secret_of(&new.config.credentials),
    };
    let hides_a_secret = |key: &str, value: &str| value == SECRET || key == "store.url";
    let change = |key: String| {
        let (old, mut new) = (value(old, &key), value(new, &key));
        if old == new && hides_a_secret(&key, &new) && another_secret(&key) {
            "<another secret>".clone_into(&mut new);
        }
        (old != new).then_some(Change { key, old, new })
    };
    keys.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::super::fuzzing::load_text;
    use super::super::loaded::Sources;
    use super::*;

    const BASE: &str = "org: my-org\nserver: {tls: {enabled: false}}\n";

    fn load(text: &str) -> Loaded {
        let sources = Sources {
            path: None,
            environment: BTreeMap::from([("ARM_CACHE_TEAM".to_owned(), "7s".to_owned())]),
            working_directory: PathBuf::from("/nowhere"),
        };
        load_text(format!("{BASE}{text}").as_bytes(), &sources).unwrap()
    }

    fn between(old: &str, new: &str) -> Vec<(String, String, String, bool)> {
        let changes = changes(&load(old), &load(new)).into_iter();
        changes
            .map(|change| {
                let needs_restart = change.needs_restart();
                (change.key, change.old, change.new, needs_restart)
            })
            .collect()
    }

    fn change(key: &str, old: &str, new: &str, needs_restart: bool) -> (String, String, String, bool) {
        (key.to_owned(), old.to_owned(), new.to_owned(), needs_restart)
    }

    #[test]
    fn every_setting_with_another_value_is_named_with_both_and_whether_it_waits_for_a_restart() {
        let old = "token: t\npolicy: {teams: {deny: [a]}, maxRunners: 5}\nlogging: {level: warn}\n";
        let new = "token: t\npolicy: {teams: {deny: [a, b]}}\ncache: {team: 1s, group: 1s}\nadmin: {team: x}\n\
                   logging: {format: text}\n";
        assert_eq!(
            between(old, new),
            [
                change("logging.level", "warn", "info", false),
                change("logging.format", "json", "text", true),
                change("cache.group", "60s", "1s", true),
                change("policy.teams.deny", "[\"a\"]", "[\"a\", \"b\"]", false),
                change("policy.maxRunners", "5", "0", false),
                change("admin.team", "", "x", true),
            ]
        );
        // What the environment overrides has not changed, and a default that is written out is none.
        assert_eq!(between("token: t\n", "token: t\ncache: {team: 1s, group: 60s}\n"), []);
    }

    #[test]
    fn another_secret_is_a_change_that_shows_neither() {
        assert_eq!(
            between("token: one\n", "token: two\n"),
            [change("token", "<secret>", "<another secret>", true)]
        );
        assert_eq!(between("token: one\n", "token: one\n"), []);
        let store =
            |password: &str| format!("token: t\nstore: {{url: \"postgres://arm:{password}@db/arm\"}}\n");
        let shown = "postgres://arm:***@db:5432/arm?sslmode=verify-full";
        assert_eq!(
            between(&store("one"), &store("two")),
            [change("store.url", shown, "<another secret>", true)]
        );
        assert_eq!(between(&store("one"), &store("one")), []);
    }

    #[test]
    fn every_setting_that_needs_no_restart_exists() {
        let keys: Vec<_> = load("token: t\n").settings.into_iter().map(|setting| setting.path).collect();
        for live in LIVE {
            let exists = keys.iter().any(|key| key == live || key.starts_with(&format!("{live}.")));
            assert!(exists, "{live}");
        }
    }
}
