//! What is legal and dangerous is said, and what is merely unusual isn't.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// The warnings about one key, as they are printed.
fn about(key: &str, text: &str) -> Vec<String> {
    let text = format!("org: my-org\ntoken: t\n{text}\n");
    let text = if text.contains("server:") {
        text
    } else {
        format!("{text}server: {{tls: {{certFile: a, keyFile: b}}}}\n")
    };
    let found = warnings_of(&text, &[]).into_iter().filter(|(about, _)| about == key);
    found.map(|(_, printed)| printed).collect()
}

#[track_caller]
fn assert_warned(key: &str, cases: &[(&str, &str)], fine: &[&str]) {
    for (text, words) in cases {
        let printed = about(key, text);
        assert_eq!(printed.len(), 1, "{text}: {printed:?}");
        assert!(printed[0].contains(words), "{text}: \"{words}\" is not in {}", printed[0]);
    }
    for text in fine {
        assert_eq!(about(key, text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_warning_names_the_line_or_the_variable_that_sets_what_is_dangerous() {
    let text = "org: my-org\ntoken: t\nserver:\n  rateLimit: 100000\n  tls: {certFile: a, keyFile: b}\n";
    let said = |environment: &[(&str, &str)]| {
        let found = warnings_of(text, environment).into_iter().find(|(key, _)| key == "server.rateLimit");
        found.unwrap().1
    };
    assert!(said(&[]).starts_with("config.yml:4: server.rateLimit is 100000"), "{}", said(&[]));
    let overridden = said(&[("ARM_SERVER_RATE_LIMIT", "2000")]);
    assert!(overridden.starts_with("ARM_SERVER_RATE_LIMIT: server.rateLimit is 2000"), "{overridden}");
}

#[test]
fn limits_that_limit_nothing_are_told() {
    let tls = "tls: {certFile: a, keyFile: b}";
    let of = |settings: &str| format!("server: {{{settings}, {tls}}}");
    let fine = [of("rateLimit: 1000"), of("rateBurst: 1000"), of("unknownTokenRate: 1000")];
    let fine: Vec<_> = fine.iter().map(String::as_str).collect();
    assert_warned("server.rateLimit", &[(&of("rateLimit: 1000.5"), "one user can spend")], &fine);
    let with_rate = of("rateLimit: 100000");
    let fine_bursts = [fine.clone(), vec![with_rate.as_str()]].concat();
    assert_warned("server.rateBurst", &[(&of("rateBurst: 5000"), "at once")], &fine_bursts);
    assert_warned("server.unknownTokenRate", &[(&of("unknownTokenRate: 9999"), "unknown tokens")], &fine);
}

#[test]
fn proxies_that_anybody_could_be_are_told() {
    let of = |networks: &str| {
        format!("server: {{trustedProxies: [{networks}], tls: {{certFile: a, keyFile: b}}}}")
    };
    let (every, wide) = ("trusts every address", "so wide a network");
    assert_warned(
        "server.trustedProxies",
        &[
            (&of("\"::/0\""), every),
            (&of("0.0.0.0/0, 192.0.2.7"), every),
            (&of("10.0.0.0/8"), "10.0.0.0/8"),
            (&of("0.0.0.0/1, 128.0.0.0/1"), "0.0.0.0/1, 128.0.0.0/1"),
            (&of("\"2001:db8::/32\""), wide),
        ],
        &[&of("10.0.0.0/9"), &of("\"2001:db8::/33\""), &of("")],
    );
}

#[test]
fn answers_that_are_kept_long_or_not_at_all_are_told() {
    for (key, long, none) in [
        ("identity", "revoked is accepted", "whose its token is"),
        ("refusedIdentity", "is refused", "at each request"),
        ("team", "the team that had it", "for its team"),
        ("membership", "no maintainer any more", "its caller's role"),
        ("refusedMembership", "new maintainer", "cost calls"),
    ] {
        let of = |span: &str| format!("cache: {{{key}: {span}}}");
        let cases = [(of("601s"), long), (of("24h"), long), (of("0"), none)];
        let cases: Vec<_> = cases.iter().map(|(text, words)| (text.as_str(), *words)).collect();
        assert_warned(&format!("cache.{key}"), &cases, &[&of("10m"), &of("1s"), ""]);
    }
}

#[test]
fn lists_by_which_nobody_may_do_anything_are_told() {
    assert_warned(
        "policy.teams.allow",
        &[("policy: {teams: {allow: []}}", "no team may use the service")],
        &["policy: {teams: {allow: [a]}}", ""],
    );
    assert_warned(
        "policy.teams.deny",
        &[
            ("policy: {teams: {deny: [a, \"*\"]}}", "denies every team"),
            ("policy: {teams: {deny: [a]}}", "goes by a team's name, which its maintainers can change"),
            ("policy: {teams: {deny: [\"id:7\", a-*]}}", "as id:123"),
        ],
        &["", "policy: {teams: {deny: [\"id:7\", id:8]}}"],
    );
    assert_warned(
        "policy.users.allow",
        &[("policy: {users: {allow: []}}", "no user may use the service")],
        &["policy: {users: {allow: [ada, id:7]}}", ""],
    );
    assert_warned(
        "policy.users.deny",
        &[
            ("policy: {users: {deny: [\"*\"]}}", "denies every user"),
            ("policy: {users: {deny: [id:7, eve]}}", "goes by a user's login, which its owner can change"),
        ],
        &["", "policy: {users: {deny: [id:7]}}"],
    );
    assert_warned(
        "policy.jit.labels",
        &[("policy: {jit: {labels: []}}", "nobody gets a JIT config")],
        &["policy: {jit: {labels: [a]}}", ""],
    );
    let by_variable = warnings_of(MINIMAL, &[("ARM_POLICY_TEAMS_ALLOW", ";")]);
    assert!(by_variable.iter().any(|(key, _)| key == "policy.teams.allow"), "{by_variable:?}");
}

#[test]
fn names_of_which_any_will_do_are_told_where_an_id_would_bind() {
    for kind in ["teams", "users"] {
        let of = |items: &str| format!("policy: {{{kind}: {{allow: [{items}]}}}}");
        let (glob, regex) = (of("\"pay*\""), of("id:7, \"match:pay|bill\""));
        let (words, fine) = ("any new name that fits is allowed", [of("id:7"), of("a, b"), of("\"*\"")]);
        let fine: Vec<_> = fine.iter().map(String::as_str).collect();
        assert_warned(&format!("policy.{kind}.allow"), &[(&glob, words), (&regex, words)], &fine);
    }
}

#[test]
fn a_team_that_may_add_what_it_only_reads_is_told() {
    let of = |permission: &str| format!("policy: {{repositoryPermission: {permission}}}");
    assert_warned(
        "policy.repositoryPermission",
        &[("", "Set it to write"), (&of("read"), "only read")],
        &[&of("write"), &of("maintain"), &of("admin")],
    );
}

#[test]
fn scopes_that_match_nothing_here_or_too_much_are_told() {
    let of = |patterns: &str| format!("scopes: {{allow: [{patterns}]}}");
    for (patterns, count) in
        [("other/*, \"match:third/.*\", my-org/web", 2), ("my-org, My-Org/*, \"*/web\"", 0)]
    {
        let printed = about("scopes.allow", &of(patterns));
        assert_eq!(printed.len(), count, "{printed:?}");
        assert!(printed.iter().all(|line| line.contains("matches nothing of the organisation my-org")));
    }
    let regex = about("scopes.allow", &of("\"match:my-org/*\""));
    assert!(regex.len() == 1 && regex[0].ends_with("for those it is \"my-org/*\""), "{regex:?}");
}

#[test]
fn rights_that_reach_beyond_a_team_are_told() {
    for key in ["registrationTokens", "removalTokens"] {
        let (on, off) = (format!("policy: {{{key}: true}}"), format!("policy: {{{key}: false}}"));
        assert_warned(&format!("policy.{key}"), &[(&on, "of the organisation"), ("", "is on")], &[&off]);
    }
    assert_warned(
        "groups.name",
        &[
            ("groups: {trustNames: true}", "renames their team"),
            ("groups: {trustNames: true, name: \"r-{team}\"}", "without {id}"),
        ],
        &[
            "",
            "groups: {name: \"{team}-{id}\", trustNames: true}",
            "groups: {trustNames: true}\nstore: {url: \"sqlite::memory:\"}",
        ],
    );
    assert_warned(
        "admin.team",
        &[("admin: {team: platform}", "no team platform")],
        &["", "admin: {teamID: 7}", "admin: {team: platform}\nstore: {url: \"sqlite::memory:\"}"],
    );
    let token = warnings_of(MINIMAL, &[]);
    assert!(token.iter().any(|(key, line)| key == "token" && line.contains("whatever its owner gave it")));
}

#[test]
fn sweeps_that_take_what_still_boots_are_told() {
    let of = |settings: &str| format!("sweep: {{offlineRunners: {{{settings}}}}}");
    assert_warned(
        "sweep.offlineRunners.offlineFor",
        &[
            (&of("enabled: true, offlineFor: 599s"), "still boot or restart are removed"),
            (&of("enabled: true, offlineFor: 1s, groups: [ci, Default]"), "Default group as well"),
        ],
        &[
            &of("enabled: true, offlineFor: 10m"),
            &of("offlineFor: 1s"),
            &of("enabled: true, offlineFor: 1s, dryRun: true"),
        ],
    );
    assert_warned(
        "sweep.offlineRunners.every",
        &[(&of("enabled: true, every: 59s"), "spends the App's calls")],
        &[&of("enabled: true, every: 1m"), &of("every: 1s")],
    );
    assert_warned(
        "sweep.offlineRunners.groups",
        &[(&of("enabled: true, groups: []"), "looks at no group")],
        &[&of("groups: []"), &of("enabled: true, groups: [ci]")],
    );
}

#[test]
fn ways_to_github_that_lead_nowhere_are_told() {
    assert_warned(
        "github.apiURL",
        &[
            ("github: {apiURL: \"http://127.0.0.1:8080\"}", "plain http"),
            ("github: {apiURL: \"https://github.com\"}", "GitHub's website"),
            ("github: {apiURL: \"https://GitHub.com/api/v3\"}", "https://api.github.com"),
            ("github: {apiURL: \"https://ghes.example\"}", "https://ghes.example/api/v3"),
        ],
        &[
            "",
            "github: {apiURL: \"https://api.github.com\"}",
            "github: {apiURL: \"https://api.acme.ghe.com\"}",
            "github: {apiURL: \"https://ghes.example/api/v3\"}",
        ],
    );
    assert_warned("github.timeout", &[("github: {timeout: 500ms}", "is 500ms")], &["github: {timeout: 1s}"]);
    assert_warned(
        "github.concurrency",
        &[("github: {concurrency: 101}", "accepts 100")],
        &["github: {concurrency: 100}"],
    );
}

#[test]
fn logs_that_lose_what_they_are_for_are_told() {
    let files = "ephemeral: false, logDirectory: /tmp";
    let of = |settings: &str| format!("logging: {{{settings}}}");
    assert_warned(
        "logging.level",
        &[(&of("level: error"), "is error"), (&of("level: fatal"), "is fatal")],
        &[&of("level: warn")],
    );
    assert_warned("logging.audit", &[("", "ordinary log")], &[&of("audit: /tmp/audit.log")]);
    assert_warned(
        "logging.maxBackups",
        &[(&of(&format!("{files}, maxAge: 0, maxBackups: 0")), "until the disk is full")],
        &[&of("maxAge: 0, maxBackups: 0"), &of(&format!("{files}, maxBackups: 0"))],
    );
    assert_warned(
        "logging.maxSize",
        &[(&of("audit: /tmp/a.log, maxSize: 10KB"), "60000 bytes")],
        &[&of("maxSize: 10KB"), &of(&format!("{files}, maxSize: 1MB"))],
    );
}

/// A folder with a configuration of a key file, whose mode and text are given.
fn with_key_file(mode: u32, config_mode: u32, text: &str) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yml");
    fs::write(&config, text).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(config_mode)).unwrap();
    for name in ["key.pem", "token.txt", "tls.key", "tls.crt", "ca.pem"] {
        let file = folder.path().join(name);
        fs::write(&file, if name == "key.pem" { pem("RSA PRIVATE KEY") } else { "ghp_x".to_owned() })
            .unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }
    keyed(&load_in(folder.path(), &[]).unwrap())
}

#[test]
fn secrets_that_others_can_read_are_told_with_their_mode() {
    let server = "server: {tls: {certFile: tls.crt, keyFile: tls.key}}\n";
    for (key, text) in [
        ("privateKeyFile", format!("org: o\nappID: 1\nprivateKeyFile: key.pem\n{server}")),
        ("tokenFile", format!("org: o\ntokenFile: token.txt\n{server}")),
        ("server.tls.keyFile", format!("org: o\ntoken: t\n{server}")),
    ] {
        for (mode, readers) in [(0o644, "every user"), (0o604, "every user"), (0o640, "its group")] {
            let printed = with_key_file(mode, 0o600, &text);
            let (_, line) = printed.iter().find(|(about, _)| about == key).unwrap();
            assert!(line.contains(readers) && line.contains(&format!("(mode 0{mode:o})")), "{line}");
            assert!(line.starts_with("config.yml:"), "{line}");
        }
        let changeable = with_key_file(0o602, 0o600, &text);
        assert!(changeable.iter().any(|(about, line)| about == key && line.contains("can be changed by")));
        for mode in [0o600, 0o400] {
            let printed = with_key_file(mode, 0o644, &text);
            assert!(!printed.iter().any(|(about, _)| about == key), "{printed:?}");
        }
    }
}

#[test]
fn a_configuration_that_holds_a_secret_and_that_others_can_read_or_change_is_told() {
    let token = format!("org: o\ntoken: ghp_x\n{}", "server: {tls: {enabled: false}}\n");
    let key = app(&format!("privateKey: {}", STANDARD.encode(pem("PRIVATE KEY"))));
    for (text, name) in [(&token, "token"), (&key, "privateKey")] {
        let said = |mode| {
            let printed = with_key_file(0o600, mode, text);
            let holds = format!("holds {name}, can be read");
            printed.into_iter().filter(|(about, line)| about == name && line.contains(&holds)).count()
        };
        assert_eq!([said(0o644), said(0o640), said(0o600)], [1, 1, 0], "{name}");
    }
    let with_authority = with_minimal("github: {caFile: ca.pem}");
    for (mode, count) in [(0o646, 2), (0o644, 0)] {
        let printed = with_key_file(mode, 0o600, &with_authority);
        let of_certificates = |key: &str| matches!(key, "github.caFile" | "server.tls.certFile");
        assert_eq!(printed.iter().filter(|(key, _)| of_certificates(key)).count(), count, "{printed:?}");
    }
    let changed = with_key_file(0o600, 0o602, MINIMAL);
    assert!(changed.iter().any(|(_, line)| line.contains("the configuration can be changed by every user")));
}

#[test]
fn a_variable_that_changes_the_kind_of_credential_is_named_with_what_it_replaces() {
    let key = pem("PRIVATE KEY");
    let text = app(&format!("privateKey: {}", STANDARD.encode(&key)));
    let said = |text: &str, environment: &[(&str, &str)]| {
        let printed: Vec<_> = warnings_of(text, environment).into_iter().map(|(_, line)| line).collect();
        printed.join("\n")
    };
    for variable in ["GITHUB_TOKEN", "ARM_TOKEN"] {
        let printed = said(&text, &[(variable, "ghp_env")]);
        let words = format!("{variable} replaces the GitHub App of the file (appID, config.yml:2)");
        assert!(printed.contains(&words), "{printed}");
    }
    let app_in_variables = [("GITHUB_APP_ID", "1"), ("GITHUB_APP_PRIVATE_KEY", key.as_str())];
    let printed = said(MINIMAL, &app_in_variables);
    assert!(printed.contains("GITHUB_APP_ID replaces the token of the file (config.yml:2)"), "{printed}");
    assert!(!said(&text, &[("GITHUB_APP_PRIVATE_KEY", &key)]).contains("replaces"));
    assert!(!said(MINIMAL, &[("GITHUB_TOKEN", "ghp_other")]).contains("replaces"), "the kind stays");
}

#[test]
fn a_variable_of_others_that_takes_the_place_of_a_setting_is_named() {
    let text = with_minimal("github: {apiURL: \"https://ghes.example/api/v3\"}\nscopes: {deny: [my-org/x]}");
    let said = |text: &str, name: &str, value: &str| {
        let printed: Vec<_> = warnings_of(text, &[(name, value)]).into_iter().map(|(_, line)| line).collect();
        printed.join("\n")
    };
    for (name, value, words) in [
        (
            "GITHUB_API_URL",
            "https://api.github.com",
            "GITHUB_API_URL overrides github.apiURL, which config.yml:4 sets",
        ),
        ("DENIED_SCOPES", "my-org/y", "DENIED_SCOPES overrides scopes.deny, which config.yml:5 sets"),
        ("GITHUB_TOKEN", "ghp_other", "GITHUB_TOKEN overrides token, which config.yml:2 sets"),
    ] {
        let printed = said(&text, name, value);
        assert!(printed.contains(words), "{words} is not in {printed}");
    }
    let ghes = "https://ghes.example/api/v3";
    let printed = said(MINIMAL, "GITHUB_API_URL", ghes);
    assert!(printed.contains("GITHUB_API_URL sends the service to https://ghes.example/api/v3"), "{printed}");
    for (text, name, value) in [
        (text.as_str(), "GITHUB_API_URL", ghes),
        (MINIMAL, "GITHUB_API_URL", "https://api.github.com"),
        (&text, "ARM_GITHUB_API_URL", "https://api.github.com"),
        (&text, "GITHUB_TOKEN", "ghp_in-the-file"),
    ] {
        let printed = said(text, name, value);
        assert!(!printed.contains("overrides") && !printed.contains("sends"), "{name}: {printed}");
    }
    let key_file = app("privateKeyFile: /nowhere/key.pem");
    let printed = said(&key_file, "GITHUB_APP_PRIVATE_KEY", &pem("PRIVATE KEY"));
    assert!(printed.contains("overrides privateKeyFile, which config.yml:3 sets"), "{printed}");
}

#[test]
fn a_variable_misspelt_in_its_section_is_told_and_stops_nothing() {
    let printed = warnings_of(MINIMAL, &[("ARM_POLCY_JIT_LABELS", "linux"), ("ARM_CLIENT_ID", "azure")]);
    let lines: Vec<_> = printed.into_iter().map(|(_, line)| line).collect();
    let expected = "ARM_POLCY_JIT_LABELS sets nothing; did you mean ARM_POLICY_JIT_LABELS?";
    assert!(lines.iter().any(|line| line == expected), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("ARM_CLIENT_ID")), "{lines:?}");
}
