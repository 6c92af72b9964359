//! The configuration: what is accepted, and what is said about what isn't.

#![expect(clippy::unwrap_used, reason = "the lints only know functions marked #[test]")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use actions_runner_manager::config::{
    Config, Credentials, Loaded, LogFormat, LogLevel, PrivateKeySource, Source, Sources, SweepGroups,
    TokenSource, load,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;

/// The least that a configuration needs.
const MINIMAL: &str =
    "org: my-org\ntoken: ghp_in-the-file\nserver: {tls: {certFile: tls.crt, keyFile: tls.key}}\n";

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn load_in(folder: &Path, environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let sources =
        Sources { path: None, environment: variables(environment), working_directory: folder.to_owned() };
    load(&sources).map_err(|problems| problems.to_string())
}

fn load_bytes(bytes: &[u8], environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yml"), bytes).unwrap();
    load_in(folder.path(), environment)
}

fn config_of(text: &str) -> Config {
    load_bytes(text.as_bytes(), &[]).unwrap().config
}

/// What is printed about a text, given that it is wrong.
fn problems_of(text: &str) -> String {
    load_bytes(text.as_bytes(), &[]).map(|loaded| loaded.settings).unwrap_err()
}

/// What is printed about the minimal configuration and these variables.
fn problems_with(environment: &[(&str, &str)]) -> String {
    load_bytes(MINIMAL.as_bytes(), environment).map(|loaded| loaded.settings).unwrap_err()
}

fn with_minimal(text: &str) -> String {
    format!("{MINIMAL}{text}\n")
}

#[track_caller]
fn assert_lines(printed: &str, expected: &[&str]) {
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}

fn pem(label: &str) -> String {
    format!("-----BEGIN {label}-----\nc2VjcmV0LWtleS1tYXRlcmlhbA==\n-----END {label}-----\n")
}

fn app(key: &str) -> String {
    format!("org: my-org\nappID: 12345\n{key}\nserver: {{tls: {{enabled: false}}}}\n")
}

fn source_of(loaded: &Loaded, path: &str) -> Source {
    loaded.settings.iter().find(|setting| setting.path == path).unwrap().source.clone()
}

mod accepted {
    use super::*;

    #[test]
    fn the_defaults_are_those_that_the_design_states() {
        let config = config_of(MINIMAL);
        assert_eq!(config.org.as_str(), "my-org");
        assert_eq!(config.github.api_url.as_str(), "https://api.github.com");
        assert_eq!((config.github.timeout, config.github.concurrency), (Duration::from_secs(10), 64));
        assert_eq!((config.logging.level, config.logging.format), (LogLevel::Info, LogFormat::Json));
        assert_eq!(config.logging.file(), None);
        assert_eq!((config.logging.max_age_days, config.logging.max_backups), (28, 5));
        assert_eq!((config.logging.max_size, config.logging.compress), (104_857_600, true));
        assert_eq!(config.server.bind_address().to_string(), "0.0.0.0:8443");
        assert!((config.server.rate_limit - 5.0).abs() < f64::EPSILON);
        assert_eq!(config.server.rate_burst, 5);
        assert!(config.server.legacy_get && config.server.docs && config.server.admin.is_none());
        let cache = &config.cache;
        let spans = [cache.identity, cache.refused_identity, cache.team, cache.membership];
        assert_eq!(spans.map(|span| span.as_secs()), [60, 10, 300, 60]);
        assert_eq!([cache.refused_membership, cache.group].map(|span| span.as_secs()), [5, 60]);
        assert!(config.policy.registration_tokens && config.policy.removal_tokens);
        assert!(config.policy.teams.permit("any-team") && !config.scopes.permit("my-org"));
        assert_eq!((config.policy.jit.max_labels, config.policy.jit.name_prefix.as_str()), (20, "{team}-"));
        assert_eq!((config.policy.max_runners, config.admin_team), (0, None));
        let sweep = config.sweep.offline_runners;
        assert_eq!((sweep.enabled, sweep.every.as_secs(), sweep.offline_for.as_secs()), (false, 600, 3600));
        assert_eq!(sweep.groups, SweepGroups::Managed);
    }

    #[test]
    fn the_environment_is_enough_without_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let key = STANDARD.encode(pem("RSA PRIVATE KEY"));
        let loaded = load_in(
            folder.path(),
            &[
                ("ARM_ORG", "my-org"),
                ("GITHUB_APP_ID", "7"),
                ("GITHUB_INSTALLATION_ID", "8"),
                ("GITHUB_APP_PRIVATE_KEY", &key),
                ("GITHUB_API_URL", "https://ghes.example/api/v3/"),
                ("ALLOWED_SCOPES", "my-org/*; match:a{1,2}"),
                ("DENIED_SCOPES", "my-org/secret"),
                ("BIND", "127.0.0.1"),
                ("PORT", "9000"),
                ("ARM_SERVER_TLS_ENABLED", "false"),
                ("ARM_SERVER_RATE_LIMIT", "2.5"),
                ("ARM_SERVER_TRUSTEDPROXIES", "10.0.0.0/8, ::1"),
                ("ARM_POLICY_TEAMS_ALLOW", "a;b"),
                ("ARM_SWEEP_OFFLINE_RUNNERS_GROUPS", "one,two"),
                ("ARM_SERVER_ADMIN_PORT", "0"),
            ],
        )
        .unwrap();
        let config = &loaded.config;
        let Credentials::App { app_id: 7, installation_id: Some(8), private_key } = &config.credentials
        else {
            panic!("{:?}", config.credentials);
        };
        assert_eq!(private_key.read().unwrap().expose_secret(), pem("RSA PRIVATE KEY"));
        assert_eq!(config.github.api_url.as_str(), "https://ghes.example/api/v3");
        assert!(config.scopes.permit("my-org/web") && config.scopes.permit("aa"));
        assert!(!config.scopes.permit("my-org/secret"));
        assert_eq!(config.server.bind_address().to_string(), "127.0.0.1:9000");
        assert_eq!(config.server.rate_burst, 3, "the rate, rounded up");
        assert_eq!(config.server.trusted_proxies.len(), 2);
        assert!(config.policy.teams.permit("b") && !config.policy.teams.permit("c"));
        assert_eq!(
            config.sweep.offline_runners.groups,
            SweepGroups::Named(vec!["one".to_owned(), "two".to_owned()])
        );
        assert_eq!(config.server.admin.unwrap().port, 0);
        assert_eq!(source_of(&loaded, "server.port"), Source::Variable("PORT".to_owned()));
    }

    #[test]
    fn the_environment_overrides_the_file_and_each_setting_knows_its_source() {
        let text = with_minimal("groups: {name: \"r-{team}\"}\nlogging:\n  level: debug");
        let loaded = load_bytes(text.as_bytes(), &[("ARM_LOGGING_LEVEL", "warn")]).unwrap();
        assert_eq!(loaded.config.logging.level, LogLevel::Warn);
        assert_eq!(source_of(&loaded, "logging.level"), Source::Variable("ARM_LOGGING_LEVEL".to_owned()));
        assert_eq!(
            source_of(&loaded, "groups.name"),
            Source::File { name: "config.yml".to_owned(), line: 4 }
        );
        assert_eq!(source_of(&loaded, "github.timeout"), Source::Default);
    }

    #[test]
    fn an_empty_variable_and_an_empty_key_count_as_not_set() {
        let text = with_minimal("cache:\nlogging: {level: , audit: ~}");
        let loaded = load_bytes(text.as_bytes(), &[("PORT", ""), ("ARM_GITHUB_TIMEOUT", " ")]).unwrap();
        assert_eq!(loaded.config.server.port, 8443);
        assert_eq!(loaded.config.logging.level, LogLevel::Info);
    }

    #[test]
    fn a_token_in_the_environment_replaces_the_app_of_the_file_and_the_other_way_round() {
        let key = format!("privateKey: {}", STANDARD.encode(pem("PRIVATE KEY")));
        let loaded = load_bytes(app(&key).as_bytes(), &[("GITHUB_TOKEN", "ghp_env")]).unwrap();
        let Credentials::Token(token) = &loaded.config.credentials else { panic!() };
        assert_eq!(token.read().unwrap().expose_secret(), "ghp_env");

        let key = pem("PRIVATE KEY");
        let variables = [("GITHUB_APP_ID", "1"), ("GITHUB_APP_PRIVATE_KEY", key.as_str())];
        let loaded = load_bytes(MINIMAL.as_bytes(), &variables).unwrap();
        assert!(matches!(loaded.config.credentials, Credentials::App { app_id: 1, .. }));
    }

    #[test]
    fn a_key_in_the_environment_replaces_the_key_file_of_the_file() {
        let key = pem("PRIVATE KEY");
        let text = app("privateKeyFile: /does/not/exist.pem");
        let loaded = load_bytes(text.as_bytes(), &[("GITHUB_APP_PRIVATE_KEY", &key)]).unwrap();
        let Credentials::App { private_key: PrivateKeySource::Inline(_), app_id: 12345, .. } =
            loaded.config.credentials
        else {
            panic!()
        };
    }

    #[test]
    fn a_private_key_may_be_pem_or_base64_of_it_with_lines_folded_or_lost() {
        let expected = pem("RSA PRIVATE KEY");
        let base64 = STANDARD.encode(&expected);
        let (front, back) = base64.split_at(40);
        let indented = expected.replace('\n', "\n  ");
        for key in [
            format!("privateKey: {base64}"),
            format!("privateKey: |\n  {front}\n  {back}"),
            format!("privateKey: |\n  {indented}"),
            format!("privateKey: >\n  {indented}"),
            format!("privateKey: {:?}", expected.trim().replace('\n', "\\n")),
        ] {
            let config = config_of(&app(&key));
            let Credentials::App { private_key, .. } = config.credentials else { panic!() };
            assert_eq!(private_key.read().unwrap().expose_secret(), expected, "{key}");
        }
    }

    #[test]
    fn relative_paths_start_from_the_files_folder_and_from_the_working_directory_in_a_variable() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("etc");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("key.pem"), pem("PRIVATE KEY")).unwrap();
        fs::write(folder.join("arm.yml"), app("privateKeyFile: key.pem")).unwrap();
        let sources = Sources {
            path: Some("etc/arm.yml".into()),
            environment: variables(&[("ARM_LOGGING_AUDIT", "audit.log")]),
            working_directory: root.path().to_owned(),
        };
        let loaded = load(&sources).unwrap();
        let Credentials::App { private_key: PrivateKeySource::File(file), .. } = &loaded.config.credentials
        else {
            panic!()
        };
        assert_eq!(*file, folder.join("key.pem"));
        assert_eq!(loaded.config.logging.audit, Some(root.path().join("audit.log")));
        let named = Source::File { name: "etc/arm.yml".to_owned(), line: 3 };
        assert_eq!(source_of(&loaded, "privateKeyFile"), named);
    }

    #[test]
    fn a_key_file_and_a_token_file_are_read_again_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "ghp_one\n").unwrap();
        let source = TokenSource::File(file.clone());
        assert_eq!(source.read().unwrap().expose_secret(), "ghp_one");
        fs::write(&file, "ghp_two\n").unwrap();
        assert_eq!(source.read().unwrap().expose_secret(), "ghp_two");
    }

    #[test]
    fn without_tls_it_listens_on_the_loopback_unless_tls_is_done_elsewhere() {
        let bound = |tls: &str, address: &str| {
            let config = config_of(&format!(
                "org: o\ntoken: t\nserver: {{address: \"{address}\", tls: {{enabled: false{tls}}}}}\n"
            ));
            (config.server.bind_address().ip().to_string(), config.warnings().join("\n"))
        };
        let (address, warnings) = bound("", "0.0.0.0");
        assert_eq!(address, "127.0.0.1");
        assert!(warnings.contains("127.0.0.1:8443 only, not on 0.0.0.0"), "{warnings}");
        assert_eq!(bound("", "::").0, "::1");
        assert_eq!(bound("", "127.0.0.2").0, "127.0.0.2");
        let (address, warnings) = bound(", terminatedElsewhere: true", "0.0.0.0");
        assert_eq!(address, "0.0.0.0");
        assert!(warnings.contains("plain text"), "{warnings}");
        assert!(config_of(MINIMAL).warnings().is_empty());
    }

    #[test]
    fn trusting_every_proxy_is_warned_about() {
        let text = "org: o\ntoken: t\nserver: {trustedProxies: [\"::/0\"], tls: {certFile: a, keyFile: b}}\n";
        let warnings = config_of(text).warnings();
        assert!(warnings[0].contains("server.trustedProxies trusts every address"), "{warnings:?}");
    }

    #[test]
    fn both_names_of_compression_are_understood() {
        assert!(!config_of(&with_minimal("logging: {compression: false}")).logging.compress);
        assert!(!config_of(&with_minimal("logging: {compress: false}")).logging.compress);
    }

    #[test]
    fn plain_http_to_github_is_for_the_loopback_only() {
        let of = |url: &str| load_bytes(MINIMAL.as_bytes(), &[("GITHUB_API_URL", url)]);
        for url in
            ["http://localhost:8080", "http://127.0.0.9/api", "http://[::1]:80", "HTTPS://ghes.example"]
        {
            assert!(of(url).is_ok(), "{url}");
        }
        for url in [
            "http://ghes.example",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "ftp://localhost",
            "ghes.example",
            "https://",
            "https://ghes.example/api?x=1",
            "https://ghes.example/api#x",
        ] {
            assert!(of(url).is_err(), "{url}");
        }
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        let environment = [
            ("ARM_CLIENT_ID", "azure"),
            ("ARM_PORT", "tcp://10.0.0.1:8443"),
            ("ARM_PORT_8443_TCP_ADDR", "10.0.0.1"),
            ("ARM_SERVER_PORT", "tcp://10.0.0.1:8443"),
            ("ARM_SERVER_SERVICE_HOST", "10.0.0.1"),
        ];
        assert!(load_bytes(MINIMAL.as_bytes(), &environment).is_ok());
    }
}

mod refused {
    use super::*;

    #[test]
    fn a_wrong_type_is_named_with_file_line_key_expectation_and_what_was_found() {
        let text = with_minimal("logging:\n  maxAge: soon\n  compress: 1\ngithub: {timeout: 10}");
        assert_lines(
            &problems_of(&text),
            &[
                "config.yml:5: logging.maxAge: expected a whole number from 0 to 36500, found \"soon\"",
                "config.yml:6: logging.compress: expected true or false, found 1",
                "config.yml:7: github.timeout: expected a duration such as 500ms, 10s, 5m or 1h, found 10",
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
    fn a_list_item_is_named_with_its_own_line() {
        let text = with_minimal(
            "policy:\n  teams:\n    allow:\n      - good\n      - \"match:a(b\"\nscopes: {deny: x}",
        );
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
        let printed = problems_with(&[
            ("GITHUB_APP_ID", "1"),
            ("GITHUB_APP_PRIVATE_KEY", &key),
            ("GITHUB_TOKEN", "ghp_x"),
        ]);
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
        let printed =
            problems_with(&[
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
}

mod files {
    use super::*;

    fn load_named(path: &Path) -> String {
        let sources = Sources {
            path: Some(path.to_owned()),
            environment: BTreeMap::new(),
            working_directory: "/".into(),
        };
        load(&sources).map(|loaded| loaded.settings).unwrap_err().to_string()
    }

    #[test]
    fn a_missing_named_file_is_an_error_and_a_missing_default_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let printed = load_named(&folder.path().join("none.yml"));
        assert!(printed.contains("none.yml: cannot be read: No such file"), "{printed}");
        let printed = load_in(folder.path(), &[("CONFIG_PATH", "gone.yml")]).map(|_| ()).unwrap_err();
        assert!(printed.starts_with("gone.yml: cannot be read"), "{printed}");
        let printed = load_in(folder.path(), &[]).map(|_| ()).unwrap_err();
        assert!(printed.starts_with("org: missing; expected"), "{printed}");
        assert!(printed.contains("\nThere is no config.yml in "), "{printed}");
    }

    #[test]
    fn the_option_goes_before_the_variable_and_the_variable_before_the_default() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["config", "variable", "option"] {
            let text = MINIMAL.replace("my-org", name);
            fs::write(folder.path().join(format!("{name}.yml")), text).unwrap();
        }
        let org = |path: Option<&str>, environment: &[(&str, &str)]| {
            let sources = Sources {
                path: path.map(Into::into),
                environment: variables(environment),
                working_directory: folder.path().to_owned(),
            };
            load(&sources).unwrap().config.org.to_string()
        };
        assert_eq!(org(None, &[]), "config");
        assert_eq!(org(None, &[("CONFIG_PATH", "variable.yml")]), "variable");
        assert_eq!(org(Some("option.yml"), &[("CONFIG_PATH", "variable.yml")]), "option");
    }

    #[test]
    fn a_directory_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load_named(folder.path()).contains("expected a file, found a directory"));
    }

    #[test]
    fn a_huge_file_is_refused_before_it_is_parsed() {
        let printed = load_bytes(&vec![b'#'; 2 << 20], &[]).map(|_| ()).unwrap_err();
        assert!(printed.contains("expected at most 1048576 bytes"), "{printed}");
    }

    #[test]
    fn text_that_is_not_utf_8_is_named_with_its_line() {
        let printed = load_bytes(b"org: a\n# \xff\xfe\n", &[]).map(|_| ()).unwrap_err();
        assert!(printed.starts_with("config.yml:2: expected UTF-8 text"), "{printed}");
    }

    #[test]
    fn a_syntax_error_is_one_problem_with_its_line() {
        for (text, line) in [
            ("org: o\nserver: {port: 1\n", 3),
            ("org: o\n\tserver: 1\n", 2),
            ("org: *nowhere\n", 1),
            ("org: o\ntoken: !secret x\n", 2),
            ("org: o\n? [a, b]\n: c\n", 2),
            ("org: a\n---\norg: b\n", 1),
        ] {
            let printed = problems_of(text);
            assert!(
                printed.starts_with(&format!("config.yml:{line}: not usable as YAML: ")),
                "{text:?}: {printed}"
            );
            assert!(printed.ends_with("\n1 problem in the configuration"), "{printed}");
        }
    }

    #[test]
    fn text_that_is_no_section_is_refused_without_repeating_it() {
        for text in ["just words\n", "- a\n- b\n", "42\n"] {
            let printed = problems_of(text);
            assert!(printed.contains("expected keys and values"), "{printed}");
            assert!(!printed.contains("words"), "{printed}");
        }
    }

    #[test]
    fn aliases_work_and_cannot_blow_a_small_file_up() {
        let shared = "org: my-org\ntoken: t\nserver: {tls: {enabled: false}}\npolicy:\n  teams:\n    allow: &list \
                      [a]\nscopes: {allow: *list}\n";
        assert!(config_of(shared).scopes.permit("a"));

        let mut bomb = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x]".to_owned()];
        for level in 1..30 {
            let below = vec![format!("*a{}", level - 1); 9].join(", ");
            bomb.push(format!("a{level}: &a{level} [{below}]"));
        }
        let bomb = bomb.join("\n");
        let big = "y".repeat(900_000);
        let copies = format!("a: &a {big}\nb: [{}]\n", vec!["*a"; 9_000].join(", "));
        for text in [bomb, copies, format!("{}1{}", "[".repeat(400), "]".repeat(400))] {
            let started = Instant::now();
            let printed = problems_of(&text);
            assert!(printed.contains("not usable as YAML"), "{printed}");
            assert!(started.elapsed() < Duration::from_secs(5));
        }
    }
}

mod secrets {
    use super::*;

    const SECRET: &str = "my-very-secret";

    /// Nothing that is printed about a configuration may contain this.
    fn assert_silent(text: &str, environment: &[(&str, &str)]) {
        let printed = match load_bytes(text.as_bytes(), environment) {
            Ok(loaded) => format!("{loaded:?} {:?}", loaded.config.warnings()),
            Err(problems) => problems,
        };
        assert!(!printed.contains(SECRET), "{printed}");
        assert!(!printed.contains(&STANDARD.encode(SECRET)), "{printed}");
    }

    #[test]
    fn no_message_and_no_debug_output_repeats_a_secret() {
        let encoded = STANDARD.encode(SECRET);
        let whole = format!("-----BEGIN PRIVATE KEY-----\n{encoded}\n-----END PRIVATE KEY-----");
        for key in [
            format!("privateKey: [{SECRET}]"),
            format!("privateKey: {{{SECRET}: {SECRET}}}"),
            format!("privateKey: {SECRET}"),
            format!("privateKey: \"{}\"", STANDARD.encode(&whole)),
            format!("privateKey: !{SECRET} x"),
            format!("privateKey: {encoded}"),
            format!("privateKey: \"{}\"", whole.replace('\n', "\\n").replace("END", "EMD")),
            format!("privateKeyFile: \"{}\"", whole.replace('\n', "\\n")),
            format!("privateKeyfile: {SECRET}"),
            format!("privatekey: {SECRET}"),
        ] {
            assert_silent(&app(&key), &[]);
        }
        for token in [SECRET.to_owned(), format!("[{SECRET}]"), format!("\"{SECRET} {SECRET}\"")] {
            assert_silent(&format!("org: o\ntoken: {token}\nserver: {{tls: {{enabled: false}}}}\n"), &[]);
        }
        assert_silent(&format!("org: ghp_{SECRET}\ntokenFile: ghp_{SECRET}\nsweep: {SECRET}\n"), &[]);
        assert_silent(MINIMAL, &[("GITHUB_TOKEN", SECRET)]);
        assert_silent(MINIMAL, &[("GITHUB_TOKEN", &format!("{SECRET} x"))]);
        assert_silent(MINIMAL, &[("ARM_TOKEN", SECRET), ("GITHUB_TOKEN", "other")]);
        assert_silent(MINIMAL, &[("GITHUB_APP_ID", "1"), ("GITHUB_APP_PRIVATE_KEY", SECRET)]);
        assert_silent(MINIMAL, &[("ARM_GITHUB_TOKEN", SECRET)]);
        assert_silent(MINIMAL, &[("GITHUB_API_URL", &format!("https://user:{SECRET}@ghes.example"))]);
    }

    #[test]
    fn a_numeric_token_is_not_repeated() {
        for number in ["12345", "-12345", "12345.5", "123456789012345678901234567890"] {
            let printed =
                problems_of(&format!("org: o\ntoken: {number}\nserver: {{tls: {{enabled: false}}}}\n"));
            assert_lines(
                &printed,
                &["config.yml:2: token: expected text, found a number", "1 problem in the configuration"],
            );
        }
    }

    #[test]
    fn the_list_of_settings_names_each_once_and_hides_secrets() {
        let loaded = load_bytes(MINIMAL.as_bytes(), &[]).unwrap();
        let token = loaded.settings.iter().find(|setting| setting.path == "token").unwrap();
        assert_eq!(token.value, "<secret>");
        let compress: Vec<_> =
            loaded.settings.iter().filter(|setting| setting.path == "logging.compress").collect();
        assert_eq!((compress.len(), compress[0].value.as_str()), (1, "true"));
    }

    #[test]
    fn what_is_wrong_with_a_private_key_is_said_plainly() {
        let encrypted =
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nYQ==\n-----END RSA PRIVATE KEY-----";
        for (key, reason) in [
            (pem("ENCRYPTED PRIVATE KEY"), "is encrypted"),
            (encrypted.to_owned(), "is encrypted"),
            (pem("PUBLIC KEY"), "it is a public key"),
            (pem("CERTIFICATE"), "it is a certificate"),
            (pem("EC PRIVATE KEY"), "another kind of key"),
            (pem("PRIVATE KEY").replace("-----END", "---"), "END line is missing"),
            (pem("PRIVATE KEY").replace("c2Vj", "!!!!"), "is damaged"),
            ("no key at all".to_owned(), "it is neither"),
            (STANDARD.encode("something"), "base64 of something else"),
        ] {
            let printed = problems_with(&[("GITHUB_APP_ID", "1"), ("GITHUB_APP_PRIVATE_KEY", &key)]);
            assert!(printed.starts_with("GITHUB_APP_PRIVATE_KEY: privateKey: "), "{printed}");
            assert!(printed.contains(reason), "{reason}: {printed}");
        }
    }

    #[test]
    fn a_key_file_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("empty.pem"), " \n").unwrap();
        fs::write(folder.path().join("binary.pem"), b"\xff\xfe").unwrap();
        fs::write(folder.path().join("public.pem"), pem("PUBLIC KEY")).unwrap();
        for (file, reason) in [
            ("none.pem", "No such file"),
            ("empty.pem", "it is empty"),
            ("binary.pem", "it is not UTF-8 text"),
            ("public.pem", "it is a public key"),
            (".", "it is a directory"),
        ] {
            fs::write(folder.path().join("config.yml"), app(&format!("privateKeyFile: {file}"))).unwrap();
            let printed = load_in(folder.path(), &[]).map(|_| ()).unwrap_err();
            assert!(printed.starts_with("config.yml:3: privateKeyFile: "), "{printed}");
            assert!(printed.contains(reason), "{reason}: {printed}");
        }
    }
}

mod example {
    use super::*;

    const EXAMPLE: &str = include_str!("../../config.example.yml");

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
        assert!(loaded.config.warnings().is_empty());
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
}
