//! Environment variables as settings. Only here are they cleaned of what tools leave around a value.

use std::collections::BTreeMap;

use super::node::Node;
use crate::domain::text::unwrapped;

/// Names that other tools and the earlier token proxy use, in addition to `ARM_<SECTION>_<KEY>`.
pub(super) const NAMED: [(&str, &str); 10] = [
    ("GITHUB_APP_ID", "appID"),
    ("GITHUB_APP_INSTALLATION_ID", "installationID"),
    ("GITHUB_INSTALLATION_ID", "installationID"),
    ("GITHUB_APP_PRIVATE_KEY", "privateKey"),
    ("GITHUB_TOKEN", "token"),
    ("GITHUB_API_URL", "github.apiURL"),
    ("ALLOWED_SCOPES", "scopes.allow"),
    ("DENIED_SCOPES", "scopes.deny"),
    ("BIND", "server.address"),
    ("PORT", "server.port"),
];
pub(super) const PREFIX: &str = "ARM_";

/// Sections for whose variables others have names as well: Terraform's provider for Azure reads `ARM_OIDC_TOKEN`.
const OF_OTHERS: [&str; 1] = ["OIDC"];

/// The variables that may be settings.
pub(super) struct Environment(Vec<Variable>);

/// One variable.
#[derive(Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: String,
    /// The key it sets, in the form that [`folded`] gives.
    key: String,
}

impl Environment {
    /// Picks the variables that may be settings. An empty one counts as not set.
    pub(super) fn new(variables: &BTreeMap<String, String>) -> Self {
        let pick = |(name, value): (&String, &String)| {
            let value = unwrapped(value);
            if value.is_empty() || is_service_link(name, value) {
                return None;
            }
            let named = NAMED.iter().find(|(special, _)| special == name).map(|(_, key)| folded(key));
            let key = named.or_else(|| name.strip_prefix(PREFIX).map(folded))?;
            Some(Variable { name: name.clone(), value: value.to_owned(), key })
        };
        Self(variables.iter().filter_map(pick).collect())
    }

    /// The variables that set `key`.
    pub(super) fn of(&self, key: &str) -> Vec<&Variable> {
        let key = folded(key);
        self.0.iter().filter(|variable| variable.key == key).collect()
    }

    /// Variables named like a key of one of our sections that set none of `known`.
    pub(super) fn unknown(&self, known: &[&'static str]) -> Vec<&Variable> {
        let folded_keys: Vec<String> = known.iter().map(|key| folded(key)).collect();
        let in_section = |name: &str| {
            let section =
                name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).map(|(first, _)| first);
            section.filter(|section| !OF_OTHERS.contains(section)).is_some_and(|section| {
                let first = |key: &'static str| key.split_once('.').map(|(first, _)| first);
                known.iter().filter_map(|key| first(key)).any(|known| known.eq_ignore_ascii_case(section))
            })
        };
        self.0
            .iter()
            .filter(|variable| !folded_keys.contains(&variable.key) && in_section(&variable.name))
            .collect()
    }
}

impl Variable {
    /// The value as it was found.
    pub(super) fn node(&self) -> Node {
        if is_text(&self.value) { Node::Variable(self.value.clone()) } else { Node::NotText }
    }
}

/// The value of a variable that is no setting, such as `CONFIG_PATH`. An empty one counts as not set.
pub(super) fn variable<'a>(variables: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    variables.get(name).map(|value| unwrapped(value)).filter(|value| !value.is_empty())
}

/// Whether a variable held text: in [`Sources`](super::Sources) a replacement character stands for each byte that is not
/// UTF-8.
pub(super) fn is_text(value: &str) -> bool {
    !value.contains(char::REPLACEMENT_CHARACTER)
}

/// The name of the variable that sets `key`: `server.rateLimit` is `ARM_SERVER_RATE_LIMIT`.
pub(super) fn variable_of(key: &str) -> String {
    let mut name = PREFIX.to_owned();
    let mut after_lower = false;
    for character in key.chars() {
        if character == '.' || (character.is_ascii_uppercase() && after_lower) {
            name.push('_');
        }
        if character != '.' {
            name.push(character.to_ascii_uppercase());
        }
        after_lower = character.is_ascii_lowercase();
    }
    name
}

/// The same for `server.rateLimit`, `SERVER_RATELIMIT` and `SERVER_RATE_LIMIT`.
pub(super) fn folded(key: &str) -> String {
    key.chars().filter(|character| !matches!(character, '.' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether Kubernetes made the variable, because a service is called `arm` or `arm-server`.
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    let made_of = |suffix: &str| name.contains(suffix);
    ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme))
        || [
            "_SERVICE_HOST",
            "_SERVICE_PORT",
            "_TCP_ADDR",
            "_TCP_PORT",
            "_TCP_PROTO",
            "_UDP_ADDR",
            "_UDP_PORT",
        ]
        .into_iter()
        .any(made_of)
        || name.ends_with("_UDP_PROTO")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_freed_of_what_tools_leave_around_it() {
        let values =
            ["acme", " acme\n", "acme\r\n", "\"acme\"", "'acme'\n", "\u{feff}acme", "\u{a0}acme\u{3000}"];
        for value in values {
            let variables = BTreeMap::from([("ARM_ORG".to_owned(), value.to_owned())]);
            let environment = Environment::new(&variables);
            assert_eq!(environment.of("org")[0].value, "acme", "{value:?}");
            assert_eq!(variable(&variables, "ARM_ORG"), Some("acme"), "{value:?}");
        }
        for empty in ["", " \r\n", "\"\"", "''", "\" \"", "\u{feff}"] {
            let variables = BTreeMap::from([("ARM_ORG".to_owned(), empty.to_owned())]);
            assert!(Environment::new(&variables).of("org").is_empty(), "{empty:?}");
            assert_eq!(variable(&variables, "ARM_ORG"), None, "{empty:?}");
        }
    }

    #[test]
    fn a_key_and_its_spellings_fold_to_the_same() {
        for spelling in ["server.rateLimit", "SERVER_RATELIMIT", "SERVER_RATE_LIMIT"] {
            assert_eq!(folded(spelling), "serverratelimit");
        }
    }

    #[test]
    fn the_variable_of_a_key_is_split_at_its_words() {
        assert_eq!(variable_of("server.rateLimit"), "ARM_SERVER_RATE_LIMIT");
        assert_eq!(variable_of("appID"), "ARM_APP_ID");
        assert_eq!(variable_of("github.apiURL"), "ARM_GITHUB_API_URL");
        assert_eq!(variable_of("sweep.offlineRunners.every"), "ARM_SWEEP_OFFLINE_RUNNERS_EVERY");
    }

    #[test]
    fn links_that_kubernetes_makes_are_no_settings() {
        assert!(is_service_link("ARM_SERVER_PORT", "tcp://10.0.0.1:443"));
        assert!(is_service_link("ARM_SERVER_PORT_443_TCP_ADDR", "10.0.0.1"));
        assert!(is_service_link("ARM_SERVER_SERVICE_HOST", "10.0.0.1"));
        assert!(!is_service_link("ARM_SERVER_PORT", "8443"));
    }
}
