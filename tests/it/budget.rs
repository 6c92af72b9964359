//! How often GitHub is asked, and what happens while it is slow, limiting or down.

use std::time::Duration;

use fake_github::{Fault, Hold, RepoVisibility, RunnerStatus, Visibility};
use serde_json::json;

use crate::access::TEAM_OPERATIONS;
use crate::harness::App;
use crate::scene::{acme, acme_with_groups};

const USER: &str = "/user";
const TEAM: &str = "/orgs/{org}/teams/{team_slug}";
const MEMBERSHIP: &str = "/orgs/{org}/teams/{team_slug}/memberships/{username}";
const GROUPS: &str = "/orgs/{org}/actions/runner-groups";
const GROUP: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}";
const GROUP_RUNNERS: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners";
const REGISTRATION: &str = "/orgs/{org}/actions/runners/registration-token";
const MINT: &str = "/app/installations/{installation_id}/access_tokens";

const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];

#[tokio::test]
async fn calls_cold_and_warm_are_those_of_the_table() {
    let large = || {
        let (mut world, cast, group) = acme_with_groups();
        for number in 0..248 {
            world.add_group(&format!("other-{number}"), Visibility::Selected);
        }
        for number in 0..150 {
            world.add_runner(group, &format!("build-{number}"), &[], RunnerStatus::Online);
        }
        (world, cast)
    };
    let (world, cast) = large();
    let by_name = App::by_name(world, json!({})).await.settled().await;
    by_name.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    assert_eq!(by_name.fake.total_calls(), 3 + 3 + 2 + 1, "251 groups, 150 runners, 1 repository");
    let (world, cast) = large();
    let app = App::start(world).await.settled().await;
    // Operation, calls behind identity, team and membership; the first finds the group, too: by its recorded id.
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    assert_eq!(app.fake.total_calls(), 3 + 1 + 2 + 1, "251 groups, 150 runners, 1 repository");
    for (method, operation, parameters, expected) in [
        ("GET", "group-list", vec![], 3),
        ("POST", "repos-add", vec![("repos", "web")], 2),
        ("POST", "repos-add", vec![("repos", "web,api")], 1 + 2),
        ("PUT", "repos-set", vec![("repos", "web")], 1 + 1),
        ("POST", "token-register", vec![], 1),
        ("POST", "token-remove", vec![], 1),
        ("GET", "status", vec![], 0),
    ] {
        app.fake.clear_calls();
        let mut all = if operation == "status" { vec![] } else { PAYMENTS.to_vec() };
        all.extend(parameters);
        app.call(method, operation, &cast.ada, &all).await.response();
        assert_eq!(app.fake.total_calls(), expected, "{operation}: {:?}", app.calls());
    }
}

#[tokio::test]
async fn a_full_last_page_costs_no_further_call() {
    let (mut world, cast, group) = acme_with_groups();
    for number in 0..199 {
        let repository = world.add_repository(&format!("repo-{number}"), RepoVisibility::Private);
        world.add_repository_to_group(group, repository);
    }
    for number in 0..100 {
        world.add_runner(group, &format!("build-{number}"), &[], RunnerStatus::Online);
    }
    let app = App::start(world).await.settled().await;
    let ask = async || app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    ask().await;
    app.fake.clear_calls();
    let response = ask().await;
    assert_eq!(app.fake.total_calls(), 2 + 1, "200 repositories, 100 runners: {:?}", app.calls());
    assert_eq!(response["repos"].as_array().unwrap().len(), 200);
    assert_eq!(response["runners"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn a_token_for_a_team_without_a_group_takes_four_calls_cold_and_one_warm() {
    let (world, cast) = acme();
    let app = App::start(world).await.settled().await;
    app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.response();
    assert_eq!(app.fake.total_calls(), 4);
    app.fake.clear_calls();
    app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.response();
    assert_eq!(app.calls(), [format!("POST {REGISTRATION}")]);
}

#[tokio::test]
async fn fifty_first_requests_at_once_ask_each_thing_once() {
    let (world, cast, _) = acme_with_groups();
    // Not settled: the credential's check mints at the same time.
    let app = App::start(world).await;
    let all = (0..50).map(|_| app.call("GET", "group-list", &cast.ada, &PAYMENTS));
    for answer in futures_util::future::join_all(all).await {
        answer.response();
    }
    assert_eq!(app.fake.count("POST", MINT), 1);
    assert_eq!(app.fake.count("GET", USER), 1);
    assert_eq!(app.fake.count("GET", MEMBERSHIP), 1);
    assert_eq!(app.fake.count("GET", TEAM), 1);
    assert_eq!((app.fake.count("GET", GROUP), app.fake.count("GET", GROUPS)), (1, 0));
}

#[tokio::test]
async fn those_who_wait_for_a_look_up_that_fails_share_the_failure() {
    let (world, cast) = acme();
    let app = App::start(world).await.settled().await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", USER).hold(&hold).error(418, "no"));
    let all = futures_util::future::join_all((0..20).map(|_| app.call("GET", "status", &cast.ada, &[])));
    let release = async {
        hold.arrived(1).await;
        hold.release();
    };
    let (answers, ()) = tokio::join!(all, release);
    assert!(answers.iter().all(|answer| answer.status == 502));
    assert!(app.fake.count("GET", USER) < 20, "{}", app.fake.count("GET", USER));
}

#[tokio::test]
async fn a_membership_whose_team_could_not_be_read_serves_again_for_half_a_second() {
    for (waited, memberships) in [(499, 1), (500, 2)] {
        let (world, cast) = acme();
        let app = App::start(world).await.settled().await;
        app.fake.inject(Fault::on("GET", TEAM).error(418, "no").once());
        let ask = async || app.call("POST", "token-register", &cast.ada, &PAYMENTS).await;
        assert_eq!(ask().await.status, 502);
        app.clock.advance(Duration::from_millis(waited));
        ask().await.response();
        assert_eq!(app.fake.count("GET", TEAM), 2);
        assert_eq!(app.fake.count("GET", MEMBERSHIP), memberships, "after {waited} ms");
    }
}

#[tokio::test]
async fn what_is_known_is_asked_again_once_its_time_is_over() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    app.fake.clear_calls();
    app.clock.advance(Duration::from_secs(59));
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    assert_eq!(app.fake.total_calls(), 2);
    app.fake.clear_calls();
    app.clock.advance(Duration::from_secs(1));
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    assert_eq!((app.fake.count("GET", USER), app.fake.count("GET", MEMBERSHIP)), (1, 1));
    assert_eq!(app.fake.count("GET", TEAM), 0, "a team is known for five minutes");
    assert_eq!((app.fake.count("GET", GROUP), app.fake.count("GET", GROUPS)), (1, 0), "checked by id");
}

#[tokio::test]
async fn a_group_that_was_renamed_away_is_no_longer_the_teams_after_its_time() {
    let (world, cast, group) = acme_with_groups();
    let app = App::by_name(world, json!({})).await;
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    app.fake.world(|world| world.rename_group(group, "somebody-elses"));
    app.clock.advance(Duration::from_mins(1));
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.is_refused(404, "group_not_found");
}

#[tokio::test]
async fn a_refused_installation_token_is_renewed_and_the_call_sent_again() {
    let (world, cast) = acme();
    let mut app = App::start(world).await.settled().await;
    app.own_token_is_refused = true;
    for (method, operation) in [("POST", "token-register"), ("POST", "group-add")] {
        app.fake.world(fake_github::World::revoke_installation_tokens);
        app.fake.clear_calls();
        app.call(method, operation, &cast.ada, &PAYMENTS).await.response();
        assert_eq!(app.fake.count("POST", MINT), 1);
    }
    assert_eq!(app.fake.world(|world| world.groups().filter(|group| group.name == "payments").count()), 1);
}

#[tokio::test]
async fn the_installation_token_is_narrowed_and_renewed_before_it_expires() {
    let (world, cast) = acme();
    let app = App::start(world).await.settled().await;
    let minted = app.fake.world(|world| world.minted_tokens()[0].clone());
    let names: Vec<_> = minted.permissions.keys().map(String::as_str).collect();
    assert_eq!(names, ["members", "metadata", "organization_self_hosted_runners"]);
    app.clock.advance(Duration::from_mins(54));
    app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.response();
    assert_eq!(app.fake.count("POST", MINT), 0);
    app.clock.advance(Duration::from_mins(2));
    app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.response();
    assert!(app.fake.count("POST", MINT) >= 1, "the fake's own clock stands where it stood");
}

#[tokio::test]
async fn a_token_about_to_expire_serves_while_no_new_one_is_to_be_had() {
    let (world, cast) = acme();
    let app = App::start(world).await.settled().await;
    app.clock.advance(Duration::from_mins(56));
    app.fake.inject(Fault::on("POST", MINT).error(500, "no"));
    app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.response();
}

#[tokio::test]
async fn reads_are_sent_again_and_writes_never() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    for status in [500, 502, 503, 504] {
        app.fake.inject(Fault::on("GET", GROUP_RUNNERS).error(status, "no").times(2));
        app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    }
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).reset().times(2));
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    app.fake.clear_calls();
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).error(500, "no").times(3));
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.is_refused(502, "github_error");
    assert_eq!(app.fake.count("GET", GROUP_RUNNERS), 3);
    app.fake.clear_faults();
    for fault in [Fault::on("POST", REGISTRATION).error(502, "no"), Fault::on("POST", REGISTRATION).reset()] {
        app.fake.clear_calls();
        app.fake.inject(fault.once());
        app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.is_refused(502, "github_error");
        assert_eq!(app.fake.count("POST", REGISTRATION), 1);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_time_out() {
    let (world, cast) = acme();
    let app = App::with(world, json!({ "github": { "timeout": "200ms" } })).await.settled().await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("POST", REGISTRATION).hold(&hold));
    app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.is_refused(504, "github_timeout");
    hold.release();
}

#[tokio::test]
async fn while_github_asked_to_wait_nothing_is_sent() {
    let (world, cast) = acme();
    let app = App::start(world).await.settled().await;
    app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.response();
    app.fake.inject(Fault::on("POST", REGISTRATION).secondary_limit(Duration::from_secs(30)).once());
    let limited = app.call("POST", "token-register", &cast.ada, &PAYMENTS).await;
    limited.is_refused(503, "github_rate_limited");
    assert_eq!(limited.header("retry-after"), "30");
    app.fake.clear_calls();
    app.clock.advance(Duration::from_secs(10));
    let held = app.call("POST", "token-register", &cast.ada, &PAYMENTS).await;
    held.is_refused(503, "github_rate_limited");
    assert_eq!(held.header("retry-after"), "20");
    assert_eq!(app.fake.total_calls(), 0);
    assert_eq!(
        app.call("GET", "status", &cast.bob, &[]).await.status,
        200,
        "callers' tokens have own budgets"
    );
    app.clock.advance(Duration::from_secs(20));
    app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.response();
}

#[tokio::test]
async fn the_limit_of_one_callers_token_holds_back_nobody_else() {
    let (world, cast) = acme();
    let app = App::start(world).await.settled().await;
    app.fake.inject(Fault::on("GET", USER).secondary_limit(Duration::from_secs(30)).once());
    app.call("GET", "status", &cast.ada, &[]).await.is_refused(503, "github_rate_limited");
    app.call("GET", "status", &cast.ada, &[]).await.is_refused(503, "github_rate_limited");
    app.call("GET", "status", &cast.bob, &[]).await.response();
    assert_eq!(app.fake.count("GET", USER), 2);
    app.clock.advance(Duration::from_secs(30));
    app.call("GET", "status", &cast.ada, &[]).await.response();
}

#[tokio::test]
async fn beyond_calls_under_way_and_queue_callers_are_turned_away() {
    let (world, cast) = acme();
    let app = App::with(world, json!({ "github": { "concurrency": 1 } })).await.settled().await;
    app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.response();
    let hold = Hold::new();
    app.fake.inject(Fault::on("POST", REGISTRATION).hold(&hold).times(1));
    let register = || app.call("POST", "token-register", &cast.ada, &PAYMENTS);
    let first = register();
    let rest = async {
        hold.arrived(1).await;
        let mut others: futures_util::stream::FuturesUnordered<_> = (0..10).map(|_| register()).collect();
        let mut answers = Vec::new();
        while let Some(answer) = futures_util::StreamExt::next(&mut others).await {
            // The first to be answered are those that found the queue full.
            if answers.is_empty() {
                assert_eq!(answer.refusal(), (503, "overloaded".to_owned()));
            }
            answers.push(answer);
            if answers.len() == 6 {
                hold.release();
            }
        }
        answers
    };
    let (first, answers) = tokio::join!(first, rest);
    first.response();
    assert_eq!(answers.iter().filter(|answer| answer.status == 503).count(), 6, "one under way, four queued");
    assert!(app.fake.most_in_flight() <= 2);
}

#[tokio::test]
async fn an_absurd_answer_is_an_error_and_no_burden() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).huge(20 << 20).times(3));
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.is_refused(502, "github_error");
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
}

#[tokio::test]
async fn a_failing_last_step_is_classified_on_every_operation() {
    let (world, cast, _) = acme_with_groups();
    let app = App::by_name(world, json!({})).await.settled().await;
    let groups: Vec<_> = TEAM_OPERATIONS.iter().filter(|(_, name, _)| !name.starts_with("group-c")).collect();
    for (method, operation, others) in groups {
        let mut parameters = PAYMENTS.to_vec();
        parameters.extend(others.iter().copied());
        for (fault, status, reason) in [
            (Fault::on("*", "*").error(403, "Resource not accessible by integration"), 502, "github_error"),
            (Fault::on("*", "*").error(500, "no"), 502, "github_error"),
            (Fault::on("*", "*").html(), 502, "github_error"),
            (Fault::on("*", "*").truncated(), 502, "github_error"),
            (Fault::on("*", "*").wrong_shape(), 502, "github_error"),
            (Fault::on("*", "*").secondary_limit(Duration::from_secs(9)), 503, "github_rate_limited"),
        ] {
            // Who they are is known; from here on everything fails. The service's own calls failed before as well, which may
            // have looked like an outage.
            let lists = async || app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.status == 200;
            app.until("everything to work", lists).await;
            app.fake.inject(fault);
            let answer = app.call(method, operation, &cast.ada, &parameters).await;
            app.fake.clear_faults();
            app.clock.advance(Duration::from_secs(9));
            let writes_nothing_back = answer.status == 200 && reason == "github_error";
            if writes_nothing_back {
                // A write without an answer body has nothing that could have a wrong shape.
                assert!(operation.starts_with("repos-") || operation.starts_with("group-delete"));
                app.call("PATCH", "repos-set", &cast.ada, &[("team", "payments"), ("repos", "web")]).await;
                continue;
            }
            assert_eq!(answer.refusal(), (status, reason.to_owned()), "{operation}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn cost_does_not_grow_with_the_organisation() {
    let (mut world, cast, group) = acme_with_groups();
    for number in 0..1_000 {
        world.add_group(&format!("other-{number}"), Visibility::Selected);
        world.add_repository(&format!("other-{number}"), RepoVisibility::Private);
    }
    let app = App::start(world).await.settled().await;
    let parameters = [("team", "payments"), ("repos", "api")];
    app.call("POST", "repos-add", &cast.ada, &parameters).await.response();
    app.fake.clear_calls();
    app.call("POST", "repos-add", &cast.ada, &parameters).await.response();
    assert_eq!(app.fake.total_calls(), 2);
    assert_eq!(app.fake.world(|world| world.repositories_of(group)).len(), 2);
}
