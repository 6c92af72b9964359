//! Between the reading of a list and the last write, runners come and go: one that left the group meanwhile is left alone,
//! whoever moved it.

use std::time::Duration;

use fake_github::{DEFAULT_GROUP, Fault, GroupId, Hold, RunnerStatus, TokenKind, World};
use serde_json::json;

use crate::harness::{Answer, App};
use crate::runners::{MOVE, because, for_payments, in_group, names, skipped, transfer};
use crate::scene::{Cast, acme_with_groups, acme_with_runners};

const GROUP_RUNNERS: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners";
const RUNNER: &str = "/orgs/{org}/actions/runners/{runner_id}";
/// A list that was asked for so long ago is just good enough for a write, and one that is older is not.
const JUST_IN_TIME: Duration = Duration::from_secs(5);
const TOO_OLD: Duration = Duration::from_millis(5_001);

/// The group of payments with twelve idle runners, `build-01` to `build-12`. Eve maintains payments, too, and Ada search.
fn twelve() -> (World, Cast, GroupId) {
    let (mut world, cast, group) = acme_with_groups();
    let eve = world.user_by_login("eve").unwrap().id;
    world.add_maintainer(cast.payments, eve);
    world.add_maintainer(cast.search, cast.ada_id);
    for number in 1..=12 {
        world.add_runner(group, &format!("build-{number:02}"), &["linux"], RunnerStatus::Offline);
    }
    (world, cast, group)
}

fn group_of(app: &App, name: &str) -> GroupId {
    app.fake.world(|world| world.group_by_name(name).unwrap().id)
}

async fn remove(app: &App, token: &str, others: &[(&str, &str)]) -> Answer {
    app.call("DELETE", "runners-remove", token, &for_payments(others)).await
}

/// Somebody with rights at GitHub moves a runner, past this service.
fn move_by_hand(app: &App, name: &str, group: GroupId) {
    app.fake.world(|world| {
        let id = world.runner_by_name(name).unwrap().id;
        world.move_runner(id, group);
    });
}

/// Does something while four writes of a request are under way at GitHub; gives the request's answer.
async fn during_the_first_writes(
    app: &App,
    (method, template): (&str, &str),
    asking: impl Future<Output = Answer>,
    meanwhile: impl AsyncFnOnce(),
) -> Answer {
    let hold = Hold::new();
    app.fake.inject(Fault::on(method, template).hold(&hold).times(4));
    let letting = async {
        hold.arrived(4).await;
        meanwhile().await;
        hold.release();
    };
    tokio::join!(asking, letting).0
}

#[tokio::test]
async fn a_runner_that_this_service_moved_to_another_team_is_not_removed_by_who_listed_it_before() {
    let (world, cast, group) = twelve();
    let app = App::start(world).await;
    let search = group_of(&app, "search");
    let asking = remove(&app, &cast.ada, &[("labels", "linux")]);
    let answer = during_the_first_writes(&app, ("DELETE", RUNNER), asking, async || {
        let moved = transfer(&app, &cast.eve, &[("to", "search"), ("names", "build-12")]).await;
        assert_eq!(names(&moved, "transferred"), ["build-12"]);
    })
    .await;
    assert_eq!(skipped(&answer), because(&[("build-12", "runner_not_found")]));
    assert_eq!(names(&answer, "removed").len(), 11);
    assert_eq!(in_group(&app, search), ["search-1", "build-12"]);
    assert!(in_group(&app, group).is_empty());
    assert!(!answer.audit()[0]["runners"].to_string().contains("build-12"), "{:?}", answer.audit());
}

#[tokio::test]
async fn nor_is_it_moved_on_to_a_third_team() {
    let (mut world, cast, _) = twelve();
    let docs = world.add_team("docs");
    world.add_maintainer(docs, cast.ada_id);
    let third = world.add_group("docs", fake_github::Visibility::Selected);
    let app = App::start(world).await;
    let asking = transfer(&app, &cast.ada, &[("to", "docs"), ("all", "true")]);
    let answer = during_the_first_writes(&app, ("PUT", MOVE), asking, async || {
        transfer(&app, &cast.eve, &[("to", "search"), ("names", "build-12")]).await.response();
    })
    .await;
    assert_eq!(skipped(&answer), because(&[("build-12", "runner_not_found")]));
    assert_eq!(in_group(&app, third).len(), 11);
}

#[tokio::test]
async fn a_runner_whose_move_is_under_way_or_came_to_no_answer_is_not_removed_either() {
    let (world, cast, _) = twelve();
    let app = App::start(world).await;
    let search = group_of(&app, "search");
    let (listed, moving) = (Hold::new(), Hold::new());
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).after_effect().hold(&listed).once());
    app.fake.inject(Fault::on("PUT", MOVE).after_effect().hold(&moving).reset().once());
    let removing = remove(&app, &cast.ada, &[("names", "build-01,build-02")]);
    let to_search = [("to", "search"), ("names", "build-01")];
    let meanwhile = async {
        listed.arrived(1).await;
        let letting = async {
            moving.arrived(1).await;
            listed.release();
            // The other runner is gone while the one that is moved is waited for.
            let gone = async || app.fake.count("DELETE", RUNNER) == 1;
            app.until("the other runner's removal", gone).await;
            moving.release();
        };
        tokio::join!(transfer(&app, &cast.eve, &to_search), letting).0
    };
    let (answer, moved) = tokio::join!(removing, meanwhile);
    moved.is_refused(502, "github_error");
    assert_eq!(names(&answer, "removed"), ["build-02"]);
    assert_eq!(skipped(&answer), because(&[("build-01", "runner_not_found")]));
    assert_eq!(in_group(&app, search), ["search-1", "build-01"]);
}

#[tokio::test]
async fn one_that_came_back_is_the_groups_again() {
    let (world, cast, _) = twelve();
    let app = App::start(world).await;
    transfer(&app, &cast.ada, &[("to", "search"), ("names", "build-01")]).await.response();
    let back = [("team", "search"), ("to", "payments"), ("names", "build-01")];
    app.call("POST", "runners-transfer", &cast.ada, &back).await.response();
    assert_eq!(names(&remove(&app, &cast.ada, &[("names", "build-01")]).await, "removed"), ["build-01"]);
}

#[tokio::test]
async fn a_list_older_than_five_seconds_is_not_believed_about_where_a_runner_is_and_what_it_does() {
    let (world, cast, group) = twelve();
    let app = App::start(world).await.settled().await;
    let asking = remove(&app, &cast.ada, &[("labels", "linux"), ("offline", "true")]);
    let answer = during_the_first_writes(&app, ("DELETE", RUNNER), asking, async || {
        move_by_hand(&app, "build-09", group_of(&app, "search"));
        move_by_hand(&app, "build-10", DEFAULT_GROUP);
        app.fake.world(|world| {
            let [busy, online] = ["build-11", "build-12"].map(|name| world.runner_by_name(name).unwrap().id);
            world.set_runner_busy(busy, true);
            world.set_runner_status(online, RunnerStatus::Online);
        });
        app.clock.advance(TOO_OLD);
    })
    .await;
    let expected = [
        ("build-09", "runner_not_found"),
        ("build-10", "runner_not_found"),
        ("build-11", "busy"),
        ("build-12", "not_matching"),
    ];
    assert_eq!(skipped(&answer), because(&expected));
    assert_eq!(in_group(&app, group), ["build-11", "build-12"]);
    assert_eq!(in_group(&app, DEFAULT_GROUP), ["build-10"]);
    assert_eq!((app.fake.count("GET", RUNNER), app.fake.count("DELETE", RUNNER)), (8, 8));
    assert_eq!(app.fake.count("GET", GROUP_RUNNERS), 1);
}

#[tokio::test]
async fn a_fresh_list_costs_no_further_look() {
    let (world, cast, _) = twelve();
    let app = App::start(world).await.settled().await;
    let asking = remove(&app, &cast.ada, &[("labels", "linux")]);
    during_the_first_writes(&app, ("DELETE", RUNNER), asking, async || app.clock.advance(JUST_IN_TIME))
        .await
        .response();
    assert_eq!((app.fake.count("GET", RUNNER), app.fake.count("DELETE", RUNNER)), (0, 12));
}

#[tokio::test]
async fn a_server_that_does_not_say_a_runners_group_is_asked_for_the_list_again_once_for_all() {
    let (mut world, cast, group) = twelve();
    world.set_enterprise_version(3, 7);
    let app = App::start(world).await.settled().await;
    let asking = transfer(&app, &cast.ada, &[("to", "search"), ("all", "true")]);
    let answer = during_the_first_writes(&app, ("PUT", MOVE), asking, async || {
        move_by_hand(&app, "build-12", DEFAULT_GROUP);
        app.clock.advance(TOO_OLD);
    })
    .await;
    assert_eq!(skipped(&answer), because(&[("build-12", "runner_not_found")]));
    assert_eq!(
        (in_group(&app, group).len(), in_group(&app, DEFAULT_GROUP)),
        (0, vec!["build-12".to_owned()])
    );
    assert_eq!(app.fake.count("GET", GROUP_RUNNERS), 2, "the list, and once again");
}

#[tokio::test]
async fn a_group_that_is_deleted_takes_none_with_it_that_left_it() {
    for (option, write) in
        [(("remove_runners", "true"), ("DELETE", RUNNER)), (("transfer_to", "search"), ("PUT", MOVE))]
    {
        let (world, cast, group) = twelve();
        let app = App::start(world).await;
        let parameters = for_payments(&[option]);
        let asking = app.call("DELETE", "group-delete", &cast.ada, &parameters);
        let answer = during_the_first_writes(&app, write, asking, async || {
            move_by_hand(&app, "build-12", DEFAULT_GROUP);
            app.clock.advance(TOO_OLD);
        })
        .await;
        answer.response();
        assert!(app.fake.world(|world| world.group(group).is_none()));
        assert_eq!(in_group(&app, DEFAULT_GROUP), ["build-12"], "{option:?}");
    }
}

#[tokio::test]
async fn an_administrator_over_all_teams_touches_each_runner_only_in_the_group_it_was_listed_in() {
    let (mut world, _, _) = twelve();
    let admins = world.add_team("admins");
    let root = world.add_member("root");
    world.add_maintainer(admins, root);
    let root = world.add_token(root, TokenKind::Classic);
    let app = App::with(world, json!({ "admin": { "team": "admins" } })).await.settled().await;
    let everything = [("team", "*"), ("names", "search-1,build-01,build-02,build-03,build-04,build-12")];
    let asking = app.call("DELETE", "runners-remove", &root, &everything);
    let answer = during_the_first_writes(&app, ("DELETE", RUNNER), asking, async || {
        for left in ["search-1", "build-12"] {
            // Whichever of them is not yet under way.
            move_by_hand(&app, left, group_of(&app, if left == "search-1" { "payments" } else { "search" }));
        }
        app.clock.advance(TOO_OLD);
    })
    .await;
    assert!(names(&answer, "removed").len() >= 4, "{}", answer.text);
    assert!(skipped(&answer).iter().all(|(_, reason)| reason == "runner_not_found"), "{}", answer.text);
    assert!(skipped(&answer).iter().any(|(name, _)| name == "build-12"), "{}", answer.text);
}

#[tokio::test]
async fn the_sweep_looks_once_more_when_its_removals_take_long() {
    let (world, _, group) = twelve();
    let app = App::start(world).await.settled().await;
    let mut sweep = crate::sweep::until_due(&app).await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("DELETE", RUNNER).hold(&hold).times(4));
    let meanwhile = async {
        hold.arrived(4).await;
        move_by_hand(&app, "build-11", DEFAULT_GROUP);
        app.fake.world(|world| {
            let online = world.runner_by_name("build-12").unwrap().id;
            world.set_runner_status(online, RunnerStatus::Online);
        });
        app.clock.advance(TOO_OLD);
        hold.release();
    };
    let (report, ()) = tokio::join!(sweep.once(), meanwhile);
    assert_eq!(report.removed, 10);
    assert_eq!(
        (in_group(&app, group), in_group(&app, DEFAULT_GROUP)),
        (vec!["build-12".to_owned()], vec!["build-11".to_owned()])
    );
}

#[tokio::test]
async fn what_github_asked_to_wait_for_is_skipped_and_repeating_finishes_it() {
    let (mut world, cast, group) = acme_with_runners();
    world.add_runner(group, "idle-2", &["self-hosted"], RunnerStatus::Online);
    let app = App::start(world).await;
    let second = app.fake.world(|world| world.runner_by_name("idle-2").unwrap().id);
    let path = format!("/orgs/acme/actions/runners/{}", second.0);
    let hold = Hold::new();
    let limited = Fault::on("DELETE", &path).secondary_limit(Duration::from_secs(30)).hold(&hold).once();
    app.fake.inject(limited);
    let removing = remove(&app, &cast.ada, &[("names", "idle-1,idle-2")]);
    let letting = async {
        hold.arrived(1).await;
        app.until("the other's removal", async || app.fake.count("DELETE", RUNNER) == 1).await;
        hold.release();
    };
    let (answer, ()) = tokio::join!(removing, letting);
    assert_eq!(names(&answer, "removed"), ["idle-1"]);
    assert_eq!(skipped(&answer), because(&[("idle-2", "github_rate_limited")]));
    app.clock.advance(Duration::from_secs(30));
    assert_eq!(names(&remove(&app, &cast.ada, &[("names", "idle-2")]).await, "removed"), ["idle-2"]);
}
