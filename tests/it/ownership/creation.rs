//! A group that was created, and whose response was lost, becomes the team's by itself; nothing else does.

use std::time::Duration;

use fake_github::{Fault, RunnerStatus, Visibility, World};
use serde_json::json;

use super::{administered, with_administrator};
use crate::binary::until;
use crate::harness::{Answer, App};
use crate::scene::{Cast, acme};

const GROUPS: &str = "/orgs/{org}/actions/runner-groups";
/// When a lost creation is looked for, from its beginning.
const LOOKED_FOR_AFTER: [u64; 3] = [5, 15, 60];

async fn add(app: &App, cast: &Cast) -> Answer {
    app.call("POST", "group-add", &cast.ada, &[("team", "payments")]).await
}

async fn list(app: &App, cast: &Cast) -> Answer {
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await
}

/// Lists of groups so far.
fn lists(app: &App) -> usize {
    app.fake.count("GET", GROUPS)
}

/// Moves the clock on, and waits until the service has looked.
async fn look(app: &App, seconds: u64) {
    let before = lists(app);
    app.clock.advance(Duration::from_secs(seconds));
    until("another list of groups", || lists(app) > before).await;
}

/// A service whose first `group-add` was lost after GitHub did it.
async fn lost(change: impl FnOnce(&mut World)) -> (App, Cast) {
    let (world, cast) = acme();
    let app = App::without_records(world, json!({})).await.settled().await;
    app.fake.inject(Fault::on("POST", GROUPS).after_effect().error(502, "Server Error").once());
    add(&app, &cast).await.is_refused(502, "github_error");
    app.fake.world(change);
    (app, cast)
}

#[tokio::test]
async fn a_lost_creation_is_settled_by_the_service_itself() {
    let (app, cast) = lost(|_| ()).await;
    list(&app, &cast).await.is_refused(404, "group_not_found");
    look(&app, LOOKED_FOR_AFTER[0]).await;
    app.until("the group is the team's", async || list(&app, &cast).await.status == 200).await;
    assert_eq!(app.fake.count("POST", GROUPS), 1, "a write is never repeated");
    add(&app, &cast).await.is_refused(409, "group_exists");
}

#[tokio::test]
async fn one_that_github_finishes_later_is_found_at_a_later_look() {
    let (world, cast) = acme();
    let app = App::without_records(world, json!({})).await.settled().await;
    app.fake.inject(Fault::on("POST", GROUPS).error(502, "Server Error").once());
    add(&app, &cast).await.is_refused(502, "github_error");
    look(&app, LOOKED_FOR_AFTER[0]).await;
    look(&app, LOOKED_FOR_AFTER[1] - LOOKED_FOR_AFTER[0]).await;
    list(&app, &cast).await.is_refused(404, "group_not_found");
    app.fake.world(|world| world.add_group("payments", Visibility::Selected));
    look(&app, LOOKED_FOR_AFTER[2] - LOOKED_FOR_AFTER[1]).await;
    app.until("the group is the team's", async || list(&app, &cast).await.status == 200).await;
}

#[tokio::test]
async fn who_repeats_the_request_before_is_given_the_group_at_once() {
    let (app, cast) = lost(|_| ()).await;
    assert_eq!(add(&app, &cast).await.response(), "Runner group created successfully: payments");
    assert_eq!(list(&app, &cast).await.response(), json!({ "repos": [], "runners": [] }));
    assert_eq!(app.fake.count("POST", GROUPS), 1);
}

#[tokio::test]
async fn only_a_new_empty_group_for_selected_repositories_with_exactly_that_name_is_taken() {
    type Change = fn(&mut World);
    let changes: [(&str, Change); 4] = [
        ("opened to all", |world| {
            let id = world.group_by_name("payments").unwrap().id;
            world.set_group_visibility(id, Visibility::All);
        }),
        ("renamed", |world| {
            let id = world.group_by_name("payments").unwrap().id;
            world.rename_group(id, "Payments");
        }),
        ("with a runner", |world| {
            let id = world.group_by_name("payments").unwrap().id;
            world.add_runner(id, "somebodys", &[], RunnerStatus::Online);
        }),
        ("with a repository", |world| {
            let id = world.group_by_name("payments").unwrap().id;
            let repository = world.repository_by_name("web").unwrap().id;
            world.add_repository_to_group(id, repository);
        }),
    ];
    for (what, change) in changes {
        let (app, cast) = lost(change).await;
        let mut waited = 0;
        for after in LOOKED_FOR_AFTER {
            look(&app, after - waited).await;
            waited = after;
        }
        list(&app, &cast).await.is_refused(404, "group_not_found");
        add(&app, &cast).await.is_refused(409, "group_exists");
        assert_eq!(list(&app, &cast).await.refusal().0, 404, "{what}");
    }
}

#[tokio::test]
async fn ten_minutes_later_nothing_is_pending_any_more() {
    let (world, cast) = acme();
    let app = App::without_records(world, json!({})).await.settled().await;
    app.fake.inject(Fault::on("POST", GROUPS).error(502, "Server Error").once());
    add(&app, &cast).await.is_refused(502, "github_error");
    app.clock.advance(Duration::from_secs(601));
    app.fake.world(|world| world.add_group("payments", Visibility::Selected));
    add(&app, &cast).await.is_refused(409, "group_exists");
    list(&app, &cast).await.is_refused(404, "group_not_found");
}

#[tokio::test]
async fn a_refusal_by_github_leaves_nothing_pending() {
    let (world, cast) = acme();
    let app = App::without_records(world, json!({})).await.settled().await;
    app.fake.inject(Fault::on("POST", GROUPS).error(422, "Name is reserved").once());
    add(&app, &cast).await.is_refused(400, "invalid_parameter");
    app.fake.world(|world| world.add_group("payments", Visibility::Selected));
    add(&app, &cast).await.is_refused(409, "group_exists");
    list(&app, &cast).await.is_refused(404, "group_not_found");
}

#[tokio::test]
async fn an_owners_new_and_empty_group_is_not_taken_by_asking_twice_at_once() {
    let (world, cast) = acme();
    let app = App::without_records(world, json!({})).await.settled().await;
    // The service has seen groups before.
    app.call("POST", "group-add", &cast.ada, &[("team", "payments")]).await.response();
    app.call("DELETE", "group-delete", &cast.ada, &[("team", "payments")]).await.response();
    let owners = app.fake.world(|world| world.add_group("payments", Visibility::Selected));
    let all = futures_util::future::join_all((0..8).map(|_| add(&app, &cast))).await;
    for answer in all {
        answer.is_refused(409, "group_exists");
    }
    list(&app, &cast).await.is_refused(404, "group_not_found");
    assert_eq!(app.fake.count("POST", GROUPS), 1, "the first one's");
    assert!(app.fake.world(|world| world.group(owners).is_some()));
}

#[tokio::test]
async fn of_several_at_once_one_creates_the_group() {
    let (world, cast) = acme();
    let app = App::without_records(world, json!({})).await.settled().await;
    let all = futures_util::future::join_all((0..8).map(|_| add(&app, &cast))).await;
    assert_eq!(all.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(all.iter().all(|answer| [200, 409].contains(&answer.status)));
    assert_eq!(app.fake.count("POST", GROUPS), 1);
    list(&app, &cast).await.response();
}

#[tokio::test]
async fn what_was_released_meanwhile_stays_released() {
    let (world, cast, _, root) = with_administrator();
    let app = App::without_records(world, administered()).await.settled().await;
    app.fake.world(|world| {
        let id = world.group_by_name("payments").unwrap().id;
        world.delete_group(id);
    });
    app.fake.inject(Fault::on("POST", GROUPS).after_effect().error(502, "Server Error").once());
    add(&app, &cast).await.is_refused(502, "github_error");
    assert_eq!(add(&app, &cast).await.response(), "Runner group created successfully: payments");
    app.call("DELETE", "group-release", &root, &[("team", "payments")]).await.response();
    for seconds in LOOKED_FOR_AFTER {
        app.clock.advance(Duration::from_secs(seconds));
        tokio::task::yield_now().await;
        list(&app, &cast).await.is_refused(404, "group_not_found");
    }
}

#[tokio::test]
async fn a_creation_that_never_reached_github_leaves_nothing_pending() {
    let (world, cast) = acme();
    let app = App::without_records(world, json!({})).await.settled().await;
    app.fake.inject(Fault::on("POST", GROUPS).secondary_limit(Duration::from_secs(1)).once());
    add(&app, &cast).await.is_refused(503, "github_rate_limited");
    let store = app.server.state().organisation.store.clone().unwrap();
    assert_eq!(store.creations().await, Ok(Vec::new()));
}
