//! The last of the hour is kept for changes, by those who are known.

use std::time::Duration;

use super::*;
use crate::scene::acme_with_groups;

#[tokio::test]
async fn when_little_is_left_only_changes_by_those_who_are_known_are_served() {
    let (mut world, cast, group) = acme_with_groups();
    world.set_rate_limit(1_000);
    let app = with_admin(world, json!({})).await;
    register(&app, &cast.ada, "payments").await.response();
    register(&app, &cast.bob, "payments").await.is_refused(403, "not_a_maintainer");
    let before = scarce(&app, "reserve").await;
    set_remaining(&app, 100);
    register(&app, &cast.ada, "payments").await.response();
    for (token, method, operation, team) in [
        (&cast.ada, "GET", "group-list", "payments"),
        (&cast.ada, "GET", "runners-list", "payments"),
        (&cast.eve, "POST", "token-register", "search"),
        (&cast.sam, "POST", "token-register", "search"),
        (&cast.sam, "GET", "group-list", "nonexistent"),
    ] {
        let refused = app.call(method, operation, token, &[("team", team)]).await;
        refused.is_refused(503, "github_rate_limited");
        assert!((3_500..=3_600).contains(&retry_after(&refused)), "until the reset: {refused:?}");
    }
    assert!(scarce(&app, "reserve").await >= before + 5.0);
    register(&app, &cast.ada, "payments").await.response();
    app.call("PATCH", "repos-add", &cast.ada, &[("team", "payments"), ("repos", "api")]).await.response();
    assert_eq!(app.fake.world(|world| world.repositories_of(group).len()), 2);
    // Also once her membership has to be asked about again.
    app.clock.advance(Duration::from_mins(6));
    register(&app, &cast.ada, "payments").await.response();
    app.fake.advance(Duration::from_hours(1));
    app.clock.advance(Duration::from_mins(54));
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    register(&app, &cast.eve, "search").await.response();
}

#[tokio::test]
async fn another_reserve_can_be_set() {
    let (mut world, cast, _) = acme_with_groups();
    world.set_rate_limit(1_000);
    let app = App::with(world, json!({ "github": { "reserve": "50%" } })).await.settled().await;
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    set_remaining(&app, 500);
    register(&app, &cast.ada, "payments").await.response();
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.is_refused(503, "github_rate_limited");
    app.call("GET", "group-list", &cast.eve, &SEARCH).await.is_refused(503, "github_rate_limited");
}
