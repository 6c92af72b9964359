//! Callers who go away: what they only asked for is given up, what they began to change is finished.

use fake_github::{Fault, Hold};
use serde_json::{Value, json};

use crate::binary::{until, within};
use crate::process::Service;
use crate::scene::{acme, acme_with_groups};

const GROUPS: &str = "/orgs/{org}/actions/runner-groups";
const RUNNERS: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners";

fn access(service: &Service, operation: &str) -> Vec<Value> {
    let lines = service.binary.stdout.json().into_iter();
    lines.filter(|line| line["target"] == "access" && line["operation"] == operation).collect()
}

fn audit(service: &Service) -> Vec<Value> {
    service.binary.stdout.json().into_iter().filter(|line| line["target"] == "audit").collect()
}

/// Whoever asks what they may not, and doesn't wait for the answer, leaves a line as well.
#[track_caller]
fn is_written_down(audit: &[Value], operation: &str) {
    assert_eq!(audit.len(), 1, "{audit:?}");
    for (field, expected) in [
        ("operation", operation),
        ("outcome", "refused"),
        ("reason", "caller_hung_up"),
        ("user", "ada"),
        ("team", "payments"),
    ] {
        assert_eq!(audit[0][field], expected, "{audit:?}");
    }
}

#[tokio::test]
async fn who_hangs_up_before_anybody_knows_them_leaves_no_audit_line() {
    let (world, cast) = acme();
    let service = Service::start(world).await;
    let hold = Hold::new();
    service.fake.inject(Fault::on("GET", "/user").hold(&hold));
    let caller = service.call_aside("GET", "status", &cast.ada);
    within("the call to GitHub", hold.arrived(1)).await;
    caller.abort();
    until("the access line", || !access(&service, "status").is_empty()).await;
    hold.release();
    service.stop().await;
    assert_eq!(audit(&service), Vec::<Value>::new());
}

#[tokio::test]
async fn a_read_whose_caller_hung_up_is_given_up_at_github_too() {
    let (world, cast, _) = acme_with_groups();
    let service = Service::start(world).await;
    let hold = Hold::new();
    service.fake.inject(Fault::on("GET", RUNNERS).hold(&hold));
    let caller = service.call_aside("GET", "group-list?team=payments", &cast.ada);
    within("the call to GitHub", hold.arrived(1)).await;
    caller.abort();
    until("the end of the call to GitHub", || hold.waiting() == 0).await;
    service.stop().await;
    is_written_down(&audit(&service), "group-list");
    let lines = access(&service, "group-list");
    assert_eq!(lines.len(), 1, "{lines:?}");
    for (field, expected) in [
        ("status", json!(499)),
        ("reason", json!("caller_hung_up")),
        ("user", json!("ada")),
        ("team", json!("payments")),
    ] {
        assert_eq!(lines[0][field], expected, "{lines:?}");
    }
    assert!(lines[0]["request_id"].is_string(), "{lines:?}");
}

#[tokio::test]
async fn what_comes_before_a_write_is_given_up_with_the_caller() {
    let (world, cast, group) = acme_with_groups();
    let service = Service::start(world).await;
    let hold = Hold::new();
    service.fake.inject(Fault::on("GET", RUNNERS).hold(&hold));
    let caller = service.call_aside("DELETE", "group-delete?team=payments", &cast.ada);
    within("the call to GitHub", hold.arrived(1)).await;
    caller.abort();
    until("the end of the call to GitHub", || hold.waiting() == 0).await;
    service.stop().await;
    is_written_down(&audit(&service), "group-delete");
    assert!(service.fake.world(|world| world.group(group).is_some()));
}

#[tokio::test]
async fn a_write_whose_caller_hung_up_ends_and_leaves_one_complete_audit_line() {
    let (world, cast) = acme();
    let service = Service::start(world).await;
    let hold = Hold::new();
    service.fake.inject(Fault::on("POST", GROUPS).hold(&hold));
    let caller = service.call_aside("POST", "group-add?team=payments", &cast.ada);
    within("the write", hold.arrived(1)).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    // Another caller is served meanwhile, on whatever thread the first one was.
    service.call("GET", "status", &cast.bob).await.response();
    assert_eq!(hold.waiting(), 1, "the write goes on");
    hold.release();
    service.binary.stdout.with("\"audit\"").await;
    service.stop().await;
    let (group, id) = service.fake.world(|world| {
        let group = world.group_by_name("payments").unwrap();
        (group.name.clone(), group.id.0)
    });
    assert_eq!(access(&service, "group-add").len(), 1);
    let lines = audit(&service);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let calls = service.fake.calls();
    let write = calls.iter().find(|call| call.method == "POST" && call.template == Some(GROUPS)).unwrap();
    for (field, expected) in [
        ("operation", json!("group-add")),
        ("outcome", json!("success")),
        ("user", json!("ada")),
        ("user_id", json!(cast.ada_id.0)),
        ("client", json!("127.0.0.1")),
        ("team", json!("payments")),
        ("team_id", json!(cast.payments.0)),
        ("group", json!(group)),
        ("group_id", json!(id)),
        ("github_request_ids", json!([write.response_header("x-github-request-id").unwrap()])),
    ] {
        assert_eq!(lines[0][field], expected, "{field}");
    }
    assert!(lines[0]["time"].is_string() && lines[0]["request_id"].is_string());
}
