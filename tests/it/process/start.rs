//! A start that goes well, or would if GitHub were there.

use serde_json::json;

use crate::process::Service;
use crate::scene::{acme, acme_with_groups};

#[tokio::test]
async fn it_serves_and_logs_one_json_object_a_line() {
    let (world, cast, _) = acme_with_groups();
    let service = Service::start(world).await;
    service.binary.stdout.with("GitHub accepts the credential").await;
    let list = service.call("GET", "group-list?team=payments", &cast.ada).await;
    assert_eq!(list.response(), json!({ "repos": ["web"], "runners": [] }));
    let token = service.call("POST", "token-register?team=payments", &cast.ada).await.response();
    assert!(token["token"].as_str().is_some_and(|token| !token.is_empty()));
    service.call("GET", "status", "ghp_0123456789abcdefABCDEF").await.is_refused(401, "invalid_token");
    service.stop().await;
    let lines = service.binary.stdout.json();
    let audit: Vec<_> = lines.iter().filter(|line| line["target"] == "audit").collect();
    assert_eq!(audit.len(), 1, "{audit:?}");
    assert_eq!((&audit[0]["operation"], &audit[0]["outcome"]), (&json!("token-register"), &json!("success")));
    let access: Vec<_> =
        lines.iter().filter(|line| line["target"] == "access").map(|line| &line["status"]).collect();
    assert_eq!(access, [200, 200, 401]);
    for line in &lines {
        assert!(
            ["timestamp", "level", "target", "message"].iter().all(|name| line[name].is_string()),
            "{line}"
        );
    }
    assert!(
        !service.binary.stdout.text().contains("0123456789abcdef"),
        "not even an unknown token is logged"
    );
}

#[tokio::test]
async fn the_start_line_says_what_was_started() {
    let (world, _) = acme();
    let more = json!({
        "policy": { "registrationTokens": false, "maxRunners": 7 },
        "server": { "rateLimit": 3, "rateBurst": 9, "unknownTokenRate": 2, "legacyGet": false },
    });
    let service = Service::with(world, more).await;
    let line = service.binary.stdout.with("\"serving\"").await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    for (field, expected) in [
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("config", json!("config.yml")),
        ("org", json!("acme")),
        ("github", json!(service.fake.url())),
        ("credential", json!("GitHub App")),
        ("app_id", json!(service.fake.world(|world| world.app_id()))),
        ("tls", json!(true)),
        ("registration_tokens", json!(false)),
        ("removal_tokens", json!(true)),
        ("max_runners", json!(7)),
        ("rate_limit", json!(3.0)),
        ("rate_burst", json!(9)),
        ("unknown_token_rate", json!(2.0)),
        ("legacy_get", json!(false)),
    ] {
        assert_eq!(line[field], expected, "{field} in {line}");
    }
    service.stop().await;
}

#[tokio::test]
async fn an_installation_that_is_not_configured_is_looked_up() {
    let (world, cast) = acme();
    let service = Service::with(world, json!({ "installationID": null })).await;
    service.binary.stdout.with("GitHub accepts the credential").await;
    assert!(service.fake.count("GET", "/orgs/{org}/installation") >= 1);
    service.call("POST", "group-add?team=payments", &cast.ada).await.response();
    service.stop().await;
}

#[tokio::test]
async fn while_github_is_down_it_serves_and_once_it_is_back_everything_works() {
    let (world, cast, _) = acme_with_groups();
    let fake = crate::harness::fake(world);
    fake.go_down();
    let service = Service::in_front_of(fake, json!({})).await;
    let line = service.binary.stdout.with("not ready yet").await;
    assert!(line.contains("GitHub can't be asked whether the credential works"), "{line}");
    let down = service.call("GET", "status", &cast.ada).await;
    assert!(matches!(down.status, 502 | 503), "{}", down.text);
    service.call("GET", "status", "").await.is_refused(401, "missing_token");
    assert!(service.binary.is_running());
    service.fake.come_back();
    service.binary.stdout.with("GitHub accepts the credential").await;
    service.call("GET", "group-list?team=payments", &cast.ada).await.response();
    service.stop().await;
}

#[tokio::test]
async fn github_enterprise_server_works_the_same() {
    let (mut world, cast, _) = acme_with_groups();
    world.set_enterprise_version(3, 14);
    let fake = crate::harness::fake(world);
    let url = fake.enterprise_url();
    let service = Service::in_front_of(fake, json!({ "github": { "apiURL": url } })).await;
    service.call("GET", "group-list?team=payments", &cast.ada).await.response();
    service.stop().await;
}
