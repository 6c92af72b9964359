//! `group-delete` with runners in the group: never into Default, never a busy one, and finished when repeated.

use fake_github::{
    DEFAULT_GROUP, DeletionOfUsedGroups, Fault, GroupId, Hold, RunnerStatus, Visibility, World,
};
use serde_json::json;

use crate::harness::{Answer, App};
use crate::scene::{Cast, acme_with_groups, acme_with_runners, runners_outside};

const GROUP: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}";
const GROUP_RUNNERS: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners";
const RUNNER: &str = "/orgs/{org}/actions/runners/{runner_id}";
const MOVE: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners/{runner_id}";
const GENERATE: &str = "/orgs/{org}/actions/runners/generate-jitconfig";

async fn delete(app: &App, token: &str, others: &[(&str, &str)]) -> Answer {
    let mut parameters = vec![("team", "payments")];
    parameters.extend(others);
    app.call("DELETE", "group-delete", token, &parameters).await
}

/// Payments with three idle runners; Ada maintains search, too.
fn with_idle_runners() -> (World, Cast, GroupId) {
    let (mut world, cast, group) = acme_with_groups();
    world.add_maintainer(cast.search, cast.ada_id);
    // The worse of the two things that GitHub may do.
    world.set_deletion_of_used_groups(DeletionOfUsedGroups::MovesRunnersToDefault);
    for number in 1..=3 {
        world.add_runner(group, &format!("build-{number}"), &["linux"], RunnerStatus::Online);
    }
    (world, cast, group)
}

fn exists(app: &App, group: GroupId) -> bool {
    app.fake.world(|world| world.group(group).is_some())
}

fn in_default(app: &App) -> Vec<String> {
    app.fake.world(|world| world.runners_of(DEFAULT_GROUP))
}

#[tokio::test]
async fn runners_move_to_another_team_of_the_callers_and_the_group_goes() {
    let (world, cast, group) = with_idle_runners();
    let app = App::start(world).await;
    let answer = delete(&app, &cast.ada, &[("transfer_to", "Search")]).await;
    assert_eq!(answer.response(), "Runner group deleted successfully: payments");
    let search = app.fake.world(|world| world.group_by_name("search").unwrap().id);
    let there = app.fake.world(|world| world.runners_of(search));
    assert_eq!(there, ["search-1", "build-1", "build-2", "build-3"]);
    assert!(!exists(&app, group) && in_default(&app).is_empty());
    let lines = answer.audit();
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["to_team"], &lines[0]["outcome"]), (&json!("search"), &json!("success")));
    assert_eq!(lines[0]["runners"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn runners_are_removed_and_the_group_goes() {
    let (world, cast, group) = with_idle_runners();
    let app = App::start(world).await;
    let before = app.fake.world(|world| runners_outside(world, group));
    delete(&app, &cast.ada, &[("remove_runners", "true")]).await.response();
    assert!(!exists(&app, group));
    assert_eq!(app.fake.world(|world| runners_outside(world, group)), before);
    assert_eq!(app.fake.world(|world| world.runners().count()), before.len());
}

#[tokio::test]
async fn an_empty_group_goes_whatever_should_have_become_of_its_runners() {
    for option in [("remove_runners", "true"), ("remove_runners", "false"), ("transfer_to", "search")] {
        let (mut world, cast, group) = acme_with_groups();
        world.add_maintainer(cast.search, cast.ada_id);
        let app = App::by_name(world, json!({})).await;
        delete(&app, &cast.ada, &[option]).await.response();
        assert!(!exists(&app, group), "{option:?}");
        assert_eq!(
            app.fake.count("GET", GROUP),
            0,
            "no group is looked at for what doesn't come: {option:?}"
        );
    }
}

#[tokio::test]
async fn busy_runners_are_named_and_nothing_is_changed() {
    for option in [None, Some(("remove_runners", "true")), Some(("transfer_to", "search"))] {
        let (mut world, cast, group) = acme_with_runners();
        world.add_maintainer(cast.search, cast.ada_id);
        let app = App::start(world).await.settled().await;
        let answer = delete(&app, &cast.ada, option.as_slice()).await;
        answer.is_refused(409, "group_not_empty");
        assert!(answer.text.contains("busy-1"), "{}", answer.text);
        assert!(app.fake.calls().iter().all(|call| call.method == "GET"));
        assert_eq!(app.fake.world(|world| world.runners_of(group)).len(), 3);
        assert_eq!(answer.audit()[0]["outcome"], "refused");
    }
}

#[tokio::test]
async fn runners_that_github_hosts_can_neither_move_nor_go() {
    let (mut world, cast) = crate::scene::acme();
    world.add_maintainer(cast.search, cast.ada_id);
    world.add_group("search", Visibility::Selected);
    let group = world.add_hosted_group("payments", &["large-1"]);
    let app = App::start(world).await;
    for option in [("remove_runners", "true"), ("transfer_to", "search")] {
        let answer = delete(&app, &cast.ada, &[option]).await;
        answer.is_refused(409, "group_not_empty");
        assert!(answer.text.contains("large-1"), "{}", answer.text);
    }
    assert!(exists(&app, group));
}

#[tokio::test]
async fn the_two_ways_exclude_each_other_and_the_other_team_has_to_be_the_callers_with_a_group() {
    let (mut world, cast, group) = with_idle_runners();
    let foreign = world.add_team("foreign");
    world.add_group("foreign", Visibility::Selected);
    let (empty, default) = (world.add_team("empty"), world.add_team("default"));
    world.add_maintainer(empty, cast.ada_id);
    world.add_maintainer(default, cast.ada_id);
    assert_ne!(foreign, empty);
    let app = App::by_name(world, json!({})).await.settled().await;
    let both = [("transfer_to", "search"), ("remove_runners", "true")];
    delete(&app, &cast.ada, &both).await.is_refused(400, "conflicting_parameter");
    for (to, status, reason) in [
        ("foreign", 403, "not_a_maintainer"),
        ("nonexistent", 403, "not_a_maintainer"),
        ("empty", 404, "group_not_found"),
        ("default", 403, "group_protected"),
        ("payments", 400, "invalid_parameter"),
        ("../search", 400, "invalid_parameter"),
        ("*", 400, "invalid_parameter"),
    ] {
        delete(&app, &cast.ada, &[("transfer_to", to)]).await.is_refused(status, reason);
    }
    delete(&app, &cast.ada, &[("remove_runners", "yes")]).await.is_refused(400, "invalid_parameter");
    assert!(app.fake.calls().iter().all(|call| call.method == "GET"));
    assert_eq!(app.fake.world(|world| world.runners_of(group)).len(), 3);
}

#[tokio::test]
async fn a_move_that_would_overrun_the_other_teams_quota_changes_nothing() {
    let (world, cast, group) = with_idle_runners();
    let app = App::with(world, json!({ "policy": { "maxRunners": 3 } })).await;
    delete(&app, &cast.ada, &[("transfer_to", "search")]).await.is_refused(403, "denied_by_policy");
    assert_eq!(app.fake.world(|world| world.runners_of(group)).len(), 3);
    assert_eq!(app.fake.count("PUT", MOVE), 0);
}

#[tokio::test]
async fn repeated_after_a_failure_it_finishes() {
    for (option, method, template) in
        [(("remove_runners", "true"), "DELETE", RUNNER), (("transfer_to", "search"), "PUT", MOVE)]
    {
        let (world, cast, group) = with_idle_runners();
        let app = App::start(world).await;
        app.fake.inject(Fault::on(method, template).error(502, "Server Error").once());
        let half = delete(&app, &cast.ada, &[option]).await;
        half.is_refused(409, "group_not_empty");
        let line = &half.audit()[0];
        assert_eq!((&line["outcome"], line["runners"].as_array().unwrap().len()), (&json!("partial"), 2));
        assert!(exists(&app, group));
        app.fake.inject(Fault::on("DELETE", GROUP).error(502, "Server Error").once());
        delete(&app, &cast.ada, &[option]).await.is_refused(502, "github_error");
        assert!(exists(&app, group));
        delete(&app, &cast.ada, &[option]).await.response();
        assert!(!exists(&app, group) && in_default(&app).is_empty());
        delete(&app, &cast.ada, &[option]).await.is_refused(404, "group_not_found");
    }
}

#[tokio::test]
async fn a_runner_that_comes_while_the_others_go_keeps_the_group_alive() {
    let (world, cast, group) = with_idle_runners();
    let app = App::start(world).await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("DELETE", RUNNER).hold(&hold).once());
    let option = [("remove_runners", "true")];
    let deleting = delete(&app, &cast.ada, &option);
    let meanwhile = async {
        hold.arrived(1).await;
        app.fake.world(|world| world.add_runner(group, "late-1", &["linux"], RunnerStatus::Online));
        hold.release();
    };
    let (answer, ()) = tokio::join!(deleting, meanwhile);
    answer.is_refused(409, "group_not_empty");
    assert!(answer.text.contains("late-1"), "{}", answer.text);
    assert_eq!(app.fake.world(|world| world.runners_of(group)), ["late-1"]);
    assert!(in_default(&app).is_empty());
}

#[tokio::test]
async fn a_runner_that_takes_a_job_meanwhile_keeps_the_group_alive() {
    let (world, cast, group) = with_idle_runners();
    let app = App::start(world).await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("DELETE", RUNNER).hold(&hold).times(3));
    let option = [("remove_runners", "true")];
    let deleting = delete(&app, &cast.ada, &option);
    let meanwhile = async {
        hold.arrived(3).await;
        app.fake.world(|world| {
            let busy = world.runner_by_name("build-2").unwrap().id;
            world.set_runner_busy(busy, true);
        });
        hold.release();
    };
    let (answer, ()) = tokio::join!(deleting, meanwhile);
    answer.is_refused(409, "group_not_empty");
    assert!(answer.text.contains("build-2"), "{}", answer.text);
    assert_eq!(app.fake.world(|world| world.runners_of(group)), ["build-2"]);
}

#[tokio::test]
async fn a_group_made_anew_behind_our_back_is_not_deleted_with_its_runners() {
    let (world, cast, group) = with_idle_runners();
    let app = App::by_name(world, json!({})).await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("DELETE", RUNNER).hold(&hold).once());
    let option = [("remove_runners", "true")];
    let deleting = delete(&app, &cast.ada, &option);
    let meanwhile = async {
        hold.arrived(1).await;
        let anew = app.fake.world(|world| {
            world.delete_group(group);
            let anew = world.add_group("payments", Visibility::Selected);
            world.add_runner(anew, "new-1", &["linux"], RunnerStatus::Online);
            anew
        });
        hold.release();
        anew
    };
    let (answer, anew) = tokio::join!(deleting, meanwhile);
    answer.is_refused(409, "group_not_empty");
    assert_eq!(app.fake.world(|world| world.runners_of(anew)), ["new-1"]);
}

/// Between the last look at the group and its deletion, somebody else wants to bring a runner.
async fn nothing_comes_between(bring: &str, parameters: &[(&str, &str)], template: &str) {
    let (mut world, cast, group) = acme_with_groups();
    world.add_maintainer(cast.search, cast.ada_id);
    world.set_deletion_of_used_groups(DeletionOfUsedGroups::MovesRunnersToDefault);
    let app = App::start(world).await.settled().await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("DELETE", GROUP).hold(&hold).once());
    let deleting = delete(&app, &cast.ada, &[]);
    let bringing = async {
        hold.arrived(1).await;
        let bringing = app.call("POST", bring, &cast.ada, parameters);
        tokio::pin!(bringing);
        // As far as it gets before it has to wait; a read that it needs tells how far that is.
        let looked_up = async {
            app.call("GET", "group-list", &cast.ada, &[("team", "search")]).await.response();
        };
        tokio::select! {
            answer = &mut bringing => panic!("it did not wait: {answer:?}"),
            () = looked_up => {}
        }
        hold.release();
        bringing.await
    };
    let (deleted, brought) = tokio::join!(deleting, bringing);
    deleted.response();
    brought.is_refused(404, "group_not_found");
    assert!(!exists(&app, group));
    assert_eq!(in_default(&app), Vec::<String>::new(), "{bring}");
    let writes = app.fake.calls().into_iter().filter(|call| call.template == Some(template)).count();
    // One that was on its way gets no further than a group that is gone; a slow one finds none to write to.
    assert!(writes <= usize::from(template == GENERATE), "{bring}: only to a group that is gone");
}

#[tokio::test]
async fn no_runner_comes_through_here_between_the_last_look_and_the_end() {
    let to_payments = [("team", "search"), ("to", "payments"), ("all", "true")];
    nothing_comes_between("runners-transfer", &to_payments, MOVE).await;
    let jit = [("team", "payments"), ("labels", "linux")];
    nothing_comes_between("jitconfig-generate", &jit, GENERATE).await;
}

#[tokio::test]
async fn a_deletion_waits_for_a_registration_that_is_under_way_and_sees_it() {
    let (mut world, cast, group) = acme_with_groups();
    world.set_deletion_of_used_groups(DeletionOfUsedGroups::MovesRunnersToDefault);
    let app = App::start(world).await.settled().await;
    let (registering, looking) = (Hold::new(), Hold::new());
    app.fake.inject(Fault::on("POST", GENERATE).hold(&registering).once());
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).after_effect().hold(&looking).once());
    let jit = [("team", "payments"), ("labels", "linux")];
    let granting = app.call("POST", "jitconfig-generate", &cast.ada, &jit);
    let deleting = async {
        registering.arrived(1).await;
        let deleting = delete(&app, &cast.ada, &[]);
        let letting = async {
            // It has read the empty group, outside its turn, and is about to look again.
            looking.arrived(1).await;
            registering.release();
            looking.release();
        };
        tokio::join!(deleting, letting).0
    };
    let (granted, deleted) = tokio::join!(granting, deleting);
    granted.response();
    deleted.is_refused(409, "group_not_empty");
    assert!(exists(&app, group) && in_default(&app).is_empty());
}

#[tokio::test]
async fn a_deletion_that_github_refuses_is_told_by_its_cause() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    for (by_github, status, reason) in
        [(404, 404, "group_not_found"), (409, 409, "group_not_empty"), (422, 409, "group_not_empty")]
    {
        app.fake.inject(Fault::on("DELETE", GROUP).error(by_github, "no").once());
        delete(&app, &cast.ada, &[]).await.is_refused(status, reason);
    }
    delete(&app, &cast.ada, &[]).await.response();
}
