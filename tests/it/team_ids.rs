//! A team named by its id: `id:123`, wherever a team is named.

use std::time::Duration;

use fake_github::{Fault, Hold, TeamId, TokenKind, Visibility};
use serde_json::{Value, json};

use crate::access::TEAM_OPERATIONS;
use crate::binary::within;
use crate::harness::{Answer, App, log_lines, send};
use crate::scene::{acme, acme_with_groups, acme_with_runners};

const TEAM: &str = "/orgs/{org}/teams/{team_slug}";
const TEAMS: &str = "/orgs/{org}/teams";
const MEMBERSHIP: &str = "/orgs/{org}/teams/{team_slug}/memberships/{username}";

fn id(team: TeamId) -> String {
    format!("id:{}", team.0)
}

async fn list(app: &App, token: &str, team: &str) -> Answer {
    app.call("GET", "group-list", token, &[("team", team)]).await
}

/// Audit and access lines call the team so.
#[track_caller]
fn assert_logged_as(answer: &Answer, team: &str) {
    let lines = log_lines(answer.header("x-request-id"));
    let named: Vec<_> = lines.iter().filter_map(|line| line.get("team")).collect();
    assert!(!named.is_empty() && named.iter().all(|named| *named == team), "{named:?}");
}

#[tokio::test]
async fn every_operation_takes_a_team_by_its_id_as_by_its_slug() {
    for (method, operation, others) in TEAM_OPERATIONS {
        let answers = async |by_id: bool| {
            let (mut world, cast, _) = acme_with_runners();
            world.add_maintainer(cast.search, cast.ada_id);
            let team = |team: TeamId, slug: &str| if by_id { id(team) } else { slug.to_owned() };
            let other = team(cast.search, "search");
            let mut parameters = vec![("team", team(cast.payments, "payments"))];
            parameters.extend(others.iter().map(|(name, value)| {
                let is_team = ["to", "transfer_to"].contains(name);
                (*name, if is_team { other.clone() } else { (*value).to_owned() })
            }));
            let app = App::start(world).await;
            let pairs: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = app.call(method, operation, &cast.ada, &pairs).await;
            assert_logged_as(&answer, "payments");
            let to_team: Vec<_> = answer.audit().iter().map(|line| line["to_team"].clone()).collect();
            assert!(to_team.iter().all(|to| to.is_null() || to == "search"), "{to_team:?}");
            let mut body = answer.json();
            if let Some(body) = body.as_object_mut() {
                body.remove("RequestID");
            }
            // Secrets, names and numbers that are made at random.
            (answer.status, body["Reason"].clone(), body["Response"].is_string())
        };
        assert_eq!(answers(true).await, answers(false).await, "{operation}");
    }
}

#[tokio::test]
async fn the_token_proxy_takes_a_team_by_its_id() {
    let (mut world, cast) = acme();
    world.grant_app_permission("administration", fake_github::Level::Write);
    let app = App::with(world, json!({ "scopes": { "allow": ["acme/*"] } })).await;
    for path in ["/register", "/remove"] {
        let body = json!({ "scope": "acme/index", "team": id(cast.search) });
        let answer = send(app.request("POST", path, &cast.eve).json(&body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_logged_as(&answer, "search");
        let refused = send(app.request("POST", path, &cast.ada).json(&body)).await;
        refused.is_refused(403, "not_a_maintainer");
    }
}

#[tokio::test]
async fn what_begins_as_an_id_and_is_none_is_refused_wherever_a_team_is_named() {
    let (world, cast, _) = acme_with_groups();
    let app = App::with(world, json!({ "admin": { "team": "search" } })).await.settled().await;
    let malformed = [
        "id:",
        "id:0x1",
        "id:-1",
        "id:+1",
        "id:99999999999999999999",
        "id:\u{661}",
        "id: 1",
        "id:1 ",
        "ID:1",
        "id:1,2",
        "id:payments",
        "id:1.0",
        "id:id:1",
    ];
    for text in malformed {
        for (method, operation, others) in TEAM_OPERATIONS {
            let mut parameters = vec![("team", text)];
            parameters.extend(others.iter().copied());
            let answer = app.call(method, operation, &cast.ada, &parameters).await;
            answer.is_refused(400, "invalid_parameter");
        }
        for (operation, other) in [("group-delete", "transfer_to"), ("runners-transfer", "to")] {
            let body = json!({ "team": "payments", other: text, "all": true });
            let mut body = body;
            if operation == "group-delete" {
                body.as_object_mut().unwrap().remove("all");
            }
            app.call_json("POST", operation, &cast.ada, body).await.is_refused(400, "invalid_parameter");
        }
        let body = json!({ "scope": "acme/web", "team": text });
        send(app.request("POST", "/register", &cast.ada).json(&body))
            .await
            .is_refused(400, "invalid_parameter");
        let everywhere = [("team", text)];
        app.call("GET", "runners-list", &cast.eve, &everywhere).await.is_refused(400, "invalid_parameter");
        app.call("GET", "runners-list", &cast.ada, &[("team", "payments"), ("name", text)])
            .await
            .status
            .eq(&if text.starts_with("id:") { 400 } else { 200 })
            .then_some(())
            .unwrap();
    }
    assert_eq!(app.fake.count("GET", TEAMS), 0);
}

#[tokio::test]
async fn an_id_that_nobody_has_is_answered_as_a_team_of_others_and_a_thousand_cost_one_list() {
    let (mut world, cast, _) = acme_with_groups();
    for number in 0..150 {
        world.add_team(&format!("team-{number}"));
    }
    let app = App::start(world).await.settled().await;
    let others = list(&app, &cast.bob, "search").await;
    app.fake.clear_calls();
    for number in 0..1_000 {
        let answer = list(&app, &cast.bob, &format!("id:{}", 900_000 + number)).await;
        assert_eq!(answer.refusal(), others.refusal());
        assert_eq!(answer.json()["Error"], others.json()["Error"]);
        app.clock.advance(Duration::from_millis(50));
    }
    assert_eq!(app.fake.total_calls(), 2, "two pages, once");
    // By and by the list is read again, for teams that are new: two pages, every two minutes.
    app.clock.advance(Duration::from_secs(69));
    list(&app, &cast.bob, "id:900000").await.is_refused(403, "not_a_maintainer");
    assert_eq!(app.fake.count("GET", TEAMS), 2);
    app.clock.advance(Duration::from_secs(1));
    for _ in 0..10 {
        list(&app, &cast.bob, "id:900000").await.is_refused(403, "not_a_maintainer");
    }
    assert_eq!(app.fake.count("GET", TEAMS), 4);
}

#[tokio::test]
async fn ids_of_those_who_hang_up_or_come_at_once_cost_one_list() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    app.call("GET", "status", &cast.sam, &[]).await.response();
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", TEAMS).hold(&hold));
    for number in 0..5 {
        let path = format!("/api/v1/group-list?team=id:{}", 900_000 + number);
        let asked = tokio::spawn(send(app.request("GET", &path, &cast.sam)));
        within("the list", hold.arrived(1)).await;
        asked.abort();
        assert!(asked.await.is_err());
    }
    let more = (0..20).map(|number| {
        let path = format!("/api/v1/group-list?team=id:{}", 900_100 + number);
        send(app.request("GET", &path, &cast.sam))
    });
    let release = async {
        within("the list", hold.arrived(1)).await;
        hold.release();
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(more), release);
    assert!(answers.iter().all(|answer| answer.status == 403));
    assert_eq!(app.fake.count("GET", TEAMS), 1);
}

#[tokio::test]
async fn an_id_costs_one_list_more_than_a_slug_and_nothing_once_it_is_known() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    let by_id = [("team", id(cast.payments))];
    let by_id: Vec<_> = by_id.iter().map(|(name, value)| (*name, value.as_str())).collect();
    app.call("POST", "token-register", &cast.ada, &by_id).await.response();
    assert_eq!(app.fake.total_calls(), 4 + 1, "{:?}", app.calls());
    app.fake.clear_calls();
    app.call("POST", "token-register", &cast.ada, &by_id).await.response();
    assert_eq!(app.fake.total_calls(), 1);
    // Long after, it is held against the team itself, as a slug is, and not listed again.
    app.clock.advance(Duration::from_mins(20));
    app.fake.clear_calls();
    app.call("POST", "token-register", &cast.ada, &by_id).await.response();
    assert_eq!((app.fake.count("GET", TEAM), app.fake.count("GET", MEMBERSHIP)), (1, 1));
    assert_eq!(app.fake.count("GET", TEAMS), 0);
}

#[tokio::test]
async fn an_id_means_the_team_that_has_it_whatever_it_is_called_now() {
    let (mut world, cast, group) = acme_with_groups();
    world.add_maintainer(cast.search, cast.ada_id);
    let app = App::by_name(world, json!({ "groups": { "name": "{team}" } })).await;
    let payments = id(cast.payments);
    list(&app, &cast.ada, &payments).await.response();
    // Another team takes the slug that the list holds, and the caller maintains both.
    let usurper = app.fake.world(|world| {
        world.rename_team(cast.payments, "treasury");
        world.rename_group(group, "treasury");
        let usurper = world.add_team("payments");
        world.add_maintainer(usurper, cast.ada_id);
        world.add_group("payments", Visibility::Selected);
        usurper
    });
    app.clock.advance(Duration::from_mins(6));
    let shown = app.call("GET", "group-show", &cast.ada, &[("team", &payments)]).await;
    assert_eq!(shown.response()["team"], json!({ "id": cast.payments.0, "slug": "treasury" }));
    assert_logged_as(&shown, "treasury");
    // The new team's id is known as soon as the list was read again, which the rename brought about.
    let shown = app.call("GET", "group-show", &cast.ada, &[("team", &id(usurper))]).await;
    assert_eq!(shown.response()["team"], json!({ "id": usurper.0, "slug": "payments" }));
}

#[tokio::test]
async fn a_team_that_was_renamed_is_found_by_its_id_as_soon_as_its_membership_is_asked_for_again() {
    for slug_is_taken in [false, true] {
        let (world, cast, group) = acme_with_groups();
        let app = App::start(world).await;
        let payments = id(cast.payments);
        list(&app, &cast.ada, &payments).await.response();
        app.fake.world(|world| {
            world.rename_team(cast.payments, "treasury");
            world.rename_group(group, "treasury");
            if slug_is_taken {
                world.add_team("payments");
            }
        });
        // The slug is remembered as the team's for four minutes more; under it nobody is a maintainer.
        app.clock.advance(Duration::from_secs(61));
        list(&app, &cast.ada, "payments").await.is_refused(403, "not_a_maintainer");
        // That somebody just read the team under its new slug says nothing about the old one.
        list(&app, &cast.eve, "treasury").await.is_refused(403, "not_a_maintainer");
        list(&app, &cast.ada, &payments).await.response();
        list(&app, &cast.eve, &payments).await.is_refused(403, "not_a_maintainer");
    }
}

#[tokio::test]
async fn a_refusal_by_id_has_the_team_read_again_once_a_minute_at_most() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    for _ in 0..30 {
        list(&app, &cast.eve, &id(cast.payments)).await.is_refused(403, "not_a_maintainer");
        app.clock.advance(Duration::from_secs(6));
    }
    assert!(app.fake.count("GET", TEAM) <= 3, "{}", app.fake.count("GET", TEAM));
    assert_eq!(app.fake.count("GET", TEAMS), 1);
}

#[tokio::test]
async fn a_slug_that_changed_hands_never_makes_an_id_mean_another_team() {
    let (world, cast, _) = acme_with_groups();
    let app = App::by_name(world, json!({})).await;
    let payments = id(cast.payments);
    list(&app, &cast.ada, &payments).await.response();
    let mallory = app.fake.world(|world| {
        world.delete_team(cast.payments);
        let usurper = world.add_team("payments");
        let user = world.add_member("mallory");
        world.add_maintainer(usurper, user);
        world.add_token(user, TokenKind::Classic)
    });
    for minutes in [0, 1, 6, 60] {
        app.clock.advance(Duration::from_mins(minutes));
        for _ in 0..2 {
            list(&app, &mallory, &payments).await.is_refused(403, "not_a_maintainer");
        }
    }
    // By its slug it is hers; so is what she finds there.
    list(&app, &mallory, "payments").await.response();
}

#[tokio::test]
async fn ids_that_were_known_are_forgotten_when_the_service_is_told_to_look_again() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    list(&app, &cast.ada, "id:900000").await.is_refused(403, "not_a_maintainer");
    let team = app.fake.world(|world| {
        let team = world.add_team("new");
        world.add_maintainer(team, cast.ada_id);
        team
    });
    let register =
        async || app.call("POST", "token-register", &cast.ada, &[("team", id(team).as_str())]).await;
    register().await.is_refused(403, "not_a_maintainer");
    app.server.reload();
    register().await.response();
}

#[tokio::test]
async fn a_refusal_is_logged_with_the_slug_of_a_team_that_is_known_and_with_the_id_otherwise() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    let known = list(&app, &cast.eve, &id(cast.payments)).await;
    known.is_refused(403, "not_a_maintainer");
    assert_logged_as(&known, "payments");
    let unknown = list(&app, &cast.eve, "id:900000").await;
    assert_logged_as(&unknown, "id:900000");
    let parameters = [("team", "search"), ("to", &id(cast.payments)), ("all", "true")];
    let transfer = app.call("POST", "runners-transfer", &cast.eve, &parameters).await;
    transfer.is_refused(403, "not_a_maintainer");
    assert_eq!(transfer.audit()[0]["to_team"], "payments");
}

#[tokio::test]
async fn a_team_is_not_another_one_however_it_is_named() {
    let (world, cast, _) = acme_with_runners();
    let app = App::start(world).await;
    let payments = id(cast.payments);
    for (team, to) in [
        (payments.as_str(), payments.as_str()),
        ("payments", &payments),
        (&payments, "payments"),
        ("payments", "Payments"),
    ] {
        let parameters = [("team", team), ("to", to), ("all", "true")];
        let answer = app.call("POST", "runners-transfer", &cast.ada, &parameters).await;
        answer.is_refused(400, "invalid_parameter");
        let parameters = [("team", team), ("transfer_to", to)];
        let answer = app.call("DELETE", "group-delete", &cast.ada, &parameters).await;
        answer.is_refused(400, "invalid_parameter");
    }
    // Nor under a slug that it had before.
    app.fake.world(|world| world.rename_team(cast.payments, "treasury"));
    let parameters = [("team", "treasury"), ("to", "payments"), ("all", "true")];
    let answer = app.call("POST", "runners-transfer", &cast.ada, &parameters).await;
    answer.is_refused(400, "invalid_parameter");
}

#[tokio::test]
async fn administrators_name_teams_by_id_too() {
    let (world, cast, _) = acme_with_runners();
    let app = App::with(world, json!({ "admin": { "team": "search" } })).await;
    let seen = app.call("GET", "runners-list", &cast.eve, &[("team", id(cast.payments).as_str())]).await;
    assert_eq!(seen.response()["runners"].as_array().unwrap().len(), 3);
    assert_eq!(
        (&seen.audit()[0]["as_administrator"], &seen.audit()[0]["team"]),
        (&json!(true), &json!("payments"))
    );
    let nobodys = app.call("GET", "runners-list", &cast.eve, &[("team", "id:900000")]).await;
    nobodys.is_refused(403, "not_a_maintainer");
    app.call("GET", "runners-list", &cast.eve, &[("team", "*")]).await.response();
}

#[tokio::test]
async fn runners_are_selected_by_ids_among_their_names() {
    let (mut world, cast, group) = acme_with_runners();
    world.add_maintainer(cast.search, cast.ada_id);
    let app = App::start(world).await;
    let by_id =
        |name: &str| app.fake.world(|world| format!("id:{}", world.runner_by_name(name).unwrap().id.0));
    let names = |answer: &Value, key: &str| -> Vec<String> {
        answer[key]
            .as_array()
            .unwrap()
            .iter()
            .map(|runner| runner["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let (idle, gone, other) = (by_id("idle-1"), by_id("gone-1"), by_id("search-idle"));
    let listed = app.call("GET", "runners-list", &cast.ada, &[("team", "payments"), ("name", &idle)]).await;
    assert_eq!(names(&listed.response(), "runners"), ["idle-1"]);
    let listed = app.call("GET", "runners-list", &cast.ada, &[("team", "payments"), ("name", &other)]).await;
    assert_eq!(listed.response()["runners"], json!([]), "another team's");
    let remove = async |names: String, more: &[(&str, &str)]| {
        let mut parameters = vec![("team", "payments"), ("names", names.as_str())];
        parameters.extend(more);
        app.call("DELETE", "runners-remove", &cast.ada, &parameters).await
    };
    let nobodys = remove(format!("{other},id:900000"), &[]).await;
    nobodys.is_refused(404, "runner_not_found");
    assert!(nobodys.text.contains(&other) && nobodys.text.contains("id:900000"), "{}", nobodys.text);
    let tried = remove(format!("{gone}, {other},idle-1"), &[("dry_run", "true")]).await.response();
    assert_eq!(names(&tried, "removed"), ["idle-1", "gone-1"]);
    let other_id: u64 = other.trim_start_matches("id:").parse().unwrap();
    assert_eq!(tried["skipped"], json!([{ "id": other_id, "reason": "runner_not_found" }]));
    assert_eq!(names(&remove(gone.clone(), &[]).await.response(), "removed"), ["gone-1"]);
    let parameters = [("team", "payments"), ("to", "search"), ("names", idle.as_str())];
    let moved = app.call("POST", "runners-transfer", &cast.ada, &parameters).await;
    assert_eq!(names(&moved.response(), "transferred"), ["idle-1"]);
    assert_eq!(app.fake.world(|world| world.runners_of(group)), ["busy-1"]);
    // Two ways at once are two, also when both are ids.
    let both = [("team", "payments"), ("to", "search"), ("names", gone.as_str()), ("ids", "1")];
    app.call("POST", "runners-transfer", &cast.ada, &both).await.is_refused(400, "conflicting_parameter");
}
