//! What an entry gives, and what none can give.

use serde_json::json;

use super::{OF_MAIN, add, generate, run, start, token, with};
use crate::harness::App;

/// Every operation, how it is called for payments, and whether an entry can hold it.
const OPERATIONS: &[crate::access::Operation] = &[
    ("GET", "group-list", &[]),
    ("GET", "group-show", &[]),
    ("GET", "runners-list", &[]),
    ("DELETE", "runners-remove", &[("ids", "1")]),
    ("PATCH", "repos-add", &[("repos", "web")]),
    ("PATCH", "repos-remove", &[("repos", "web")]),
    ("POST", "jitconfig-generate", &[("labels", "linux")]),
    ("POST", "group-add", &[]),
    ("DELETE", "group-delete", &[]),
    ("PUT", "repos-set", &[("repos", "web")]),
    ("POST", "token-register", &[]),
    ("POST", "token-remove", &[]),
    ("POST", "runners-transfer", &[("to", "search"), ("all", "true")]),
    ("POST", "token-register", &[("repo", "web")]),
    ("POST", "access-add", &[("kind", "token"), ("operations", "group-list")]),
    ("GET", "access-list", &[]),
    ("DELETE", "access-remove", &[("id", "0000000000000000")]),
    ("POST", "group-adopt", &[("group", "search")]),
    ("POST", "group-release", &[]),
    ("GET", "status", &[]),
];
/// What only users may call.
const OF_USERS: [&str; 5] = ["access-add", "access-list", "access-remove", "group-adopt", "group-release"];

async fn call(app: &App, token: &str, at: usize) -> (u16, String) {
    let (method, operation, others) = OPERATIONS[at];
    let mut parameters = others.to_vec();
    if operation != "status" {
        parameters.push(("team", "payments"));
    }
    let answer = app.call(method, operation, token, &parameters).await;
    if answer.status == 200 { (200, String::new()) } else { answer.refusal() }
}

#[tokio::test]
async fn a_workflow_gets_a_jit_config_and_nothing_else() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    let response = generate(&app, &token(&app, &run())).await.response();
    assert_eq!(response["runner"]["labels"], json!(["linux"]));
    app.fake.clear_calls();
    for (at, (_, operation, _)) in OPERATIONS.iter().enumerate() {
        let expected = match *operation {
            "jitconfig-generate" | "status" => continue,
            of_users if OF_USERS.contains(&of_users) => (401, "unsupported_token".to_owned()),
            _ => (403, "not_trusted".to_owned()),
        };
        assert_eq!(call(&app, &token(&app, &run()), at).await, expected, "{operation}");
    }
    assert_eq!(app.calls(), Vec::<String>::new(), "and GitHub is asked nothing");
    assert_eq!(app.call("GET", "status", &token(&app, &run()), &[]).await.response(), "Server ready");
    for (path, body) in
        [("/register", json!({ "scope": "acme/web" })), ("/remove", json!({ "scope": "acme" }))]
    {
        let request = app.request("POST", path, &token(&app, &run())).json(&body);
        crate::harness::send(request).await.is_refused(403, "not_trusted");
    }
}

#[tokio::test]
async fn whatever_an_entry_holds_a_token_never_reaches_what_is_the_maintainers() {
    let all = "jitconfig-generate,demand,diagnose,runners-list,runners-remove,group-list,group-show,repos-add,repos-remove";
    let policy = json!({ "policy": { "access": { "operations": all.split(',').collect::<Vec<_>>() } } });
    let (mut app, cast) = start(policy).await;
    let fields = [("kind", "token"), ("operations", all), ("labels", "*")];
    let (_, team_token) = add(&app, &cast, &fields).await;
    app.keep_secret(&team_token);
    add(&app, &cast, &with(&OF_MAIN, &[("operations", all), ("labels", "*")])).await;
    for shown in [true, false] {
        for (at, (_, operation, _)) in OPERATIONS.iter().enumerate() {
            let token = if shown { team_token.clone() } else { token(&app, &run()) };
            let (status, reason) = call(&app, &token, at).await;
            let can_be_held = at < 7 || *operation == "status";
            let expected = match *operation {
                of_users if OF_USERS.contains(&of_users) => "unsupported_token",
                _ if can_be_held => "",
                _ => "not_trusted",
            };
            let is_other = can_be_held && (status == 200 || reason == "runner_not_found");
            assert!(is_other || reason == expected, "{operation}: {status} {reason}");
        }
    }
}

#[tokio::test]
async fn the_policy_narrows_entries_that_exist() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &with(&OF_MAIN, &[("operations", "jitconfig-generate,group-list")])).await;
    let list =
        async |app: &App| app.call("GET", "group-list", &token(app, &run()), &[("team", "payments")]).await;
    list(&app).await.response();
    let narrowed = json!({ "policy": { "access": { "operations": ["jitconfig-generate"] } } });
    app.reconfigure(&super::actions(&narrowed));
    app.until("the policy is in force", async || list(&app).await.status == 403).await;
    list(&app).await.is_refused(403, "not_trusted");
    generate(&app, &token(&app, &run())).await.response();
}

#[tokio::test]
async fn of_several_entries_the_oldest_that_allows_the_whole_request_is_taken_and_none_are_added_up() {
    let (app, cast) = start(json!({})).await;
    let (linux, _) = add(&app, &cast, &OF_MAIN).await;
    app.clock.advance(std::time::Duration::from_secs(1));
    let (gpu, _) = add(&app, &cast, &with(&OF_MAIN, &[("labels", "gpu,linux")])).await;
    for (labels, entry) in [("linux", &linux), ("gpu", &gpu), ("linux,gpu", &gpu)] {
        let answer = super::generate_with(&app, &token(&app, &run()), labels).await;
        answer.response();
        assert_eq!(answer.audit()[0]["entry"], entry.as_str(), "{labels}");
    }
    let answer = super::generate_with(&app, &token(&app, &run()), "windows").await;
    answer.is_refused(403, "not_trusted");
    assert!(answer.text.contains("windows"), "{}", answer.text);
}
