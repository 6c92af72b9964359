//! Rate limits, on a clock that the test moves.

use std::time::Duration;

use actions_runner_manager::access::ShownToken;
use fake_github::TokenKind;
use serde_json::json;

use crate::harness::App;
use crate::scene::acme;

#[tokio::test]
async fn a_user_is_limited_over_all_tokens_and_operations_together() {
    let (mut world, cast) = acme();
    let second = world.add_token(cast.ada_id, TokenKind::FineGrained);
    let app = App::with(world, json!({ "server": { "rateLimit": 2, "rateBurst": 3 } })).await;
    let first = app.call("GET", "status", &cast.ada, &[]).await;
    first.response();
    assert_eq!((first.header("ratelimit-limit"), first.header("ratelimit-remaining")), ("3", "2"));
    assert_eq!(first.header("ratelimit-reset"), "1");
    app.call("GET", "status", &second, &[]).await.response();
    let third = app.call("POST", "token-register", &second, &[("team", "payments")]).await;
    assert_eq!(third.header("ratelimit-remaining"), "0");
    third.response();
    let refused = app.call("GET", "status", &cast.ada, &[]).await;
    refused.is_refused(429, "rate_limited");
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit-remaining")), ("1", "0"));
    app.call("GET", "status", &cast.bob, &[]).await.response();
    app.clock.advance(Duration::from_millis(500));
    app.call("GET", "status", &second, &[]).await.response();
    app.call("GET", "status", &second, &[]).await.is_refused(429, "rate_limited");
}

#[tokio::test]
async fn refusals_after_authentication_carry_the_limit_too_and_those_before_do_not() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    let refused = app.call("GET", "group-list", &cast.bob, &[("team", "payments")]).await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.header("ratelimit-limit"), "1000");
    assert_eq!(app.call("GET", "status", "", &[]).await.header("ratelimit-limit"), "");
}

#[tokio::test]
async fn refused_tokens_are_limited_by_address_and_known_ones_are_not() {
    let (world, cast) = acme();
    let app = App::with(world, json!({ "server": { "unknownTokenRate": 1 } })).await.settled().await;
    app.call("GET", "status", &cast.ada, &[]).await.response();
    for number in 0..20 {
        app.call("GET", "status", &format!("ghp_bogus{number}"), &[]).await.is_refused(401, "invalid_token");
    }
    let refused = app.call("GET", "status", "ghp_one_too_many", &[]).await;
    refused.is_refused(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "1");
    app.call("GET", "status", &cast.bob, &[]).await.is_refused(429, "rate_limited");
    app.call("GET", "status", &cast.ada, &[]).await.response();
    app.call("GET", "status", "ghp_bogus0", &[]).await.is_refused(401, "invalid_token");
    assert_eq!(app.fake.count("GET", "/user"), 21, "one call for each token that was looked at");
    app.clock.advance(Duration::from_secs(1));
    app.call("GET", "status", &cast.bob, &[]).await.response();
}

#[tokio::test]
async fn a_flood_of_unknown_tokens_does_not_push_out_what_is_known() {
    let (world, cast) = acme();
    let app = App::with(world, json!({ "server": { "unknownTokenRate": 1 } })).await.settled().await;
    app.call("GET", "status", &cast.ada, &[]).await.response();
    let state = app.server.state();
    for number in 0..12_000 {
        let token = ShownToken::from_header(&format!("ghp_{number:036}")).unwrap();
        let outcome = state.authentication.identify(&token, [192, 0, 2, 1].into()).await;
        assert!(outcome.is_err());
    }
    let asked = app.fake.count("GET", "/user");
    app.call("GET", "status", &cast.ada, &[]).await.response();
    assert_eq!(app.fake.count("GET", "/user"), asked, "she is still known");
}

#[tokio::test]
async fn without_a_burst_the_limit_is_the_burst() {
    let (world, cast) = acme();
    let app = App::with(world, json!({ "server": { "rateLimit": 5, "rateBurst": null } })).await;
    assert_eq!(app.call("GET", "status", &cast.ada, &[]).await.header("ratelimit-limit"), "5");
}
