//! A user is known by id, but GitHub is asked about memberships by login: whoever gives up a login must not have what its new
//! owner has.

use std::time::Duration;

use fake_github::{Fault, Hold, Level, Permission, UserId};
use serde_json::json;

use crate::binary::within;
use crate::harness::{App, send};
use crate::scene::{acme, acme_with_groups};

const USER: &str = "/user";
const MEMBERSHIP: &str = "/orgs/{org}/teams/{team_slug}/memberships/{username}";
const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];

fn id_of(app: &App, login: &str) -> UserId {
    app.fake.world(|world| world.user_by_login(login).unwrap().id)
}

/// Eve gives up her login, and somebody else takes it.
fn hand_over(app: &App, from: &str, to: UserId) {
    let eve = id_of(app, from);
    app.fake.world(|world| {
        world.rename_user(eve, "formerly");
        world.rename_user(to, from);
    });
}

#[tokio::test]
async fn who_gives_up_a_login_does_not_become_what_its_new_owner_is() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    // Whose token it is, is remembered with the login `eve`.
    app.call("GET", "status", &cast.eve, &[]).await.response();
    app.clock.advance(Duration::from_secs(30));
    hand_over(&app, "eve", cast.ada_id);
    for _ in 0..3 {
        app.call("GET", "group-list", &cast.eve, &PAYMENTS).await.is_refused(403, "not_a_maintainer");
    }
    // Nor was it remembered for the new owner that they are none.
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    app.call("GET", "group-list", &cast.eve, &[("team", "search")]).await.response();
}

#[tokio::test]
async fn an_administrators_login_makes_nobody_else_an_administrator() {
    let (world, cast, _) = acme_with_groups();
    let app = App::with(world, json!({ "admin": { "team": "payments" } })).await;
    app.call("GET", "status", &cast.eve, &[]).await.response();
    app.clock.advance(Duration::from_secs(30));
    hand_over(&app, "eve", cast.ada_id);
    app.call("GET", "runners-list", &cast.eve, &[("team", "*")]).await.is_refused(403, "not_a_maintainer");
}

#[tokio::test]
async fn a_scope_is_given_to_whoever_owns_it_and_not_to_a_login() {
    let (mut world, cast) = acme();
    world.grant_app_permission("administration", Level::Write);
    world.add_collaborator(cast.web, cast.ada_id, Permission::Admin);
    let config = json!({ "scopes": { "allow": ["acme", "acme/*"] } });
    let app = App::with(world, config).await;
    let register = async |token: &str, scope: &str| {
        send(app.request("POST", "/register", token).json(&json!({ "scope": scope }))).await
    };
    for (login, token, scope) in [("eve", &cast.eve, "acme/web"), ("bob", &cast.bob, "acme")] {
        app.call("GET", "status", token, &[]).await.response();
        app.clock.advance(Duration::from_secs(1));
        let heir = if scope == "acme" { id_of(&app, "olivia") } else { cast.ada_id };
        hand_over(&app, login, heir);
        register(token, scope).await.is_refused(403, "not_a_maintainer");
    }
}

#[tokio::test]
async fn a_membership_is_counted_for_a_recent_identity_without_a_further_call() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    app.call("GET", "status", &cast.ada, &[]).await.response();
    app.clock.advance(Duration::from_secs(5));
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    assert_eq!(app.fake.count("GET", USER), 1);
    app.fake.clear_calls();
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    assert_eq!((app.fake.count("GET", USER), app.fake.count("GET", MEMBERSHIP)), (0, 0));
}

#[tokio::test]
async fn an_older_identity_is_renewed_once_for_all_who_wait_and_not_again_before_its_time() {
    let (mut world, cast, _) = acme_with_groups();
    world.add_maintainer(cast.search, cast.ada_id);
    let app = App::start(world).await.settled().await;
    app.call("GET", "status", &cast.ada, &[]).await.response();
    app.clock.advance(Duration::from_secs(50));
    app.fake.clear_calls();
    let all = (0..20).map(|_| app.call("GET", "group-list", &cast.ada, &PAYMENTS));
    for answer in futures_util::future::join_all(all).await {
        answer.response();
    }
    assert_eq!((app.fake.count("GET", USER), app.fake.count("GET", MEMBERSHIP)), (1, 1));
    // Without it the identity would have had to be asked for ten seconds later.
    app.clock.advance(Duration::from_secs(50));
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    assert_eq!((app.fake.count("GET", USER), app.fake.count("GET", MEMBERSHIP)), (1, 1));
}

#[tokio::test]
async fn a_refusal_renews_no_identity() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    app.call("GET", "status", &cast.eve, &[]).await.response();
    app.fake.clear_calls();
    for _ in 0..5 {
        app.clock.advance(Duration::from_secs(6));
        app.call("GET", "group-list", &cast.eve, &PAYMENTS).await.is_refused(403, "not_a_maintainer");
    }
    assert_eq!(app.fake.count("GET", USER), 0);
}

#[tokio::test]
async fn a_membership_that_github_takes_long_to_tell_is_held_against_the_login_at_its_end() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    app.call("GET", "status", &cast.eve, &[]).await.response();
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", MEMBERSHIP).once().hold(&hold));
    let request = app.request("GET", "/api/v1/group-list?team=payments", &cast.eve);
    let asked = tokio::spawn(send(request));
    within("the membership", hold.arrived(1)).await;
    hand_over(&app, "eve", cast.ada_id);
    app.clock.advance(Duration::from_secs(6));
    hold.release();
    asked.await.unwrap().is_refused(403, "not_a_maintainer");
}

#[tokio::test]
async fn while_it_cannot_be_told_whose_the_login_is_the_membership_does_not_count() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    app.call("GET", "status", &cast.ada, &[]).await.response();
    app.clock.advance(Duration::from_secs(30));
    app.fake.inject(Fault::on("GET", USER).error(500, "no"));
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.is_refused(502, "github_error");
    app.fake.clear_faults();
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
}
