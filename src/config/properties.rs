//! Configurations made at random: the valid load to what they say, the others are explained.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::{Map, Value, json};

use super::environment::variable_of;
use super::fuzzing::{check_problems, config, load_text};
use super::loaded::{DEFAULT_FILE, Loaded, Sources};
use super::origin::Source;

/// A setting: its key, the value in a file, and the same in a variable.
type Given = (&'static str, Value, String);

/// What a value may be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Flag,
    Whole(u64, u64),
    /// In seconds.
    Span(u64, u64),
    Word(&'static [&'static str]),
    Text(&'static str),
    List(&'static [&'static str]),
}
use Kind::{Flag, List, Span, Text, Whole, Word};

const DAY: u64 = 24 * 3_600;
const PATTERNS: &[&str] = &["*", "payments", "team-*", "match:a{1,2}|b", "my-org/*", "ä"];
const SUBJECTS: &[&str] = &["*", "payments", "team-*", "match:a{1,2}|b", "id:123", "id:1"];
const SETTINGS: [(&str, Kind); 48] = [
    ("org", Text("[A-Za-z0-9][A-Za-z0-9-]{0,30}")),
    ("github.timeout", Span(1, 600)),
    ("github.concurrency", Whole(1, 10_000)),
    ("groups.name", Text("[a-z(#'\":ä]{0,3}\\{team\\}[a-z)\\\\:&*!-]{0,3}")),
    ("store.grace", Span(1, DAY)),
    ("store.keep", Span(DAY, 30 * DAY)),
    ("store.mostEvents", Whole(1_000, 1_000_000_000)),
    ("logging.level", Word(&["debug", "info", "warn", "error", "fatal"])),
    ("logging.format", Word(&["json", "text"])),
    ("logging.maxAge", Whole(0, 36_500)),
    ("logging.maxBackups", Whole(0, 100_000)),
    ("logging.maxSize", Whole(1_024, u64::MAX)),
    ("logging.compress", Flag),
    ("server.port", Whole(0, 65_535)),
    ("server.rateLimit", Whole(1, 1_000_000)),
    ("server.rateBurst", Whole(1, 1_000_000)),
    ("server.unknownTokenRate", Whole(1, 1_000_000)),
    ("server.legacyGet", Flag),
    ("server.docs", Flag),
    ("server.trustedProxies", List(&["10.0.0.0/8", "192.0.2.7", "::1", "2001:db8::/32"])),
    ("server.tls.terminatedElsewhere", Flag),
    ("cache.identity", Span(0, DAY)),
    ("cache.refusedIdentity", Span(0, DAY)),
    ("cache.team", Span(0, DAY)),
    ("cache.membership", Span(0, DAY)),
    ("cache.refusedMembership", Span(0, DAY)),
    ("cache.group", Span(0, DAY)),
    ("policy.registrationTokens", Flag),
    ("policy.removalTokens", Flag),
    ("policy.teams.allow", List(SUBJECTS)),
    ("policy.teams.deny", List(SUBJECTS)),
    ("policy.users.allow", List(SUBJECTS)),
    ("policy.users.deny", List(SUBJECTS)),
    ("policy.repositoryPermission", Word(&["read", "write", "maintain", "admin"])),
    ("policy.jit.labels", List(PATTERNS)),
    ("policy.jit.maxLabels", Whole(1, 100)),
    ("policy.jit.namePrefix", Text("[A-Za-z0-9._-]{1,9}(\\{team\\})?")),
    ("policy.maxRunners", Whole(0, u64::MAX)),
    ("policy.access.operations", List(&["demand", "jitconfig-generate", "repos-add"])),
    ("policy.access.maxAge", Span(3_600, 365 * DAY)),
    ("policy.access.perHour", Whole(1, 1_000_000)),
    ("policy.access.outlivesCreator.token", Flag),
    ("policy.access.outlivesCreator.others", Flag),
    ("oidc.audience", Text("https://[a-z]{1,9}[.]example")),
    ("scopes.allow", List(PATTERNS)),
    ("scopes.deny", List(PATTERNS)),
    ("sweep.offlineRunners.every", Span(1, DAY)),
    ("sweep.offlineRunners.groups", List(&["Default", "payments"])),
];
/// What a configuration needs beside these, so that no file has to exist.
const NEEDED: [(&str, &str); 2] = [("token", "a-token"), ("server.tls.enabled", "false")];

fn given((key, kind): (&'static str, Kind)) -> BoxedStrategy<Given> {
    match kind {
        Flag => any::<bool>().prop_map(move |value| (key, json!(value), value.to_string())).boxed(),
        Whole(min, max) => (min..=max).prop_map(move |value| (key, json!(value), value.to_string())).boxed(),
        Span(min, max) => (min..=max, any::<Index>())
            .prop_map(move |(seconds, unit)| {
                let units =
                    [("ms", seconds * 1_000), ("s", seconds), ("m", seconds / 60), ("h", seconds / 3_600)];
                let fitting: Vec<_> = units.into_iter().filter(|(_, number)| *number >= min).collect();
                let (unit, number) = fitting[unit.index(fitting.len())];
                let text = format!("{number}{unit}");
                (key, json!(text), text)
            })
            .boxed(),
        Word(words) => select(words).prop_map(move |word| (key, json!(word), word.to_owned())).boxed(),
        Text(form) => form.prop_map(move |text: String| (key, json!(text), text)).boxed(),
        List(items) => prop::collection::vec(select(items), 1..4)
            .prop_map(move |items| (key, json!(items), items.join(";")))
            .boxed(),
    }
}

/// A value for every setting.
fn every_setting() -> impl Strategy<Value = Vec<Given>> {
    SETTINGS.into_iter().map(given).collect::<Vec<_>>()
}

fn tree(settings: &[Given]) -> Value {
    let mut root = json!({ "token": "a-token", "server": { "tls": { "enabled": false } } });
    for (key, value, _) in settings {
        put(&mut root, key, value.clone());
    }
    root
}

fn put(root: &mut Value, key: &str, value: Value) {
    let section = key.split('.').fold(root, |node, part| {
        if !node.is_object() {
            *node = Value::Object(Map::new());
        }
        &mut node[part]
    });
    *section = value;
}

/// The tree as people write YAML: a line a key. JSON's texts and lists are YAML as they are.
fn block(node: &Value, depth: usize) -> String {
    let Value::Object(entries) = node else { return format!(" {node}\n") };
    let line =
        |(key, value): (&String, &Value)| format!("{}{key}:{}", "  ".repeat(depth), block(value, depth + 1));
    let start = if depth == 0 { "" } else { "\n" };
    start.to_owned() + &entries.iter().map(line).collect::<String>()
}

fn load(text: &str, variables: &[(String, String)]) -> Result<Loaded, String> {
    let sources = Sources {
        path: Some(PathBuf::from(DEFAULT_FILE)),
        environment: variables.iter().cloned().collect::<BTreeMap<_, _>>(),
        working_directory: PathBuf::from("/nowhere"),
    };
    load_text(text.as_bytes(), &sources).map_err(|problems| {
        check_problems(&problems, text.lines().count().max(1));
        problems.to_string()
    })
}

fn variables(settings: &[Given]) -> Vec<(String, String)> {
    settings.iter().map(|(key, _, text)| (variable_of(key), text.clone())).collect()
}

/// All that the service goes by, as text.
fn effect(loaded: &Loaded) -> String {
    format!("{:?}", loaded.config)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_valid_file_loads_to_what_it_says(settings in every_setting()) {
        let tree = tree(&settings);
        let loaded = load(&block(&tree, 0), &[]).unwrap();
        for (key, value, text) in &settings {
            let setting = loaded.settings.iter().find(|setting| setting.path == *key).unwrap();
            let shown = if value.is_array() { value.to_string().replace("\",\"", "\", \"") } else { text.clone() };
            prop_assert_eq!(&setting.value, &shown, "{}", key);
            prop_assert!(matches!(&setting.source, Source::File { .. }), "{}", key);
        }
        // In one line, and by variables alone, it means the same.
        prop_assert_eq!(effect(&loaded), effect(&load(&tree.to_string(), &[]).unwrap()));
        let mut all = variables(&settings);
        all.extend(NEEDED.map(|(key, text)| (variable_of(key), text.to_owned())));
        prop_assert_eq!(effect(&loaded), effect(&load("", &all).unwrap()));
    }

    #[test]
    fn the_environment_overrides_the_file(
        (file, environment) in (every_setting(), every_setting()).prop_flat_map(|(file, environment)| {
            let some = subsequence(environment.clone(), 0..=environment.len());
            (Just(file), some)
        }),
    ) {
        let loaded = load(&block(&tree(&file), 0), &variables(&environment)).unwrap();
        for (key, _, _) in &environment {
            let setting = loaded.settings.iter().find(|setting| setting.path == *key).unwrap();
            prop_assert_eq!(&setting.source, &Source::Variable(variable_of(key)));
        }
        let both = [file, environment].concat();
        prop_assert_eq!(effect(&loaded), effect(&load(&block(&tree(&both), 0), &[]).unwrap()));
    }

    #[test]
    fn an_unknown_key_is_refused_wherever_it_stands(
        settings in every_setting(),
        section in select(vec!["", "github.", "logging.", "server.", "server.tls.", "cache.", "policy.",
            "policy.teams.", "policy.jit.", "policy.access.", "oidc.", "scopes.", "store.", "sweep.", "sweep.offlineRunners."]),
        name in "[a-z]{3,12}x[a-zA-Z0-9_-]{0,4}",
        value in select(vec![json!(1), json!("a"), json!({ "a": 1 }), json!(["b"]), json!(null), json!(true)]),
    ) {
        let key = format!("{section}{name}");
        let mut root = tree(&settings);
        put(&mut root, &key, value);
        let text = block(&root, 0);
        let printed = load(&text, &[]).map(|loaded| loaded.settings).unwrap_err();
        let line = 1 + text.lines().position(|line| line.trim_start().starts_with(&format!("{name}:"))).unwrap();
        prop_assert!(printed.starts_with(&format!("{DEFAULT_FILE}:{line}: {key}: unknown key")), "{}", printed);
        prop_assert!(printed.ends_with("1 problem in the configuration"), "{}", printed);
    }

    #[test]
    fn a_value_of_another_kind_is_named_with_its_key_and_line(
        settings in every_setting(),
        at in any::<Index>(),
        wrong in select(vec![json!({ "a": 1 }), json!(-1), json!([[1]]), json!({ "b": [] }), json!("\u{1}")]),
    ) {
        let (key, _, _) = settings[at.index(settings.len())];
        let mut root = tree(&settings);
        put(&mut root, key, wrong.clone());
        let text = block(&root, 0);
        let printed = load(&text, &[]).map(|loaded| loaded.settings).unwrap_err();
        prop_assert!(printed.starts_with(&format!("{DEFAULT_FILE}:")), "{} as {}: {}", key, wrong, printed);
        prop_assert!(printed.contains(key), "{} as {}: {}", key, wrong, printed);
    }
}

/// Keys of issuers and entries, and others.
const KEYS: &[&str] = &[
    "url",
    "audience",
    "algorithms",
    "maxLifetime",
    "jwksURL",
    "jwksFile",
    "jwksTokenFile",
    "caFile",
    "teams",
    "subjects",
    "team",
    "kind",
    "operations",
    "labels",
    "per_hour",
    "repository",
    "ref",
    "environment",
    "events",
    "issuer",
    "subject",
    "claims",
    "note",
    "a.b",
    "colour",
    "\u{1}",
];

fn part() -> impl Strategy<Value = Value> {
    let words = select(vec![
        json!("https://a.example"),
        json!("id:7"),
        json!("oidc"),
        json!("github-actions"),
        json!("refs/heads/main"),
        json!("a"),
        json!(["demand"]),
        json!(["jitconfig-generate"]),
        json!({ "a": "b" }),
        json!({ "a": 1 }),
        json!(["a=b", "a=c"]),
        json!(5),
        json!(null),
        json!(true),
        json!("1h"),
        json!(""),
        json!([[]]),
    ]);
    prop::collection::btree_map(select(KEYS), words, 0..8).prop_map(|entries| json!(entries))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn issuers_and_entries_of_any_kind_are_taken_or_explained_and_mean_the_same_in_a_variable(
        issuers in prop::collection::btree_map("[a-z]{1,3}|github-actions|a b|\u{1}", part(), 0..4),
        entries in prop::collection::vec(part(), 0..4),
    ) {
        let minimal = "org: my-org\ntoken: a-token\nserver: {tls: {enabled: false}}\n";
        let (issuers, entries) = (json!(issuers).to_string(), json!(entries).to_string());
        let in_file = load(&format!("{minimal}oidc: {{issuers: {issuers}}}\naccess: {entries}\n"), &[]);
        let variables = [("ARM_OIDC_ISSUERS".to_owned(), issuers), ("ARM_ACCESS".to_owned(), entries)];
        let in_variables = load(minimal, &variables);
        prop_assert_eq!(in_file.is_ok(), in_variables.is_ok());
        if let (Ok(one), Ok(other)) = (&in_file, &in_variables) {
            prop_assert_eq!(effect(one), effect(other));
            prop_assert_eq!(one.warnings(None).len(), other.warnings(None).len());
        }
    }
}

/// Pieces that YAML is made of, and keys of ours.
fn piece() -> impl Strategy<Value = String> {
    let fixed = select(vec![
        "org: my-org\n",
        "token: a\n",
        "server:",
        "tls:",
        "admin:",
        "policy: {teams: {allow: [",
        "scopes:\n",
        "oidc: {audience: a, issuers: {github-actions: {",
        "  issuers:\n    a:\n      url: https://a.example\n",
        "access:\n",
        "- {team: a, kind: oidc, issuer: a, subject: b, operations: [demand], claims: ",
        "#env ARM_ACCESS=[{kind: oidc, claims: {a: b}}]\n",
        "#env ARM_OIDC_ISSUERS={a: {url: http://[::1]/}}\n",
        "privateKey: |\n",
        "  ",
        "\n",
        "- ",
        ": ",
        "&a ",
        "*a",
        "!tag ",
        "[",
        "]",
        "{",
        "}",
        "'",
        "\"",
        "\t",
        "# ",
        "? ",
        "| ",
        "> ",
        "%YAML 1.2\n",
        "---\n",
        "...\n",
        "<<: ",
        "null",
        "~",
        "0x1F",
        "1e400",
        ".inf",
        "-0",
        "true",
        "10s",
        "match:(",
        "\u{feff}",
        "\u{85}",
        "\r",
        "#env ARM_ORG=other\n",
        "#env ARM_SERVER_PORT=99999\n",
        "#env PORT=1\n",
    ]);
    prop_oneof![8 => fixed.prop_map(str::to_owned), 1 => any::<String>(), 1 => "[a-zA-Z]{1,9}: "]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_in_the_file_is_loaded_or_explained(pieces in prop::collection::vec(piece(), 0..25)) {
        config(pieces.concat().as_bytes());
    }
}
