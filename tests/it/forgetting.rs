//! Who lost a role or a token is cut off at once when the service is told to look again (SIGHUP), whatever GitHub was
//! being asked just then.

use fake_github::{Fault, Hold};

use crate::binary::within;
use crate::harness::{Answer, App, send};
use crate::scene::{Cast, acme_with_groups};

const USER: &str = "/user";
const TEAM: &str = "/orgs/{org}/teams/{team_slug}";
const MEMBERSHIP: &str = "/orgs/{org}/teams/{team_slug}/memberships/{username}";

async fn start() -> (App, Cast) {
    let (world, cast, _) = acme_with_groups();
    (App::start(world).await.settled().await, cast)
}

async fn list(app: &App, cast: &Cast) -> Answer {
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await
}

/// Asks in the background.
fn ask(app: &App, cast: &Cast) -> tokio::task::JoinHandle<Answer> {
    tokio::spawn(send(app.request("GET", "/api/v1/group-list?team=payments", &cast.ada)))
}

#[tokio::test]
async fn who_lost_a_role_or_a_token_is_served_from_memory_until_the_service_is_told() {
    let (app, cast) = start().await;
    list(&app, &cast).await.response();
    app.fake.world(|world| world.remove_membership(cast.payments, cast.ada_id));
    list(&app, &cast).await.response();
    app.server.reload();
    list(&app, &cast).await.is_refused(403, "not_a_maintainer");
    // The other way round as well: a refusal doesn't outlast it.
    app.fake.world(|world| world.add_maintainer(cast.payments, cast.ada_id));
    app.server.reload();
    list(&app, &cast).await.response();
    app.fake.world(|world| world.revoke_token(&cast.ada));
    list(&app, &cast).await.response();
    app.server.reload();
    list(&app, &cast).await.is_refused(401, "invalid_token");
}

#[tokio::test]
async fn a_membership_that_github_was_telling_meanwhile_is_neither_joined_nor_kept() {
    let (app, cast) = start().await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", MEMBERSHIP).after_effect().once().hold(&hold));
    let before = ask(&app, &cast);
    within("the membership of before", hold.arrived(1)).await;
    app.fake.world(|world| world.remove_membership(cast.payments, cast.ada_id));
    app.server.reload();
    list(&app, &cast).await.is_refused(403, "not_a_maintainer");
    assert_eq!(hold.waiting(), 1, "nobody waited for the answer of before");
    hold.release();
    before.await.unwrap().response();
    list(&app, &cast).await.is_refused(403, "not_a_maintainer");
}

#[tokio::test]
async fn a_membership_that_only_its_team_keeps_waiting_is_not_kept_either() {
    let (app, cast) = start().await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", TEAM).after_effect().once().hold(&hold));
    let before = ask(&app, &cast);
    within("the team of before", hold.arrived(1)).await;
    // Its membership was told already, and waits for the team.
    let told =
        || app.fake.calls().iter().any(|call| call.template == Some(MEMBERSHIP) && call.status == Some(200));
    crate::binary::until("the membership", told).await;
    app.fake.world(|world| world.remove_membership(cast.payments, cast.ada_id));
    app.server.reload();
    hold.release();
    before.await.unwrap().response();
    list(&app, &cast).await.is_refused(403, "not_a_maintainer");
}

#[tokio::test]
async fn an_identity_that_github_was_telling_meanwhile_is_neither_joined_nor_kept() {
    let (app, cast) = start().await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", USER).after_effect().once().hold(&hold));
    let before = ask(&app, &cast);
    within("the user of before", hold.arrived(1)).await;
    app.fake.world(|world| world.revoke_token(&cast.ada));
    app.server.reload();
    list(&app, &cast).await.is_refused(401, "invalid_token");
    assert_eq!(hold.waiting(), 1, "nobody waited for the answer of before");
    hold.release();
    before.await.unwrap().response();
    list(&app, &cast).await.is_refused(401, "invalid_token");
}
