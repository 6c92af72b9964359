//! Writes stay below what GitHub allows with one endpoint in a minute, and one's flood is nobody else's wait.

use std::time::Duration;

use fake_github::{GroupId, Permission, RepoVisibility, World};
use futures_util::future::join_all;

use super::*;
use crate::binary::{LOOKED_AT_EVERY, within};
use crate::scene::{Cast, acme_with_groups};

/// The team payments has `service-0` to `service-199` besides.
fn scene() -> (World, Cast, GroupId) {
    let (mut world, cast, group) = acme_with_groups();
    for number in 0..200 {
        let repository = world.add_repository(&format!("service-{number}"), RepoVisibility::Private);
        world.grant(cast.payments, repository, Permission::Push);
    }
    (world, cast, group)
}

async fn add(app: &App, token: &str, team: &str, names: &[String]) -> Answer {
    app.call_json("PATCH", "repos-add", token, json!({ "team": team, "repos": names })).await
}

fn services(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("service-{number}")).collect()
}

/// Writes that GitHub saw, and those that it refused.
fn writes(app: &App) -> (usize, usize) {
    let refused = app.fake.calls().iter().filter(|call| call.status == Some(403)).count();
    (app.fake.count("PUT", GROUP_REPOSITORY), refused)
}

/// Moves both clocks on, step by step, while no call is under way. Never ends.
async fn time_passes(app: &App) {
    loop {
        tokio::time::sleep(LOOKED_AT_EVERY).await;
        if app.server.state().organisation.github.load() == (0, 0) {
            let step = Duration::from_millis(250);
            app.clock.advance(step);
            app.fake.advance(step);
        }
    }
}

/// Requests that succeed while time passes.
async fn all_are_done(app: &App, flood: impl Future<Output = Vec<Answer>>) {
    let over = async {
        tokio::select! {
            answers = flood => answers,
            () = time_passes(app) => unreachable!(),
        }
    };
    for answer in within("the flood's end", over).await {
        answer.response();
    }
}

#[tokio::test]
async fn what_does_not_fit_into_the_requests_time_is_named_as_failed_and_repeating_finishes_it() {
    let (world, cast, group) = scene();
    // A request has two seconds to wait, then three for the call.
    let app = with_admin(world, json!({ "github": { "timeout": "1s" } })).await;
    let before = scarce(&app, "pace").await;
    for number in 0..5 {
        let nine = services(number * 9..number * 9 + 9);
        add(&app, &cast.ada, "payments", &nine).await.response();
    }
    assert_eq!(writes(&app), (45, 0));
    let ten = services(60..70);
    let failed = add(&app, &cast.ada, "payments", &ten).await;
    failed.is_refused(503, "github_rate_limited");
    let body = failed.json();
    assert_eq!((&body["Done"], &body["Failed"]), (&json!(services(60..63)), &json!(services(63..70))));
    assert!((1..=4).contains(&retry_after(&failed)), "{failed:?}");
    assert_eq!(writes(&app), (48, 0));
    assert!(scarce(&app, "pace").await >= before + 7.0);
    app.clock.advance(Duration::from_secs(10));
    add(&app, &cast.ada, "payments", &ten).await.response();
    assert_eq!(app.fake.world(|world| world.repositories_of(group).len()), 1 + 45 + 10);
    assert_eq!(writes(&app), (58, 0));
}

#[tokio::test]
async fn a_flood_of_one_team_makes_no_other_wait_behind_it() {
    let (world, cast, _) = scene();
    let app = App::start(world).await.settled().await;
    for number in 0..4 {
        add(&app, &cast.ada, "payments", &services(number * 10..number * 10 + 10)).await.response();
    }
    register(&app, &cast.eve, "search").await.response();
    let flood: Vec<_> = (0..8).map(|number| services(60 + number * 10..70 + number * 10)).collect();
    let mut flood = std::pin::pin!(join_all(flood.iter().map(|ten| add(&app, &cast.ada, "payments", ten))));
    let index = ["index".to_owned()];
    let mut single = std::pin::pin!(add(&app, &cast.eve, "search", &index));
    let begun = app.clock.now();
    let answered = async {
        tokio::select! {
            answer = &mut single => answer,
            answers = &mut flood => panic!("the flood came first: {answers:?}"),
            () = time_passes(&app) => unreachable!(),
        }
    };
    within("the other team's answer", answered).await.response();
    let took = app.clock.now().saturating_sub(begun);
    assert!(took < Duration::from_secs(5), "{took:?}");
    // The flood is over in the end, and GitHub refused nothing.
    all_are_done(&app, flood).await;
    assert_eq!(writes(&app), (40 + 80 + 1, 0));
}

#[tokio::test]
async fn whatever_comes_github_refuses_nothing() {
    let (world, cast, _) = scene();
    let app = App::start(world).await.settled().await;
    let begun = app.clock.now();
    // 200 writes are 1,000 points, so at once GitHub would refuse some.
    let flood: Vec<_> = (0..20).map(|number| services(number * 10..number * 10 + 10)).collect();
    all_are_done(&app, join_all(flood.iter().map(|ten| add(&app, &cast.ada, "payments", ten)))).await;
    assert_eq!(writes(&app), (200, 0));
    let took = app.clock.now().saturating_sub(begun);
    assert!(took >= Duration::from_secs(70), "{took:?}");
}

#[tokio::test]
async fn where_github_has_no_such_limit_nothing_is_paced() {
    let (mut world, cast, _) = scene();
    world.set_enterprise_version(3, 19);
    let app = App::with(world, json!({ "github": { "timeout": "1s" } })).await.settled().await;
    for number in 0..10 {
        add(&app, &cast.ada, "payments", &services(number * 10..number * 10 + 10)).await.response();
    }
    assert_eq!(writes(&app), (100, 0));
}
