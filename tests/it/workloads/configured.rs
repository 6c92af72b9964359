//! Entries that the administrator wrote into the configuration.

use std::time::Duration;

use serde_json::{Value, json};

use super::{add, generate, run, token};
use crate::harness::App;
use crate::scene::{Cast, acme_with_groups};

fn entry(others: &Value) -> Value {
    let mut entry = json!({
        "team": "payments", "kind": "github-actions", "repository": "web", "ref": "refs/heads/main",
        "operations": ["jitconfig-generate"], "labels": ["linux"],
    });
    crate::harness::merge(&mut entry, others);
    entry
}

async fn served(app: &App) -> bool {
    generate(app, &token(app, &run())).await.status == 200
}

async fn without_a_store(access: Value) -> (App, Cast) {
    let (world, cast, _) = acme_with_groups();
    (App::by_name(world, super::actions(&json!({ "access": access }))).await.settled().await, cast)
}

#[tokio::test]
async fn they_work_without_a_store_and_are_listed() {
    let id = acme_with_groups().1.payments.0;
    for team in [json!("payments"), json!(format!("id:{id}"))] {
        let (app, cast) = without_a_store(json!([entry(&json!({ "team": team }))])).await;
        app.until("the entry is looked up", async || served(&app).await).await;
        let listed = app.call("GET", "access-list", &cast.ada, &[("team", "payments")]).await.response();
        assert_eq!(
            (&listed["access"][0]["source"], &listed["access"][0]["repository_id"]),
            (&json!("config"), &json!(cast.web.0))
        );
    }
}

#[tokio::test]
async fn a_reload_puts_others_in_force() {
    let (world, cast, _) = acme_with_groups();
    let with_entry = super::actions(&json!({ "access": [entry(&json!({}))] }));
    let app = App::with(world, with_entry).await.settled().await;
    app.until("the entry is looked up", async || served(&app).await).await;
    app.reconfigure(&super::actions(&json!({ "access": [] })));
    app.until("the entry is gone", async || !served(&app).await).await;
    add(&app, &cast, &super::OF_MAIN).await;
    assert!(served(&app).await);
    // Without the issuer nobody can show its tokens.
    app.reconfigure(&json!({}));
    app.until("the issuer is gone", async || !served(&app).await).await;
    generate(&app, &token(&app, &run())).await.is_refused(401, "unsupported_token");
}

#[tokio::test]
async fn one_whose_repository_the_team_does_not_have_counts_once_it_has() {
    let (app, cast) = without_a_store(json!([entry(&json!({ "repository": "index" }))])).await;
    let other = fake_github::Run::of("acme", "index");
    let served = async || generate(&app, &token(&app, &other)).await.status == 200;
    assert!(!served().await);
    app.fake.world(|world| world.grant(cast.payments, cast.index, fake_github::Permission::Push));
    app.clock.advance(Duration::from_mins(5));
    app.until("it is looked up again", served).await;
}

#[tokio::test]
async fn when_one_was_used_last_stays_known_although_it_is_not_in_the_store() {
    let (world, cast, _) = acme_with_groups();
    let app =
        App::with(world, super::actions(&json!({ "access": [entry(&json!({}))] }))).await.settled().await;
    app.until("the entry is looked up", async || served(&app).await).await;
    let last_used_at = async || {
        let listed = app.call("GET", "access-list", &cast.ada, &[("team", "payments")]).await.response();
        listed["access"][0]["last_used_at"].clone()
    };
    let used_at = last_used_at().await;
    assert!(used_at.is_string(), "{used_at}");
    // The store is told of uses every minute.
    for _ in 0..3 {
        app.clock.advance(Duration::from_mins(1));
        app.server.state().organisation.entries.tell_uses().await.unwrap();
        assert_eq!(last_used_at().await, used_at);
    }
}
