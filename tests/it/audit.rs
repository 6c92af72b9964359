//! One audit line for every operation that changed something or was refused to somebody known, and none else.

mod disturbed;
mod documented;

use fake_github::{Fault, RunnerStatus};
use serde_json::{Value, json};

use crate::access::TEAM_OPERATIONS;
use crate::binary::until;
use crate::harness::{Answer, App, audit_lines};
use crate::scene::{Cast, acme, acme_with_groups};

/// The one audit line of a request.
#[track_caller]
fn line_of(answer: &Answer) -> Value {
    let mut lines = answer.audit();
    assert_eq!(lines.len(), 1, "{lines:?} for {}", answer.text);
    lines.remove(0)
}

/// GitHub's ids of the writes since the calls were last cleared, in order; minting a token is none.
fn ids_of_writes(app: &App) -> Vec<String> {
    let calls = app.fake.calls();
    let writes = calls.iter().filter(|call| call.method != "GET" && !call.path.ends_with("/access_tokens"));
    writes.map(|call| call.response_header("x-github-request-id").unwrap().to_owned()).collect()
}

/// What every line of Ada's about her team holds, in the order of the design, and nothing but this.
fn expected(answer: &Answer, cast: &Cast, operation: &str) -> Value {
    json!({
        "level": "info",
        "target": "audit",
        "message": format!("{operation}: success"),
        "request_id": answer.header("x-request-id"),
        "operation": operation,
        "outcome": "success",
        "user": "ada",
        "caller": "user",
        "user_id": cast.ada_id.0,
        "client": "127.0.0.1",
        "team": "payments",
        "team_id": cast.payments.0,
        "group": "payments",
    })
}

#[tokio::test]
async fn every_write_leaves_one_complete_line() {
    let (world, cast) = acme();
    let app = App::start(world).await.settled().await;
    for (operation, repos) in [
        ("group-add", None),
        ("repos-add", Some("web,api")),
        ("repos-remove", Some("acme/web")),
        ("repos-set", Some("web")),
        ("token-register", None),
        ("token-remove", None),
        ("group-delete", None),
    ] {
        let group_id = app.fake.world(|world| world.group_by_name("payments").map(|group| group.id.0));
        app.fake.clear_calls();
        let mut parameters = vec![("team", "Payments")];
        parameters.extend(repos.map(|repos| ("repos", repos)));
        let answer = app.call("POST", operation, &cast.ada, &parameters).await;
        answer.response();
        let mut line = line_of(&answer);
        let time = line["time"].take();
        assert_eq!(line.as_object_mut().unwrap().remove("timestamp").unwrap(), time);
        assert!(chrono::DateTime::parse_from_rfc3339(time.as_str().unwrap()).is_ok(), "{time}");
        let mut ids = ids_of_writes(&app);
        let mut told: Vec<String> = serde_json::from_value(line["github_request_ids"].take()).unwrap();
        ids.sort();
        told.sort();
        assert_eq!(told, ids, "{operation}");
        assert_eq!(ids.len(), if operation == "repos-add" { 2 } else { 1 }, "{operation}");
        let mut expected = expected(&answer, &cast, operation);
        if !operation.starts_with("token-") {
            let made = app.fake.world(|world| world.group_by_name("payments").map(|group| group.id.0));
            expected["group_id"] = json!(group_id.or(made));
        }
        if let Some(repos) = repos {
            expected["repositories"] = json!(repos.replace("acme/", "").split(',').collect::<Vec<_>>());
        }
        (expected["time"], expected["github_request_ids"]) = (Value::Null, Value::Null);
        assert_eq!(line, expected, "{operation}");
    }
}

#[tokio::test]
async fn the_older_name_and_the_older_method_are_the_same_operation() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    let answer = app.call("GET", "group-create", &cast.ada, &[("team", "payments")]).await;
    answer.response();
    assert_eq!(line_of(&answer)["operation"], "group-add");
}

#[tokio::test]
async fn successful_reads_leave_none() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    for (operation, parameters) in [("group-list", &[("team", "payments")][..]), ("status", &[])] {
        let answer = app.call("GET", operation, &cast.ada, parameters).await;
        answer.response();
        assert_eq!(answer.audit(), Vec::<Value>::new(), "{operation}");
    }
}

#[tokio::test]
async fn refusals_before_anybody_is_known_leave_none() {
    let (mut world, cast) = acme();
    let actions = world.add_actions_token(None);
    let app = App::start(world).await;
    for (method, operation, token, status) in [
        ("POST", "no-such-thing", cast.ada.as_str(), 404),
        ("PUT", "group-add", &cast.ada, 405),
        ("POST", "group-add", "", 401),
        ("POST", "group-add", "ghp_nobody", 401),
        ("POST", "group-add", &actions, 401),
    ] {
        let answer = app.call(method, operation, token, &[("team", "payments")]).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.audit(), Vec::<Value>::new(), "{operation} {status}");
    }
}

/// Asserts that the answer is this refusal, and that its one audit line says the same.
#[track_caller]
fn is_audited(answer: &Answer, status: u16, reason: &str) -> Value {
    answer.is_refused(status, reason);
    let line = line_of(answer);
    assert_eq!((&line["reason"], &line["target"]), (&json!(reason), &json!("audit")), "{line}");
    let outcome = if status < 500 { "refused" } else { "failed" };
    assert_eq!(line["outcome"], outcome, "{line}");
    assert_eq!(line["request_id"], answer.header("x-request-id"));
    assert!(line["user"].is_string() && line["user_id"].is_u64() && line["time"].is_string(), "{line}");
    assert_eq!(line["client"], "127.0.0.1");
    line
}

#[tokio::test]
async fn who_is_refused_at_the_door_of_a_team_is_written_down_for_every_operation() {
    let (world, cast, _) = acme_with_groups();
    let config = json!({ "policy": { "teams": { "deny": ["search"] } } });
    let app = App::with(world, config).await;
    for (method, operation, others) in TEAM_OPERATIONS {
        let with = |team: &'static str| {
            let mut parameters = vec![("team", team)];
            parameters.extend(others.iter().copied());
            parameters
        };
        let answer = app.call(method, operation, &cast.bob, &with("payments")).await;
        let line = is_audited(&answer, 403, "not_a_maintainer");
        assert_eq!((&line["user"], &line["team"]), (&json!("bob"), &json!("payments")));
        assert_eq!(line["operation"], operation.replace("group-create", "group-add"));
        let answer = app.call(method, operation, &cast.ada, &with("nonexistent")).await;
        assert_eq!(is_audited(&answer, 403, "not_a_maintainer")["team"], "nonexistent");
        let answer = app.call(method, operation, &cast.eve, &with("search")).await;
        assert_eq!(is_audited(&answer, 403, "denied_by_policy")["team_id"], cast.search.0);
        let answer = app.call(method, operation, &cast.ada, &with("../x")).await;
        is_audited(&answer, 400, "invalid_parameter");
        let answer = app.call(method, operation, &cast.ada, others).await;
        is_audited(&answer, 400, "missing_parameter");
        let unknown: Vec<_> = with("payments").into_iter().chain([("colour", "red")]).collect();
        let answer = app.call(method, operation, &cast.ada, &unknown).await;
        assert_eq!(is_audited(&answer, 400, "unknown_parameter")["team_id"], cast.payments.0);
    }
}

#[tokio::test]
async fn what_an_operation_refuses_is_written_down_with_what_it_was_about() {
    let (mut world, cast, group) = acme_with_groups();
    world.add_runner(group, "build-1", &[], RunnerStatus::Online);
    let config = json!({ "policy": { "registrationTokens": false, "removalTokens": false } });
    let app = App::with(world, config).await;
    for (method, operation, repos, status, reason) in [
        ("POST", "group-add", None, 409, "group_exists"),
        ("DELETE", "group-delete", None, 409, "group_not_empty"),
        ("PATCH", "repos-add", Some("index"), 404, "repo_not_found"),
        ("PATCH", "repos-remove", Some("index"), 404, "repo_not_found"),
        ("PATCH", "repos-set", Some("index"), 404, "repo_not_found"),
        ("POST", "token-register", None, 403, "denied_by_policy"),
        ("POST", "token-remove", None, 403, "denied_by_policy"),
    ] {
        let mut parameters = vec![("team", "payments")];
        parameters.extend(repos.map(|repos| ("repos", repos)));
        let answer = app.call(method, operation, &cast.ada, &parameters).await;
        let line = is_audited(&answer, status, reason);
        assert_eq!((&line["operation"], &line["group"]), (&json!(operation), &json!("payments")));
        assert_eq!(line["repositories"], repos.map_or(Value::Null, |repos| json!([repos])), "{operation}");
        if matches!(operation, "group-delete" | "repos-add" | "repos-remove" | "repos-set") {
            assert_eq!(line["group_id"], group.0, "{operation}");
        }
    }
}

#[tokio::test]
async fn requests_over_the_limit_are_counted_in_one_line_a_second() {
    let (world, cast) = acme();
    let app = App::with(world, json!({ "server": { "rateLimit": 1, "rateBurst": 1 } })).await;
    app.call("GET", "status", &cast.ada, &[]).await.response();
    app.call("GET", "status", &cast.bob, &[]).await.response();
    let mut ids = Vec::new();
    for _ in 0..20 {
        for token in [&cast.ada, &cast.bob] {
            let answer = app.call("POST", "group-add", token, &[("team", "payments")]).await;
            answer.is_refused(429, "rate_limited");
            ids.push(answer.header("x-request-id").to_owned());
        }
    }
    let lines = || ids.iter().flat_map(|id| audit_lines(id)).collect::<Vec<_>>();
    let counted = |lines: &[Value]| lines.iter().map(|line| line["count"].as_u64().unwrap()).sum::<u64>();
    until("the lines", || counted(&lines()) == 40).await;
    let lines = lines();
    assert!(lines.len() < 20, "far fewer lines than refusals: {lines:?}");
    for (line, fields) in lines.iter().zip([("ada", "group-add"), ("bob", "group-add")]) {
        assert_eq!((&line["user"], &line["operation"]), (&json!(fields.0), &json!(fields.1)), "{line}");
        assert_eq!((&line["outcome"], &line["reason"]), (&json!("refused"), &json!("rate_limited")));
    }
}

#[tokio::test]
async fn a_write_that_github_fails_is_written_down_with_githubs_id_of_it() {
    let (world, cast, group) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    for (method, operation, repos) in [
        ("DELETE", "group-delete", None),
        ("PATCH", "repos-add", Some("api")),
        ("PATCH", "repos-remove", Some("web")),
        ("PATCH", "repos-set", Some("api")),
        ("POST", "token-register", None),
        ("POST", "token-remove", None),
    ] {
        let mut parameters = vec![("team", "payments")];
        parameters.extend(repos.map(|repos| ("repos", repos)));
        // Everybody is known by now, so that the write alone fails.
        app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
        app.fake.clear_calls();
        for write in ["POST", "PUT", "DELETE"] {
            app.fake.inject(Fault::on(write, "*").error(500, "Server Error"));
        }
        let answer = app.call(method, operation, &cast.ada, &parameters).await;
        app.fake.clear_faults();
        let line = is_audited(&answer, 502, "github_error");
        assert_eq!(line["github_request_ids"], json!(ids_of_writes(&app)), "{operation}");
        assert_eq!(ids_of_writes(&app).len(), 1, "{operation}: a write is never repeated");
        assert!(operation.starts_with("token-") || line["group_id"] == group.0, "{line}");
        // One failure more in a row would be taken for an outage.
        app.call("POST", "token-register", &cast.ada, &[("team", "payments")]).await.response();
    }
}

#[tokio::test]
async fn a_failed_read_of_somebody_known_is_written_down() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
    app.fake.inject(Fault::on("GET", "*").error(500, "Server Error"));
    let answer = app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await;
    let line = is_audited(&answer, 502, "github_error");
    assert_eq!((&line["operation"], &line["team"]), (&json!("group-list"), &json!("payments")));
}

#[tokio::test]
async fn what_is_done_to_runners_names_them() {
    let (mut world, cast, group) = acme_with_groups();
    world.add_maintainer(cast.search, cast.ada_id);
    for name in ["build-1", "build-2", "build-3", "build-4"] {
        world.add_runner(group, name, &["self-hosted"], RunnerStatus::Online);
    }
    let app = App::start(world).await.settled().await;
    for (method, operation, others, runners) in [
        (
            "POST",
            "jitconfig-generate",
            &[("labels", "linux"), ("name", "payments-1")][..],
            &["payments-1"][..],
        ),
        ("DELETE", "runners-remove", &[("names", "build-1,payments-1")], &["build-1", "payments-1"]),
        ("POST", "runners-transfer", &[("names", "build-2"), ("to", "search")], &["build-2"]),
        ("DELETE", "group-delete", &[("remove_runners", "true")], &["build-3", "build-4"]),
    ] {
        app.fake.clear_calls();
        let mut parameters = vec![("team", "payments")];
        parameters.extend(others);
        let answer = app.call(method, operation, &cast.ada, &parameters).await;
        answer.response();
        let mut line = line_of(&answer);
        let mut told: Vec<String> = serde_json::from_value(line["github_request_ids"].take()).unwrap();
        let mut ids = ids_of_writes(&app);
        ids.sort();
        told.sort();
        assert!(told == ids && !ids.is_empty(), "{operation}: {told:?}, {ids:?}");
        let mut named: Vec<String> = serde_json::from_value(line["runners"].take()).unwrap();
        named.sort();
        assert_eq!(named, runners, "{operation}");
        let mut expected = expected(&answer, &cast, operation);
        expected["group_id"] = json!(group.0);
        line.as_object_mut().unwrap().remove("timestamp");
        if operation == "runners-transfer" {
            expected["to_team"] = json!("search");
        }
        for taken in ["github_request_ids", "runners", "time"] {
            line[taken] = Value::Null;
            expected[taken] = Value::Null;
        }
        assert_eq!(line, expected, "{operation}");
    }
}

#[tokio::test]
async fn a_list_of_runners_and_a_trial_run_change_nothing_and_leave_none() {
    let (mut world, cast, group) = acme_with_groups();
    world.add_runner(group, "build-1", &["self-hosted"], RunnerStatus::Online);
    let app = App::start(world).await;
    for (method, operation, others) in [
        ("GET", "runners-list", &[][..]),
        ("DELETE", "runners-remove", &[("names", "build-1"), ("dry_run", "true")]),
    ] {
        let mut parameters = vec![("team", "payments")];
        parameters.extend(others);
        let answer = app.call(method, operation, &cast.ada, &parameters).await;
        answer.response();
        assert_eq!(answer.audit(), Vec::<Value>::new(), "{operation}");
    }
}
