//! The admin listener: health and metrics, apart from the public port.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use fake_github::{Fault, World};
use serde_json::{Value, json};

use crate::harness::{App, send};
use crate::scene::acme;

const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];

pub async fn with_admin(world: World) -> App {
    let admin = json!({ "address": "127.0.0.1", "port": 0 });
    App::with(world, json!({ "server": { "admin": admin } })).await
}

pub async fn readiness(app: &App) -> (u16, Value) {
    let answer = app.admin("/readyz").await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn it_is_off_unless_configured_and_never_on_the_public_port() {
    let (world, _) = acme();
    let app = App::start(world).await;
    assert_eq!(app.server.admin_address(), None);
    for path in ["/readyz", "/metrics"] {
        send(app.request("GET", path, "")).await.is_refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_service_that_works_is_live_and_ready() {
    let (world, _) = acme();
    let app = with_admin(world).await.settled().await;
    assert_eq!(app.admin("/livez").await.status, 200);
    let (status, body) = readiness(&app).await;
    assert_eq!(status, 200, "{body}");
    for part in ["certificate", "credential", "permissions", "github", "audit", "log"] {
        assert_eq!(body[part]["ok"], true, "{body}");
    }
    assert!(body["certificate"]["expires_in_seconds"].as_i64().unwrap() > 0);
    assert_eq!(app.admin("/api/v1/status").await.status, 404);
}

#[tokio::test]
async fn it_is_not_ready_before_github_accepted_the_credential_and_liveness_stays() {
    let (mut suspended, _) = acme();
    suspended.suspend_app();
    let (mut lacking, _) = acme();
    lacking.set_app_permissions(&[("metadata", fake_github::Level::Read)]);
    for (world, part) in [(suspended, "credential"), (lacking, "permissions")] {
        let app = with_admin(world).await.settled().await;
        let (status, body) = readiness(&app).await;
        assert_eq!((status, &body[part]["ok"]), (503, &json!(false)), "{body}");
        let problem = body["credential"]["problem"].as_str().unwrap();
        let is_a_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(is_a_word(problem) && !body.to_string().contains("acme"), "no name of anybody: {body}");
        assert_eq!(app.admin("/livez").await.status, 200);
    }
    let (world, _) = acme();
    let fake = crate::harness::fake(world);
    fake.inject(Fault::everywhere().error(500, "down"));
    let admin = json!({ "server": { "admin": { "address": "127.0.0.1", "port": 0 } } });
    let app = App::in_front_of(fake, &admin).await;
    let (status, body) = readiness(&app).await;
    assert_eq!((status, &body["credential"]["problem"]), (503, &json!("not_checked_yet")), "{body}");
}

#[tokio::test]
async fn what_becomes_wrong_with_the_credential_later_is_named_and_leaves_it_ready_since_all_replicas_have_it()
 {
    let (world, _) = acme();
    let app = with_admin(world).await.settled().await;
    let lacking = [("metadata", fake_github::Level::Read), ("members", fake_github::Level::Read)];
    let with_runners =
        [lacking.as_slice(), &[("organization_self_hosted_runners", fake_github::Level::Write)]];
    let problem = async |part: &str| {
        let (status, body) = readiness(&app).await;
        assert_eq!(status, 200, "{body}");
        body[part]["problem"].as_str().unwrap_or_default().to_owned()
    };
    app.fake.world(World::suspend_app);
    app.server.reload();
    app.until("a suspended App", async || problem("credential").await == "suspended").await;
    assert!(app.admin("/metrics").await.text.contains("arm_credential_accepted 0\n"));
    app.fake.world(World::resume_app);
    app.fake.world(|world| world.set_app_permissions(&lacking));
    app.server.reload();
    let missing = "Self-hosted runners: read and write";
    app.until("a missing permission", async || problem("permissions").await == missing).await;
    app.fake.world(|world| world.set_app_permissions(&with_runners.concat()));
    app.server.reload();
    app.until("the end of it", async || problem("credential").await.is_empty()).await;
    assert!(app.admin("/metrics").await.text.contains("arm_credential_accepted 1\n"));
    app.server.state().draining.store(true, Ordering::SeqCst);
    let (status, body) = readiness(&app).await;
    assert_eq!((status, &body["draining"]), (503, &json!(true)));
}

/// Metric lines by name and labels.
fn parsed(text: &str) -> BTreeMap<String, f64> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn metrics_tell_about_requests_calls_and_limits() {
    let (world, cast) = acme();
    let app = with_admin(world).await.settled().await;
    app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.response();
    app.call("GET", "status", "", &[]).await.refusal();
    let answer = app.admin("/metrics").await;
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let metrics = parsed(&answer.text);
    for series in [
        "arm_requests_total{operation=\"token-register\",status=\"200\",reason=\"none\"}",
        "arm_requests_total{operation=\"status\",status=\"401\",reason=\"missing_token\"}",
        "arm_github_requests_total{call=\"registration_token\",outcome=\"success\",attempt=\"1\"}",
        "arm_cache_lookups_total{cache=\"identity\",outcome=\"miss\"}",
        "arm_github_rate_limit_remaining",
        "arm_certificate_expiry_timestamp_seconds",
        "arm_ready",
    ] {
        assert!(metrics.contains_key(series), "{series} is missing in\n{}", answer.text);
    }
    assert!(answer.text.contains("# TYPE arm_requests_total counter"));
}

#[tokio::test]
async fn hostile_traffic_makes_no_labels() {
    let (world, cast) = acme();
    let app = with_admin(world).await;
    for number in 0..50 {
        let team = format!("evil-team-{number}");
        app.call("GET", "group-list", &cast.ada, &[("team", &team)]).await.refusal();
        send(app.request("GET", &format!("/evil-path-{number}"), &cast.ada)).await.refusal();
        app.call("GET", "status", &format!("evil-token-{number}"), &[]).await.refusal();
    }
    let text = app.admin("/metrics").await.text;
    assert!(!text.contains("evil") && !text.contains("ada") && !text.contains("payments"), "{text}");
    let label = regex::Regex::new(r#"([a-z_]+)="([^"]*)""#).unwrap();
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for found in label.captures_iter(&text) {
        let (_, [name, value]) = found.extract();
        values.entry(name).or_default().insert(value);
    }
    for (name, values) in values {
        assert!(values.len() <= 40, "the label {name} has {} values", values.len());
    }
}
