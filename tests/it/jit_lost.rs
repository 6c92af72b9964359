//! `jitconfig-generate` when nobody learns of the runner that it registered: none is left behind, and no other is
//! taken for it.

use fake_github::{DEFAULT_GROUP, Fault, Hold, RunnerStatus, World};
use serde_json::json;

use crate::binary::until;
use crate::harness::{Answer, App, audit_lines, log_lines, send};
use crate::jit::{GENERATE, RUNNER, generate, names};
use crate::scene::{Cast, acme_with_groups, acme_with_runners, runners_outside};

const RUNNERS: &str = "/orgs/{org}/actions/runners";

/// How an answer gets lost after GitHub registered the runner, and what the caller is told.
fn lost_answers() -> Vec<(Fault, u16, &'static str)> {
    let after = || Fault::on("POST", GENERATE).after_effect().once();
    vec![
        (after().reset(), 502, "github_error"),
        (after().truncated(), 502, "github_error"),
        (after().error(500, "Server Error"), 502, "github_error"),
        (after().error(502, "Server Error"), 502, "github_error"),
        (after().html(), 502, "github_error"),
        (after().wrong_shape(), 502, "github_error"),
    ]
}

/// Asserts that a lost answer was reported, left nothing behind and one audit line.
fn nothing_is_left(app: &App, before: &[String], answer: &Answer, status: u16, reason: &str) {
    answer.is_refused(status, reason);
    assert_eq!(names(app), before, "{status} {reason}");
    let lines = answer.audit();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((&lines[0]["outcome"], &lines[0]["reason"]), (&json!("failed"), &json!(reason)));
    assert!(lines[0]["runners"][0].as_str().unwrap().starts_with("payments-"), "{lines:?}");
}

#[tokio::test]
async fn a_lost_answer_leaves_no_runner_behind() {
    let (world, cast, _) = acme_with_runners();
    let app = App::start(world).await.settled().await;
    let before = names(&app);
    for (fault, status, reason) in lost_answers() {
        for name in [None, Some(("name", "payments-1"))] {
            app.fake.inject(fault.clone());
            let parameters: Vec<_> = std::iter::once(("labels", "Linux,gpu")).chain(name).collect();
            let answer = generate(&app, &cast.ada, &parameters).await;
            nothing_is_left(&app, &before, &answer, status, reason);
        }
    }
    assert_eq!(app.fake.count("DELETE", RUNNER), 2 * lost_answers().len());
    assert_eq!(app.fake.count("POST", GENERATE), 2 * lost_answers().len(), "a write is never repeated");
}

#[tokio::test]
async fn an_answer_that_comes_too_late_leaves_no_runner_behind() {
    let (world, cast, _) = acme_with_runners();
    let app = App::with(world, json!({ "github": { "timeout": "200ms" } })).await.settled().await;
    let before = names(&app);
    let hold = Hold::new();
    app.fake.inject(Fault::on("POST", GENERATE).after_effect().hold(&hold).once());
    let answer = generate(&app, &cast.ada, &[("labels", "linux")]).await;
    // Which of the two is first told too late depends on the machine; both are a time-out.
    answer.is_refused(504, "github_timeout");
    let request_id = answer.header("x-request-id").to_owned();
    app.server.state().writes.ended().await;
    assert_eq!(names(&app), before);
    assert_eq!(audit_lines(&request_id).len(), 1);
    hold.release();
}

#[tokio::test]
async fn a_registration_that_shows_only_later_is_found_all_the_same() {
    let (world, cast, _) = acme_with_runners();
    let app = App::start(world).await.settled().await;
    let before = names(&app);
    app.fake.inject(Fault::on("POST", GENERATE).after_effect().reset().once());
    let nothing_yet = json!({ "total_count": 0, "runners": [] });
    app.fake.inject(Fault::on("GET", RUNNERS).status(200, nothing_yet).once());
    let answer = generate(&app, &cast.ada, &[("labels", "linux")]).await;
    nothing_is_left(&app, &before, &answer, 502, "github_error");
    assert_eq!(app.fake.count("GET", RUNNERS), 2);
}

#[tokio::test]
async fn a_deletion_that_fails_is_tried_again() {
    let (world, cast, _) = acme_with_runners();
    let app = App::start(world).await.settled().await;
    let before = names(&app);
    app.fake.inject(Fault::on("POST", GENERATE).after_effect().reset().once());
    app.fake.inject(Fault::on("DELETE", RUNNER).error(502, "Server Error").once());
    let answer = generate(&app, &cast.ada, &[("labels", "linux")]).await;
    nothing_is_left(&app, &before, &answer, 502, "github_error");
    assert_eq!(app.fake.count("DELETE", RUNNER), 2);
}

#[tokio::test]
async fn a_left_runner_that_took_a_job_meanwhile_keeps_it() {
    let (world, cast, _) = acme_with_runners();
    let app = App::start(world).await.settled().await;
    let before = names(&app);
    app.fake.inject(Fault::on("POST", GENERATE).after_effect().reset().once());
    app.fake.inject(Fault::on("DELETE", RUNNER).error(422, "Runner is currently running a job").once());
    generate(&app, &cast.ada, &[("labels", "linux")]).await.is_refused(502, "github_error");
    assert_eq!(app.fake.count("DELETE", RUNNER), 1);
    assert_eq!(names(&app).len(), before.len() + 1);
}

/// A world in which `payments-1` exists already, as `change` makes it.
fn with_a_runner_of_that_name(change: impl FnOnce(&mut World, &Cast)) -> (World, Cast) {
    let (mut world, cast, _) = acme_with_groups();
    change(&mut world, &cast);
    (world, cast)
}

#[tokio::test]
async fn a_runner_of_that_name_that_is_not_the_one_asked_for_is_never_deleted() {
    let cases: Vec<(&str, (World, Cast))> = vec![
        (
            "as new, in another team's group",
            with_a_runner_of_that_name(|world, _| {
                let search = world.group_by_name("search").unwrap().id;
                let runner = world.add_runner(search, "payments-1", &["linux"], RunnerStatus::Offline);
                world.set_runner_unconnected(runner);
            }),
        ),
        (
            "as new, in Default",
            with_a_runner_of_that_name(|world, _| {
                let runner = world.add_runner(DEFAULT_GROUP, "payments-1", &["linux"], RunnerStatus::Offline);
                world.set_runner_unconnected(runner);
            }),
        ),
        (
            "online",
            with_a_runner_of_that_name(|world, _| {
                let group = world.group_by_name("payments").unwrap().id;
                world.add_runner(group, "payments-1", &["linux"], RunnerStatus::Online);
            }),
        ),
        (
            "busy",
            with_a_runner_of_that_name(|world, _| {
                let group = world.group_by_name("payments").unwrap().id;
                let runner = world.add_runner(group, "payments-1", &["linux"], RunnerStatus::Online);
                world.set_runner_busy(runner, true);
            }),
        ),
        (
            "once connected",
            with_a_runner_of_that_name(|world, _| {
                let group = world.group_by_name("payments").unwrap().id;
                world.add_runner(group, "payments-1", &["linux"], RunnerStatus::Offline);
            }),
        ),
    ];
    for (what, (world, cast)) in cases {
        let app = App::start(world).await.settled().await;
        // GitHub did nothing, and its answer says nothing.
        app.fake.inject(Fault::on("POST", GENERATE).error(502, "Server Error").once());
        let answer = generate(&app, &cast.ada, &[("labels", "linux"), ("name", "payments-1")]).await;
        answer.is_refused(502, "github_error");
        assert!(names(&app).contains(&"payments-1".to_owned()), "{what}");
        assert_eq!(app.fake.count("DELETE", RUNNER), 0, "{what}");
    }
}

#[tokio::test]
async fn where_a_runner_does_not_tell_its_group_the_groups_own_list_decides() {
    for (group, deletions) in [("payments", 1), ("search", 0)] {
        let (mut world, cast, own) = acme_with_groups();
        let group = world.group_by_name(group).unwrap().id;
        let runner = world.add_runner(group, "payments-1", &["linux"], RunnerStatus::Offline);
        world.set_runner_unconnected(runner);
        if group != own {
            world.add_runner(own, "payments-2", &["linux"], RunnerStatus::Offline);
        }
        let app = App::start(world).await.settled().await;
        let told = json!({
            "id": runner.0, "name": "payments-1", "os": "unknown", "status": "offline", "busy": false,
            "ephemeral": true, "labels": [{ "name": "linux" }],
        });
        app.fake
            .inject(Fault::on("GET", RUNNERS).status(200, json!({ "total_count": 1, "runners": [told] })));
        app.fake.inject(Fault::on("POST", GENERATE).error(502, "Server Error").once());
        let answer = generate(&app, &cast.ada, &[("labels", "linux"), ("name", "payments-1")]).await;
        answer.is_refused(502, "github_error");
        assert_eq!(app.fake.count("DELETE", RUNNER), deletions);
    }
}

#[tokio::test]
async fn a_runner_whose_config_was_handed_out_is_not_taken_for_a_left_one() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    let parameters = [("labels", "linux"), ("name", "payments-1")];
    generate(&app, &cast.ada, &parameters).await.response();
    app.fake.inject(Fault::on("POST", GENERATE).error(502, "Server Error").once());
    generate(&app, &cast.ada, &parameters).await.is_refused(502, "github_error");
    assert!(names(&app).contains(&"payments-1".to_owned()));
    assert_eq!(app.fake.count("DELETE", RUNNER), 0);
}

#[tokio::test]
async fn on_servers_that_do_not_search_by_name_a_left_runner_is_found_all_the_same() {
    let (mut world, cast, group) = acme_with_groups();
    for number in 0..150 {
        world.add_runner(group, &format!("build-{number}"), &["linux"], RunnerStatus::Offline);
    }
    world.set_enterprise_version(3, 10);
    let app = App::start(world).await.settled().await;
    let before = names(&app);
    app.fake.inject(Fault::on("POST", GENERATE).after_effect().reset().once());
    let answer = generate(&app, &cast.ada, &[("labels", "linux")]).await;
    nothing_is_left(&app, &before, &answer, 502, "github_error");
}

#[tokio::test]
async fn a_config_that_nobody_waits_for_any_more_is_undone() {
    let (world, cast, group) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    let before = app.fake.world(|world| runners_outside(world, group));
    let hold = Hold::new();
    app.fake.inject(Fault::on("POST", GENERATE).after_effect().hold(&hold).once());
    let path = "/api/v1/jitconfig-generate?team=payments&labels=linux";
    let asking = app.request("POST", path, &cast.ada).header("x-request-id", "hangs-up-over-a-jit-config");
    tokio::select! {
        _ = send(asking) => panic!("it was held"),
        () = hold.arrived(1) => {}
    }
    // The connection is closed by now; the service notices in its own time.
    until("the end of the request", || !log_lines("hangs-up-over-a-jit-config").is_empty()).await;
    hold.release();
    app.server.state().writes.ended().await;
    assert_eq!(app.fake.world(|world| world.runners_of(group)), Vec::<String>::new());
    assert_eq!(app.fake.world(|world| runners_outside(world, group)), before);
    let request_id = log_lines("hangs-up-over-a-jit-config")[0]["request_id"].take();
    let lines = audit_lines(request_id.as_str().unwrap());
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["outcome"], &lines[0]["reason"]), (&json!("failed"), &json!("github_timeout")));
}
