//! A group that an owner opened to all repositories: a runner in it takes jobs of all of them.

use fake_github::{RunnerStatus, Visibility};
use serde_json::{Value, json};

use crate::harness::App;
use crate::scene::acme_with_groups;

const TEAM: (&str, &str) = ("team", "payments");

async fn opened(extra: Value) -> (App, crate::scene::Cast) {
    let (mut world, cast, group) = acme_with_groups();
    world.add_maintainer(cast.search, cast.ada_id);
    let search = world.group_by_name("search").unwrap().id;
    world.add_runner(search, "search-2", &["self-hosted"], RunnerStatus::Online);
    world.set_group_visibility(group, Visibility::All);
    (App::with(world, extra).await, cast)
}

#[tokio::test]
async fn nothing_is_brought_into_it_and_it_is_not_changed_or_deleted() {
    let (app, cast) = opened(json!({})).await;
    for (method, operation, parameters) in [
        ("POST", "jitconfig-generate", vec![TEAM, ("labels", "linux")]),
        ("POST", "runners-transfer", vec![("team", "search"), ("to", "payments"), ("all", "true")]),
        ("DELETE", "group-delete", vec![("team", "search"), ("transfer_to", "payments")]),
        ("PATCH", "repos-add", vec![TEAM, ("repos", "api")]),
        ("PATCH", "repos-remove", vec![TEAM, ("repos", "web")]),
        ("PATCH", "repos-set", vec![TEAM, ("repos", "api")]),
        ("DELETE", "group-delete", vec![TEAM]),
        ("DELETE", "group-delete", vec![TEAM, ("remove_runners", "true")]),
    ] {
        let answer = app.call(method, operation, &cast.ada, &parameters).await;
        answer.is_refused(403, "group_protected");
        assert!(answer.text.contains("opened"), "{}", answer.text);
    }
    // It can still be looked at, and what is in it can go.
    app.call("GET", "runners-list", &cast.ada, &[TEAM]).await.response();
    app.call("GET", "group-list", &cast.ada, &[TEAM]).await.response();
    app.call("DELETE", "runners-remove", &cast.ada, &[TEAM, ("offline", "true")]).await.response();
}

#[tokio::test]
async fn unless_the_administrator_allows_it() {
    let (app, cast) = opened(json!({ "groups": { "allowOpen": true } })).await;
    app.call("POST", "jitconfig-generate", &cast.ada, &[TEAM, ("labels", "linux")]).await.response();
    let moved = [("team", "search"), ("to", "payments"), ("all", "true")];
    let response = app.call("POST", "runners-transfer", &cast.ada, &moved).await.response();
    assert_eq!(response["transferred"].as_array().unwrap().len(), 2);
    app.call("DELETE", "group-delete", &cast.ada, &[TEAM, ("remove_runners", "true")]).await.response();
}
