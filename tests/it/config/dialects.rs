//! The forms in which other tools hand over values, keys and files: read where it is plain what is meant, and otherwise
//! named.

use super::*;

/// What tools leave around a value: shells, `docker run --env-file`, Windows editors, web pages.
const AROUND: [(&str, &str); 9] = [
    ("", "\n"),
    ("", "\r\n"),
    (" ", " \t"),
    ("\"", "\""),
    ("'", "'\n"),
    ("\" ", "\n\""),
    ("\u{feff}", ""),
    ("\u{a0}", "\u{3000}"),
    ("\u{200b}", "\u{202a}"),
];

/// One variable of each kind, by every special name.
fn one_of_each(key: &str) -> Vec<(&'static str, String)> {
    let fixed = [
        ("ARM_ORG", "my-org"),
        ("GITHUB_APP_ID", "7"),
        ("GITHUB_INSTALLATION_ID", "8"),
        ("GITHUB_API_URL", "https://ghes.example/api/v3/"),
        ("ALLOWED_SCOPES", "my-org/*;my-org"),
        ("DENIED_SCOPES", "my-org/secret"),
        ("BIND", "127.0.0.1"),
        ("PORT", "9000"),
        ("ARM_SERVER_LEGACY_GET", "false"),
        ("ARM_SERVER_RATE_LIMIT", "2.5"),
        ("ARM_SERVER_TLS_CERT_FILE", "certs/my tls.crt"),
        ("ARM_SERVER_TLS_KEYFILE", "/certs/tls.key"),
        ("ARM_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("ARM_GROUPS_NAME", "r-{team}"),
        ("ARM_ADMIN_TEAM", "platform"),
        ("ARM_GITHUB_TIMEOUT", "20s"),
        ("ARM_LOGGING_LEVEL", "warn"),
        ("ARM_LOGGING_MAX_SIZE", "5 MB"),
        ("ARM_POLICY_JIT_NAME_PREFIX", "{team}-x"),
    ];
    let own = ("GITHUB_APP_PRIVATE_KEY", key.to_owned());
    fixed.into_iter().map(|(name, value)| (name, value.to_owned())).chain([own]).collect()
}

#[test]
fn whatever_is_around_a_variable_it_means_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let load_around = |(before, behind): (&str, &str)| {
        let wrapped: Vec<_> = one_of_each(&pem("PRIVATE KEY"))
            .into_iter()
            .map(|(name, value)| (name, format!("{before}{value}{behind}")))
            .collect();
        let pairs: Vec<_> = wrapped.iter().map(|(name, value)| (*name, value.as_str())).collect();
        load_in(folder.path(), &pairs).unwrap_or_else(|problems| panic!("{before:?} {behind:?}: {problems}"))
    };
    let plain = load_around(("", ""));
    assert_eq!(plain.config.server.bind_address().to_string(), "127.0.0.1:9000");
    for around in AROUND {
        let loaded = load_around(around);
        assert_eq!(format!("{:?}", loaded.config), format!("{:?}", plain.config), "{around:?}");
        assert_eq!(loaded.settings, plain.settings, "{around:?}");
    }
}

#[test]
fn the_path_of_the_file_may_be_wrapped_as_well() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("other.yml"), MINIMAL).unwrap();
    for (before, behind) in AROUND {
        let path = format!("{before}other.yml{behind}");
        let loaded = load_in(folder.path(), &[("CONFIG_PATH", &path)]).unwrap();
        assert_eq!(loaded.file.as_deref(), Some(Path::new("other.yml")), "{path:?}");
    }
    assert!(load_in(folder.path(), &[("CONFIG_PATH", " \"\"\n")]).is_err(), "as not set");
}

#[test]
fn a_variable_with_nothing_but_wrapping_counts_as_not_set() {
    for empty in ["\"\"", "''", "\r\n", "\u{feff}", "\" \""] {
        let loaded = load_bytes(MINIMAL.as_bytes(), &[("ARM_ORG", empty), ("PORT", empty)]).unwrap();
        assert_eq!((loaded.config.org.as_str(), loaded.config.server.port), ("my-org", 8443), "{empty:?}");
    }
}

#[test]
fn a_list_in_a_variable_comes_with_quotes_line_breaks_or_as_json() {
    for value in [
        "a;b",
        "\"a\";\"b\"",
        "'a'; 'b'",
        "\"a;b\"",
        "a\nb\n",
        "a;\r\nb",
        "[\"a\", \"b\"]",
        "'[\"a\",\"b\"]'",
    ] {
        let loaded = load_bytes(MINIMAL.as_bytes(), &[("ARM_POLICY_TEAMS_DENY", value)]).unwrap();
        let teams = &loaded.config.policy.teams;
        assert!(
            !teams.permit(TeamId(1), "a") && !teams.permit(TeamId(1), "b") && teams.permit(TeamId(1), "c"),
            "{value:?}"
        );
    }
}

#[test]
fn an_item_that_was_cut_out_of_quotes_is_refused_since_it_would_deny_nothing() {
    for value in ["\"a;b\";c", "\"a", "a;b'"] {
        let printed = problems_with(&[("ARM_POLICY_TEAMS_DENY", value)]);
        assert!(printed.contains("policy.teams.deny: expected quotes around all of an item"), "{printed}");
    }
}

#[test]
fn numbers_and_words_in_variables_come_as_tools_write_them() {
    let environment = [
        ("PORT", "9000.0"),
        ("ARM_POLICY_MAX_RUNNERS", "1_000"),
        ("ARM_SERVER_DOCS", "no"),
        ("ARM_SERVER_LEGACY_GET", "0"),
        ("ARM_POLICY_REGISTRATIONTOKENS", "Off"),
        ("ARM_POLICY_REMOVALTOKENS", "True"),
        ("ARM_GITHUB_TIMEOUT", "20 s"),
    ];
    let config = load_bytes(MINIMAL.as_bytes(), &environment).unwrap().config;
    assert_eq!((config.server.port, config.policy.max_runners), (9000, 1_000));
    assert!(!config.server.docs && !config.server.legacy_get);
    assert!(!config.policy.registration_tokens && config.policy.removal_tokens);
    assert_eq!(config.github.timeout, Duration::from_secs(20));
}

#[test]
fn a_variable_whose_bytes_are_no_text_is_named() {
    // As the process hands it over: with a replacement character for what can't be read.
    let printed = problems_with(&[
        ("ARM_ORG", "ac\u{fffd}me"),
        ("GITHUB_TOKEN", "ghp_\u{fffd}"),
        ("ARM_POLICY_TEAMS_DENY", "\u{fffd}"),
        ("ARM_LOGGING_AUDIT", "\u{fffd}"),
    ]);
    assert_lines(
        &printed,
        &[
            "ARM_ORG: org: expected text, found bytes that are not UTF-8 text",
            "GITHUB_TOKEN: token: expected text, found bytes that are not UTF-8 text",
            "ARM_LOGGING_AUDIT: logging.audit: expected the path of a file, found bytes that are not UTF-8 text",
            "ARM_POLICY_TEAMS_DENY: policy.teams.deny: expected a list such as [\"a\", \"b\"], found bytes that are not \
             UTF-8 text",
            "4 problems in the configuration",
        ],
    );
    let folder = tempfile::tempdir().unwrap();
    let printed = load_in(folder.path(), &[("CONFIG_PATH", "c\u{fffd}.yml")]).map(|_| ()).unwrap_err();
    assert!(printed.starts_with("CONFIG_PATH: expected the path of a file, found bytes"), "{printed}");
}

/// Every form of the same text that a file may have.
fn encoded(text: &str) -> Vec<Vec<u8>> {
    let wide = |unit: fn(u16) -> [u8; 2]| format!("\u{feff}{text}").encode_utf16().flat_map(unit).collect();
    let with_crlf = text.replace('\n', "\r\n");
    vec![
        text.into(),
        format!("\u{feff}{text}").into(),
        with_crlf.clone().into(),
        format!("\u{feff}{with_crlf}").into(),
        text.replace('\n', "\r").into(),
        wide(u16::to_le_bytes),
        wide(u16::to_be_bytes),
    ]
}

#[test]
fn a_file_means_the_same_with_marks_and_any_line_breaks() {
    let text = "# A comment first\norg: my-org\ntoken: t\nserver: {tls: {enabled: false}}\npolicy:\n  teams:\n    \
                deny:\n      - a\n      - b\nscopes:\n";
    let plain = load_bytes(text.as_bytes(), &[]).unwrap();
    for bytes in encoded(text).into_iter().chain(encoded(&format!("---\n{text}...\n"))) {
        let loaded = load_bytes(&bytes, &[]).unwrap_or_else(|problems| panic!("{bytes:?}: {problems}"));
        assert_eq!(format!("{:?}", loaded.config), format!("{:?}", plain.config));
        assert!(!loaded.config.policy.teams.permit(TeamId(1), "b"));
    }
    for bytes in encoded(&format!("{text}unknown: 1\n")) {
        let printed = load_bytes(&bytes, &[]).map(|_| ()).unwrap_err();
        assert!(printed.starts_with("config.yml:11: unknown: unknown key"), "{printed}");
    }
}

#[test]
fn a_file_that_is_no_text_is_named_with_what_it_is() {
    let unmarked: Vec<u8> = MINIMAL.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let zeros = format!("{MINIMAL}\0\0\0\0");
    let tab = with_minimal("policy:\n\tmaxRunners: 5");
    for (bytes, line, reason) in [
        (unmarked, 1, "looks like UTF-16"),
        (zeros.into_bytes(), 4, "found a zero byte"),
        (tab.into_bytes(), 5, "indent with spaces, not with tabs"),
        (b"org: a\r\n# \xe4\n".to_vec(), 2, "expected UTF-8 text"),
    ] {
        let printed = load_bytes(&bytes, &[]).map(|_| ()).unwrap_err();
        assert!(
            printed.starts_with(&format!("config.yml:{line}: ")) && printed.contains(reason),
            "{printed}"
        );
    }
}

#[test]
fn values_of_older_yaml_are_refused_with_the_form_to_write() {
    let text = "org: 20240712\ntoken: t\nserver: {tls: {enabled: off}, docs: \"true\", port: 08443}\npolicy:\n  \
                maxRunners: 1_000\n  teams: {deny: [7, true]}\nlogging: {maxAge: \"5.0\", maxBackups: 1e1, compress: Yes}\n\
                cache: {team: 5}\n";
    assert_lines(
        &problems_of(text),
        &[
            "config.yml:1: org: expected text, found 20240712 (put it in quotes)",
            "config.yml:3: server.port: expected a whole number from 0 to 65535, found \"08443\" (write 8443)",
            "config.yml:3: server.docs: expected true or false, found \"true\" (as text; leave the quotes out)",
            "config.yml:3: server.tls.enabled: expected true or false, found \"off\" (write false)",
            "config.yml:5: policy.maxRunners: expected a whole number, at least 0, found \"1_000\" (write 1000)",
            "config.yml:6: policy.teams.deny[0]: expected text, found 7 (put it in quotes)",
            "config.yml:6: policy.teams.deny[1]: expected text, found true (put it in quotes)",
            "config.yml:7: logging.maxAge: expected a whole number from 0 to 36500, found \"5.0\" (write 5)",
            "config.yml:7: logging.compress: expected true or false, found \"Yes\" (write true)",
            "config.yml:8: cache.team: expected a duration such as 500ms, 10s, 5m, 1h or 90d, found 5",
            "10 problems in the configuration",
        ],
    );
}

#[test]
fn whole_numbers_with_a_point_and_blocks_of_text_are_read() {
    let text = with_minimal(
        "logging: {maxAge: 5.0, maxBackups: 1e1}\ncache: {team: 5 m}\nadmin:\n  team: |\n    platform\ngroups:\n  name: >\n    \
         r-{team}\n",
    );
    let config = config_of(&text);
    assert_eq!((config.logging.max_age_days, config.logging.max_backups), (5, 10));
    assert_eq!(config.cache.team, Duration::from_mins(5));
    let team = TeamSlug::parse("platform").unwrap();
    assert_eq!(config.administrators, AdministratorsTeam::Slug(team));
}

#[test]
fn a_section_and_a_key_with_nothing_in_them_count_as_not_set() {
    let config =
        config_of(&with_minimal("policy:\nscopes: ~\nadmin: null\nlogging:\n  level:\n  maxAge: null\n"));
    assert!(config.policy.registration_tokens && config.administrators == AdministratorsTeam::None);
    assert_eq!(config.logging.max_age_days, 28);
}
