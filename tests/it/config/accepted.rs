//! What is accepted, and what it means.

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
    assert_eq!((config.server.max_connections, config.server.connections_per_address), (2_000, 500));
    assert_eq!(config.server.keep_alive, Duration::from_secs(75));
    let cache = &config.cache;
    let spans = [cache.identity, cache.refused_identity, cache.team, cache.membership];
    assert_eq!(spans.map(|span| span.as_secs()), [60, 10, 300, 60]);
    assert_eq!([cache.refused_membership, cache.group].map(|span| span.as_secs()), [5, 60]);
    assert!(config.policy.registration_tokens && config.policy.removal_tokens);
    assert!(config.policy.teams.permit(TeamId(1), "any-team") && !config.scopes.permit("my-org"));
    assert!(config.policy.users.permit(UserId(1), "anybody"));
    assert_eq!(config.policy.repository_permission, RepositoryPermission::Read);
    assert_eq!((config.policy.jit.max_labels, config.policy.jit.name_prefix.as_str()), (20, "{team}-"));
    assert_eq!((config.policy.max_runners, config.administrators), (0, AdministratorsTeam::None));
    assert_eq!(config.policy.access, AccessPolicy::default());
    assert!(config.oidc.is_empty() && config.access.is_empty());
    let sweep = config.sweep.offline_runners;
    assert_eq!((sweep.enabled, sweep.every.as_secs(), sweep.offline_for.as_secs()), (false, 600, 3600));
    assert_eq!(sweep.groups, SweepScope::Managed);
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
            ("ARM_POLICY_TEAMS_ALLOW", "a;b;id:7"),
            ("ARM_POLICY_USERS_DENY", "id:8; Eve"),
            ("ARM_POLICY_REPOSITORY_PERMISSION", "write"),
            ("ARM_SWEEP_OFFLINE_RUNNERS_GROUPS", "one,two"),
            ("ARM_SERVER_ADMIN_PORT", "0"),
        ],
    )
    .unwrap();
    let config = &loaded.config;
    let Credentials::App { app_id: 7, installation_id: Some(8), private_key } = &config.credentials else {
        panic!("{:?}", config.credentials);
    };
    assert_eq!(private_key.read().unwrap().expose_secret(), pem("RSA PRIVATE KEY"));
    assert_eq!(config.github.api_url.as_str(), "https://ghes.example/api/v3");
    assert!(config.scopes.permit("my-org/web") && config.scopes.permit("aa"));
    assert!(!config.scopes.permit("my-org/secret"));
    assert_eq!(config.server.bind_address().to_string(), "127.0.0.1:9000");
    assert_eq!(config.server.rate_burst, 3, "the rate, rounded up");
    assert_eq!(config.server.trusted_proxies.len(), 2);
    let Policy { teams, users, repository_permission, .. } = &config.policy;
    assert!(teams.permit(TeamId(1), "b") && !teams.permit(TeamId(1), "c") && teams.permit(TeamId(7), "c"));
    assert!(
        users.permit(UserId(1), "ada") && !users.permit(UserId(1), "eve") && !users.permit(UserId(8), "a")
    );
    assert_eq!(*repository_permission, RepositoryPermission::Write);
    assert_eq!(
        config.sweep.offline_runners.groups,
        SweepScope::Named(vec!["one".to_owned(), "two".to_owned()])
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
    assert_eq!(source_of(&loaded, "groups.name"), Source::File { name: "config.yml".to_owned(), line: 4 });
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
        let text =
            format!("org: o\ntoken: t\nserver: {{address: \"{address}\", tls: {{enabled: false{tls}}}}}\n");
        let config = config_of(&text);
        let printed: Vec<_> = warnings_of(&text, &[]).into_iter().map(|(_, printed)| printed).collect();
        (config.server.bind_address().ip().to_string(), printed.join("\n"))
    };
    let (address, warnings) = bound("", "0.0.0.0");
    assert_eq!(address, "127.0.0.1");
    assert!(warnings.contains("127.0.0.1:8443 only, not on 0.0.0.0"), "{warnings}");
    assert_eq!(bound("", "::").0, "::1");
    assert_eq!(bound("", "127.0.0.2").0, "127.0.0.2");
    let (address, warnings) = bound(", terminatedElsewhere: true", "0.0.0.0");
    assert_eq!(address, "0.0.0.0");
    assert!(warnings.contains("plain text"), "{warnings}");
}

#[test]
fn both_names_of_compression_are_understood() {
    assert!(!config_of(&with_minimal("logging: {compression: false}")).logging.compress);
    assert!(!config_of(&with_minimal("logging: {compress: false}")).logging.compress);
}

#[test]
fn plain_http_to_github_is_for_the_loopback_only() {
    let of = |url: &str| load_bytes(MINIMAL.as_bytes(), &[("GITHUB_API_URL", url)]);
    for url in ["http://localhost:8080", "http://127.0.0.9/api", "http://[::1]:80", "HTTPS://ghes.example"] {
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
