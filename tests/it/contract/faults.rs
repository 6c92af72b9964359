//! Scripted trouble, and the log of what happened.

use std::time::Duration;

use fake_github::{
    self, Credential, FakeGithub, Fault, Hold, Options, RunnerStatus, TokenKind, Visibility, World,
};
use serde_json::json;

use super::client::{http, scene};

const GROUPS: &str = "/orgs/acme/actions/runner-groups";
const GROUPS_TEMPLATE: &str = "/orgs/{org}/actions/runner-groups";

/// The innermost cause of a failed request.
fn cause(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[tokio::test]
async fn a_reset_connection_gives_no_answer() {
    let scene = scene();
    scene.fake.inject(Fault::on("GET", "/user").once().reset());
    let error = scene.try_call("GET", "/user", &scene.member, None).await.err().expect("no answer");
    assert!(cause(&error).contains("reset"), "{}", cause(&error));
    assert_eq!((scene.last_call().status, scene.last_call().faulted), (None, true));
    assert_eq!(scene.call("GET", "/user", &scene.member, None).await.status, 200);
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_operation_took_effect() {
    let scene = scene();
    scene.fake.inject(Fault::on("POST", GROUPS_TEMPLATE).once().after_effect().reset());
    let lost = scene.try_call("POST", GROUPS, &scene.token, Some(json!({"name": "x"}))).await;
    assert!(lost.is_err());
    assert!(scene.fake.world(|world| world.group_by_name("x").is_some()));
    scene.fake.inject(Fault::on("POST", GROUPS).once().reset());
    let never = scene.try_call("POST", GROUPS, &scene.token, Some(json!({"name": "y"}))).await;
    assert!(never.is_err());
    assert!(scene.fake.world(|world| world.group_by_name("y").is_none()));
    scene.assert_in_order();
}

#[tokio::test]
async fn a_truncated_body_ends_early() {
    let scene = scene();
    scene.fake.inject(Fault::on("GET", GROUPS_TEMPLATE).truncated());
    let error = scene.try_call("GET", GROUPS, &scene.token, None).await.err().expect("half an answer");
    assert!(error.is_body() || error.is_decode(), "{}", cause(&error));
    scene.fake.clear_faults();
    scene.fake.inject(Fault::on("GET", GROUPS_TEMPLATE).after_effect().truncated());
    assert!(scene.try_call("GET", GROUPS, &scene.token, None).await.is_err());
}

#[tokio::test]
async fn a_huge_body_is_as_large_as_asked() {
    let scene = scene();
    scene.fake.inject(Fault::on("*", "/user").huge(20 * 1024 * 1024));
    let reply = scene.call("GET", "/user", &scene.member, None).await;
    assert!(reply.status == 200 && reply.body.len() >= 20 * 1024 * 1024);
    assert!(reply.json()["message"].is_string());
}

#[tokio::test]
async fn errors_limits_and_pages_for_people_come_as_scripted() {
    let scene = scene();
    scene.fake.inject(Fault::everywhere().once().error(503, "Unavailable").header("Retry-After", "7"));
    scene.fake.inject(Fault::everywhere().once().html());
    scene.fake.inject(Fault::everywhere().once().secondary_limit(Duration::from_mins(1)));
    scene.fake.inject(Fault::everywhere().once().primary_limit(1_900_000_000));
    scene.fake.inject(Fault::everywhere().times(2).wrong_shape());
    let busy = scene.get(GROUPS).await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, "7"));
    let page = scene.get(GROUPS).await;
    assert_eq!((page.status, page.header("content-type")), (502, "text/html; charset=utf-8"));
    let secondary = scene.get(GROUPS).await;
    assert_eq!((secondary.status, secondary.header("retry-after")), (403, "60"));
    assert!(secondary.message().contains("secondary rate limit"));
    let primary = scene.get(GROUPS).await;
    assert_eq!((primary.status, primary.header("x-ratelimit-remaining")), (403, "0"));
    assert_eq!(primary.header("x-ratelimit-reset"), "1900000000");
    assert!(!primary.header("x-github-request-id").is_empty());
    for _ in 0..2 {
        assert_eq!(scene.get(GROUPS).await.json()["total_count"], json!(null));
    }
    assert_eq!(scene.get(GROUPS).await.json()["total_count"], 2);
    scene.assert_in_order();
}

#[tokio::test]
async fn the_own_answer_of_an_operation_can_be_changed() {
    let scene = scene();
    scene.fake.inject(Fault::on("GET", GROUPS_TEMPLATE).once().changed(|json, headers| {
        json["total_count"] = json!(null);
        headers.retain(|(name, _)| name != "x-github-request-id");
        headers.push(("x-extra".to_owned(), "yes".to_owned()));
    }));
    let changed = scene.get(GROUPS).await;
    assert_eq!((changed.status, changed.json()["total_count"].clone()), (200, json!(null)));
    assert_eq!(changed.json()["runner_groups"][1]["name"], "platform");
    assert_eq!((changed.header("x-extra"), changed.header("x-github-request-id")), ("yes", ""));
    assert_ne!(scene.get(GROUPS).await.header("etag"), changed.header("etag"));

    let token = "/orgs/acme/actions/runners/registration-token";
    scene.fake.inject(Fault::on("POST", token).once().changed(|_, headers| {
        for (name, value) in headers {
            if name == "x-ratelimit-resource" {
                "actions_runner_registration".clone_into(value);
            }
        }
    }));
    let granted = scene.act("POST", token).await;
    assert_eq!((granted.status, scene.fake.world(|world| world.runner_tokens().len())), (201, 1));
    assert_eq!(granted.header("x-ratelimit-resource"), "actions_runner_registration");
    scene.assert_in_order();
}

#[tokio::test]
async fn in_bad_weather_some_answers_are_at_fault_and_the_others_are_not() {
    let scene = scene();
    scene.fake.set_weather(3, 42);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..60 {
        match scene.try_call("GET", GROUPS, &scene.token, None).await {
            Ok(reply) if reply.status == 200 => good += 1,
            Ok(reply) => {
                assert!([500, 502, 503].contains(&reply.status), "{}", reply.status);
                assert_eq!(reply.header("retry-after"), if reply.status == 503 { "1" } else { "" });
                bad += 1;
            }
            Err(_) => bad += 1,
        }
    }
    assert!(good > 30 && bad > 5, "{good} good, {bad} bad");
    scene.fake.set_weather(0, 0);
    for _ in 0..20 {
        assert_eq!(scene.get(GROUPS).await.status, 200);
    }
    scene.assert_in_order();
}

#[tokio::test]
async fn held_requests_wait_for_the_test() {
    let scene = scene();
    let hold = Hold::new();
    scene.fake.inject(Fault::on("GET", GROUPS_TEMPLATE).hold(&hold));
    let calls = async { tokio::join!(scene.get(GROUPS), scene.get(GROUPS), scene.get(GROUPS)) };
    let release = async {
        hold.arrived(3).await;
        assert_eq!((hold.waiting(), scene.fake.total_calls()), (3, 0));
        hold.release();
    };
    let ((one, two, three), ()) = tokio::join!(calls, release);
    assert_eq!((one.status, two.status, three.status), (200, 200, 200));
    assert_eq!(scene.fake.most_in_flight(), 3);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_request_given_up_is_in_the_log_without_an_answer() {
    let scene = scene();
    let hold = Hold::new();
    scene.fake.inject(Fault::on("GET", "/user").once().hold(&hold));
    tokio::select! {
        _ = scene.try_call("GET", "/user", &scene.member, None) => panic!("it is held"),
        () = hold.arrived(1) => {}
    }
    scene.fake.settled().await;
    assert_eq!(hold.waiting(), 0);
    assert_eq!(scene.last_call().status, None);
}

#[tokio::test]
async fn a_fault_can_be_only_late() {
    let scene = scene();
    scene.fake.inject(Fault::on("GET", GROUPS_TEMPLATE).once().delay(Duration::from_millis(20)));
    assert_eq!(scene.get(GROUPS).await.json()["total_count"], 2);
    assert!(scene.last_call().took >= Duration::from_millis(20));
    scene.fake.set_latency(Duration::from_millis(15));
    assert_eq!(scene.get(GROUPS).await.status, 200);
    assert!(scene.last_call().took >= Duration::from_millis(15));
    scene.assert_in_order();
}

#[tokio::test]
async fn github_goes_down_and_comes_back_on_the_same_port() {
    let scene = scene();
    assert_eq!(scene.get(GROUPS).await.status, 200);
    scene.fake.go_down();
    for _ in 0..3 {
        assert!(scene.try_call("GET", GROUPS, &scene.token, None).await.is_err());
    }
    scene.fake.come_back();
    assert_eq!(scene.get(GROUPS).await.status, 200);
    assert_eq!(scene.fake.count("GET", GROUPS_TEMPLATE), 2);
    scene.assert_in_order();
}

#[tokio::test]
async fn going_down_cuts_the_calls_under_way() {
    let scene = scene();
    let hold = Hold::new();
    scene.fake.inject(Fault::on("GET", GROUPS_TEMPLATE).once().hold(&hold));
    let cut = async {
        hold.arrived(1).await;
        scene.fake.go_down();
    };
    let (reply, ()) = tokio::join!(scene.try_call("GET", GROUPS, &scene.token, None), cut);
    assert!(reply.is_err());
    scene.fake.settled().await;
    assert_eq!(scene.last_call().status, None);
}

#[tokio::test]
async fn a_stopped_fake_refuses_connections() {
    let mut scene = scene();
    assert_eq!(scene.get(GROUPS).await.status, 200);
    scene.fake.stop();
    assert!(scene.try_call("GET", GROUPS, &scene.token, None).await.is_err());
}

#[tokio::test]
async fn the_log_knows_who_asked_what_and_never_shows_a_secret() {
    let scene = scene();
    scene.call("GET", "/user", &scene.member, None).await;
    scene.act("POST", "/orgs/acme/actions/runners/registration-token").await;
    let calls = scene.fake.calls();
    let user = Credential::User { login: "mona".to_owned(), kind: TokenKind::Classic };
    assert_eq!(calls[0].credential, user);
    assert_eq!(calls[1].credential, Credential::Installation(scene.installation));
    assert_eq!((calls[0].sequence, calls[1].sequence), (1, 2));
    assert_eq!(calls[0].request_header("user-agent"), Some("contract-test"));
    assert_eq!(calls[0].request_header("authorization"), None);
    let shown = format!("{calls:?} {:?}", scene.fake);
    let secret = calls[1].response_json()["token"].as_str().expect("a token").to_owned();
    for secret in [&scene.member, &scene.token, &secret] {
        assert!(!shown.contains(secret.as_str()), "{shown}");
    }
    scene.fake.clear_calls();
    assert_eq!((scene.fake.calls().len(), scene.fake.count("GET", "/user")), (0, 0));
}

#[tokio::test]
async fn the_log_is_bounded_and_the_counts_are_not() {
    let options = Options { log_capacity: 2, record_bodies: false, ..Options::default() };
    let fake = FakeGithub::start(World::new("acme"), &options).expect("the fake starts");
    let client = http();
    for _ in 0..5 {
        client.get(format!("{}/meta", fake.url())).send().await.expect("an answer");
    }
    let calls = fake.calls();
    assert_eq!((calls.len(), calls[0].sequence, fake.count("GET", "/meta")), (2, 4, 5));
    assert!(calls[0].response_body.is_empty());
    assert!(super::check(&calls).is_empty());
}

#[tokio::test]
async fn ten_thousand_of_everything_are_arranged_and_paged_quickly() {
    let scene = scene();
    let started = std::time::Instant::now();
    scene.fake.world(|world| {
        for number in 0..10_000 {
            world.add_group(&format!("group-{number}"), Visibility::Selected);
            let repo = world.add_repository(&format!("repo-{number}"), fake_github::RepoVisibility::Private);
            world.grant(scene.team, repo, fake_github::Permission::Push);
        }
        for number in 0..5_000 {
            world.add_runner(scene.group, &format!("runner-{number}"), &["gpu"], RunnerStatus::Online);
        }
    });
    let last = scene.get(&format!("{GROUPS}?per_page=100&page=101")).await.json();
    assert_eq!(last["total_count"], 10_002);
    assert_eq!(scene.get("/orgs/acme/teams/platform/repos?per_page=100&page=100").await.status, 200);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    scene.assert_in_order();
}

#[tokio::test]
async fn the_demo_has_people_of_every_kind() {
    let demo = fake_github::demo();
    let fake = FakeGithub::start(demo.world, &Options::default()).expect("the fake starts");
    let client = http();
    for person in
        [&demo.maintainer, &demo.other_maintainer, &demo.member, &demo.pending, &demo.owner, &demo.stranger]
    {
        let me = client.get(format!("{}/user", fake.url())).bearer_auth(&person.token).send().await;
        assert_eq!(me.expect("an answer").status(), 200, "{}", person.login);
    }
    for slug in demo.teams {
        assert!(fake.world(|world| world.team_by_slug(slug).is_some()), "{slug}");
    }
    assert!(super::check(&fake.calls()).is_empty());
}

#[tokio::test]
async fn the_demo_has_a_workflow_whose_runs_differ_in_what_started_them() {
    let demo = fake_github::demo();
    let workflow = demo.workflow;
    let fake = FakeGithub::start(demo.world, &Options::default()).expect("the fake starts");
    let reviewed = fake.world(|world| {
        let repository = world.repository_by_name(workflow.repository).expect("the repository").id;
        let environment = world.environment(repository, workflow.environment).expect("the environment");
        environment.protection.reviewing_teams == [world.team_by_slug("platform").expect("the team").id]
    });
    assert!(reviewed);
    let of = |token: String| super::issuers::parts(&token).1;
    let fits = of(workflow.token(&fake, "https://localhost"));
    let differs = of(workflow.token_of_pull_request(&fake, "https://localhost"));
    assert_eq!((&fits["event_name"], &differs["event_name"]), (&json!("push"), &json!("pull_request")));
    for name in ["repository_id", "environment", "aud", "actor_id"] {
        assert_eq!(fits[name], differs[name], "{name}");
    }
    let seconds = |name: &str| fits[name].as_u64().expect("seconds");
    assert_eq!(seconds("exp") - seconds("iat"), 3600);
}
