//! Team tokens.

use std::time::Duration;

use fake_github::TokenKind;
use serde_json::json;

use super::{add, start};

const OF_TOKEN: [(&str, &str); 2] = [("kind", "token"), ("operations", "group-list")];

#[tokio::test]
async fn a_team_token_is_shown_once_works_and_ends_with_its_entry() {
    let (mut app, cast) = start(json!({})).await;
    let (id, token) = add(&app, &cast, &OF_TOKEN).await;
    app.keep_secret(&token);
    assert_eq!((token.len(), &token[..5]), (47, "armt_"));
    let list = async || app.call("GET", "group-list", &token, &[("team", "payments")]).await;
    let answer = list().await;
    assert_eq!(answer.response()["repos"], json!(["web"]));
    let shown = app.call("GET", "access-list", &cast.ada, &[("team", "payments")]).await;
    assert!(!shown.text.contains(&token[5..]) && shown.text.contains(&id), "{}", shown.text);
    let asked = app.fake.count("GET", "/user");
    app.call("DELETE", "access-remove", &cast.ada, &[("team", "payments"), ("id", &id)]).await.response();
    list().await.is_refused(401, "invalid_token");
    assert_eq!(app.fake.count("GET", "/user"), asked, "GitHub never sees it");
}

#[tokio::test]
async fn a_team_token_expires_after_ninety_days_and_asks_for_demand_unless_it_is_made_otherwise() {
    let (mut app, cast) = start(json!({})).await;
    let (_, token) = add(&app, &cast, &[("kind", "token")]).await;
    app.keep_secret(&token);
    let listed = app.call("GET", "access-list", &cast.ada, &[("team", "payments")]).await.response();
    assert_eq!(listed["access"][0]["operations"], json!(["demand"]));
    app.call("GET", "status", &token, &[]).await.response();
    app.call("GET", "group-list", &token, &[("team", "payments")]).await.is_refused(403, "not_trusted");
    app.clock.advance(Duration::from_hours(24 * 90));
    app.call("GET", "status", &token, &[]).await.is_refused(401, "invalid_token");
}

#[tokio::test]
async fn a_token_that_is_none_is_refused_without_a_call_and_counts_against_its_address() {
    let (app, cast) = start(json!({ "server": { "unknownTokenRate": 0.001 } })).await;
    app.call("GET", "status", &cast.ada, &[]).await.response();
    app.fake.clear_calls();
    let made_up = format!("armt_{}", "a".repeat(42));
    for _ in 0..20 {
        app.call("GET", "status", &made_up, &[]).await.is_refused(401, "invalid_token");
    }
    let answer = app.call("GET", "status", &made_up, &[]).await;
    answer.is_refused(429, "rate_limited");
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(app.calls(), Vec::<String>::new());
    // A good one is checked whatever the count.
    let (_, token) = add(&app, &cast, &OF_TOKEN).await;
    app.call("GET", "status", &token, &[]).await.response();
    app.call("GET", "status", "armt_", &[]).await.is_refused(429, "rate_limited");
}

#[tokio::test]
async fn a_team_token_ends_when_its_maker_leaves_the_team_and_other_entries_go_on() {
    let (mut app, cast) = start(json!({})).await;
    let (_, team_token) = add(&app, &cast, &OF_TOKEN).await;
    app.keep_secret(&team_token);
    app.clock.advance(Duration::from_secs(1));
    add(&app, &cast, &super::OF_MAIN).await;
    let list = async |app: &crate::harness::App| {
        app.call("GET", "group-list", &team_token, &[("team", "payments")]).await
    };
    list(&app).await.response();
    app.fake.world(|world| {
        let eve = world.user_by_login("eve").unwrap().id;
        world.remove_membership(cast.payments, cast.ada_id);
        world.add_maintainer(cast.payments, eve);
    });
    app.clock.advance(Duration::from_mins(1));
    list(&app).await.is_refused(403, "not_trusted");
    super::generate(&app, &super::token(&app, &super::run())).await.response();
    let listed = app.call("GET", "access-list", &cast.eve, &[("team", "payments")]).await.response();
    let voids: Vec<_> =
        listed["access"].as_array().unwrap().iter().map(|entry| entry["void"].clone()).collect();
    assert_eq!(voids, [json!("creator_left"), json!(null)]);
    // By another rule of the administrator's it is the other way round.
    let policy = json!({ "policy": { "access": { "outlivesCreator": { "token": true, "others": false } } } });
    app.reconfigure(&super::actions(&policy));
    app.until("the policy is in force", async || list(&app).await.status == 200).await;
    super::generate(&app, &super::token(&app, &super::run())).await.is_refused(403, "not_trusted");
}

#[tokio::test]
async fn somebody_who_took_the_makers_login_keeps_no_token_alive() {
    let (mut app, cast) = start(json!({})).await;
    let (_, team_token) = add(&app, &cast, &OF_TOKEN).await;
    app.keep_secret(&team_token);
    app.fake.world(|world| {
        world.rename_user(cast.ada_id, "ada-before");
        let other = world.add_member("ada");
        world.add_token(other, TokenKind::Classic);
        world.remove_membership(cast.payments, cast.ada_id);
        world.add_maintainer(cast.payments, other);
    });
    app.clock.advance(Duration::from_mins(1));
    app.call("GET", "group-list", &team_token, &[("team", "payments")]).await.is_refused(403, "not_trusted");
}
