//! Variables whose names resemble a setting's, but that set nothing. They may belong to another program, so they only
//! cause a warning; a variable named like one of our sections is an error, see `unknown`.

use std::collections::BTreeMap;

use super::diagnostic::Diagnostic;
use super::environment::{NAMED, PREFIX, folded, is_service_link, variable_of};
use super::origin::Source;

/// Shorter names resemble too many others.
const MIN_LENGTH: usize = 8;

/// A warning for each variable that is probably a misspelt setting; `known` are all keys.
pub(super) fn variables(environment: &BTreeMap<String, String>, known: &[&'static str]) -> Vec<Diagnostic> {
    let names: Vec<String> = known
        .iter()
        .map(|key| variable_of(key))
        .chain(NAMED.iter().map(|(name, _)| (*name).to_owned()))
        .collect();
    let folded_keys: Vec<String> = known.iter().map(|key| folded(key)).collect();
    let is_setting = |name: &str| {
        NAMED.iter().any(|(named, _)| *named == name)
            || name.strip_prefix(PREFIX).is_some_and(|rest| folded_keys.contains(&folded(rest)))
    };
    let given = environment.iter().filter(|(name, value)| {
        !value.trim().is_empty() && !is_service_link(name, value) && !is_setting(name)
    });
    let warning = |(name, _): (&String, &String)| {
        let intended = nearest(name, &names).or_else(|| without_its_section(name, known))?;
        let message = format!("{name} sets nothing; did you mean {intended}?");
        Some(Diagnostic::new(None, Some(Source::Variable(name.clone())), &message))
    };
    given.filter_map(warning).collect()
}

/// The name that differs by a few letters, or only in case.
fn nearest(name: &str, names: &[String]) -> Option<String> {
    // No name of ours is longer than this by far; comparing takes time.
    if !(MIN_LENGTH..=100).contains(&name.len()) {
        return None;
    }
    let name = name.to_ascii_uppercase();
    let near = names.iter().map(|known| (strsim::damerau_levenshtein(&name, known), known));
    near.filter(|(distance, known)| *distance <= allowed(known)).min().map(|(_, known)| known.clone())
}

/// How many letters of a name may be wrong.
fn allowed(name: &str) -> usize {
    match name.len() {
        0..MIN_LENGTH => 0,
        MIN_LENGTH..12 => 1,
        12..20 => 2,
        _ => 3,
    }
}

/// `ARM_RATE_LIMIT` for `ARM_SERVER_RATE_LIMIT`.
fn without_its_section(name: &str, known: &[&'static str]) -> Option<String> {
    let wanted = folded(name.strip_prefix(PREFIX)?);
    let below_a_section = |key: &str| {
        let parts: Vec<_> = key.split('.').collect();
        (1..parts.len()).any(|at| folded(&parts[at..].join(".")) == wanted)
    };
    known.iter().find(|key| below_a_section(key)).map(|key| variable_of(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 8] = [
        "org",
        "appID",
        "token",
        "privateKeyFile",
        "policy.jit.labels",
        "server.rateLimit",
        "server.port",
        "scopes.deny",
    ];

    fn said(name: &str, value: &str) -> Option<String> {
        let environment = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        variables(&environment, &KNOWN).first().map(|warning| warning.message().to_owned())
    }

    #[test]
    fn a_misspelt_section_prefix_or_name_is_suggested() {
        for (name, intended) in [
            ("ARM_POLCY_JIT_LABELS", "ARM_POLICY_JIT_LABELS"),
            ("ARM_POLICIES_JIT_LABELS", "ARM_POLICY_JIT_LABELS"),
            ("AMR_POLICY_JIT_LABELS", "ARM_POLICY_JIT_LABELS"),
            ("ARM_SREVER_PORT", "ARM_SERVER_PORT"),
            ("arm_server_port", "ARM_SERVER_PORT"),
            ("DENIED_SCOPE", "DENIED_SCOPES"),
            ("GITHUB_APP_PRIVATEKEY", "GITHUB_APP_PRIVATE_KEY"),
            ("github_token", "GITHUB_TOKEN"),
            ("ARM_RATE_LIMIT", "ARM_SERVER_RATE_LIMIT"),
            ("ARM_JIT_LABELS", "ARM_POLICY_JIT_LABELS"),
        ] {
            assert_eq!(said(name, "x"), Some(format!("{name} sets nothing; did you mean {intended}?")));
        }
    }

    #[test]
    fn variables_of_others_and_those_that_work_are_left_alone() {
        for name in [
            "ARM_CLIENT_ID",
            "ARM_TENANT_ID",
            "ARM_SUBSCRIPTION_ID",
            "ARM_USE_OIDC",
            "ARM_OIDC_TOKEN",
            "ARM_SAS_TOKEN",
            "ARM_ACCESS_KEY",
            "GITHUB_ACTOR_ID",
            "GITHUB_RUN_ID",
            "GITHUB_SERVER_URL",
            "GITHUB_PATH",
            "GITHUB_JOB",
            "HOST",
            "HOME",
            "PORT",
            "BIND",
            "GITHUB_TOKEN",
            "ARM_POLICY_JITLABELS",
            "ARM_ORG",
        ] {
            assert_eq!(said(name, "x"), None, "{name}");
        }
        assert_eq!(said("ARM_POLCY_JIT_LABELS", " "), None, "an empty variable counts as not set");
        assert_eq!(said("ARM_SREVER_PORT", "tcp://10.0.0.1:443"), None, "Kubernetes made it");
        assert_eq!(said(&"A".repeat(100_000), "x"), None);
    }
}
