//! What is refused: where, what was expected, and what was found.

use super::*;

#[test]
fn a_wrong_type_is_named_with_file_line_key_expectation_and_what_was_found() {
    let text = with_minimal("logging:\n  maxAge: soon\n  compress: 1\ngithub: {timeout: 10}");
    assert_lines(
        &problems_of(&text),
        &[
            "config.yml:5: logging.maxAge: expected a whole number from 0 to 36500, found \"soon\"",
            "config.yml:6: logging.compress: expected true or false, found 1",
            "config.yml:7: github.timeout: expected a duration such as 500ms, 10s, 5m, 1h or 90d, found 10",
            "3 problems in the configuration",
        ],
    );
}

#[test]
fn quotes_around_a_number_and_none_around_text_get_a_hint() {
    let text = "org: 123\ntoken: t\nserver: {port: \"8443\", tls: {enabled: false}}\n";
    assert_lines(
        &problems_of(text),
        &[
            "config.yml:1: org: expected text, found 123 (put it in quotes)",
            "config.yml:3: server.port: expected a whole number from 0 to 65535, found \"8443\" (as text; leave \
                 the quotes out)",
            "2 problems in the configuration",
        ],
    );
}

#[test]
fn a_value_out_of_range_is_named_in_block_and_flow_style() {
    let text = "org: my-org\ntoken: t\nserver: {tls: {enabled: false},\n  rateLimit: many,\n  \
                    rateBurst: 0, port: 70000}\ncache:\n  identity: 25h\n";
    assert_lines(
        &problems_of(text),
        &[
            "config.yml:4: server.rateLimit: expected a number above 0, found \"many\"",
            "config.yml:5: server.port: expected a whole number from 0 to 65535, found 70000",
            "config.yml:5: server.rateBurst: expected a whole number from 1 to 1000000, found 0",
            "config.yml:7: cache.identity: expected a duration, at most 24h, found \"25h\"",
            "4 problems in the configuration",
        ],
    );
}

#[test]
fn bounds_of_connections_have_bounds_themselves() {
    let text = "org: my-org\ntoken: t\nserver:\n  tls: {enabled: false}\n  maxConnections: 0\n  \
                    connectionsPerAddress: 1.5\n  keepAlive: 2h\n";
    assert_lines(
        &problems_of(text),
        &[
            "config.yml:5: server.maxConnections: expected a whole number from 1 to 1000000, found 0",
            "config.yml:6: server.connectionsPerAddress: expected a whole number from 1 to 1000000, found 1.5",
            "config.yml:7: server.keepAlive: expected a duration, at most 1h, found \"2h\"",
            "3 problems in the configuration",
        ],
    );
}

#[test]
fn a_list_item_is_named_with_its_own_line() {
    let text =
        with_minimal("policy:\n  teams:\n    allow:\n      - good\n      - \"match:a(b\"\nscopes: {deny: x}");
    assert_lines(
        &problems_of(&text),
        &[
            "config.yml:8: policy.teams.allow[1]: pattern \"match:a(b\" does not compile: unclosed group at \
                 position 8",
            "config.yml:9: scopes.deny: expected a list such as [\"a\", \"b\"], found \"x\"",
            "2 problems in the configuration",
        ],
    );
}

#[test]
fn an_item_that_looks_like_an_id_and_is_none_is_refused_rather_than_matching_nobody() {
    let text = with_minimal(
        "policy:\n  teams:\n    allow: [id:123, id:0x1]\n    deny:\n      - id: 123\n  users:\n    deny: [\"ID:7\", 7, \"match:(\"]\n  \
         repositoryPermission: triage",
    );
    assert_lines(
        &problems_of(&text),
        &[
            "config.yml:6: policy.teams.allow[1]: expected id: and a whole number, such as id:123, found \"id:0x1\"",
            "config.yml:8: policy.teams.deny[0]: expected a pattern, or an id without a blank, such as id:123, found a section",
            "config.yml:10: policy.users.deny[0]: expected id: and a whole number, such as id:123, found \"ID:7\"",
            "config.yml:10: policy.users.deny[1]: expected text, found 7 (put it in quotes)",
            "config.yml:10: policy.users.deny[2]: pattern \"match:(\" does not compile: unclosed group at position 7",
            "config.yml:11: policy.repositoryPermission: expected one of read, write, maintain, admin, found \"triage\"",
            "6 problems in the configuration",
        ],
    );
}

#[test]
fn an_unknown_key_is_named_and_the_nearest_known_one_suggested() {
    let text = with_minimal(
        "loging: {level: info}\ncache:\n  identitty: 1s\nrateLimit: 5\ncolour: red\n\"server.port\": 1",
    );
    assert_lines(
        &problems_of(&text),
        &[
            "config.yml:4: loging: unknown key; did you mean logging?",
            "config.yml:6: cache.identitty: unknown key; did you mean identity?",
            "config.yml:7: rateLimit: unknown key; did you mean server.rateLimit?",
            "config.yml:8: colour: unknown key",
            "config.yml:9: server.port: unknown key; sections are nested, not written with dots",
            "5 problems in the configuration",
        ],
    );
}

#[test]
fn everything_missing_is_named_and_the_variable_that_would_set_it() {
    assert_lines(
        &problems_of("# nothing\n"),
        &[
            "config.yml:1: org: missing; expected the organisation's login (or the variable ARM_ORG)",
            "config.yml:1: appID: missing; expected appID and privateKey (or privateKeyFile) of a GitHub App, or \
                 a token (or the variable ARM_APP_ID)",
            "config.yml:1: server.tls.certFile: missing; expected the certificate's PEM file, or \
                 server.tls.enabled: false (or the variable ARM_SERVER_TLS_CERT_FILE)",
            "config.yml:1: server.tls.keyFile: missing; expected the PEM file of the certificate's private key \
                 (or the variable ARM_SERVER_TLS_KEY_FILE)",
            "4 problems in the configuration",
        ],
    );
}

#[test]
fn a_missing_key_is_reported_at_its_section() {
    for (section, line) in [
        ("server:\n  port: 1\n  tls:\n    enabled: true\ncache: {}\n", 5),
        ("server: {port: 1, tls: {keyFile: k}}\ncache: {}\n", 3),
        ("server:\n\n\ncache: {}\n", 3),
        ("cache: {}\n", 1),
    ] {
        let printed = problems_of(&format!("org: o\ntoken: t\n{section}"));
        let expected = format!("config.yml:{line}: server.tls.certFile: missing");
        assert!(printed.contains(&expected), "{expected}: {printed}");
    }
}

#[test]
fn items_of_every_kind_are_found() {
    let text = "org: o\ntoken: t\nserver: {tls: {enabled: false}, trustedProxies:\n  [1,\n  true,\n  1.5,\n  -1,\n                      x,\n  ~,\n  [],\n  {}]}\n";
    let printed = problems_of(text);
    for (index, line) in (4..=11).enumerate() {
        let expected = format!("config.yml:{line}: server.trustedProxies[{index}]: expected a network");
        assert!(printed.contains(&expected), "{expected}: {printed}");
    }
}

#[test]
fn what_excludes_each_other_is_a_contradiction() {
    let key = STANDARD.encode(pem("PRIVATE KEY"));
    let text = format!(
        "org: o\nappID: 1\nprivateKey: {key}\nprivateKeyFile: k.pem\ntoken: t\nlogging: {{compress: true, \
             compression: true}}\nserver: {{port: 90, admin: {{port: 90}}, tls: {{enabled: false}}}}\n"
    );
    assert_lines(
        &problems_of(&text),
        &[
            "config.yml:4: privateKeyFile: contradicts privateKey: set only one of them",
            "config.yml:5: token: contradicts appID: set either the App or a token",
            "config.yml:6: logging.compression: contradicts logging.compress: set only one of them",
            "config.yml:7: server.admin.port: contradicts server.port: both listeners would use port 90",
            "4 problems in the configuration",
        ],
    );
}

#[test]
fn a_problem_of_a_variable_names_the_variable() {
    assert_lines(
        &problems_with(&[
            ("ARM_SERVER_RATELIMIT", "-1"),
            ("PORT", "http"),
            ("ARM_SERVER_RATE_BURTS", "1"),
            ("ARM_POLICY_TEAMS_DENY", "ok;match:("),
        ]),
        &[
            "PORT: server.port: expected a whole number from 0 to 65535, found \"http\"",
            "ARM_SERVER_RATELIMIT: server.rateLimit: expected a number above 0, found \"-1\"",
            "ARM_POLICY_TEAMS_DENY: policy.teams.deny: pattern \"match:(\" does not compile: unclosed group at \
                 position 7",
            "ARM_SERVER_RATE_BURTS: unknown setting; did you mean ARM_SERVER_RATE_BURST?",
            "4 problems in the configuration",
        ],
    );
}

#[test]
fn an_app_and_a_token_from_the_environment_contradict_each_other() {
    let key = pem("PRIVATE KEY");
    let printed =
        problems_with(&[("GITHUB_APP_ID", "1"), ("GITHUB_APP_PRIVATE_KEY", &key), ("GITHUB_TOKEN", "ghp_x")]);
    assert!(printed.contains("GITHUB_TOKEN: token: contradicts GITHUB_APP_ID"), "{printed}");
}

#[test]
fn two_variables_that_set_the_same_differently_are_a_problem() {
    let printed = problems_with(&[("PORT", "1"), ("ARM_SERVER_PORT", "2")]);
    assert_lines(
        &printed,
        &[
            "ARM_SERVER_PORT: server.port: PORT sets this differently; leave one out",
            "1 problem in the configuration",
        ],
    );
    assert!(load_bytes(MINIMAL.as_bytes(), &[("PORT", "1"), ("ARM_SERVER_PORT", "1")]).is_ok());
}

#[test]
fn what_a_problem_repeats_is_one_line_and_nothing_that_a_terminal_acts_on() {
    let printed = problems_with(&[
        ("ALLOWED_SCOPES", "my-org/\u{1b}[2J"),
        ("ARM_SERVER_\u{7}BELL", "x"),
        (&format!("ARM_SERVER_{}", "X".repeat(5_000)), "x"),
    ]) + &problems_of("\"a\\eb\": 1\n\"a\\eb\": 2\nappID: 1\nprivateKeyFile: \"no\\asuch\"\n");
    assert!(printed.contains("my-org/\u{fffd}[2J") && printed.contains("no\u{fffd}such"), "{printed}");
    for line in printed.lines() {
        assert!(!line.contains(char::is_control) && line.chars().count() <= 1_000, "{line:?}");
    }
}

#[test]
fn a_duplicate_key_is_named_with_the_line_where_it_stands_again() {
    let text = "org: a\ntoken: t\nserver:\n  port: 1\n  tls: {enabled: false}\n  port: 2\norg: b\n";
    assert_lines(
        &problems_of(text),
        &[
            "config.yml:6: server.port: stands twice in its section; leave one out",
            "config.yml:7: org: stands twice in its section; leave one out",
            "2 problems in the configuration",
        ],
    );
}

#[test]
fn a_value_where_a_section_should_be_is_one_problem() {
    let text = "org: o\ntoken: t\nserver: 8443\nlogging: [info]\n";
    assert_lines(
        &problems_of(text),
        &[
            "config.yml:3: server: expected a section of keys and values, found a number",
            "config.yml:4: logging: expected a section of keys and values, found a list",
            "2 problems in the configuration",
        ],
    );
}

#[test]
fn more_than_fifty_problems_are_counted_but_not_all_printed() {
    let text: Vec<_> = (0..80).map(|index| format!("unknown{index}: 1")).collect();
    let printed = problems_of(&with_minimal(&text.join("\n")));
    assert_eq!(printed.lines().count(), 51);
    assert!(printed.ends_with("80 problems in the configuration; the first 50 are shown"), "{printed}");
}
