//! Names that are no team's, sent by somebody who belongs to the organisation.

use std::time::Duration;

use futures_util::future::join_all;

use super::*;
use crate::scene::acme;

#[tokio::test]
async fn a_name_that_nobody_knows_costs_a_known_maintainer_one_call() {
    let (world, cast) = acme();
    let app = App::start(world).await.settled().await;
    register(&app, &cast.ada, "payments").await.response();
    app.fake.clear_calls();
    register(&app, &cast.ada, "nobodys").await.is_refused(403, "not_a_maintainer");
    assert_eq!(apps_calls(&app), [format!("GET {TEAM}")]);
}

#[tokio::test]
async fn fifty_names_may_be_asked_about_and_one_in_five_seconds_after_that() {
    let (world, cast) = acme();
    let app = with_admin(world, json!({})).await;
    register(&app, &cast.ada, "payments").await.response();
    register(&app, &cast.eve, "search").await.response();
    let before = scarce(&app, "unknown_teams").await;
    app.fake.clear_calls();
    let names: Vec<_> = (0..50).map(|number| format!("nobodys-{number}")).collect();
    for answer in join_all(names.iter().map(|name| register(&app, &cast.ada, name))).await {
        answer.is_refused(403, "not_a_maintainer");
    }
    assert_eq!(app.fake.total_calls(), 50);
    let refused = register(&app, &cast.ada, "nobodys-50").await;
    refused.is_refused(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(app.fake.total_calls(), 50);
    assert!(scarce(&app, "unknown_teams").await > before);
    // Teams that exist are served; hers without asking anything about it, others' as ever.
    app.fake.clear_calls();
    register(&app, &cast.ada, "payments").await.response();
    assert_eq!(apps_calls(&app), [format!("POST {REGISTRATION}")]);
    register(&app, &cast.ada, "search").await.is_refused(403, "not_a_maintainer");
    // Nobody else has to wait.
    register(&app, &cast.eve, "nobodys-51").await.is_refused(403, "not_a_maintainer");
    app.clock.advance(Duration::from_secs(5));
    register(&app, &cast.ada, "nobodys-50").await.is_refused(403, "not_a_maintainer");
    register(&app, &cast.ada, "nobodys-52").await.is_refused(429, "rate_limited");
}

#[tokio::test]
async fn what_comes_at_once_for_one_team_is_one_name() {
    let (world, cast) = acme();
    let app = App::start(world).await.settled().await;
    let all = (0..45).map(|_| register(&app, &cast.ada, "payments"));
    for answer in join_all(all).await {
        answer.response();
    }
    let all = (0..60).map(|_| register(&app, &cast.ada, "nobodys"));
    for answer in join_all(all).await {
        answer.is_refused(403, "not_a_maintainer");
    }
}
