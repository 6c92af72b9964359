//! A service that is set up by environment variables alone.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use actions_runner_manager::tls;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_github::{Level, TokenKind};
use serde_json::json;

use crate::binary::{Binary, run};
use crate::harness::{self, send};
use crate::process::{no_secret_in, port_of};
use crate::scene::acme_with_groups;

#[tokio::test]
async fn variables_are_enough_without_a_file() {
    tls::install_provider();
    let (world, cast, _) = acme_with_groups();
    let fake = harness::fake(world);
    let (app, installation) =
        fake.world(|world| (world.app_id().to_string(), world.installation_id().0.to_string()));
    for key in [STANDARD.encode(harness::private_key()), harness::private_key()] {
        let folder = tempfile::tempdir().unwrap();
        let certificate = harness::write_certificate(folder.path());
        let environment = [
            ("ARM_ORG", "acme"),
            ("GITHUB_APP_ID", &app),
            ("GITHUB_APP_INSTALLATION_ID", &installation),
            ("GITHUB_APP_PRIVATE_KEY", &key),
            ("GITHUB_API_URL", fake.url()),
            ("BIND", "127.0.0.1"),
            ("PORT", "0"),
            ("ARM_SERVER_TLS_CERT_FILE", "tls.crt"),
            ("ARM_SERVER_TLS_KEYFILE", "tls.key"),
            ("ARM_LOGGING_LEVEL", "debug"),
            ("ARM_GROUPS_ENABLED", "true"),
            ("ARM_GROUPS_TRUST_NAMES", "true"),
        ];
        let binary = Binary::start(&[], &environment, folder.path());
        let port = port_of(&binary.stdout.with("\"serving\"").await);
        let url = format!("https://localhost:{port}/api/v1/group-list?team=payments");
        let request = harness::client(&certificate).get(url).header("authorization", &cast.ada);
        assert_eq!(send(request).await.response()["repos"][0], "web");
        binary.signal("TERM");
        let ended = binary.ended().await;
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
        no_secret_in(&ended.stdout, &fake);
    }
}

#[tokio::test]
async fn the_app_and_the_allowed_scopes_are_enough_where_a_certificate_lies() {
    tls::install_provider();
    let (mut world, cast, _) = acme_with_groups();
    world.grant_app_permission("administration", Level::Write);
    let fake = harness::fake(world);
    let folder = tempfile::tempdir().unwrap();
    let certificate = harness::write_certificate(folder.path());
    let (app, installation) =
        fake.world(|world| (world.app_id().to_string(), world.installation_id().0.to_string()));
    let key = harness::private_key();
    let environment = [
        ("GITHUB_APP_ID", app.as_str()),
        ("GITHUB_APP_INSTALLATION_ID", &installation),
        ("GITHUB_APP_PRIVATE_KEY", &key),
        ("ALLOWED_SCOPES", "acme/in*;Acme/web"),
        // Of this test alone: where its GitHub is, and a port that is free.
        ("GITHUB_API_URL", fake.url()),
        ("PORT", "0"),
    ];
    let shown = run(&["check-config"], &environment, folder.path()).await;
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    for line in [
        "org = acme  (variable ALLOWED_SCOPES)",
        "appID = 271828  (variable GITHUB_APP_ID)",
        "privateKey = <secret>  (variable GITHUB_APP_PRIVATE_KEY)",
        "server.tls.certFile = tls.crt  (default)",
        "server.port = 0  (variable PORT)",
        "server.address = 0.0.0.0  (default)",
    ] {
        assert!(shown.stdout.lines().any(|printed| printed == line), "{line} is not in {}", shown.stdout);
    }
    no_secret_in(&shown.stdout, &fake);
    let bind = [("BIND", "127.0.0.1")];
    let environment: Vec<_> = environment.into_iter().chain(bind).collect();
    let binary = Binary::start(&[], &environment, folder.path());
    let port = port_of(&binary.stdout.with("\"serving\"").await);
    let http = harness::client(&certificate);
    for (scope, status) in [("acme/index", 200), ("acme/web", 403), ("acme", 403), ("acme/api", 403)] {
        let url = format!("https://localhost:{port}/register");
        let request = http.post(url).json(&json!({ "scope": scope })).header("authorization", &cast.eve);
        let answer = send(request).await;
        assert_eq!(answer.status, status, "{scope}: {}", answer.text);
    }
    no_secret_in(&binary.stdout.text(), &fake);
}

#[tokio::test]
async fn scopes_that_leave_the_organisation_open_do_not_set_it() {
    let folder = tempfile::tempdir().unwrap();
    let _ = harness::write_certificate(folder.path());
    let key = harness::private_key();
    for scopes in ["acme/*;other/*", "*", "ac*/web", "match:acme/.*", "acme/*;match:acme/.*", "acme/*;*/web"]
    {
        let environment =
            [("GITHUB_APP_ID", "1"), ("GITHUB_APP_PRIVATE_KEY", &key), ("ALLOWED_SCOPES", scopes)];
        let shown = run(&["check-config"], &environment, folder.path()).await;
        assert_eq!(shown.code, 2, "{scopes}: {}", shown.stdout);
        assert!(
            shown.stderr.contains("org: missing") && shown.stderr.contains("ARM_ORG"),
            "{}",
            shown.stderr
        );
    }
}

#[tokio::test]
async fn a_token_in_a_variable_takes_the_place_of_the_app() {
    tls::install_provider();
    let (mut world, cast, _) = acme_with_groups();
    let owner = world.add_owner("robot");
    let token = world.add_token(owner, TokenKind::Classic);
    let fake = harness::fake(world);
    let folder = tempfile::tempdir().unwrap();
    let certificate = harness::write_certificate(folder.path());
    let config = harness::configuration(folder.path(), &fake, &serde_json::json!({}));
    std::fs::write(folder.path().join("config.yml"), config.to_string()).unwrap();
    let environment = [("GITHUB_TOKEN", token.as_str()), ("ARM_LOGGING_LEVEL", "debug")];
    let binary = Binary::start(&["serve"], &environment, folder.path());
    let port = port_of(&binary.stdout.with("\"serving\"").await);
    binary.stdout.with("GitHub accepts the credential").await;
    assert_eq!(fake.count("POST", "/app/installations/{installation_id}/access_tokens"), 0);
    let url = format!("https://localhost:{port}/api/v1/status");
    let request = harness::client(&certificate).get(url).header("authorization", &cast.ada);
    assert_eq!(send(request).await.response(), "Server ready");
    no_secret_in(&binary.stdout.text(), &fake);
}

#[tokio::test]
async fn line_breaks_quotes_and_marks_around_variables_change_nothing() {
    tls::install_provider();
    let (world, cast, _) = acme_with_groups();
    let fake = harness::fake(world);
    let app = fake.world(|world| world.app_id().to_string());
    let key = STANDARD.encode(harness::private_key());
    let in_one_line = harness::private_key().replace('\n', "\\r\\n");
    for (before, behind, key) in [("", "\n", &key), ("\"", "\"", &in_one_line), ("\u{feff}'", "'\r\n", &key)]
    {
        let folder = tempfile::tempdir().unwrap();
        let certificate = harness::write_certificate(folder.path());
        std::fs::write(folder.path().join("own.yml"), "\u{feff}org: acme\r\nserver:\r\n  docs: false\r\n")
            .unwrap();
        let environment = [
            ("CONFIG_PATH", "own.yml"),
            ("GITHUB_APP_ID", &app),
            ("GITHUB_APP_PRIVATE_KEY", key),
            ("GITHUB_API_URL", fake.url()),
            ("BIND", "127.0.0.1"),
            ("PORT", "0"),
            ("ARM_SERVER_TLS_CERT_FILE", "tls.crt"),
            ("ARM_SERVER_TLS_KEY_FILE", "tls.key"),
            ("ARM_SERVER_LEGACY_GET", "False"),
            ("ARM_GROUPS_TRUST_NAMES", "True"),
        ];
        let wrapped = environment.map(|(name, value)| (name, format!("{before}{value}{behind}")));
        let pairs: Vec<_> = wrapped.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let binary = Binary::start(&[], &pairs, folder.path());
        let port = port_of(&binary.stdout.with("\"serving\"").await);
        let http = harness::client(&certificate);
        let url = |operation: &str| format!("https://localhost:{port}/api/v1/{operation}?team=payments");
        let answer = send(http.get(url("group-list")).header("authorization", &cast.ada)).await;
        assert_eq!(answer.response()["repos"][0], "web");
        let answer = send(http.get(url("group-add")).header("authorization", &cast.ada)).await;
        answer.is_refused(405, "method_not_allowed");
        no_secret_in(&binary.stdout.text(), &fake);
    }
}

#[tokio::test]
async fn a_variable_that_is_no_text_is_named_and_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let latin_1 = OsStr::from_bytes(b"acm\xe9");
    let variables = ["ARM_ORG", "ARM_POLICY_TEAMS_DENY", "GITHUB_TOKEN", "SOMEBODY_ELSES"];
    let environment = variables.map(|name| (OsStr::new(name), latin_1));
    let ended = Binary::start_as(None, &["check-config"], environment, folder.path()).ended().await;
    assert_eq!(ended.code, 2);
    for name in &variables[..3] {
        let line = ended.stderr.lines().find(|line| line.contains(&format!("{name}: "))).unwrap();
        assert!(line.ends_with("found bytes that are not UTF-8 text"), "{line}");
    }
    assert!(!ended.stderr.contains("SOMEBODY_ELSES"), "{}", ended.stderr);
    let environment = [(OsStr::new("CONFIG_PATH"), latin_1)];
    let ended = Binary::start_as(None, &["check-config"], environment, folder.path()).ended().await;
    assert!(ended.stderr.contains("CONFIG_PATH: expected the path of a file"), "{}", ended.stderr);
}
