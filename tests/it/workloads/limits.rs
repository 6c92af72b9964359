//! How much callers may ask for who are no users.

use std::time::Duration;

use serde_json::json;

use super::{OF_MAIN, add, generate, run, start, token, with};

#[tokio::test]
async fn an_entry_has_so_many_jit_configs_in_an_hour() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &with(&OF_MAIN, &[("per_hour", "3")])).await;
    for _ in 0..3 {
        generate(&app, &token(&app, &run())).await.response();
    }
    let answer = generate(&app, &token(&app, &run())).await;
    answer.is_refused(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), "3600");
    app.clock.advance(Duration::from_mins(59));
    generate(&app, &token(&app, &run())).await.is_refused(429, "rate_limited");
    app.clock.advance(Duration::from_mins(1));
    generate(&app, &token(&app, &run())).await.response();
    // Maintainers are not counted.
    for _ in 0..4 {
        generate(&app, &cast.ada).await.response();
    }
}

#[tokio::test]
async fn all_entries_of_a_team_together_have_so_many() {
    let (app, cast) = start(json!({ "policy": { "access": { "perHour": 3 } } })).await;
    add(&app, &cast, &OF_MAIN).await;
    add(&app, &cast, &with(&OF_MAIN, &[("repository", "api")])).await;
    for _ in 0..2 {
        generate(&app, &token(&app, &run())).await.response();
    }
    let other = fake_github::Run::of("acme", "api");
    generate(&app, &token(&app, &other)).await.response();
    generate(&app, &token(&app, &other)).await.is_refused(429, "rate_limited");
}

#[tokio::test]
async fn workflows_of_a_repository_are_limited_together_whatever_token_they_show() {
    let (app, cast) = start(json!({ "server": { "rateLimit": 1, "rateBurst": 3 } })).await;
    app.clock.advance(Duration::from_secs(10));
    add(&app, &cast, &OF_MAIN).await;
    let status = async |run: &fake_github::Run| app.call("GET", "status", &token(&app, run), &[]).await;
    for left in ["2", "1", "0"] {
        let answer = status(&run()).await;
        answer.response();
        assert_eq!((answer.header("ratelimit-limit"), answer.header("ratelimit-remaining")), ("3", left));
    }
    status(&run().git_ref("refs/heads/topic")).await.is_refused(429, "rate_limited");
    status(&fake_github::Run::of("acme", "api")).await.response();
}
