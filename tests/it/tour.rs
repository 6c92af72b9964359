//! Every operation once, one after the other, for tests of other ways to reach GitHub.

use fake_github::{Permission, RunnerStatus, World};
use serde_json::json;

use crate::harness::{App, send};
use crate::scene::{Cast, acme};

/// Runners of team search from the start: more than two pages.
const RUNNERS: usize = 205;

/// Allows what the tour asks for.
pub const SCOPES: &str = "match:acme(/.*)?";

/// Where the tour leads: team search has a group with many runners, ada maintains both teams, and each
/// team administers one repository.
pub fn start() -> (World, Cast) {
    let (mut world, cast) = acme();
    world.add_maintainer(cast.search, cast.ada_id);
    world.grant(cast.payments, cast.web, Permission::Admin);
    let group = world.add_group("search", fake_github::Visibility::Selected);
    for number in 0..RUNNERS {
        world.add_runner(group, &format!("search-{number}"), &["self-hosted"], RunnerStatus::Offline);
    }
    (world, cast)
}

/// Every operation but `jitconfig-generate`, which not every GitHub has.
pub async fn without_jit(app: &App, cast: &Cast) {
    let call = async |method: &str, operation: &str, more: &[(&str, &str)]| {
        let mut parameters = vec![("team", "payments")];
        parameters.extend(more);
        app.call(method, operation, &cast.ada, &parameters).await.response()
    };
    call("POST", "group-add", &[]).await;
    call("PATCH", "repos-add", &[("repos", "web")]).await;
    call("PATCH", "repos-set", &[("repos", "web,api")]).await;
    call("PATCH", "repos-remove", &[("repos", "api")]).await;
    assert_eq!(call("GET", "group-list", &[]).await, json!({ "repos": ["web"], "runners": [] }));
    for operation in ["token-register", "token-remove"] {
        assert!(call("POST", operation, &[]).await["token"].is_string());
        assert!(call("POST", operation, &[("repo", "web")]).await["token"].is_string());
    }
    for path in ["/register", "/remove"] {
        for scope in ["acme", "acme/web"] {
            let answer = send(app.request("POST", path, &cast.olivia).json(&json!({ "scope": scope }))).await;
            assert!(answer.json()["token"].is_string(), "{path} {scope}: {}", answer.text);
        }
    }
    let others = app.call("GET", "runners-list", &cast.eve, &[("team", "search")]).await.response();
    assert_eq!(others["runners"].as_array().unwrap().len(), RUNNERS);
    let moved = [("team", "search"), ("to", "payments"), ("names", "search-7,search-204")];
    let moved = app.call("POST", "runners-transfer", &cast.ada, &moved).await.response();
    assert_eq!(moved["transferred"].as_array().unwrap().len(), 2, "{moved}");
    let removed = call("DELETE", "runners-remove", &[("names", "search-7")]).await;
    assert_eq!(removed["removed"].as_array().unwrap().len(), 1, "{removed}");
    call("DELETE", "group-delete", &[("remove_runners", "true")]).await;
    assert_eq!(app.call("GET", "status", &cast.sam, &[]).await.response(), "Server ready");
}

/// The rest of it: a JIT config for team search.
pub async fn jit(app: &App, cast: &Cast) {
    let wanted = [("team", "search"), ("labels", "linux")];
    let granted = app.call("POST", "jitconfig-generate", &cast.eve, &wanted).await.response();
    assert!(granted["encoded_jit_config"].is_string());
    let name = granted["runner"]["name"].as_str().unwrap();
    let shown = app.call("GET", "runners-list", &cast.eve, &[("team", "search"), ("name", name)]).await;
    assert_eq!(shown.response()["runners"][0]["name"], name);
}
