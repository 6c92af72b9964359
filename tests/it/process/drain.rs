//! Stopping takes no longer than its bound, whatever is under way; what is cut off is written down.

use std::time::{Duration, Instant};

use actions_runner_manager::domain::clock::Clock;
use actions_runner_manager::fake_github::{Fault, Hold, TokenKind, World};
use actions_runner_manager::server::{self, DRAIN};
use actions_runner_manager::tls;
use serde_json::json;

use crate::binary::within;
use crate::harness::{self, audit_lines, capture_logs, client, configuration, load, write_certificate};

/// Far less than GitHub will take in this test, and than the service is given in earnest.
const AT_MOST: Duration = Duration::from_millis(50);

#[tokio::test]
async fn what_takes_longer_than_the_bound_is_cut_off_and_a_write_among_it_is_audited() {
    capture_logs();
    tls::install_provider();
    let mut world = World::new("acme");
    let user = world.add_member("dora");
    let token = world.add_token(user, TokenKind::Classic);
    let team = world.add_team("cut-off");
    world.add_maintainer(team, user);
    let fake = harness::fake(world);
    let folder = tempfile::tempdir().unwrap();
    let certificate = write_certificate(folder.path());
    let config = load(folder.path(), &configuration(folder.path(), &fake, &json!({})));
    let server = server::start(&config, Clock::system()).unwrap();
    let hold = Hold::new();
    fake.inject(Fault::on("POST", "/orgs/{org}/actions/runner-groups").hold(&hold));
    let url = format!("https://localhost:{}/api/v1/group-add?team=cut-off", server.address().port());
    let request = client(&certificate).post(url).header("authorization", token);
    let caller = tokio::spawn(request.send());
    within("the write", hold.arrived(1)).await;
    let told = Instant::now();
    server.stop(AT_MOST).await;
    assert!(told.elapsed() < DRAIN / 2, "{:?}", told.elapsed());
    let lines = audit_lines("\"cut-off\"");
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
    let answer = within("the caller's end", caller).await.unwrap().unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["connection"]), (503, &"close".parse().unwrap()));
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["Reason"], "shutting_down");
}
