//! SIGHUP: policy, limits and log level are read again; a bad file changes nothing.

use fake_github::{AppKey, World};
use serde_json::json;

use crate::process::Service;
use crate::scene::acme;

const READ_AGAIN: &str = "the configuration was read again";
const REGISTER: &str = "token-register?team=payments";

#[tokio::test]
async fn policy_and_limits_are_read_again() {
    let (world, cast) = acme();
    let service = Service::start(world).await;
    service.call("POST", REGISTER, &cast.ada).await.response();
    let off = json!({ "policy": { "registrationTokens": false }, "server": { "rateLimit": 0.001, "rateBurst": 2 } });
    service.rewrite_configuration(&off);
    service.binary.signal("HUP");
    service.binary.stdout.with(READ_AGAIN).await;
    let refused = service.call("POST", REGISTER, &cast.ada).await;
    refused.is_refused(403, "denied_by_policy");
    assert_eq!((refused.header("ratelimit-limit"), refused.header("ratelimit-remaining")), ("2", "1"));
    service.call("GET", "status", &cast.ada).await.response();
    service.call("GET", "status", &cast.ada).await.is_refused(429, "rate_limited");
    service.rewrite_configuration(&json!({}));
    service.binary.signal("HUP");
    service.binary.stdout.nth_with(2, READ_AGAIN).await;
    service.call("POST", REGISTER, &cast.ada).await.response();
    service.stop().await;
}

#[tokio::test]
async fn the_limit_of_unknown_tokens_is_read_again() {
    let (world, _) = acme();
    let service = Service::start(world).await;
    service.rewrite_configuration(&json!({ "server": { "unknownTokenRate": 0.001 } }));
    service.binary.signal("HUP");
    service.binary.stdout.with(READ_AGAIN).await;
    let mut refused = 0;
    for number in 0..22 {
        let answer = service.call("GET", "status", &format!("ghp_unknown{number}")).await;
        refused += usize::from(answer.refusal() == (429, "rate_limited".to_owned()));
    }
    assert_eq!(refused, 2, "all but the burst of 20");
    service.stop().await;
}

#[tokio::test]
async fn the_log_level_is_read_again() {
    let (world, _) = acme();
    let service = Service::with(world, json!({ "logging": { "level": "info" } })).await;
    service.call("GET", "status", "").await.is_refused(401, "missing_token");
    service.rewrite_configuration(&json!({ "logging": { "level": "debug" } }));
    service.binary.signal("HUP");
    service.binary.stdout.with(READ_AGAIN).await;
    service.call("GET", "status", "").await.is_refused(401, "missing_token");
    service.rewrite_configuration(&json!({ "logging": { "level": "warn" } }));
    // That it was read again is now too unimportant to be told, so an error is what shows it.
    std::fs::write(service.path("tls.crt"), "").unwrap();
    service.binary.signal("HUP");
    service.binary.stdout.with("the old certificate stays in force").await;
    service.call("GET", "status", "").await.is_refused(401, "missing_token");
    service.stop().await;
    let lines = service.binary.stdout.json();
    let at = |level: &str| {
        lines.iter().filter(|line| line["level"] == level && line["request_id"].is_string()).count()
    };
    assert_eq!((at("debug"), at("info")), (1, 2), "{lines:#?}");
}

#[tokio::test]
async fn a_key_file_that_is_replaced_is_used_for_the_next_installation_token() {
    let (world, cast) = acme();
    let service = Service::start(world).await;
    service.call("POST", REGISTER, &cast.ada).await.response();
    let new = AppKey::generate().unwrap();
    std::fs::write(service.path("key.pem"), new.private_pem()).unwrap();
    service.fake.world(|world| {
        world.set_app_key(&new);
        world.revoke_installation_tokens();
    });
    service.binary.signal("HUP");
    service.binary.stdout.with("the credential's file was read again").await;
    service.call("POST", REGISTER, &cast.ada).await.response();
    // While the file is half-written, the key of before serves.
    std::fs::write(service.path("key.pem"), &new.private_pem()[..200]).unwrap();
    service.fake.world(World::revoke_installation_tokens);
    service.binary.signal("HUP");
    let line = service.binary.stdout.with("the old credential stays in force").await;
    assert!(line.contains("END line is missing"), "{line}");
    service.call("POST", REGISTER, &cast.ada).await.response();
    service.stop().await;
    let output = service.binary.stdout.text();
    assert!(new.private_pem().lines().skip(1).all(|line| line.starts_with('-') || !output.contains(line)));
}

#[tokio::test]
async fn a_bad_file_leaves_the_old_configuration_in_force_and_an_error_in_the_log() {
    let (world, cast) = acme();
    let service = Service::start(world).await;
    let broken =
        json!({ "policy": { "registrationTokens": false, "removalTokens": "perhaps" }, "colour": 1 });
    service.rewrite_configuration(&broken);
    service.binary.signal("HUP");
    let line = service.binary.stdout.with("the old configuration stays in force").await;
    for word in ["error", "config.yml:", "policy.removalTokens", "colour"] {
        assert!(line.contains(word), "{word} is not in {line}");
    }
    service.call("POST", REGISTER, &cast.ada).await.response();
    std::fs::remove_file(service.path("config.yml")).unwrap();
    service.binary.signal("HUP");
    service.binary.stdout.nth_with(2, "the old configuration stays in force").await;
    service.call("POST", REGISTER, &cast.ada).await.response();
    service.stop().await;
}
