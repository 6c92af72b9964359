//! GitHub down as a whole: callers are told at once, and nobody's request finds out when it is back. What fails for one
//! caller or of one resource disturbs nobody else.

use std::time::Duration;

use actions_runner_manager::github::CircuitState;
use fake_github::{FakeGithub, Fault, Options, World};
use serde_json::json;

use crate::admin::{readiness, with_admin};
use crate::harness::App;
use crate::scene::{acme, acme_with_groups};

const PROBE: &str = "/app";
const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];

fn circuit(app: &App) -> CircuitState {
    app.server.state().organisation.github.circuit()
}

/// From now on nothing listens at GitHub's address; gives what was there.
fn stop_github(app: &mut App) -> World {
    let world = app.fake.world(|world| std::mem::replace(world, World::new("acme")));
    app.fake.stop();
    world
}

fn start_github(app: &mut App, world: World) {
    let options = Options { port: app.fake.port(), ..Options::default() };
    app.fake = FakeGithub::start(world, &options).unwrap();
}

#[tokio::test]
async fn while_nothing_listens_at_github_callers_are_told_at_once_and_a_call_of_the_services_own_finds_out_when_it_is_back()
 {
    let (world, cast, _) = acme_with_groups();
    let mut app = with_admin(world).await.settled().await;
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    let world = stop_github(&mut app);
    let opens = async || {
        app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.refusal();
        circuit(&app) == CircuitState::Open
    };
    app.until("GitHub taken for down", opens).await;
    let refused = app.call("GET", "status", &cast.eve, &[]).await;
    refused.is_refused(503, "github_unavailable");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    let (status, body) = readiness(&app).await;
    assert_eq!((status, &body["github"]), (200, &json!({ "ok": false, "problem": "down" })), "{body}");

    start_github(&mut app, world);
    let refused = app.call("POST", "token-register", &cast.ada, &PAYMENTS).await;
    refused.is_refused(503, "github_unavailable");
    assert_eq!(app.fake.total_calls(), 0, "no caller's call is the probe");
    app.until("the end of it", async || circuit(&app) == CircuitState::Closed).await;
    assert_eq!(app.calls()[0], format!("GET {PROBE}"));
    app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.response();
    assert_eq!(readiness(&app).await.1["github"]["ok"], true);
}

#[tokio::test]
async fn one_teams_list_that_github_can_not_give_disturbs_nobody_however_often_it_is_asked_for() {
    let (world, cast, group) = acme_with_groups();
    let app = with_admin(world).await.settled().await;
    let path = format!("/orgs/acme/actions/runner-groups/{}/runners", group.0);
    app.fake.inject(Fault::on("GET", &path).error(502, "Bad Gateway"));
    for _ in 0..12 {
        app.call("GET", "runners-list", &cast.ada, &PAYMENTS).await.is_refused(502, "github_error");
        app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.is_refused(502, "github_error");
    }
    let eves = app.call("GET", "runners-list", &cast.eve, &[("team", "search")]).await.response();
    assert_eq!(eves["runners"][0]["name"], "search-1");
    assert_eq!((circuit(&app), readiness(&app).await.0), (CircuitState::Closed, 200));
    assert_eq!(app.fake.count("GET", PROBE), 0, "nothing speaks for a probe");
}

#[tokio::test]
async fn server_errors_of_several_kinds_of_call_for_several_callers_speak_of_github_as_a_whole() {
    let (world, cast, _) = acme_with_groups();
    let app = with_admin(world).await.settled().await;
    for (token, team) in [(&cast.ada, "payments"), (&cast.eve, "search")] {
        app.call("GET", "group-list", token, &[("team", team)]).await.response();
    }
    app.fake.inject(Fault::everywhere().error(500, "down"));
    let opens = async || {
        app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.refusal();
        app.call("GET", "runners-list", &cast.eve, &[("team", "search")]).await.refusal();
        circuit(&app) == CircuitState::Open
    };
    app.until("GitHub taken for down", opens).await;
    app.fake.clear_faults();
    app.until("the end of it", async || circuit(&app) == CircuitState::Closed).await;
}

#[tokio::test]
async fn a_team_with_so_many_repositories_that_github_gives_up_disturbs_nobody() {
    let (mut world, cast, _) = acme_with_groups();
    for number in 0..900 {
        let repository =
            world.add_repository(&format!("service-{number}"), fake_github::RepoVisibility::Private);
        world.grant(cast.payments, repository, fake_github::Permission::Push);
    }
    let app = with_admin(world).await.settled().await;
    app.fake.inject(Fault::on("GET", "/orgs/{org}/teams/{team_slug}/repos").error(502, "Bad Gateway"));
    let names: Vec<_> = (0..12).map(|number| format!("service-{number}")).collect();
    for _ in 0..6 {
        let body = json!({ "team": "payments", "repos": names });
        app.call_json("PATCH", "repos-add", &cast.ada, body).await.is_refused(502, "github_error");
    }
    app.call("GET", "runners-list", &cast.eve, &[("team", "search")]).await.response();
    assert_eq!((circuit(&app), readiness(&app).await.0), (CircuitState::Closed, 200));
}

#[tokio::test]
async fn a_token_instead_of_the_app_probes_with_what_costs_it_nothing() {
    let (mut world, cast) = acme();
    let owner = world.user_by_login("olivia").unwrap().id;
    let token = world.add_token(owner, fake_github::TokenKind::Classic);
    let credential = json!({ "token": token, "appID": null, "installationID": null, "privateKeyFile": null });
    let mut app = App::with(world, credential).await.settled().await;
    app.acts_as = Some("olivia".to_owned());
    app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.response();
    let world = stop_github(&mut app);
    let opens = async || {
        app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.refusal();
        circuit(&app) == CircuitState::Open
    };
    app.until("GitHub taken for down", opens).await;
    start_github(&mut app, world);
    app.until("the end of it", async || circuit(&app) == CircuitState::Closed).await;
    assert_eq!(app.calls()[0], "GET /rate_limit");
    app.clock.advance(Duration::from_secs(2));
    app.call("POST", "token-register", &cast.ada, &PAYMENTS).await.response();
}
