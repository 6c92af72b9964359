//! Somebody who has nothing to do with the organisation costs next to nothing, whatever they send.

use std::time::Duration;

use fake_github::{TokenKind, World};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::*;
use crate::harness::send;
use crate::scene::{Cast, acme_with_groups};

/// What a stranger sends, by its number.
type Attempt = fn(usize) -> Request;

enum Request {
    /// An operation for a team.
    Operation(&'static str, &'static str, String),
    /// A token of a scope: path and scope.
    Scope(&'static str, String),
}

impl Request {
    async fn send(&self, app: &App, token: &str) -> Answer {
        match self {
            Self::Operation(method, operation, team) => {
                app.call(method, operation, token, &[("team", team)]).await
            }
            Self::Scope(path, scope) => {
                send(app.request("POST", path, token).json(&json!({ "scope": scope }))).await
            }
        }
    }
}

fn list(team: String) -> Request {
    Request::Operation("GET", "group-list", team)
}

fn usual_rate() -> Value {
    json!({ "server": { "rateLimit": 5, "rateBurst": null } })
}

/// Five requests at once, each second for a minute: as many as the usual limit allows.
async fn flood_for_a_minute(app: &App, token: &str, attempt: Attempt) {
    for second in 0..60 {
        let requests: Vec<_> = (0..5).map(|number| attempt(second * 5 + number)).collect();
        for answer in join_all(requests.iter().map(|request| request.send(app, token))).await {
            answer.is_refused(403, "not_a_maintainer");
        }
        app.clock.advance(Duration::from_secs(1));
    }
}

/// At most five calls in the first minute, and one in each after that.
async fn costs_next_to_nothing(world: World, cast: &Cast, extra: Value, attempt: Attempt) {
    let mut settings = usual_rate();
    merge(&mut settings, &extra);
    let app = App::with(world, settings).await.settled().await;
    flood_for_a_minute(&app, &cast.sam, attempt).await;
    let first = apps_calls(&app);
    assert!(first.len() <= 5, "{first:?}");
    for _ in 0..2 {
        app.fake.clear_calls();
        flood_for_a_minute(&app, &cast.sam, attempt).await;
        assert_eq!(apps_calls(&app), [format!("GET {ORG_MEMBERSHIP}")]);
    }
}

#[tokio::test]
async fn a_flood_of_made_up_team_names() {
    let (world, cast, _) = acme_with_groups();
    costs_next_to_nothing(world, &cast, json!({}), |number| list(format!("made-up-{number}"))).await;
}

#[tokio::test]
async fn a_flood_of_names_that_are_teams() {
    let (mut world, cast, _) = acme_with_groups();
    for number in 0..10 {
        world.add_team(&format!("team-{number}"));
    }
    let attempt = |number| list(format!("team-{}", number % 10));
    costs_next_to_nothing(world, &cast, json!({}), attempt).await;
}

#[tokio::test]
async fn a_flood_of_made_up_ids_of_teams() {
    let (world, cast, _) = acme_with_groups();
    let attempt = |number| list(format!("id:{}", 70_000_000 + number));
    costs_next_to_nothing(world, &cast, json!({}), attempt).await;
}

#[tokio::test]
async fn a_flood_of_ids_that_are_teams() {
    let (mut world, cast, _) = acme_with_groups();
    // Their ids are not known before; some of these are hit.
    for number in 0..10 {
        world.add_team(&format!("team-{number}"));
    }
    let attempt = |number| list(format!("id:{}", 10_000 + number % 50));
    costs_next_to_nothing(world, &cast, json!({}), attempt).await;
}

#[tokio::test]
async fn a_flood_of_scopes() {
    for (path, allowed) in [("/register", "acme/*"), ("/remove", "*")] {
        let (world, cast, _) = acme_with_groups();
        let attempt: Attempt = match path {
            "/register" => |number| Request::Scope("/register", format!("acme/made-up-{number}")),
            _ => |number| {
                let scope = ["acme", "acme/web", "acme/index"][number % 3];
                Request::Scope("/remove", scope.to_owned())
            },
        };
        costs_next_to_nothing(world, &cast, json!({ "scopes": { "allow": [allowed] } }), attempt).await;
    }
}

#[tokio::test]
async fn a_flood_of_requests_for_every_group_with_administrators_configured() {
    let by_slug = json!({ "admin": { "team": "search" } });
    let (world, cast, _) = acme_with_groups();
    let by_id = json!({ "admin": { "teamID": cast.search.0 } });
    let everything = |_| Request::Operation("GET", "runners-list", "*".to_owned());
    costs_next_to_nothing(world, &cast, by_slug.clone(), everything).await;
    for extra in [by_id, by_slug] {
        let (world, cast, _) = acme_with_groups();
        let attempt = |number| match number % 2 {
            0 => Request::Operation("GET", "runners-list", "*".to_owned()),
            _ => list(format!("made-up-{number}")),
        };
        costs_next_to_nothing(world, &cast, extra, attempt).await;
    }
}

/// `acme`, where GitHub allows 1,000 calls an hour, and so many strangers with a token each.
fn with_strangers(count: usize) -> (World, Cast, Vec<String>) {
    let (mut world, cast, _) = acme_with_groups();
    world.set_rate_limit(1_000);
    let stranger = |number| {
        let user = world.add_user(&format!("stranger-{number}"));
        world.add_token(user, TokenKind::Classic)
    };
    let tokens = (0..count).map(stranger).collect();
    (world, cast, tokens)
}

#[tokio::test]
async fn all_strangers_together_have_a_fiftieth_of_the_hour_and_those_who_are_known_are_served() {
    let (world, cast, strangers) = with_strangers(60);
    let app = with_admin(world, json!({})).await;
    register(&app, &cast.ada, "payments").await.response();
    register(&app, &cast.bob, "payments").await.is_refused(403, "not_a_maintainer");
    app.fake.clear_calls();
    let before = scarce(&app, "strangers").await;
    let mut refused_unasked = 0;
    for token in &strangers {
        let answer = register(&app, token, "payments").await;
        if answer.status == 403 {
            answer.is_refused(403, "not_a_maintainer");
            assert_eq!(refused_unasked, 0, "once their part is used up nobody new is asked about");
        } else {
            answer.is_refused(503, "github_rate_limited");
            assert!((3_500..=3_600).contains(&retry_after(&answer)), "{answer:?}");
            refused_unasked += 1;
        }
    }
    let calls = apps_calls(&app);
    assert!(calls.len() <= 20 + 2 && refused_unasked > 40, "{refused_unasked}: {calls:?}");
    assert!(scarce(&app, "strangers").await >= before + 40.0);
    // A stranger who was asked about before is refused as ever, but not asked about again.
    app.clock.advance(Duration::from_secs(61));
    app.fake.clear_calls();
    register(&app, &strangers[0], "payments").await.is_refused(403, "not_a_maintainer");
    assert_eq!(apps_calls(&app).len(), 0);
    register(&app, &cast.ada, "payments").await.response();
    register(&app, &cast.bob, "payments").await.is_refused(403, "not_a_maintainer");
    // Whoever the service never saw has to wait for the next hour, in which all are asked about.
    register(&app, &cast.eve, "search").await.is_refused(503, "github_rate_limited");
    app.fake.advance(Duration::from_hours(1));
    app.clock.advance(Duration::from_hours(1));
    register(&app, &cast.eve, "search").await.response();
    register(&app, &strangers[59], "payments").await.is_refused(403, "not_a_maintainer");
}

#[tokio::test]
async fn strangers_who_come_at_once_cost_no_more_than_what_was_under_way() {
    let (world, cast, strangers) = with_strangers(60);
    let app = App::with(world, json!({})).await.settled().await;
    register(&app, &cast.ada, "payments").await.response();
    app.fake.clear_calls();
    for ten in strangers.chunks(10) {
        for answer in join_all(ten.iter().map(|token| register(&app, token, "payments"))).await {
            assert!([403, 503].contains(&answer.status), "{answer:?}");
        }
    }
    let calls = apps_calls(&app).len();
    assert!(calls <= 20 + 10 * 2, "{calls}");
}

#[tokio::test]
async fn a_maintainer_who_comes_for_the_first_time_with_many_requests_at_once_is_served() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    let all = (0..20).map(|_| register(&app, &cast.ada, "payments"));
    for answer in join_all(all).await {
        answer.response();
    }
    assert_eq!((app.fake.count("GET", TEAM), app.fake.count("GET", MEMBERSHIP)), (1, 1));
}
