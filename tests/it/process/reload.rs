//! SIGHUP: policy, limits and log level are read again; a bad file changes nothing.

use fake_github::{AppKey, World};
use serde_json::{Value, json};

use crate::binary::{LOOKED_AT_EVERY, until};
use crate::harness::{self, merge};
use crate::process::{Service, with_admin};
use crate::scene::acme;

const READ_AGAIN: &str = "the configuration was read again";
const STAYS: &str = "the old configuration stays in force";
const NEEDS_RESTART: &str = "some settings were changed that need a restart";
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
    service.binary.signal("HUP");
    // That it was read again is now too unimportant to be told, but not that somebody changed it.
    service.binary.stdout.with("\"new\":\"warn\"").await;
    service.call("GET", "status", "").await.is_refused(401, "missing_token");
    service.stop().await;
    let lines = service.binary.stdout.json();
    let at = |level: &str| {
        let of_requests = |line: &&Value| line["target"] != "audit" && line["request_id"].is_string();
        lines.iter().filter(of_requests).filter(|line| line["level"] == level).count()
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
    let line = service.binary.stdout.with(STAYS).await;
    for word in ["error", "config.yml:", "policy.removalTokens", "colour"] {
        assert!(line.contains(word), "{word} is not in {line}");
    }
    service.call("POST", REGISTER, &cast.ada).await.response();
    std::fs::remove_file(service.path("config.yml")).unwrap();
    service.binary.signal("HUP");
    service.binary.stdout.nth_with(2, STAYS).await;
    service.call("POST", REGISTER, &cast.ada).await.response();
    service.stop().await;
}

/// Writes the file as it stands, and tells the service.
fn write(service: &Service, text: &str) {
    std::fs::write(service.path("config.yml"), text).unwrap();
    service.binary.signal("HUP");
}

fn text(service: &Service) -> String {
    std::fs::read_to_string(service.path("config.yml")).unwrap()
}

fn lines_with(service: &Service, field: &str, value: &str) -> Vec<Value> {
    service.binary.stdout.json().into_iter().filter(|line| line[field] == value).collect()
}

async fn gauge(service: &Service, name: &str) -> String {
    let metrics = service.admin("/metrics").await.text;
    let line = metrics.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
    line.rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_file_that_ended_with_the_mark_and_is_cut_off_changes_nothing() {
    let (world, cast) = acme();
    let settings = json!({ "policy": { "registrationTokens": false }, "logging": { "level": "info" } });
    let mut settings = settings;
    merge(&mut settings, &with_admin());
    let service = Service::with(world, settings).await;
    let whole = text(&service) + "\n...\n";
    write(&service, &whole);
    service.binary.stdout.with(READ_AGAIN).await;
    service.call("POST", REGISTER, &cast.ada).await.is_refused(403, "denied_by_policy");
    // Without its last line, and without a section.
    let config: Value = serde_json::from_str(whole.trim_end_matches("...\n")).unwrap();
    let mut rest = config.clone();
    rest.as_object_mut().unwrap().remove("policy");
    let cuts = [whole.replace("...\n", ""), rest.to_string()];
    for (number, cut) in cuts.iter().enumerate() {
        write(&service, cut);
        let line = service.binary.stdout.nth_with(number + 1, STAYS).await;
        assert!(line.contains("this one was cut off"), "{line}");
        assert_eq!(gauge(&service, "arm_last_reload_successful{what=\"configuration\"}").await, "0");
        service.call("POST", REGISTER, &cast.ada).await.is_refused(403, "denied_by_policy");
    }
    // What was removed on purpose, and as a whole, is.
    write(&service, &(rest.to_string() + "\n..."));
    service.binary.stdout.nth_with(2, READ_AGAIN).await;
    service.call("POST", REGISTER, &cast.ada).await.response();
    assert_eq!(gauge(&service, "arm_last_reload_successful{what=\"configuration\"}").await, "1");
    service.stop().await;
}

#[tokio::test]
async fn what_changed_is_logged_and_audited_and_what_needs_a_restart_is_named() {
    let (world, _) = acme();
    let service = Service::with(world, with_admin()).await;
    assert_eq!(gauge(&service, "arm_restart_needed").await, "0");
    let changed = json!({
        "policy": { "teams": { "deny": ["contractors-*"] }, "maxRunners": 7 },
        "server": { "legacyGet": false },
        "cache": { "team": "1s" },
    });
    service.rewrite_configuration(&changed);
    service.binary.signal("HUP");
    let line = service.binary.stdout.with(READ_AGAIN).await;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        line["changes"],
        "server.legacyGet: true → false; cache.team: 5m → 1s; policy.teams.deny: [] → [\"contractors-*\"]; \
         policy.maxRunners: 0 → 7"
    );
    let line: Value = serde_json::from_str(&service.binary.stdout.with(NEEDS_RESTART).await).unwrap();
    assert_eq!(
        (&line["level"], &line["settings"]),
        (&json!("warn"), &json!("server.legacyGet: true → false; cache.team: 5m → 1s"),)
    );
    let audit: Value =
        serde_json::from_str(&service.binary.stdout.with("\"configuration-reload\"").await).unwrap();
    for (field, expected) in [
        ("target", json!("audit")),
        ("outcome", json!("success")),
        ("user", json!("system")),
        ("needs_restart", json!(["server.legacyGet", "cache.team"])),
    ] {
        assert_eq!(audit[field], expected, "{audit}");
    }
    assert_eq!(audit["changes"][3], json!({ "key": "policy.maxRunners", "old": "0", "new": "7" }));
    assert_eq!(gauge(&service, "arm_restart_needed").await, "1");
    // Read once more, nothing changed, but the restart is still needed.
    service.binary.signal("HUP");
    let line = service.binary.stdout.nth_with(2, READ_AGAIN).await;
    assert!(!line.contains("changes"), "{line}");
    service.binary.stdout.nth_with(2, NEEDS_RESTART).await;
    // Once the file is put back, it isn't.
    service.rewrite_configuration(&json!({}));
    service.binary.signal("HUP");
    service.binary.stdout.nth_with(3, READ_AGAIN).await;
    assert_eq!(gauge(&service, "arm_restart_needed").await, "0");
    service.stop().await;
    assert_eq!(lines_with(&service, "operation", "configuration-reload").len(), 2);
    assert_eq!(service.binary.stdout.text().matches(NEEDS_RESTART).count(), 2);
}

#[tokio::test]
async fn another_secret_in_the_file_needs_a_restart_and_is_not_shown() {
    let (world, _) = acme();
    let service = Service::start(world).await;
    let other = AppKey::generate().unwrap().private_pem();
    service.rewrite_configuration(&json!({ "privateKeyFile": null, "privateKey": harness::private_key() }));
    service.binary.signal("HUP");
    let line = service.binary.stdout.with(NEEDS_RESTART).await;
    assert!(line.contains("privateKey: (not set) → <secret>; privateKeyFile: /"), "{line}");
    service.rewrite_configuration(&json!({ "privateKeyFile": null, "privateKey": other }));
    service.binary.signal("HUP");
    let line = service.binary.stdout.nth_with(2, READ_AGAIN).await;
    assert!(line.contains("privateKey: <secret> → <another secret>"), "{line}");
    service.stop().await;
    let output = service.binary.stdout.text();
    assert!(other.lines().skip(1).all(|line| line.starts_with('-') || !output.contains(line)));
}

#[tokio::test]
async fn whoever_lost_a_role_is_cut_off_at_once_even_while_the_file_is_bad() {
    let (world, cast) = acme();
    let service = Service::start(world).await;
    service.call("POST", REGISTER, &cast.ada).await.response();
    service.fake.world(|world| world.remove_membership(cast.payments, cast.ada_id));
    service.call("POST", REGISTER, &cast.ada).await.response();
    write(&service, "nonsense");
    service.binary.stdout.with("cached identities and memberships were forgotten").await;
    service.call("POST", REGISTER, &cast.ada).await.is_refused(403, "not_a_maintainer");
    service.binary.stdout.with(STAYS).await;
    service.stop().await;
}

#[tokio::test]
async fn a_file_that_keeps_changing_holds_up_neither_other_files_nor_the_stop() {
    let (world, cast) = acme();
    let mut service = Service::start(world).await;
    let (path, original) = (service.path("config.yml"), text(&service));
    let writing = tokio::spawn(async move {
        for number in 0.. {
            std::fs::write(&path, format!("{original}\n# 0{number}")).unwrap();
            tokio::time::sleep(LOOKED_AT_EVERY).await;
        }
    });
    until("the first change", || text(&service).contains("# 0")).await;
    let (certificate, key) = fake_github::self_signed(&["localhost"]).unwrap();
    std::fs::write(service.path("tls.crt"), &certificate).unwrap();
    std::fs::write(service.path("tls.key"), key).unwrap();
    // Many signals at once are as good as one.
    for _ in 0..20 {
        service.binary.signal("HUP");
    }
    service.binary.stdout.with("the TLS certificate was replaced").await;
    service.http = harness::client(&certificate);
    service.call("POST", REGISTER, &cast.ada).await.response();
    service.stop().await;
    writing.abort();
    assert!(!service.binary.stdout.text().contains(READ_AGAIN), "it never stood still");
}

#[tokio::test]
async fn variables_are_those_of_the_start_and_override_every_file() {
    let (world, cast) = acme();
    let variables = [("ARM_POLICY_REGISTRATION_TOKENS", "false"), ("CONFIG_END", "")];
    let service = Service::with_variables(world, &variables, json!({})).await;
    service.rewrite_configuration(&json!({ "policy": { "registrationTokens": true, "maxRunners": 3 } }));
    service.binary.signal("HUP");
    let line = service.binary.stdout.with(READ_AGAIN).await;
    assert!(line.contains("\"changes\":\"policy.maxRunners: 0 → 3\""), "{line}");
    service.call("POST", REGISTER, &cast.ada).await.is_refused(403, "denied_by_policy");
    service.stop().await;
}
