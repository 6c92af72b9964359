//! Other issuers than GitHub Actions, and what their failures are to callers.

use std::time::Duration;

use fake_github::{IssuerOptions, OidcIssuer};
use serde_json::json;

use super::{AUDIENCE, OF_MAIN, add, generate, run, start, token, with};
use crate::harness::App;

const SUBJECT: &str = "system:serviceaccount:payments:scaler";
const OF_CLUSTER: [(&str, &str); 5] = [
    ("kind", "oidc"),
    ("issuer", "cluster"),
    ("subject", SUBJECT),
    ("operations", "jitconfig-generate"),
    ("labels", "linux"),
];

fn cluster(issuer: &OidcIssuer) -> serde_json::Value {
    json!({ "oidc": { "issuers": { "cluster": { "url": issuer.url() } } } })
}

fn cluster_token(app: &App, issuer: &OidcIssuer, subject: &str) -> fake_github::Token {
    issuer.token(subject, AUDIENCE).at(app.clock.unix_seconds())
}

#[tokio::test]
async fn a_service_account_of_a_cluster_acts_by_its_subject_and_claims() {
    let issuer =
        OidcIssuer::start(&IssuerOptions { path: "/id/1".to_owned(), ..IssuerOptions::default() }).unwrap();
    let (app, cast) = start(cluster(&issuer)).await;
    add(&app, &cast, &with(&OF_CLUSTER, &[("claims", "tid=1234,admin=true")])).await;
    let good = |token: fake_github::Token| token.claim("tid", "1234").claim("admin", true);
    let answer = generate(&app, &good(cluster_token(&app, &issuer, SUBJECT)).sign()).await;
    answer.response();
    let line = &answer.audit()[0];
    assert_eq!((&line["caller"], &line["user"]), (&json!("workload"), &json!(SUBJECT)));
    assert_eq!(line["workload"], json!({ "issuer": "cluster", "subject": SUBJECT }));
    for bad in [
        good(cluster_token(&app, &issuer, "system:serviceaccount:search:scaler")),
        cluster_token(&app, &issuer, SUBJECT).claim("tid", "1234"),
        cluster_token(&app, &issuer, SUBJECT).claim("tid", "1234").claim("admin", "TRUE"),
        cluster_token(&app, &issuer, SUBJECT).claim("tid", 1234).claim("admin", true),
    ] {
        generate(&app, &bad.sign()).await.is_refused(403, "not_trusted");
    }
    // Platforms cache tokens, so theirs may make several changes.
    let token = good(cluster_token(&app, &issuer, SUBJECT)).sign();
    generate(&app, &token).await.response();
    generate(&app, &token).await.response();
}

#[tokio::test]
async fn claims_that_look_like_a_run_are_nothing_with_another_issuer() {
    let issuer = OidcIssuer::start(&IssuerOptions::default()).unwrap();
    let (app, cast) = start(cluster(&issuer)).await;
    add(&app, &cast, &OF_MAIN).await;
    let shaped = cluster_token(&app, &issuer, "repo:acme/web:ref:refs/heads/main")
        .claim("repository_id", cast.web.0.to_string())
        .claim("repository", "acme/web")
        .claim("event_name", "push")
        .claim("ref", "refs/heads/main");
    generate(&app, &shaped.sign()).await.is_refused(403, "not_trusted");
}

#[tokio::test]
async fn valid_callers_are_served_while_the_issuer_is_down_for_a_day_and_no_longer() {
    let issuer = OidcIssuer::start(&IssuerOptions::default()).unwrap();
    let (app, cast) = start(cluster(&issuer)).await;
    add(&app, &cast, &OF_CLUSTER).await;
    generate(&app, &cluster_token(&app, &issuer, SUBJECT).sign()).await.response();
    issuer.go_down();
    for _ in 0..23 {
        app.clock.advance(Duration::from_hours(1));
        generate(&app, &cluster_token(&app, &issuer, SUBJECT).sign()).await.response();
    }
    app.clock.advance(Duration::from_hours(2));
    let answer = generate(&app, &cluster_token(&app, &issuer, SUBJECT).sign()).await;
    answer.is_refused(503, "issuer_unavailable");
    assert!(!answer.header("retry-after").is_empty());
    issuer.come_back();
    app.clock.advance(Duration::from_mins(1));
    let is_served =
        async || generate(&app, &cluster_token(&app, &issuer, SUBJECT).sign()).await.status == 200;
    app.until("the keys are there again", is_served).await;
}

#[tokio::test]
async fn a_key_that_is_new_is_fetched_once_and_one_that_is_gone_is_good_for_nothing() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    let old = token(&app, &run());
    generate(&app, &token(&app, &run())).await.response();
    assert_eq!(app.fake.key_fetches(), 1);
    app.fake.rotate_actions_key();
    app.fake.retire_actions_keys();
    app.clock.advance(Duration::from_mins(1));
    let new: Vec<_> = (0..5).map(|_| token(&app, &run())).collect();
    let answers = futures_util::future::join_all(new.iter().map(|token| generate(&app, token))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(app.fake.key_fetches(), 2);
    generate(&app, &old).await.is_refused(401, "invalid_token");
}
