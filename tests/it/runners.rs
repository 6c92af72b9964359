//! `runners-list` and `runners-remove`: the runners of one's own group, and nobody else's.

use std::collections::BTreeSet;

use fake_github::{Fault, GroupId, Hold, RunnerId, RunnerStatus, Visibility};
use serde_json::{Value, json};

use crate::harness::{Answer, App};
use crate::scene::{acme_with_groups, acme_with_runners, runners_outside};

const GROUP_RUNNERS: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners";
const RUNNER: &str = "/orgs/{org}/actions/runners/{runner_id}";
pub const MOVE: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners/{runner_id}";

pub fn for_payments<'a>(others: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    std::iter::once(("team", "payments")).chain(others.iter().copied()).collect()
}

async fn list(app: &App, token: &str, others: &[(&str, &str)]) -> Answer {
    app.call("GET", "runners-list", token, &for_payments(others)).await
}

async fn remove(app: &App, token: &str, others: &[(&str, &str)]) -> Answer {
    app.call("DELETE", "runners-remove", token, &for_payments(others)).await
}

pub async fn transfer(app: &App, token: &str, others: &[(&str, &str)]) -> Answer {
    app.call("POST", "runners-transfer", token, &for_payments(others)).await
}

/// The names in one of the lists of an answer, in alphabetical order.
#[track_caller]
pub fn names(answer: &Answer, list: &str) -> Vec<String> {
    let listed = answer.response()[list].take();
    let mut names: Vec<_> =
        listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Why which runner was left alone, by its name or else its id.
#[track_caller]
pub fn skipped(answer: &Answer) -> BTreeSet<(String, String)> {
    let listed = answer.response()["skipped"].take();
    let one = |one: &Value| {
        let name = one["name"].as_str().map_or_else(|| one["id"].to_string(), str::to_owned);
        (name, one["reason"].as_str().unwrap().to_owned())
    };
    listed.as_array().unwrap().iter().map(one).collect()
}

pub fn because(pairs: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    pairs.iter().map(|(name, reason)| ((*name).to_owned(), (*reason).to_owned())).collect()
}

fn id_of(app: &App, name: &str) -> RunnerId {
    app.fake.world(|world| world.runner_by_name(name).unwrap().id)
}

pub fn in_group(app: &App, group: GroupId) -> Vec<String> {
    app.fake.world(|world| world.runners_of(group))
}

#[tokio::test]
async fn a_list_tells_everything_about_the_groups_runners_and_nothing_of_others() {
    let (world, cast, _) = acme_with_runners();
    let app = App::start(world).await;
    let answer = list(&app, &cast.ada, &[]).await;
    assert_eq!(names(&answer, "runners"), ["busy-1", "gone-1", "idle-1"]);
    let runners = answer.response()["runners"].take();
    let gone = runners.as_array().unwrap().iter().find(|runner| runner["name"] == "gone-1").unwrap();
    let expected = json!({
        "id": id_of(&app, "gone-1").0, "name": "gone-1", "os": "linux", "status": "offline", "busy": false,
        "ephemeral": false, "labels": ["self-hosted", "gpu"],
    });
    assert_eq!(*gone, expected);
}

#[tokio::test]
async fn a_list_is_limited_by_state_label_and_name_together() {
    let (world, cast, _) = acme_with_runners();
    let app = App::start(world).await;
    for (filter, expected) in [
        (&[("status", "online")][..], &["busy-1", "idle-1"][..]),
        (&[("status", "offline")], &["gone-1"]),
        (&[("status", "busy")], &["busy-1"]),
        (&[("status", "idle")], &["idle-1"]),
        (&[("label", "LINUX")], &["busy-1", "idle-1"]),
        (&[("label", "lin")], &[]),
        (&[("name", "Idle-1")], &["idle-1"]),
        (&[("name", "idle")], &[]),
        (&[("name", "search-idle")], &[]),
        (&[("label", "linux"), ("status", "busy")], &["busy-1"]),
        (&[("label", "gpu"), ("status", "online")], &[]),
        (&[("label", "linux"), ("status", "idle"), ("name", "busy-1")], &[]),
    ] {
        assert_eq!(names(&list(&app, &cast.ada, filter).await, "runners"), expected, "{filter:?}");
    }
    for odd in ["", "Online", "all", "on line"] {
        list(&app, &cast.ada, &[("status", odd)]).await.is_refused(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn each_way_to_choose_removes_just_those() {
    for (chosen, expected) in [
        (&[("names", "idle-1")][..], &["idle-1"][..]),
        (&[("names", "IDLE-1,gone-1")], &["gone-1", "idle-1"]),
        (&[("labels", "GPU")], &["gone-1"]),
        (&[("labels", "self-hosted,linux")], &["idle-1"]),
        (&[("offline", "true")], &["gone-1"]),
        (&[("labels", "self-hosted"), ("offline", "true")], &["gone-1"]),
        (&[("labels", "linux"), ("offline", "true")], &[]),
        (&[("names", "idle-1,gone-1"), ("labels", "linux")], &["idle-1"]),
        (&[("labels", "linux,gpu")], &[]),
        (&[("labels", "nobody-has-it")], &[]),
    ] {
        let (world, cast, group) = acme_with_runners();
        let app = App::start(world).await;
        let before = app.fake.world(|world| runners_outside(world, group));
        let answer = remove(&app, &cast.ada, chosen).await;
        assert_eq!(names(&answer, "removed"), expected, "{chosen:?}");
        let left: Vec<_> =
            ["idle-1", "gone-1", "busy-1"].into_iter().filter(|name| !expected.contains(name)).collect();
        assert_eq!(in_group(&app, group), left, "{chosen:?}");
        assert_eq!(app.fake.world(|world| runners_outside(world, group)), before, "{chosen:?}");
    }
}

#[tokio::test]
async fn ids_and_names_together_mean_all_of_them_and_each_gets_its_outcome() {
    let (world, cast, _) = acme_with_runners();
    let app = App::start(world).await;
    let (idle, busy) = (id_of(&app, "idle-1").0, id_of(&app, "busy-1").0);
    let body = json!({
        "team": "payments", "ids": [idle, busy, 999_999], "names": ["gone-1", "nobody", "NOBODY"],
        "labels": ["linux"],
    });
    let answer = app.call_json("DELETE", "runners-remove", &cast.ada, body).await;
    assert_eq!(names(&answer, "removed"), ["idle-1"]);
    let expected = because(&[
        ("busy-1", "busy"),
        ("gone-1", "not_matching"),
        ("999999", "runner_not_found"),
        ("nobody", "runner_not_found"),
    ]);
    assert_eq!(skipped(&answer), expected);
}

#[tokio::test]
async fn runners_whose_names_could_not_be_made_here_are_selected_by_name_like_others() {
    for name in [
        "runner-2@ip-10-1-2-3.internal",
        "it's mine",
        "Сборка №1",
        "a/../b",
        "50% & more?#",
        &"x".repeat(100),
    ] {
        let (mut world, cast, group) = acme_with_runners();
        world.add_maintainer(cast.search, cast.ada_id);
        for runner in [name, "other@host"] {
            world.add_runner(group, runner, &["self-hosted"], RunnerStatus::Online);
        }
        let app = App::start(world).await;
        let listed = list(&app, &cast.ada, &[("name", &name.to_uppercase())]).await;
        assert_eq!(names(&listed, "runners"), [name], "in any letter case");
        let tried = remove(&app, &cast.ada, &[("names", name), ("dry_run", "true")]).await;
        assert_eq!(names(&tried, "removed"), [name]);
        let moved = transfer(&app, &cast.ada, &[("names", name), ("to", "search")]).await;
        assert_eq!(names(&moved, "transferred"), [name]);
        remove(&app, &cast.ada, &[("names", name)]).await.is_refused(404, "runner_not_found");
        assert!(in_group(&app, group).contains(&"other@host".to_owned()), "no other one is touched");
    }
}

#[tokio::test]
async fn a_name_with_a_comma_is_selected_by_a_json_list_and_no_name_has_control_characters() {
    let (mut world, cast, group) = acme_with_runners();
    world.add_runner(group, "rack 1, slot 2", &["self-hosted"], RunnerStatus::Online);
    let app = App::start(world).await;
    let body = |name: &str| json!({ "team": "payments", "names": [name] });
    let removed = app.call_json("DELETE", "runners-remove", &cast.ada, body("Rack 1, Slot 2")).await;
    assert_eq!(names(&removed, "removed"), ["rack 1, slot 2"]);
    for name in ["", "a\nb", "a\u{7f}", "a\u{85}", &"ä".repeat(101)] {
        let answer = app.call_json("DELETE", "runners-remove", &cast.ada, body(name)).await;
        answer.is_refused(400, "invalid_parameter");
    }
    let made = [("labels", "linux"), ("name", "payments-1@host")];
    let made = app.call("POST", "jitconfig-generate", &cast.ada, &for_payments(&made)).await;
    made.is_refused(400, "invalid_parameter");
}

#[tokio::test]
async fn a_runner_of_another_group_is_never_touched_by_whatever_way_it_is_named() {
    let (mut world, cast, group) = acme_with_runners();
    world.add_maintainer(cast.search, cast.ada_id);
    let docs = world.add_team("docs");
    world.add_maintainer(docs, cast.ada_id);
    world.add_group("docs", Visibility::Selected);
    let app = App::start(world).await.settled().await;
    let before = app.fake.world(|world| runners_outside(world, group));
    for (id, name, _) in &before {
        let id = id.to_string();
        for chosen in [("ids", id.as_str()), ("names", name)] {
            remove(&app, &cast.ada, &[chosen]).await.is_refused(404, "runner_not_found");
            transfer(&app, &cast.ada, &[("to", "docs"), chosen]).await.is_refused(404, "runner_not_found");
            let found = list(&app, &cast.ada, &[("name", name)]).await;
            assert_eq!(found.response()["runners"], json!([]));
        }
        let mixed = format!("idle-1,{name}");
        let trial = remove(&app, &cast.ada, &[("names", &mixed), ("dry_run", "true")]).await;
        assert_eq!(names(&trial, "removed"), ["idle-1"]);
        assert_eq!(skipped(&trial), because(&[(name, "runner_not_found")]));
    }
    assert_eq!(app.fake.calls().iter().filter(|call| call.method != "GET").count(), 0);
    remove(&app, &cast.ada, &[("labels", "self-hosted")]).await.response();
    remove(&app, &cast.ada, &[("labels", "gpu"), ("offline", "true")]).await.response();
    transfer(&app, &cast.ada, &[("to", "docs"), ("all", "true")]).await.response();
    assert_eq!(app.fake.world(|world| runners_outside(world, group)), before);
    assert_eq!(in_group(&app, group), ["busy-1"]);
}

#[tokio::test]
async fn a_busy_runner_is_skipped_also_when_it_took_its_job_after_the_list_was_read() {
    let (world, cast, group) = acme_with_runners();
    let app = App::start(world).await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).after_effect().hold(&hold).once());
    let names_of_all = [("names", "idle-1,busy-1,gone-1")];
    let removing = remove(&app, &cast.ada, &names_of_all);
    let meanwhile = async {
        hold.arrived(1).await;
        let idle = id_of(&app, "idle-1");
        app.fake.world(|world| world.set_runner_busy(idle, true));
        hold.release();
    };
    let (answer, ()) = tokio::join!(removing, meanwhile);
    assert_eq!(names(&answer, "removed"), ["gone-1"]);
    assert_eq!(skipped(&answer), because(&[("idle-1", "busy"), ("busy-1", "busy")]));
    assert_eq!(in_group(&app, group), ["idle-1", "busy-1"]);
    assert_eq!(app.fake.count("DELETE", RUNNER), 2, "GitHub was not even asked about busy-1");
}

#[tokio::test]
async fn a_runner_that_went_away_meanwhile_is_told_apart() {
    let (world, cast, _) = acme_with_runners();
    let app = App::start(world).await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).after_effect().hold(&hold).once());
    let removing = remove(&app, &cast.ada, &[("names", "idle-1,gone-1")]);
    let meanwhile = async {
        hold.arrived(1).await;
        let idle = id_of(&app, "idle-1");
        app.fake.world(|world| world.delete_runner(idle));
        hold.release();
    };
    let (answer, ()) = tokio::join!(removing, meanwhile);
    assert_eq!(names(&answer, "removed"), ["gone-1"]);
    assert_eq!(skipped(&answer), because(&[("idle-1", "runner_not_found")]));
}

#[tokio::test]
async fn a_trial_run_says_what_would_be_done_and_writes_nothing() {
    let (world, cast, group) = acme_with_runners();
    let app = App::start(world).await.settled().await;
    let answer = remove(&app, &cast.ada, &[("labels", "self-hosted"), ("dry_run", "true")]).await;
    assert_eq!(names(&answer, "removed"), ["gone-1", "idle-1"]);
    assert_eq!(skipped(&answer), because(&[("busy-1", "busy")]));
    assert!(app.fake.calls().iter().all(|call| call.method == "GET"));
    assert_eq!(in_group(&app, group).len(), 3);
    for odd in ["", "yes", "TRUE", "1"] {
        let odd = remove(&app, &cast.ada, &[("offline", "true"), ("dry_run", odd)]).await;
        odd.is_refused(400, "invalid_parameter");
    }
    assert_eq!(in_group(&app, group).len(), 3);
}

#[tokio::test]
async fn one_failed_write_does_not_stop_the_others_and_leaves_one_line_with_those_that_were_done() {
    let (world, cast, group) = acme_with_runners();
    let app = App::start(world).await;
    let path = format!("/orgs/acme/actions/runners/{}", id_of(&app, "idle-1").0);
    app.fake.inject(Fault::on("DELETE", &path).error(502, "Server Error"));
    let answer = remove(&app, &cast.ada, &[("names", "idle-1,gone-1")]).await;
    assert_eq!(names(&answer, "removed"), ["gone-1"]);
    assert_eq!(skipped(&answer), because(&[("idle-1", "github_error")]));
    let lines = answer.audit();
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["runners"], &lines[0]["outcome"]), (&json!(["gone-1"]), &json!("success")));
    let answer = remove(&app, &cast.ada, &[("names", "idle-1")]).await;
    answer.is_refused(502, "github_error");
    assert_eq!(in_group(&app, group), ["idle-1", "busy-1"]);
}

#[tokio::test]
async fn at_most_four_writes_are_under_way_at_a_time() {
    let (mut world, cast, group) = acme_with_groups();
    world.add_maintainer(cast.search, cast.ada_id);
    for number in 0..30 {
        world.add_runner(group, &format!("build-{number}"), &["linux"], RunnerStatus::Online);
    }
    let app = App::start(world).await.settled().await;
    for (method, template, chosen) in [
        ("PUT", MOVE, &[("to", "search"), ("ids", "3,4,5,6,7,8,9,10,11,12")][..]),
        ("DELETE", RUNNER, &[("labels", "linux")]),
    ] {
        app.fake.clear_calls();
        let hold = Hold::new();
        app.fake.inject(Fault::on(method, template).hold(&hold));
        let operation = if method == "PUT" { "runners-transfer" } else { "runners-remove" };
        let parameters = for_payments(chosen);
        let asking = app.call("POST", operation, &cast.ada, &parameters);
        let letting = async {
            hold.arrived(4).await;
            assert_eq!(app.fake.count(method, template), 0, "all four are held");
            hold.release();
        };
        let (answer, ()) = tokio::join!(asking, letting);
        answer.response();
        let writes: Vec<_> =
            app.fake.calls().into_iter().filter(|call| call.template == Some(template)).collect();
        assert!(writes.len() >= 10);
        assert_eq!(writes.iter().map(|call| call.in_flight).max(), Some(4), "{operation}");
    }
    assert_eq!(in_group(&app, group), Vec::<String>::new());
}

#[tokio::test]
async fn a_group_of_five_thousand_runners_works_over_all_its_pages() {
    let (mut world, cast, group) = acme_with_groups();
    for number in 0..5_000 {
        let labels: &[&str] = if number % 2_000 == 1_999 { &["linux", "old"] } else { &["linux"] };
        world.add_runner(group, &format!("build-{number:04}"), labels, RunnerStatus::Online);
    }
    let app = App::start(world).await.settled().await;
    let all = list(&app, &cast.ada, &[("status", "idle")]).await;
    assert_eq!(names(&all, "runners").len(), 5_000);
    assert_eq!(app.fake.count("GET", GROUP_RUNNERS), 51, "the last page is full");
    let last = list(&app, &cast.ada, &[("name", "build-4999")]).await;
    assert_eq!(names(&last, "runners"), ["build-4999"]);
    let answer = remove(&app, &cast.ada, &[("labels", "old")]).await;
    assert_eq!(names(&answer, "removed"), ["build-1999", "build-3999"]);
    assert_eq!(app.fake.world(|world| world.group(group).unwrap().runners.len()), 4_998);
}

#[tokio::test]
async fn what_is_to_be_removed_has_to_be_said() {
    let (world, cast, group) = acme_with_runners();
    let app = App::start(world).await;
    remove(&app, &cast.ada, &[]).await.is_refused(400, "missing_parameter");
    remove(&app, &cast.ada, &[("dry_run", "false")]).await.is_refused(400, "missing_parameter");
    remove(&app, &cast.ada, &[("offline", "false")]).await.is_refused(400, "missing_parameter");
    remove(&app, &cast.ada, &[("all", "true")]).await.is_refused(400, "missing_parameter");
    remove(&app, &cast.ada, &[("all", "true"), ("offline", "true")])
        .await
        .is_refused(400, "unknown_parameter");
    for list in ["ids", "names", "labels"] {
        remove(&app, &cast.ada, &[(list, "")]).await.is_refused(400, "invalid_parameter");
        let body = json!({ "team": "payments", list: [], "offline": true });
        let empty = app.call_json("DELETE", "runners-remove", &cast.ada, body).await;
        empty.is_refused(400, "invalid_parameter");
    }
    assert_eq!(in_group(&app, group).len(), 3);
}

#[tokio::test]
async fn an_older_enterprise_server_that_says_less_about_runners_is_served() {
    let (mut world, cast, group) = acme_with_runners();
    world.set_enterprise_version(3, 7);
    let app = App::start(world).await;
    let listed = list(&app, &cast.ada, &[("status", "idle")]).await.response();
    assert_eq!(
        (&listed["runners"][0]["name"], &listed["runners"][0]["ephemeral"]),
        (&json!("idle-1"), &json!(false))
    );
    assert_eq!(names(&remove(&app, &cast.ada, &[("names", "idle-1")]).await, "removed"), ["idle-1"]);
    assert_eq!(in_group(&app, group), ["gone-1", "busy-1"]);
}
