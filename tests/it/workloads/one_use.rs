//! A token of GitHub Actions makes one change.

use fake_github::Fault;
use serde_json::json;

use super::{OF_MAIN, actions, add, generate, generate_with, run, start, token, with};
use crate::harness::App;
use crate::jit::GENERATE;

#[tokio::test]
async fn the_second_change_with_a_token_is_refused_and_reads_may_repeat() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &with(&OF_MAIN, &[("operations", "jitconfig-generate,group-list,runners-list")])).await;
    let token = token(&app, &run());
    for operation in ["group-list", "runners-list", "group-list"] {
        app.call("GET", operation, &token, &[("team", "payments")]).await.response();
    }
    generate(&app, &token).await.response();
    app.fake.clear_calls();
    let answer = generate(&app, &token).await;
    answer.is_refused(401, "token_used");
    assert_eq!(app.fake.count("POST", GENERATE), 0);
    assert_eq!(answer.audit()[0]["reason"], "token_used");
    app.call("GET", "group-list", &token, &[("team", "payments")]).await.response();
}

#[tokio::test]
async fn what_is_refused_before_anything_is_sent_spends_nothing() {
    let (app, cast) = start(json!({ "policy": { "jit": { "labels": ["linux", "gpu"] } } })).await;
    add(&app, &cast, &with(&OF_MAIN, &[("labels", "*")])).await;
    let token = token(&app, &run());
    for (labels, status) in [("", 400), ("windows", 403)] {
        assert_eq!(generate_with(&app, &token, labels).await.status, status, "{labels}");
    }
    let elsewhere = [("team", "search"), ("labels", "linux")];
    app.call("POST", "jitconfig-generate", &token, &elsewhere).await.is_refused(403, "not_trusted");
    generate(&app, &token).await.response();
    generate(&app, &token).await.is_refused(401, "token_used");
}

#[tokio::test]
async fn a_change_whose_outcome_is_lost_is_the_one_change() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    let token = token(&app, &run());
    app.fake.inject(Fault::on("POST", GENERATE).status(500, json!({ "message": "Server Error" })).times(1));
    assert_eq!(generate(&app, &token).await.status, 502);
    generate(&app, &token).await.is_refused(401, "token_used");
}

#[tokio::test]
async fn of_many_changes_at_once_one_is_made() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    let token = token(&app, &run());
    let answers = futures_util::future::join_all((0..20).map(|_| generate(&app, &token))).await;
    let made = answers.iter().filter(|answer| answer.status == 200).count();
    let used = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!((made, used), (1, 19));
    assert_eq!(app.fake.count("POST", GENERATE), 1);
}

#[tokio::test]
async fn a_token_without_an_id_makes_no_change_and_one_that_is_not_bound_to_one_makes_several() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &with(&OF_MAIN, &[("operations", "jitconfig-generate,group-list")])).await;
    let nameless =
        app.fake.token_of(&run().at(app.clock.unix_seconds()), super::AUDIENCE).without("jti").sign();
    app.call("GET", "group-list", &nameless, &[("team", "payments")]).await.response();
    generate(&app, &nameless).await.is_refused(401, "invalid_token");
    let several = json!({ "oidc": { "issuers": { "github-actions": { "singleUse": false } } } });
    app.reconfigure(&actions(&several));
    let again = async |app: &App| generate(app, &nameless).await.status == 200;
    app.until("the issuer is in force", async || again(&app).await).await;
    assert!(again(&app).await);
}
