//! While the hour runs short, each is held to a share of it.

use std::time::Duration;

use fake_github::{TokenKind, World};

use super::*;
use crate::scene::{Cast, acme_with_groups};

/// The hour of these tests has a hundred calls.
const LIMIT: u64 = 100;

fn scene() -> (World, Cast) {
    let (mut world, cast, _) = acme_with_groups();
    world.set_rate_limit(LIMIT);
    (world, cast)
}

/// How many registration tokens somebody gets before one is refused; gives the refusal, too.
async fn until_refused(app: &App, token: &str, team: &str) -> (usize, Answer) {
    for number in 0..2 * usize::try_from(LIMIT).unwrap() {
        let answer = register(app, token, team).await;
        if answer.status != 200 {
            return (number, answer);
        }
    }
    panic!("nothing was refused");
}

async fn many(app: &App, token: &str, count: usize) {
    for _ in 0..count {
        register(app, token, "payments").await.response();
    }
}

#[tokio::test]
async fn who_used_a_fifth_waits_until_there_are_calls_again_and_others_are_served() {
    let (world, cast) = scene();
    let app = with_admin(world, json!({})).await;
    let before = scarce(&app, "principal_share").await;
    set_remaining(&app, 70);
    let (served, refused) = until_refused(&app, &cast.ada, "payments").await;
    refused.is_refused(429, "rate_limited");
    assert!(refused.text.contains("your share"), "{}", refused.text);
    // Two calls were for her membership.
    assert_eq!(served, 18);
    assert!(scarce(&app, "principal_share").await > before);
    assert!((metric(&app, "arm_github_hour_runs_short").await - 1.0).abs() < f64::EPSILON);
    register(&app, &cast.eve, "search").await.response();
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.is_refused(429, "rate_limited");
    let first = retry_after(&register(&app, &cast.ada, "payments").await);
    // About half of the hour is left by then, and about as much of the limit; and there are calls for a whole request.
    assert!((2_000..2_500).contains(&first), "{first}");
    app.clock.advance(Duration::from_secs(first));
    // Work of the service's own that was due meanwhile took some calls, too.
    app.fake.settled().await;
    app.fake.clear_calls();
    let mut answer = register(&app, &cast.ada, "payments").await;
    for _ in 0..3 {
        if answer.status == 429 {
            assert!(retry_after(&answer) < first / 4, "{answer:?}");
            app.clock.advance(Duration::from_secs(retry_after(&answer)));
            answer = register(&app, &cast.ada, "payments").await;
        }
    }
    answer.response();
    let hers = |call: &String| call.contains("memberships") || call.starts_with("POST");
    let finished: Vec<_> = apps_calls(&app).into_iter().filter(hers).collect();
    assert_eq!(finished, [format!("GET {MEMBERSHIP}"), format!("POST {REGISTRATION}")]);
}

#[tokio::test]
async fn a_team_has_two_fifths_for_all_of_its_maintainers() {
    let (mut world, cast) = scene();
    let max = world.add_member("max");
    world.add_maintainer(cast.payments, max);
    let max = world.add_token(max, TokenKind::Classic);
    world.add_maintainer(cast.search, cast.ada_id);
    let app = with_admin(world, json!({ "github": { "share": { "principal": "30%" } } })).await;
    let before = scarce(&app, "team_share").await;
    set_remaining(&app, 90);
    many(&app, &cast.ada, 20).await;
    let (served, refused) = until_refused(&app, &max, "payments").await;
    refused.is_refused(429, "rate_limited");
    assert!(refused.text.contains("this team's share"), "{}", refused.text);
    assert!((20..=21).contains(&served), "{served}");
    assert!(scarce(&app, "team_share").await > before);
    register(&app, &cast.ada, "payments").await.is_refused(429, "rate_limited");
    register(&app, &cast.ada, "search").await.response();
    register(&app, &cast.eve, "search").await.response();
}

#[tokio::test]
async fn other_shares_can_be_set() {
    let (world, cast) = scene();
    let settings = json!({ "github": { "share": { "principal": "10%", "team": "5%" } } });
    let app = App::with(world, settings).await.settled().await;
    set_remaining(&app, 90);
    let (served, refused) = until_refused(&app, &cast.ada, "payments").await;
    refused.is_refused(429, "rate_limited");
    assert_eq!(served, 5, "the team's share");
    let (world, cast) = scene();
    let settings = json!({ "github": { "share": { "principal": "10%" } } });
    let app = App::with(world, settings).await.settled().await;
    set_remaining(&app, 90);
    let (served, refused) = until_refused(&app, &cast.ada, "payments").await;
    refused.is_refused(429, "rate_limited");
    assert_eq!(served, 8, "her own");
}

#[tokio::test]
async fn while_the_hour_suffices_nobody_is_refused() {
    let (world, cast) = scene();
    let app = with_admin(world, json!({})).await;
    // Half of the hour is over.
    app.fake.advance(Duration::from_mins(30));
    app.clock.advance(Duration::from_mins(30));
    set_remaining(&app, 100);
    many(&app, &cast.ada, 45).await;
    let (more, refused) = until_refused(&app, &cast.ada, "payments").await;
    refused.is_refused(429, "rate_limited");
    assert!(more < 10, "then it runs short: {more}");
}

#[tokio::test]
async fn where_github_reports_no_limit_there_are_no_shares() {
    let (mut world, cast) = scene();
    world.set_enterprise_version(3, 19);
    let settings = json!({ "github": { "share": { "principal": "0%", "team": "0%" }, "reserve": "100%" } });
    let app = App::with(world, settings).await.settled().await;
    many(&app, &cast.ada, 60).await;
}

#[tokio::test]
async fn a_new_hour_begins_anew() {
    let (world, cast) = scene();
    let app = App::with(world, json!({})).await.settled().await;
    set_remaining(&app, 70);
    until_refused(&app, &cast.ada, "payments").await.1.is_refused(429, "rate_limited");
    app.fake.advance(Duration::from_hours(1));
    app.clock.advance(Duration::from_hours(1));
    set_remaining(&app, 70);
    let (served, refused) = until_refused(&app, &cast.ada, "payments").await;
    refused.is_refused(429, "rate_limited");
    assert!(served >= 16, "{served}");
}

#[tokio::test]
async fn what_did_not_change_costs_nothing() {
    let (world, cast) = scene();
    let app = App::with(world, json!({})).await.settled().await;
    set_remaining(&app, 70);
    for _ in 0..40 {
        app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    }
    let unchanged = app.fake.calls().iter().filter(|call| call.status == Some(304)).count();
    assert_eq!(unchanged, 39 * 2);
    let (served, refused) = until_refused(&app, &cast.ada, "payments").await;
    refused.is_refused(429, "rate_limited");
    assert_eq!(served, 20 - 5, "team, membership, group, and two lists");
}
