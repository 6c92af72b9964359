//! The store fails: what is in memory goes on to be served, and what would have to be kept is refused.

use std::time::Duration;

use serde_json::json;

use super::{administered, with_administrator};
use crate::harness::App;
use crate::scene::acme_with_groups;

const TEAM: &[(&str, &str)] = &[("team", "payments")];

/// The store can't be used from now on, as if its disk or server were gone.
async fn fails(app: &App) {
    app.server.state().organisation.store.as_ref().unwrap().close().await;
}

#[tokio::test]
async fn known_records_are_served_and_nothing_that_has_to_be_recorded_is_done() {
    let (world, cast, group, root) = with_administrator();
    let mut extra = administered();
    crate::harness::merge(
        &mut extra,
        &json!({ "server": { "admin": { "address": "127.0.0.1", "port": 0 } } }),
    );
    let app = App::with(world, extra).await.settled().await;
    app.call("GET", "group-list", &cast.ada, TEAM).await.response();
    fails(&app).await;
    let labels = [("team", "payments"), ("labels", "linux")];
    app.call("POST", "jitconfig-generate", &cast.ada, &labels).await.response();
    app.call("PATCH", "repos-add", &cast.ada, &[("team", "payments"), ("repos", "web")]).await.response();
    app.call("GET", "runners-list", &cast.ada, TEAM).await.response();
    // A team of which nothing was asked before: all records are in memory.
    let eve = app.call("GET", "group-list", &root, &[("team", "search")]).await;
    assert_eq!(eve.response()["runners"], json!(["search-1"]));
    app.fake.world(|world| world.add_group("platform-admins", fake_github::Visibility::Selected));
    for (token, operation, parameters) in [
        (&root, "group-adopt", vec![("matching", "*")]),
        (&root, "group-release", vec![("team", "payments")]),
    ] {
        let answer = app.call("POST", operation, token, &parameters).await;
        answer.is_refused(503, "store_unavailable");
        assert!(!answer.header("retry-after").is_empty());
    }
    let removed = [("team", "payments"), ("remove_runners", "true")];
    app.call("DELETE", "group-delete", &cast.ada, &removed).await.is_refused(503, "store_unavailable");
    assert!(app.fake.world(|world| world.group(group).is_some()), "nothing was deleted");
    let ready = app.admin("/readyz").await;
    assert_eq!((ready.status, &ready.json()["store"]["ok"]), (200, &json!(false)), "{}", ready.text);
}

#[tokio::test]
async fn a_group_is_not_created_that_could_not_be_recorded() {
    let (world, cast) = crate::scene::acme();
    let app = App::without_records(world, json!({})).await.settled().await;
    app.call("GET", "group-list", &cast.ada, TEAM).await.is_refused(404, "group_not_found");
    fails(&app).await;
    app.call("POST", "group-add", &cast.ada, TEAM).await.is_refused(503, "store_unavailable");
    assert_eq!(app.fake.count("POST", "/orgs/{org}/actions/runner-groups"), 0);
}

#[tokio::test]
async fn a_database_that_is_out_of_reach_at_start_stops_neither_the_start_nor_tokens() {
    let (world, cast, _) = acme_with_groups();
    // Nothing listens there.
    let url = "postgres://arm@127.0.0.1:1/arm?sslmode=disable";
    let extra = json!({
        "store": { "url": url },
        "server": { "admin": { "address": "127.0.0.1", "port": 0 } },
    });
    let app = App::with(world, extra).await.settled().await;
    app.call("POST", "token-register", &cast.ada, TEAM).await.response();
    app.call("GET", "group-list", &cast.ada, TEAM).await.is_refused(503, "store_unavailable");
    app.call("POST", "group-add", &cast.ada, TEAM).await.is_refused(503, "store_unavailable");
    let ready = app.admin("/readyz").await;
    assert_eq!((ready.status, &ready.json()["store"]["problem"]), (200, &json!("down")), "{}", ready.text);
}

#[tokio::test]
async fn what_is_warm_reads_no_store() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    let ask = async |operation: &str, parameters: &[(&str, &str)]| {
        app.call("GET", operation, &cast.ada, parameters).await.response()
    };
    ask("group-list", TEAM).await;
    fails(&app).await;
    ask("status", &[]).await;
    ask("token-register", TEAM).await;
    ask("group-list", TEAM).await;
    app.clock.advance(Duration::from_mins(10));
    ask("token-register", TEAM).await;
    ask("group-list", TEAM).await;
}
