//! Hostile strings for every parameter: never accepted, never a defect, and nothing at GitHub that was not
//! meant to be asked.

use std::collections::BTreeSet;

use actions_runner_manager::fake_github::Level;
use serde_json::json;

use crate::access::TEAM_OPERATIONS;
use crate::harness::{App, send};
use crate::scene::acme_with_groups;

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

fn hostile() -> Vec<String> {
    let long = ["a".repeat(256), "a".repeat(10_000), "../".repeat(2_000), "é".repeat(300)];
    HOSTILE.iter().map(|text| (*text).to_owned()).chain(long).collect()
}

/// What a service in its right mind may ask GitHub during these tests.
const EXPECTED: &[&str] = &[
    "GET /user",
    "GET /app/installations/{installation_id}",
    "POST /app/installations/{installation_id}/access_tokens",
    "GET /orgs/{org}/teams/{team_slug}",
    "GET /orgs/{org}/teams/{team_slug}/memberships/{username}",
    "GET /orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}",
    "GET /orgs/{org}/teams/{team_slug}/repos",
    "GET /orgs/{org}/actions/runner-groups",
    "GET /orgs/{org}/actions/runner-groups/{runner_group_id}",
    "GET /orgs/{org}/actions/runner-groups/{runner_group_id}/repositories",
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
    for (method, operation, others) in TEAM_OPERATIONS {
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
