//! The administrators' team is known by its id: whoever takes its slug is none.

use std::time::Duration;

use fake_github::{TokenKind, World};
use serde_json::{Value, json};

use super::with_administrator;
use crate::binary::Binary;
use crate::harness::App;
use crate::process::Service;
use crate::scene::{Cast, acme};

const EVERYTHING: &[(&str, &str)] = &[("team", "*")];

/// Takes the slug of the administrators' team, after that team got another.
fn usurp(world: &mut World) -> String {
    let old = world.team_by_slug("platform-admins").unwrap().id;
    world.rename_team(old, "operations");
    let mallory = world.add_member("usurper");
    let team = world.add_team("usurpers");
    world.add_maintainer(team, mallory);
    world.rename_team(team, "platform-admins");
    world.add_token(mallory, TokenKind::Classic)
}

async fn sees_everything(app: &App, token: &str) -> bool {
    let answer = app.call("GET", "runners-list", token, EVERYTHING).await;
    if answer.status != 200 {
        answer.is_refused(403, "not_a_maintainer");
    }
    answer.status == 200
}

#[tokio::test]
async fn whoever_takes_the_slug_is_no_administrator() {
    let (world, _, _, root) = with_administrator();
    let app = App::with(world, json!({ "admin": { "team": "platform-admins" } })).await;
    assert!(sees_everything(&app, &root).await);
    let mallory = app.fake.world(usurp);
    for minutes in [0, 1, 6] {
        app.clock.advance(Duration::from_mins(minutes));
        assert!(!sees_everything(&app, &mallory).await);
    }
    // Nor is the team that had it, until it is named by its id.
    assert!(!sees_everything(&app, &root).await);
}

#[tokio::test]
async fn by_id_they_are_whoever_maintains_that_team_whatever_it_is_called() {
    let (world, _, _, root) = with_administrator();
    let id = world.team_by_slug("platform-admins").unwrap().id;
    let extra = json!({ "admin": { "team": "search", "teamID": id.0 } });
    let app = App::with(world, extra).await;
    assert!(sees_everything(&app, &root).await);
    let mallory = app.fake.world(usurp);
    app.clock.advance(Duration::from_mins(6));
    assert!(sees_everything(&app, &root).await && !sees_everything(&app, &mallory).await);
}

#[tokio::test]
async fn an_id_that_no_team_has_means_no_administrators() {
    let (world, cast, _, root) = with_administrator();
    let app = App::with(world, json!({ "admin": { "teamID": 4711 } })).await.settled().await;
    assert!(!sees_everything(&app, &root).await && !sees_everything(&app, &cast.ada).await);
}

fn named(slug: &str) -> Value {
    json!({ "admin": { "team": slug } })
}

#[tokio::test]
async fn the_first_start_fails_without_such_a_team_and_no_later_one() {
    let fake = crate::harness::fake(acme().0);
    let service = Service::launched(fake, named("platfrom-admins"));
    let ended = service.binary.ended().await;
    assert_eq!(ended.code, 1, "{ended:?}");
    for words in ["platfrom-admins", "correct admin.team"] {
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn after_a_restart_the_kept_id_counts_and_not_who_has_the_slug_now() {
    let (world, _, _, root): (World, Cast, _, String) = with_administrator();
    let service = Service::with(world, named("platform-admins")).await;
    assert_eq!(service.call("GET", "runners-list?team=*", &root).await.status, 200);
    service.stop().await;
    let mallory = service.fake.world(usurp);
    let again = Binary::start(&[], &[], service.folder.path());
    let port = crate::process::port_of(&again.stdout.with("\"serving\"").await);
    again.stdout.with("there are no administrators until").await;
    for token in [&mallory, &root] {
        let url = format!("https://localhost:{port}/api/v1/runners-list?team=*");
        let answer = crate::harness::send(service.http.get(url).header("authorization", token)).await;
        answer.is_refused(403, "not_a_maintainer");
    }
    again.signal("TERM");
    assert_eq!(again.ended().await.code, 0);
}
