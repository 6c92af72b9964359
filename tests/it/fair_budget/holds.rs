//! GitHub asked to wait: with what it spoke of, and with nothing else.

use std::time::Duration;

use fake_github::Fault;

use super::*;
use crate::binary::{LOOKED_AT_EVERY, within};
use crate::scene::{Cast, acme_with_groups};

const LONG: Duration = Duration::from_secs(30);

async fn started() -> (App, Cast) {
    let (world, cast, _) = acme_with_groups();
    let app = with_admin(world, json!({})).await;
    register(&app, &cast.ada, "payments").await.response();
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    app.fake.clear_calls();
    (app, cast)
}

async fn remove(app: &App, token: &str) -> Answer {
    app.call("POST", "token-remove", token, &PAYMENTS).await
}

#[tokio::test]
async fn a_secondary_limit_holds_back_its_endpoint_and_a_second_within_a_minute_everything() {
    let (app, cast) = started().await;
    app.fake.inject(Fault::on("POST", REGISTRATION).secondary_limit(LONG).once());
    let limited = register(&app, &cast.ada, "payments").await;
    limited.is_refused(503, "github_rate_limited");
    assert_eq!(limited.header("retry-after"), "30");
    assert!(metric(&app, "arm_github_holds").await >= 1.0);
    remove(&app, &cast.ada).await.response();
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    app.clock.advance(Duration::from_secs(10));
    let held = register(&app, &cast.ada, "payments").await;
    held.is_refused(503, "github_rate_limited");
    assert_eq!(held.header("retry-after"), "20");
    assert_eq!(app.fake.count("POST", REGISTRATION), 1, "it was not sent");
    app.fake.inject(Fault::on("POST", REMOVAL).secondary_limit(LONG).once());
    remove(&app, &cast.ada).await.is_refused(503, "github_rate_limited");
    app.fake.clear_calls();
    for (method, operation) in [("GET", "group-list"), ("POST", "token-remove"), ("POST", "token-register")] {
        let held = app.call(method, operation, &cast.ada, &PAYMENTS).await;
        held.is_refused(503, "github_rate_limited");
        assert_eq!(held.header("retry-after"), "30", "{operation}");
    }
    assert_eq!(app.fake.total_calls(), 0);
    app.clock.advance(LONG);
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    register(&app, &cast.ada, "payments").await.response();
    remove(&app, &cast.ada).await.response();
}

#[tokio::test]
async fn two_secondary_limits_with_more_than_a_minute_between_them_hold_back_one_endpoint_each() {
    let (app, cast) = started().await;
    for _ in 0..2 {
        app.fake.inject(Fault::on("POST", REGISTRATION).secondary_limit(LONG).once());
        register(&app, &cast.ada, "payments").await.is_refused(503, "github_rate_limited");
        remove(&app, &cast.ada).await.response();
        app.clock.advance(Duration::from_secs(61));
    }
    register(&app, &cast.ada, "payments").await.response();
}

/// A success after which GitHub counts no more calls for a resource.
fn spent(resource: &'static str) -> Fault {
    Fault::on("POST", REGISTRATION).once().changed(move |_, headers| {
        let reset =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 1_800;
        headers.retain(|(name, _)| !name.starts_with("x-ratelimit-"));
        for (name, value) in [
            ("x-ratelimit-limit", "5000".to_owned()),
            ("x-ratelimit-remaining", "0".to_owned()),
            ("x-ratelimit-used", "5000".to_owned()),
            ("x-ratelimit-reset", reset.to_string()),
            ("x-ratelimit-resource", resource.to_owned()),
        ] {
            headers.push((name.to_owned(), value));
        }
    })
}

#[tokio::test]
async fn a_spent_resource_holds_back_only_what_is_counted_for_it() {
    let (app, cast) = started().await;
    app.fake.inject(spent("actions_runner_registration"));
    register(&app, &cast.ada, "payments").await.response();
    let held = register(&app, &cast.ada, "payments").await;
    held.is_refused(503, "github_rate_limited");
    assert!((1_790..=1_802).contains(&retry_after(&held)), "{held:?}");
    remove(&app, &cast.ada).await.response();
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    register(&app, &cast.eve, "search").await.is_refused(503, "github_rate_limited");
    app.clock.advance(Duration::from_secs(1_803));
    register(&app, &cast.ada, "payments").await.response();
}

#[tokio::test]
async fn a_spent_hour_holds_back_everything() {
    let (app, cast) = started().await;
    app.fake.inject(spent("core"));
    register(&app, &cast.ada, "payments").await.response();
    for (method, operation) in [("GET", "group-list"), ("POST", "token-remove"), ("POST", "token-register")] {
        let held = app.call(method, operation, &cast.ada, &PAYMENTS).await;
        held.is_refused(503, "github_rate_limited");
        assert!((1_790..=1_802).contains(&retry_after(&held)), "{operation}: {held:?}");
    }
    assert_eq!(app.fake.total_calls(), 1);
}

/// The answer to a request while the clock goes on.
async fn while_time_passes(app: &App, asked: impl Future<Output = Answer>) -> Answer {
    let mut asked = std::pin::pin!(asked);
    let mut ticks = tokio::time::interval(LOOKED_AT_EVERY);
    let answered = async {
        loop {
            tokio::select! {
                answer = &mut asked => return answer,
                _ = ticks.tick() => app.clock.advance(Duration::from_millis(250)),
            }
        }
    };
    within("the answer", answered).await
}

#[tokio::test]
async fn a_short_wait_is_waited_for_by_reads_and_writes() {
    let (app, cast) = started().await;
    let short = |method: &str, endpoint: &str| {
        Fault::on(method, endpoint).secondary_limit(Duration::from_secs(3)).once()
    };
    let add = [("team", "payments"), ("repos", "api")];
    for (sent, endpoint, method, operation, parameters) in [
        ("GET", GROUP_RUNNERS, "GET", "group-list", PAYMENTS.as_slice()),
        ("POST", REGISTRATION, "POST", "token-register", &PAYMENTS),
        ("PUT", GROUP_REPOSITORY, "PATCH", "repos-add", &add),
    ] {
        app.fake.clear_calls();
        app.fake.inject(short(sent, endpoint));
        let before = app.clock.now();
        let asked = app.call(method, operation, &cast.ada, parameters);
        while_time_passes(&app, asked).await.response();
        assert_eq!(app.fake.count(sent, endpoint), 2, "{operation}");
        assert!(app.clock.now() >= before + Duration::from_secs(3), "{operation}");
        // Long enough that the next is not the second within a minute.
        app.clock.advance(Duration::from_secs(61));
        app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    }
}

#[tokio::test]
async fn what_is_asked_for_during_a_short_wait_waits_as_well_and_for_a_longer_one_is_refused_at_once() {
    let (app, cast) = started().await;
    let hold = |seconds| Fault::on("POST", REGISTRATION).secondary_limit(Duration::from_secs(seconds)).once();
    app.fake.inject(hold(4));
    let refused = register(&app, &cast.ada, "payments").await;
    refused.is_refused(503, "github_rate_limited");
    assert_eq!(refused.header("retry-after"), "4");
    assert_eq!(app.fake.count("POST", REGISTRATION), 1);
    app.clock.advance(Duration::from_secs(2));
    let before = app.clock.now();
    while_time_passes(&app, register(&app, &cast.ada, "payments")).await.response();
    assert!(app.clock.now() >= before + Duration::from_secs(2));
    assert_eq!(app.fake.count("POST", REGISTRATION), 2);
}

#[tokio::test]
async fn a_short_wait_that_the_request_has_no_time_for_is_refused() {
    let (world, cast, _) = acme_with_groups();
    let app = App::with(world, json!({ "github": { "timeout": "500ms" } })).await.settled().await;
    register(&app, &cast.ada, "payments").await.response();
    app.fake.inject(Fault::on("POST", REGISTRATION).secondary_limit(Duration::from_secs(3)).once());
    let refused = register(&app, &cast.ada, "payments").await;
    refused.is_refused(503, "github_rate_limited");
    assert_eq!(refused.header("retry-after"), "3");
}

#[tokio::test]
async fn a_failure_that_says_when_to_come_again_concerns_that_call_alone() {
    let (app, cast) = started().await;
    let failure = Fault::on("POST", REGISTRATION).error(503, "Service Unavailable");
    app.fake.inject(failure.header("retry-after", "30").once());
    let failed = register(&app, &cast.ada, "payments").await;
    failed.is_refused(503, "github_unavailable");
    assert_eq!(failed.header("retry-after"), "30");
    register(&app, &cast.ada, "payments").await.response();
    remove(&app, &cast.ada).await.response();
}
