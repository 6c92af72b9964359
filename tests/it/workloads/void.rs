//! When an entry counts for nothing, although it is there.

use std::time::Duration;

use fake_github::{Permission, RepoVisibility, Run};
use serde_json::json;

use super::{OF_MAIN, add, generate, run, start, token};

#[tokio::test]
async fn an_entry_is_for_the_repository_that_it_was_made_for_whatever_that_is_called() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    app.fake.world(|world| world.rename_repository(cast.web, "shop"));
    generate(&app, &token(&app, &Run::of("acme", "shop"))).await.response();
    // Somebody takes the name that it had.
    let other = app.fake.world(|world| world.add_repository("web", RepoVisibility::Private));
    app.fake.world(|world| world.grant(cast.payments, other, Permission::Admin));
    generate(&app, &token(&app, &run())).await.is_refused(403, "not_trusted");
}

#[tokio::test]
async fn an_entry_counts_while_the_team_has_the_repository() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    generate(&app, &token(&app, &run())).await.response();
    app.fake.world(|world| world.revoke_grant(cast.payments, cast.web));
    app.clock.advance(Duration::from_mins(1));
    generate(&app, &token(&app, &run())).await.is_refused(403, "not_trusted");
    let listed = app.call("GET", "access-list", &cast.ada, &[("team", "payments")]).await.response();
    assert_eq!(listed["access"][0]["void"], "repository_lost");
    app.fake.world(|world| world.grant(cast.payments, cast.web, Permission::Pull));
    app.clock.advance(Duration::from_mins(1));
    generate(&app, &token(&app, &run())).await.response();
}

#[tokio::test]
async fn somebody_whom_the_policy_keeps_out_comes_back_neither_by_an_entry_nor_by_a_workflow() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    let ada = format!("id:{}", cast.ada_id.0);
    let policy = json!({ "policy": { "users": { "allow": ["*"], "deny": [ada] } } });
    app.reconfigure(&super::actions(&policy));
    let by_bob = run().actor("bob");
    let is_refused = async || generate(&app, &token(&app, &by_bob)).await.status == 403;
    app.until("the policy is in force", is_refused).await;
    generate(&app, &token(&app, &by_bob)).await.is_refused(403, "not_trusted");
    generate(&app, &token(&app, &run().actor("ada"))).await.is_refused(403, "denied_by_policy");
}

#[tokio::test]
async fn an_entry_that_expired_lets_nobody_act() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &super::with(&OF_MAIN, &[("expires_in", "1h")])).await;
    app.clock.advance(Duration::from_mins(59));
    generate(&app, &token(&app, &run())).await.response();
    app.clock.advance(Duration::from_mins(1));
    generate(&app, &token(&app, &run())).await.is_refused(403, "not_trusted");
}
