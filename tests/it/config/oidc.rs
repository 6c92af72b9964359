//! Issuers of tokens.

use actions_runner_manager::config::{Noticed, Target, load_noticing};
use actions_runner_manager::domain::issuer::{Algorithm, Issuer, KeySource};

use super::*;

fn with_issuers(issuers: &str) -> String {
    with_minimal(&format!("oidc:\n  audience: https://arm.example.com\n  issuers:\n{issuers}"))
}

fn issuer(text: &str, name: &str) -> Issuer {
    config_of(text).oidc.named(name).unwrap().as_ref().clone()
}

#[test]
fn github_actions_needs_nothing_but_its_name() {
    for written in ["    github-actions: {}\n", "    github-actions:\n"] {
        let actions = issuer(&with_issuers(written), "github-actions");
        assert_eq!(actions.url, "https://token.actions.githubusercontent.com");
        assert!(actions.is_actions && actions.single_use);
        assert_eq!(actions.audience, "https://arm.example.com");
        assert_eq!(
            (actions.algorithms.as_slice(), &actions.keys),
            (&[Algorithm::Rs256][..], &KeySource::Discovery)
        );
        assert_eq!(actions.max_lifetime, Duration::from_hours(1));
        assert_eq!((actions.teams.len(), actions.subjects.len(), actions.ca_file), (0, 0, None));
    }
    assert!(config_of(MINIMAL).oidc.is_empty());
}

#[test]
fn github_actions_is_that_of_the_github_that_is_called() {
    for (api_url, url, trusts) in [
        ("https://ghes.example/api/v3", "https://ghes.example/_services/token", true),
        ("https://api.acme.ghe.com", "https://token.actions.acme.ghe.com", false),
        ("http://127.0.0.1:4711", "http://127.0.0.1:4711/_services/token", true),
    ] {
        let github = format!("github: {{apiURL: \"{api_url}\", caFile: /ca.pem}}\n");
        let actions = issuer(&(with_issuers("    github-actions: {}\n") + &github), "github-actions");
        assert_eq!((actions.url.as_str(), actions.ca_file.is_some()), (url, trusts), "{api_url}");
        let own = with_issuers("    github-actions: {caFile: /own.pem}\n") + &github;
        assert_eq!(issuer(&own, "github-actions").ca_file.as_deref(), Some(Path::new("/own.pem")));
    }
    let of_enterprise = "https://token.actions.githubusercontent.com/acme";
    let text =
        with_issuers(&format!("    github-actions: {{url: \"{of_enterprise}\", teams: [a, \"id:7\"]}}\n"));
    let actions = issuer(&text, "github-actions");
    assert_eq!((actions.url.as_str(), actions.teams.len()), (of_enterprise, 2));
}

#[test]
fn an_issuer_may_have_its_keys_in_three_places_and_its_paths_start_at_the_file() {
    let text = with_issuers(
        "    by.name: {url: \"https://a.example/x/\", audience: own, subjects: [\"a:*\"], algorithms: [ES256, RS512], \
         maxLifetime: 7d, singleUse: true, caFile: ca.pem, jwksURL: \"https://a.example/keys\", jwksTokenFile: token}\n    \
         in_a_file: {url: \"https://b.example\", jwksFile: keys.json}\n    \
         empty: {url: \"https://c.example\", audience: \"\", jwksURL: \"\", jwksFile: \"\", jwksTokenFile: \"\", caFile: \"\", \
         teams: [], subjects: []}\n",
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yml"), text).unwrap();
    let sources =
        Sources { path: None, environment: variables(&[]), working_directory: folder.path().to_owned() };
    let mut noticed = Noticed::default();
    let config = load_noticing(&sources, &mut noticed).unwrap().config;
    let named = |name: &str| config.oidc.named(name).unwrap();
    let file = |name: &str| folder.path().join(name);
    let one = named("by.name");
    assert_eq!((one.url.as_str(), one.audience.as_str()), ("https://a.example/x/", "own"), "to the letter");
    assert_eq!(one.algorithms, [Algorithm::Es256, Algorithm::Rs512]);
    assert!(one.single_use && one.max_lifetime == Duration::from_hours(7 * 24));
    assert!(one.has_subject("a:b") && !one.has_subject("A:b") && !one.has_subject("a:b/c"));
    assert_eq!(one.ca_file, Some(file("ca.pem")));
    let keys = KeySource::Url { url: "https://a.example/keys".into(), token_file: Some(file("token")) };
    assert_eq!(one.keys, keys);
    assert_eq!(named("in_a_file").keys, KeySource::File(file("keys.json")));
    assert_eq!(named("empty").keys, KeySource::Discovery);
    assert_eq!((named("empty").max_lifetime.as_secs(), named("empty").single_use), (25 * 3_600, false));
    let referred = |reference: &actions_runner_manager::config::Reference| match &reference.target {
        Target::IssuerKeys(path) | Target::IssuerToken(path) | Target::Authorities(path) => {
            Some((reference.key.clone(), path.clone()))
        }
        _ => None,
    };
    let expected = [
        ("oidc.issuers.by.name.jwksTokenFile".to_owned(), file("token")),
        ("oidc.issuers.by.name.caFile".to_owned(), file("ca.pem")),
        ("oidc.issuers.in_a_file.jwksFile".to_owned(), file("keys.json")),
    ];
    assert_eq!(noticed.references.iter().filter_map(referred).collect::<Vec<_>>(), expected);
}

#[test]
fn everything_that_is_wrong_with_an_issuer_is_named_with_its_line() {
    let text = with_issuers(
        "    a b: {url: \"https://a.example\"}\n    b: {jwksTokenFile: t, maxLifetme: 1h}\n    \
         c: {url: \"http://c.example\", algorithms: [none], maxLifetime: 30s, singleUse: maybe}\n    \
         d: {url: \"https://d.example\", jwksURL: \"https://d.example/k\", jwksFile: k, algorithms: []}\n    \
         e: {url: \"https://d.example\", subjects: [\"match:(\"], teams: [id:x], audience: }\n    \
         f: {url: \"HTTPS://token.actions.githubusercontent.com/\"}\n    github-actions: {subjects: [a]}\n    g: text\n    \
         h: {url: \"https://a.example\"}\n    h: {url: \"https://h.example\"}\n",
    );
    assert_lines(
        &problems_of(&text),
        &[
            "config.yml:7: oidc.issuers.a b: expected an issuer's name: 1 to 64 of A-Z a-z 0-9 . _ -",
            "config.yml:8: oidc.issuers.b.url: missing; expected the issuer's URL, as its tokens have it as iss",
            "config.yml:8: oidc.issuers.b.jwksTokenFile: expected jwksURL as well, to which the token is sent",
            "config.yml:8: oidc.issuers.b.maxLifetme: unknown key; did you mean maxLifetime?",
            "config.yml:9: oidc.issuers.c.url: expected https://; http:// is for a loopback address only",
            "config.yml:9: oidc.issuers.c.algorithms[0]: expected one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, \
             found \"none\"",
            "config.yml:9: oidc.issuers.c.maxLifetime: expected a duration, at least 60s, found \"30s\"",
            "config.yml:9: oidc.issuers.c.singleUse: expected true or false, found \"maybe\"",
            "config.yml:10: oidc.issuers.d.algorithms: expected at least one algorithm",
            "config.yml:10: oidc.issuers.d.jwksFile: contradicts jwksURL: set only one of them",
            "config.yml:11: oidc.issuers.e.teams[0]: expected id: and a whole number, such as id:123, found \"id:x\"",
            "config.yml:11: oidc.issuers.e.subjects[0]: pattern \"match:(\" does not compile: unclosed group at position 7",
            "config.yml:11: oidc.issuers.e.audience: expected text, found nothing",
            "config.yml:12: oidc.issuers.f.url: expected another issuer than GitHub Actions, whose tokens are accepted by \
             github-actions alone: nearly anybody can have it sign any sub",
            "config.yml:13: oidc.issuers.github-actions.subjects: expected none for GitHub Actions: sub is never compared, since \
             a repository's administrators can shape it",
            "config.yml:14: oidc.issuers.g: expected a section of keys and values, found \"text\"",
            "config.yml:16: oidc.issuers.h: stands twice in its section; leave one out",
            "17 problems in the configuration",
        ],
    );
}

#[test]
fn two_issuers_have_two_urls() {
    let text = with_issuers(
        "    a: {url: \"https://a.example\"}\n    b: {url: \"https://a.example/\"}\n    c: {url: \"https://a.example\"}\n",
    );
    assert_lines(
        &problems_of(&text),
        &[
            "config.yml:9: oidc.issuers.c.url: expected another URL than that of a, since tokens are told apart by it",
            "1 problem in the configuration",
        ],
    );
}

#[test]
fn an_issuer_without_an_audience_is_refused() {
    let text = with_minimal(
        "oidc:\n  issuers:\n    github-actions: {}\n    a: {url: \"https://a.example\", audience: arm}",
    );
    assert_lines(
        &problems_of(&text),
        &[
            "config.yml:6: oidc.issuers.github-actions.audience: missing; expected what tokens have as aud, here or as \
             oidc.audience (or the variable ARM_OIDC_AUDIENCE)",
            "1 problem in the configuration",
        ],
    );
    let loaded = load_bytes(text.as_bytes(), &[("ARM_OIDC_AUDIENCE", "all")]).unwrap();
    assert_eq!(loaded.config.oidc.actions().unwrap().audience, "all");
}

#[test]
fn variables_of_terraform_are_no_settings() {
    let of_terraform =
        ["ARM_OIDC_TOKEN", "ARM_OIDC_REQUEST_URL", "ARM_OIDC_TOKEN_FILE_PATH", "ARM_ACCESS_KEY"];
    let environment = of_terraform.map(|name| (name, "x"));
    let loaded = load_bytes(MINIMAL.as_bytes(), &environment).unwrap();
    assert!(keyed(&loaded).iter().all(|(_, warning)| !warning.contains("OIDC")), "{:?}", keyed(&loaded));
    let misspelt = load_bytes(MINIMAL.as_bytes(), &[("ARM_OIDC_AUDIENC", "x")]).unwrap();
    assert!(keyed(&misspelt).iter().any(|(_, warning)| warning.contains("did you mean ARM_OIDC_AUDIENCE?")));
}

#[test]
fn issuers_without_a_store_get_a_warning() {
    let text = with_issuers("    github-actions: {}\n");
    let warned = |text: &str| warnings_of(text, &[]).iter().any(|(key, _)| key == "oidc.issuers");
    assert!(warned(&text) && !warned(&(text.clone() + "store: {url: \"sqlite::memory:\"}\n")));
}

#[test]
fn the_policy_of_entries_has_bounds_and_words() {
    let text = "policy:\n  access:\n    operations: [demand, group-delete]\n    maxAge: 30m\n    perHour: 0\n    \
                outlivesCreator: {token: 1, other: true}\n";
    let printed = problems_of(&with_minimal(text));
    for problem in [
        "config.yml:6: policy.access.operations[1]: expected one of jitconfig-generate, ",
        "config.yml:7: policy.access.maxAge: expected a duration, at least 1h, found \"30m\"",
        "config.yml:8: policy.access.perHour: expected a whole number from 1 to 1000000, found 0",
        "config.yml:9: policy.access.outlivesCreator.token: expected true or false, found 1",
        "config.yml:9: policy.access.outlivesCreator.other: unknown key; did you mean others?",
    ] {
        assert!(printed.contains(problem), "{problem}: {printed}");
    }
    let environment =
        [("ARM_POLICY_ACCESS_OPERATIONS", "demand,repos-add"), ("ARM_POLICY_ACCESS_MAX_AGE", "30d")];
    let access = load_bytes(MINIMAL.as_bytes(), &environment).unwrap().config.policy.access;
    assert_eq!((access.operations.len(), access.max_age), (2, Duration::from_hours(30 * 24)));
}
