//! One complete audit line for each operation that changes something, also when GitHub fails half-way or the
//! caller is gone before the end.

use fake_github::{Fault, Hold, RunnerStatus, TokenKind, World};
use serde_json::{Value, json};

use crate::binary::within;
use crate::harness::{App, send};
use crate::load::{Load, unlimited};
use crate::process::Service;
use crate::scene::{Cast, acme_with_groups};

type Operation = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Operations that change something, and how often each writes.
const CHANGES: &[(Operation, usize)] = &[
    (("PATCH", "repos-add", &[("repos", "api,web")]), 2),
    (("PATCH", "repos-remove", &[("repos", "api,web")]), 2),
    (("PATCH", "repos-set", &[("repos", "web")]), 1),
    (("POST", "token-register", &[]), 1),
    (("POST", "token-remove", &[]), 1),
    (("DELETE", "runners-remove", &[("names", "build-1,build-2")]), 2),
    (("POST", "runners-transfer", &[("names", "build-1,build-2"), ("to", "search")]), 2),
    (("DELETE", "group-delete", &[("remove_runners", "true")]), 3),
    (("DELETE", "group-delete", &[("transfer_to", "search")]), 3),
];

/// The usual groups; payments has two idle runners and both its repositories, and Ada maintains search, too.
fn scene() -> (World, Cast) {
    let (mut world, cast, group) = acme_with_groups();
    world.set_rate_limit(1_000_000);
    world.add_maintainer(cast.search, cast.ada_id);
    world.add_repository_to_group(group, cast.api);
    for name in ["build-1", "build-2"] {
        world.add_runner(group, name, &["linux"], RunnerStatus::Online);
    }
    (world, cast)
}

/// What goes wrong with a write, and how it is called.
type Disturbance = (&'static str, fn(Fault) -> Fault);

fn disturbances() -> [Disturbance; 5] {
    [
        ("a server error", |fault| fault.error(500, "Server Error")),
        ("done, but the connection broke", |fault| fault.after_effect().reset()),
        ("done, but the answer is cut short", |fault| fault.after_effect().truncated()),
        ("refused", |fault| fault.error(403, "Resource not accessible by integration")),
        ("a limit", |fault| fault.secondary_limit(std::time::Duration::from_mins(1))),
    ]
}

/// Asserts that this is a whole line of Ada's about her team, which says what she was told.
#[track_caller]
fn is_complete(line: &Value, cast: &Cast, operation: &str, succeeded: bool) {
    for (field, expected) in [
        ("target", json!("audit")),
        ("operation", json!(operation)),
        ("user", json!("ada")),
        ("user_id", json!(cast.ada_id.0)),
        ("client", json!("127.0.0.1")),
        ("team", json!("payments")),
        ("team_id", json!(cast.payments.0)),
        ("group", json!("payments")),
    ] {
        assert_eq!(line[field], expected, "{field} of {line}");
    }
    assert!(line["time"].is_string() && line["request_id"].is_string(), "{line}");
    assert_eq!(line["group_id"].is_u64(), !operation.starts_with("token-"), "{line}");
    assert_eq!(line["repositories"].is_array(), operation.starts_with("repos-"), "{line}");
    assert_eq!(line["outcome"] == "success", succeeded, "{line}");
    assert_eq!(line["reason"].is_string(), !succeeded, "{line}");
}

#[tokio::test]
async fn github_failing_at_any_write_leaves_one_line_that_says_what_the_caller_was_told() {
    for ((method, operation, others), writes) in CHANGES {
        for (what, fault) in disturbances() {
            for good_before in 0..*writes {
                let (world, cast) = scene();
                let app = App::with(world, unlimited()).await.settled().await;
                let mut parameters = vec![("team", "payments")];
                parameters.extend(others.iter().copied());
                for write in ["POST", "PUT", "DELETE"] {
                    app.fake.inject(Fault::on(write, "*").times(good_before));
                    app.fake.inject(fault(Fault::on(write, "*")));
                }
                let answer = app.call(method, operation, &cast.ada, &parameters).await;
                let mut lines = answer.audit();
                assert_eq!(lines.len(), 1, "{operation}, {what} after {good_before}: {lines:?}");
                is_complete(&lines.remove(0), &cast, operation, answer.status == 200);
            }
        }
    }
}

/// Each operation that changes something, and the write at GitHub that it is held at, in an order that works.
const HELD: &[(&str, &str, &str, &str)] = &[
    ("PATCH", "repos-set?team=payments&repos=api", "PUT", "/repositories"),
    ("PATCH", "repos-add?team=payments&repos=web", "PUT", "/repositories/{repository_id}"),
    ("PATCH", "repos-remove?team=payments&repos=web", "DELETE", "/repositories/{repository_id}"),
    ("POST", "token-register?team=payments", "POST", "/orgs/{org}/actions/runners/registration-token"),
    ("POST", "token-remove?team=payments", "POST", "/orgs/{org}/actions/runners/remove-token"),
    (
        "POST",
        "jitconfig-generate?team=payments&labels=linux",
        "POST",
        "/orgs/{org}/actions/runners/generate-jitconfig",
    ),
    ("POST", "runners-transfer?team=payments&names=build-1&to=search", "PUT", "/runners/{runner_id}"),
    (
        "DELETE",
        "runners-remove?team=payments&names=build-2",
        "DELETE",
        "/orgs/{org}/actions/runners/{runner_id}",
    ),
    ("DELETE", "group-delete?team=payments", "DELETE", ""),
    ("POST", "group-add?team=payments", "POST", "/orgs/{org}/actions/runner-groups"),
];

#[tokio::test]
async fn a_caller_who_hangs_up_during_a_write_leaves_one_line_whatever_the_write() {
    let (world, cast) = scene();
    let service = Service::with(world, unlimited()).await;
    for (number, (method, path, write, template)) in HELD.iter().enumerate() {
        let operation = path.split('?').next().unwrap();
        let in_group = "/orgs/{org}/actions/runner-groups/{runner_group_id}";
        let is_whole = template.starts_with("/orgs/");
        let template = if is_whole { (*template).to_owned() } else { format!("{in_group}{template}") };
        let hold = Hold::new();
        service.fake.inject(Fault::on(write, &template).hold(&hold).once());
        let caller = service.call_aside(method, path, &cast.ada);
        within(operation, hold.arrived(1)).await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        // Whether the service knows of it yet or not, the line is the same, save for a JIT config.
        if operation == "jitconfig-generate" {
            service.binary.stdout.with(r#""operation":"jitconfig-generate","status":499"#).await;
        }
        hold.release();
        let line = service.binary.stdout.nth_with(number + 1, "\"target\":\"audit\"").await;
        let line: Value = serde_json::from_str(&line).unwrap();
        is_complete(&line, &cast, operation, operation != "jitconfig-generate");
        assert!(line["github_request_ids"].is_array(), "{line}");
    }
    service.stop().await;
    let lines = service.binary.stdout.json();
    let audit: Vec<_> = lines.iter().filter(|line| line["target"] == "audit").collect();
    assert_eq!(audit.len(), HELD.len(), "one for each: {audit:#?}");
}

#[tokio::test]
async fn each_refusal_of_a_flood_is_written_down_and_others_are_served_meanwhile() {
    let (mut world, cast) = scene();
    let mallory = world.add_user("mallory");
    let mallory = world.add_token(mallory, TokenKind::Classic);
    // Everybody has 500 requests at once, and then as good as none.
    let mut settings = unlimited();
    crate::harness::merge(&mut settings, &json!({ "server": { "rateLimit": 0.001, "rateBurst": 500 } }));
    let service = Service::with(world, settings).await;
    let certificate = std::fs::read_to_string(service.path("tls.crt")).unwrap();
    let flood = (0..8).map(|_| {
        let request = || send(service.request("GET", "status", &mallory));
        async move {
            let mut refused = 0;
            for _ in 0..250 {
                refused += usize::from(request().await.status == 429);
            }
            refused
        }
    });
    let others = async {
        let load = Load::on(service.port, &[&certificate], &cast.ada);
        load.goes_on().await;
        load.end().await.is_flawless();
    };
    let (refused, ()) = tokio::join!(futures_util::future::join_all(flood), others);
    let refused: usize = refused.into_iter().sum();
    assert_eq!(refused, 8 * 250 - 500);
    service.stop().await;
    let lines = service.binary.stdout.json();
    let of_mallory = lines.iter().filter(|line| line["target"] == "audit" && line["user"] == "mallory");
    assert!(of_mallory.clone().all(|line| line["reason"] == "rate_limited" && line["operation"] == "status"));
    let counted: u64 = of_mallory.clone().map(|line| line["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, refused as u64);
    assert!(of_mallory.count() < refused / 10, "a line a second");
}
