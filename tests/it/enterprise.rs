//! GitHub Enterprise Server: the API below `/api/v3`, and what older versions don't have.

use std::time::Duration;

use fake_github::{FakeGithub, Level};
use serde_json::json;

use crate::harness::{self, App};
use crate::scene::{Cast, acme_with_groups};
use crate::tour;

/// The service in front of an Enterprise Server of this version, or of github.com.
async fn in_front_of(version: Option<(u32, u32)>) -> (App, Cast) {
    let (mut world, cast) = tour::start();
    world.grant_app_permission("administration", Level::Write);
    if let Some((major, minor)) = version {
        world.set_enterprise_version(major, minor);
    }
    let fake = harness::fake(world);
    let url = if version.is_some() { fake.enterprise_url() } else { fake.url().to_owned() };
    let extra = json!({ "github": { "apiURL": url }, "scopes": { "allow": [tour::SCOPES] } });
    (App::in_front_of(fake, &extra).await, cast)
}

#[tokio::test]
async fn every_operation_works_on_github_com_and_on_enterprise_servers() {
    for version in [None, Some((3, 19)), Some((3, 13)), Some((3, 10))] {
        let (app, cast) = in_front_of(version).await;
        let app = app.settled().await;
        tour::without_jit(&app, &cast).await;
        tour::jit(&app, &cast).await;
        let below = |call: &fake_github::Exchange| {
            // What GitHub calls its own address comes back with each answer.
            call.response_body.windows(8).any(|part| part == b"/api/v3/")
        };
        assert_eq!(app.fake.calls().iter().any(below), version.is_some(), "{version:?}");
    }
}

#[tokio::test]
async fn servers_before_3_10_do_all_but_jit_configs_and_the_refusal_says_why() {
    for minor in [9, 7, 4] {
        let (app, cast) = in_front_of(Some((3, minor))).await;
        tour::without_jit(&app, &cast).await;
        let wanted = [("team", "search"), ("labels", "linux")];
        let answer = app.call("POST", "jitconfig-generate", &cast.eve, &wanted).await;
        answer.is_refused(403, "denied_by_policy");
        let why = format!("GitHub Enterprise Server 3.{minor} has no JIT configs");
        assert!(answer.text.contains(&why), "{}", answer.text);
        let lines = answer.audit();
        assert_eq!(
            (lines.len(), &lines[0]["outcome"], &lines[0]["reason"]),
            (1, &json!("refused"), &json!("denied_by_policy"))
        );
    }
}

#[tokio::test]
async fn a_group_that_vanished_is_not_mistaken_for_an_old_server() {
    let (mut world, cast, group) = acme_with_groups();
    // The first that has JIT configs.
    world.set_enterprise_version(3, 10);
    let fake = harness::fake(world);
    let extra = json!({ "github": { "apiURL": fake.enterprise_url() } });
    let app = App::in_front_of(fake, &extra).await;
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
    app.fake.world(|world| world.delete_group(group));
    let wanted = [("team", "payments"), ("labels", "linux")];
    let answer = app.call("POST", "jitconfig-generate", &cast.ada, &wanted).await;
    answer.is_refused(404, "group_not_found");
}

#[tokio::test]
async fn asking_for_the_version_costs_nobody_a_call() {
    for version in [None, Some((3, 12)), Some((3, 9))] {
        let (app, cast) = in_front_of(version).await;
        let app = app.settled().await;
        let wanted = [("team", "search"), ("labels", "linux")];
        app.call("POST", "jitconfig-generate", &cast.eve, &wanted).await;
        assert_eq!(app.fake.count("GET", "/meta"), 0);
        assert_eq!(app.fake.count("POST", "/orgs/{org}/actions/runners/generate-jitconfig"), 1);
    }
}

#[tokio::test]
async fn without_rate_limit_headers_nothing_is_held_back() {
    let (app, cast) = in_front_of(Some((3, 12))).await;
    let is_limited = |fake: &FakeGithub| {
        fake.calls().iter().any(|call| call.response_header("x-ratelimit-remaining").is_some())
    };
    for _ in 0..20 {
        app.clock.advance(Duration::from_mins(10));
        app.call("GET", "group-list", &cast.eve, &[("team", "search")]).await.response();
    }
    assert!(!is_limited(&app.fake));
}
