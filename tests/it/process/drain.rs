//! Stopping takes no longer than its bound, whatever is under way; what is cut off is written down.

use std::time::{Duration, Instant};

use actions_runner_manager::clock::Clock;
use actions_runner_manager::server::{self, DRAIN};
use actions_runner_manager::tls;
use fake_github::{Fault, Hold, TokenKind, World};
use serde_json::{Value, json};

use crate::binary::within;
use crate::harness::{self, capture_logs, client, configuration, load, send, write_certificate};

/// Far less than GitHub will take in this test, and than the service is given in earnest.
const AT_MOST: Duration = Duration::from_millis(50);

/// Stops the service while GitHub holds this call of its request back; gives the request's audit lines.
async fn cut_off(team: &str, (method, path): (&str, &str), (call, template): (&str, &str)) -> Vec<Value> {
    capture_logs();
    tls::install_provider();
    let mut world = World::new("acme");
    let user = world.add_member("dora");
    let token = world.add_token(user, TokenKind::Classic);
    let id = world.add_team(team);
    world.add_maintainer(id, user);
    let fake = harness::fake(world);
    let folder = tempfile::tempdir().unwrap();
    let certificate = write_certificate(folder.path());
    let config = load(folder.path(), &configuration(folder.path(), &fake, &json!({})));
    let server = server::start(&config, Clock::system()).await.unwrap();
    let hold = Hold::new();
    fake.inject(Fault::on(call, template).hold(&hold));
    let url = format!("https://localhost:{}/api/v1/{path}?team={team}", server.address().port());
    let request = client(&certificate).request(method.parse().unwrap(), url).header("authorization", token);
    let caller = tokio::spawn(send(request));
    within("the call to GitHub", hold.arrived(1)).await;
    let told = Instant::now();
    server.stop(AT_MOST).await;
    assert!(told.elapsed() < DRAIN / 2, "{:?}", told.elapsed());
    let answer = within("the caller's answer", caller).await.unwrap();
    answer.is_refused(503, "shutting_down");
    assert_eq!((answer.header("connection"), answer.header("retry-after")), ("close", "1"));
    answer.audit()
}

#[tokio::test]
async fn a_write_that_takes_longer_than_the_bound_is_answered_with_503_and_audited() {
    let groups = "/orgs/{org}/actions/runner-groups";
    let lines = cut_off("cut-off", ("POST", "group-add"), ("POST", groups)).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    for (field, expected) in [
        ("operation", "group-add"),
        ("outcome", "failed"),
        ("reason", "shutting_down"),
        ("user", "dora"),
        ("group", "cut-off"),
    ] {
        assert_eq!(lines[0][field], expected, "{lines:?}");
    }
}

#[tokio::test]
async fn so_is_a_read() {
    let team = "/orgs/{org}/teams/{team_slug}";
    let lines = cut_off("cut-off-read", ("GET", "group-list"), ("GET", team)).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        (&lines[0]["operation"], &lines[0]["reason"]),
        (&json!("group-list"), &json!("shutting_down"))
    );
}

#[tokio::test]
async fn who_is_cut_off_before_being_known_leaves_no_audit_line() {
    assert_eq!(cut_off("cut-off-early", ("GET", "group-list"), ("GET", "/user")).await, Vec::<Value>::new());
}
