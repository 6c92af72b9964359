//! A record is dropped by itself only if two complete lists, a minute apart, lack its group or its team.

use std::time::Duration;

use fake_github::{Fault, Visibility};
use serde_json::{Value, json};

use super::{administered, with_administrator};
use crate::binary::until;
use crate::harness::App;
use crate::scene::{Cast, acme_with_groups};

const GROUPS: &str = "/orgs/{org}/actions/runner-groups";
const GROUP: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}";

async fn add(app: &App, cast: &Cast) -> (u16, String) {
    let answer = app.call("POST", "group-add", &cast.ada, &[("team", "payments")]).await;
    if answer.status == 200 { (200, String::new()) } else { answer.refusal() }
}

/// Moves the clock on, minute by minute, until the service lists the groups by itself.
async fn listed(app: &App) {
    let before = app.fake.count("GET", GROUPS);
    until("a list of groups", || {
        app.clock.advance(Duration::from_mins(1));
        app.fake.count("GET", GROUPS) > before
    })
    .await;
}

#[tokio::test]
async fn a_group_that_was_deleted_elsewhere_is_the_teams_until_two_lists_lack_it() {
    let (world, cast, group) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    app.fake.world(|world| world.delete_group(group));
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")])
        .await
        .is_refused(404, "group_not_found");
    // One look at once, since GitHub didn't find a recorded group.
    until("a list of groups", || app.fake.count("GET", GROUPS) == 1).await;
    let answer = app.call("POST", "group-add", &cast.ada, &[("team", "payments")]).await;
    answer.is_refused(409, "group_exists");
    assert!(answer.text.contains("dropped within a few minutes"), "{}", answer.text);
    listed(&app).await;
    app.until("the record is dropped", async || add(&app, &cast).await.0 == 200).await;
    let lines = crate::harness::audit_lines("group-release");
    let by_itself = |line: &&Value| line["user"] == "system" && line["records"][0]["group_id"] == group.0;
    assert_eq!(lines.iter().find(by_itself).unwrap()["outcome"], "success");
}

#[tokio::test]
async fn a_storm_of_404s_drops_none() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    app.fake.inject(Fault::on("GET", GROUP).error(404, "Not Found"));
    for _ in 0..3 {
        app.call("GET", "group-list", &cast.ada, &[("team", "payments")])
            .await
            .is_refused(404, "group_not_found");
        listed(&app).await;
    }
    app.fake.inject(Fault::on("GET", GROUPS).error(404, "Not Found"));
    for _ in 0..3 {
        listed(&app).await;
    }
    app.fake.clear_faults();
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
}

#[tokio::test]
async fn a_list_without_default_is_not_complete() {
    let (world, cast, group) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    let nothing = json!({ "total_count": 0, "runner_groups": [] });
    app.fake.inject(Fault::on("GET", GROUPS).status(200, nothing));
    for _ in 0..3 {
        listed(&app).await;
    }
    app.fake.clear_faults();
    let shown = app.call("GET", "group-show", &cast.ada, &[("team", "payments")]).await.response();
    assert_eq!(shown["group"]["id"], group.0);
}

#[tokio::test]
async fn the_record_of_a_team_that_is_gone_is_dropped_and_its_group_can_be_given_away() {
    let (world, cast, _, root) = with_administrator();
    let app = App::with(world, administered()).await.settled().await;
    app.fake.world(|world| world.delete_team(cast.search));
    listed(&app).await;
    listed(&app).await;
    app.call("DELETE", "group-release", &root, &[("team", "payments")]).await.response();
    let adopt = [("team", "payments"), ("group", "search")];
    app.until("search's record is dropped", async || {
        app.call("POST", "group-adopt", &root, &adopt).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn more_than_five_at_once_are_not_dropped() {
    let (mut world, cast, group) = acme_with_groups();
    let others: Vec<_> = (0..5)
        .map(|number| {
            let name = format!("team-{number}");
            world.add_team(&name);
            world.add_group(&name, Visibility::Selected)
        })
        .collect();
    let app = App::start(world).await.settled().await;
    app.fake.world(|world| {
        world.delete_group(group);
        for other in &others {
            world.delete_group(*other);
        }
    });
    listed(&app).await;
    listed(&app).await;
    listed(&app).await;
    assert_eq!(add(&app, &cast).await, (409, "group_exists".to_owned()));
    // One of them comes back under its id: GitHub had listed too little. Five are few enough.
    app.fake.world(|world| world.restore_group(group, "payments"));
    listed(&app).await;
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
}
