//! Hostile strings for every parameter: never accepted, never a defect, and nothing at GitHub that was not
//! meant to be asked.

use std::collections::BTreeSet;
use std::time::Duration;

use fake_github::Level;
use serde_json::json;

use crate::access::{ENTRY_OPERATIONS, Operation, TEAM_OPERATIONS};
use crate::harness::{Answer, App, send};
use crate::scene::{acme_with_groups, acme_with_runners, runners_outside};

/// What somebody might send to reach another path, another team or a log.
#[rustfmt::skip]
const HOSTILE: &[&str] = &[
    "", " ", ".", "..", "...", "/", "//", "\\", "../", "..\\", "../../", "../../../user",
    "..%2f..%2fuser", "%2e%2e%2fuser", "%252e%252e%252f", "..;/", "./payments", "payments/", "/payments",
    "payments/..", "payments/../search", "payments/memberships/eve?x=", "payments?x=", "payments#",
    "payments%00", "payments\0", "payments\r\nX-Evil: 1", "payments\n", "\tpayments", "payments ",
    " payments", "payments%20", "payments,search", "payments;search", "payments&team=search",
    "payments|search", "`id`", "$(id)", "${jndi:ldap://x}", "{{7*7}}", "<script>alert(1)</script>",
    "'; DROP TABLE teams;--", "\" or \"\"=\"", "ent:payments", "ENT:payments", "p\u{430}yments",
    "paym\u{435}nts", "\u{ff50}ayments", "payment\u{17f}", "\u{212a}ernel", "pay\u{200b}ments",
    "pay\u{202e}ments", "payments\u{0301}", "\u{feff}payments", "𝓹ayments", "payments\u{85}",
    "payments\u{2028}", "null", "undefined/", "[object Object]", "team[]", "payments.", "~", "*", "%",
    "%zz", "+", "@", ":", "payments:1", "https://evil.example/", "file:///etc/passwd", "\u{1b}[31mred",
    "payments\u{7f}",
];

pub fn hostile() -> Vec<String> {
    let long = ["a".repeat(256), "a".repeat(10_000), "../".repeat(2_000), "é".repeat(300)];
    HOSTILE.iter().map(|text| (*text).to_owned()).chain(long).collect()
}

/// What a service in its right mind may ask GitHub during these tests.
const EXPECTED: &[&str] = &[
    "GET /user",
    "GET /app/installations/{installation_id}",
    "GET /orgs/{org}",
    "GET /orgs/{org}/memberships/{username}",
    "POST /app/installations/{installation_id}/access_tokens",
    // The service holds its records against the list, once in a while.
    "GET /orgs/{org}/teams",
    "GET /orgs/{org}/teams/{team_slug}",
    "GET /orgs/{org}/teams/{team_slug}/memberships/{username}",
    "GET /orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}",
    "GET /orgs/{org}/teams/{team_slug}/repos",
    "GET /orgs/{org}/actions/runner-groups",
    "GET /orgs/{org}/actions/runner-groups/{runner_group_id}",
    "GET /orgs/{org}/actions/runner-groups/{runner_group_id}/repositories",
    "GET /orgs/{org}/actions/runner-groups/{runner_group_id}/runners",
    "GET /orgs/{org}/actions/runner-groups/{runner_group_id}/hosted-runners",
];

fn assert_only_expected(app: &App) {
    let asked: BTreeSet<_> = app.calls().into_iter().collect();
    let odd: Vec<_> = asked.iter().filter(|call| !EXPECTED.contains(&call.as_str())).collect();
    assert!(odd.is_empty(), "{odd:?}");
    for call in app.fake.calls() {
        let parts: Vec<_> = call.path.split('/').collect();
        assert!(!parts.contains(&"..") && !call.path.contains('%'), "{}", call.path);
    }
}

#[tokio::test]
async fn a_hostile_team_is_refused_everywhere() {
    let hostile = hostile();
    assert!(hostile.len() >= 60);
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    for (method, operation, others) in TEAM_OPERATIONS.iter().chain(ENTRY_OPERATIONS) {
        for team in &hostile {
            let mut parameters = vec![("team", team.as_str())];
            parameters.extend(others.iter().copied());
            let answer = app.call(method, operation, &cast.ada, &parameters).await;
            assert!((400..500).contains(&answer.status), "{operation} {team:?}: {}", answer.text);
            answer.refusal();
            if *method == "GET" {
                continue;
            }
            let mut body = json!({ "team": team });
            for (name, value) in *others {
                body[name] = json!(value);
            }
            let answer = app.call_json(method, operation, &cast.ada, body).await;
            assert!((400..500).contains(&answer.status), "{operation} {team:?}: {}", answer.text);
        }
    }
    assert_only_expected(&app);
}

#[tokio::test]
async fn a_hostile_repository_is_refused_everywhere() {
    let (world, cast, group) = acme_with_groups();
    let app = App::start(world).await;
    for operation in ["repos-add", "repos-remove", "repos-set"] {
        for repo in hostile() {
            let parameters = [("team", "payments"), ("repos", repo.as_str())];
            let answer = app.call("PATCH", operation, &cast.ada, &parameters).await;
            assert!((400..500).contains(&answer.status), "{operation} {repo:?}: {}", answer.text);
            answer.refusal();
            for repos in [json!([repo]), json!(["web", repo]), json!(format!("acme/{repo}"))] {
                let body = json!({ "team": "payments", "repos": repos });
                let answer = app.call_json("PATCH", operation, &cast.ada, body).await;
                assert!((400..500).contains(&answer.status), "{operation} {repo:?}: {}", answer.text);
            }
        }
    }
    assert_only_expected(&app);
    assert_eq!(app.fake.world(|world| world.repositories_of(group)), ["web"]);
}

/// Operations on runners with what else they need, and a parameter that is to be hostile.
#[rustfmt::skip]
const OF_RUNNERS: &[(Operation, &str)] = &[
    (("POST", "jitconfig-generate", &[("labels", "linux")]), "name"),
    (("POST", "jitconfig-generate", &[("labels", "linux")]), "work_folder"),
    (("GET", "runners-list", &[]), "status"),
    (("GET", "runners-list", &[]), "name"),
    (("DELETE", "runners-remove", &[]), "ids"),
    (("DELETE", "runners-remove", &[]), "names"),
    (("DELETE", "runners-remove", &[]), "offline"),
    (("DELETE", "runners-remove", &[("offline", "true")]), "dry_run"),
    (("POST", "runners-transfer", &[("all", "true")]), "to"),
    (("POST", "runners-transfer", &[("to", "search")]), "ids"),
    (("POST", "runners-transfer", &[("to", "search")]), "names"),
    (("POST", "runners-transfer", &[("to", "search")]), "all"),
    (("DELETE", "group-delete", &[]), "transfer_to"),
    (("DELETE", "group-delete", &[]), "remove_runners"),
];

/// Whether it may be the name of a runner, as GitHub knows some.
fn selects(name: &str) -> bool {
    (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

/// Hostile as a path, but a fine name of a runner or a folder, or a list of them; none gets into a path.
fn is_a_name(operation: &str, parameter: &str, value: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_one = |one: &str| (1..=64).contains(&one.len()) && one.bytes().all(allowed);
    match parameter {
        "names" => value.split(',').all(selects),
        "name" if operation == "runners-list" => selects(value),
        "name" => is_one(value),
        "work_folder" => is_one(value) && value.bytes().any(|byte| byte != b'.'),
        _ => false,
    }
}

#[tokio::test]
async fn a_hostile_name_that_only_selects_finds_nothing_and_gets_into_no_path() {
    let (mut world, cast, _) = acme_with_runners();
    world.add_maintainer(cast.search, cast.ada_id);
    let app = App::start(world).await;
    let before: Vec<_> = app.fake.world(|world| world.runners().map(|runner| runner.group).collect());
    let names = hostile().into_iter().filter(|value| is_a_name("runners-list", "name", value));
    for (number, name) in names.enumerate() {
        assert!(number < 200, "{name}");
        let listed =
            app.call("GET", "runners-list", &cast.ada, &[("team", "payments"), ("name", &name)]).await;
        assert_eq!(listed.response()["runners"], json!([]), "{name:?}");
        for (method, operation) in [("DELETE", "runners-remove"), ("POST", "runners-transfer")] {
            let mut body = json!({ "team": "payments", "names": [name] });
            if operation == "runners-transfer" {
                body["to"] = json!("search");
            }
            let answer = app.call_json(method, operation, &cast.ada, body).await;
            answer.is_refused(404, "runner_not_found");
        }
    }
    assert_only_expected(&app);
    let after: Vec<_> = app.fake.world(|world| world.runners().map(|runner| runner.group).collect());
    assert_eq!(after, before);
}

#[tokio::test]
async fn hostile_values_of_every_parameter_of_the_operations_on_runners_are_refused() {
    let (mut world, cast, group) = acme_with_runners();
    world.add_maintainer(cast.search, cast.ada_id);
    let app = App::start(world).await;
    let before: Vec<_> = app.fake.world(|world| world.runners().map(|runner| runner.group).collect());
    let numbers =
        ["-1", "+1", "0x1", "1.0", "1e3", " 1", "1 ", "18446744073709551616", "\u{661}", "1,", ",1"];
    for ((method, operation, others), parameter) in OF_RUNNERS {
        // Some are well-formed slugs, of teams that nobody here maintains.
        let is_team = ["to", "transfer_to"].contains(parameter);
        let refused = |answer: &Answer| answer.status == 400 || (is_team && answer.status == 403);
        let texts = hostile().into_iter().chain(numbers.iter().map(|text| (*text).to_owned()));
        for value in texts.filter(|value| !is_a_name(operation, parameter, value)) {
            app.clock.advance(Duration::from_secs(1));
            let mut parameters = vec![("team", "payments"), (parameter, value.as_str())];
            parameters.extend(others.iter().copied());
            let answer = app.call(method, operation, &cast.ada, &parameters).await;
            assert!(refused(&answer), "{operation} {parameter}={value:?}: {}", answer.text);
            answer.refusal();
            if *method == "GET" {
                continue;
            }
            for sent in [json!(value), json!([value]), json!({ "a": value }), json!([[value]])] {
                // In a JSON list a comma is part of the name.
                if *parameter == "names" && sent[0].as_str().is_some_and(selects) {
                    continue;
                }
                let mut body = json!({ "team": "payments" });
                for (name, value) in *others {
                    body[name] = json!(value);
                }
                body[parameter] = sent;
                let answer = app.call_json(method, operation, &cast.ada, body).await;
                assert!(refused(&answer), "{operation} {parameter}={value:?}: {}", answer.text);
            }
        }
    }
    assert_only_expected(&app);
    assert_eq!(app.fake.world(|world| world.runners_of(group)).len(), 3);
    let after: Vec<_> = app.fake.world(|world| world.runners().map(|runner| runner.group).collect());
    assert_eq!(after, before);
}

/// A label is free text: whatever is not refused has to be taken for just that label, everywhere.
#[tokio::test]
async fn an_odd_label_is_either_refused_or_taken_for_what_it_is() {
    let (mut world, cast, group) = acme_with_runners();
    // More writes than GitHub allows in a minute.
    world.set_rate_limit(1_000_000);
    let app = App::start(world).await;
    let before = app.fake.world(|world| runners_outside(world, group));
    for label in hostile() {
        let one = json!({ "team": "payments", "labels": [label] });
        let remove = || app.call_json("DELETE", "runners-remove", &cast.ada, one.clone());
        let removed = remove().await;
        let listing = [("team", "payments"), ("label", label.as_str())];
        let listed = app.call("GET", "runners-list", &cast.ada, &listing).await;
        let granted = app.call_json("POST", "jitconfig-generate", &cast.ada, one.clone()).await;
        assert_eq!((removed.status, granted.status), (listed.status, listed.status), "{label:?}");
        if listed.status == 400 {
            listed.is_refused(400, "invalid_parameter");
            continue;
        }
        assert_eq!(removed.response(), json!({ "removed": [], "skipped": [] }), "{label:?}");
        assert_eq!(listed.response()["runners"], json!([]), "{label:?}");
        let runner = granted.response()["runner"].take();
        assert_eq!(runner["labels"], json!([label.to_lowercase()]));
        let removed = remove().await.response()["removed"].take();
        assert_eq!(removed, json!([{ "id": runner["id"], "name": runner["name"] }]), "{label:?}");
    }
    assert_eq!(app.fake.world(|world| runners_outside(world, group)), before);
    assert_eq!(app.fake.world(|world| world.runners_of(group)).len(), 3);
}

#[tokio::test]
async fn a_hostile_scope_is_refused_and_never_asked_about() {
    let (mut world, cast, _) = acme_with_groups();
    world.grant_app_permission("administration", Level::Write);
    let scopes = json!({ "scopes": { "allow": ["match:(?s).*"] } });
    let app = App::with(world, scopes).await;
    let post = |path: &str, token: &str, body| send(app.request("POST", path, token).json(&body));
    for text in hostile() {
        let behind_org = (0..2).map(|at| format!("{}{text}", ["acme/", "acme/index"][at]));
        // A suffix that leaves a well-formed name asks for a repository that isn't there.
        for scope in [text.clone(), format!("{text}/index")].into_iter().chain(behind_org) {
            if matches!(scope.as_str(), "acme/index" | "acme/...") {
                continue;
            }
            for (token, team) in [(&cast.olivia, None), (&cast.eve, Some("search"))] {
                let mut body = json!({ "scope": scope });
                if let Some(team) = team {
                    body["team"] = json!(team);
                }
                let answer = post("/register", token, body).await;
                assert!((400..500).contains(&answer.status), "{scope:?}: {}", answer.text);
                answer.refusal();
            }
        }
        let body = json!({ "scope": "acme/index", "team": text });
        let answer = post("/remove", &cast.eve, body).await;
        assert!((400..500).contains(&answer.status), "team {text:?}: {}", answer.text);
        let parameters = [("team", "search"), ("repo", text.as_str())];
        let answer = app.call("POST", "token-register", &cast.eve, &parameters).await;
        assert!((400..500).contains(&answer.status), "repo {text:?}: {}", answer.text);
    }
    let calls = app.calls();
    assert!(calls.iter().all(|call| !call.contains("-token")), "{calls:?}");
    for call in app.fake.calls() {
        let parts: Vec<_> = call.path.split('/').collect();
        assert!(!parts.contains(&"..") && !call.path.contains('%'), "{}", call.path);
    }
}

#[tokio::test]
async fn hostile_names_of_parameters_are_refused_and_repeated_harmlessly() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    for name in hostile() {
        let answer =
            app.call("GET", "group-list", &cast.ada, &[("team", "payments"), (name.as_str(), "1")]).await;
        answer.is_refused(400, "unknown_parameter");
        assert!(answer.text.len() < 1_000);
        assert!(!answer.text.contains(['\u{1b}', '\0', '\r']));
    }
    assert_only_expected(&app);
}

#[tokio::test]
async fn hostile_tokens_are_refused() {
    let (world, _, _) = acme_with_groups();
    let app = App::start(world).await;
    for token in hostile() {
        let Ok(value) = reqwest::header::HeaderValue::from_bytes(token.as_bytes()) else { continue };
        let request = app.http.get(app.url("/api/v1/status")).header("authorization", value);
        let answer = send(request).await;
        assert_eq!(answer.status, 401, "{token:?}: {}", answer.text);
    }
    assert_only_expected(&app);
}
