//! `group-add`, `group-delete` and `group-list`.

use std::time::Duration;

use fake_github::{Fault, RunnerStatus, Visibility};
use serde_json::json;

use crate::harness::App;
use crate::scene::{acme, acme_with_groups};

const GROUPS: &str = "/orgs/{org}/actions/runner-groups";
const GROUP: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}";

#[tokio::test]
async fn a_maintainer_creates_the_teams_group_closed_to_public_repositories() {
    let (world, cast) = acme();
    let app = App::by_name(world, json!({})).await;
    for (method, operation) in [("POST", "group-add"), ("POST", "group-create"), ("GET", "group-add")] {
        let answer = app.call(method, operation, &cast.ada, &[("team", "payments")]).await;
        assert_eq!(answer.response(), "Runner group created successfully: payments");
        app.fake.world(|world| {
            let group = world.group_by_name("payments").unwrap();
            assert_eq!(group.visibility, Visibility::Selected);
            assert!(!group.allows_public_repositories);
            let id = group.id;
            world.delete_group(id);
        });
    }
}

#[tokio::test]
async fn a_second_group_of_the_same_name_is_refused_in_any_letter_case() {
    let (mut world, cast) = acme();
    world.add_group("Payments", Visibility::Selected);
    let app = App::start(world).await;
    app.call("POST", "group-add", &cast.ada, &[("team", "payments")]).await.is_refused(409, "group_exists");
}

#[tokio::test]
async fn a_name_that_github_does_not_accept_is_answered_with_its_words() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    app.fake.inject(Fault::on("POST", GROUPS).error(422, "Name is reserved"));
    let answer = app.call("POST", "group-add", &cast.ada, &[("team", "payments")]).await;
    answer.is_refused(400, "invalid_parameter");
    assert!(answer.text.contains("Name is reserved"), "{}", answer.text);
}

#[tokio::test]
async fn the_default_group_is_out_of_reach_for_a_team_of_that_name() {
    let (mut world, cast) = acme();
    let team = world.add_team("default");
    world.add_maintainer(team, cast.ada_id);
    let app = App::by_name(world, json!({})).await.settled().await;
    for (method, operation) in
        [("POST", "group-add"), ("DELETE", "group-delete"), ("GET", "group-list"), ("PATCH", "repos-set")]
    {
        let mut parameters = vec![("team", "Default")];
        parameters.extend((operation == "repos-set").then_some(("repos", "web")));
        let answer = app.call(method, operation, &cast.ada, &parameters).await;
        answer.is_refused(403, "group_protected");
    }
    assert!(app.fake.calls().iter().all(|call| call.method == "GET" || call.path.contains("access_tokens")));
}

#[tokio::test]
async fn an_inherited_group_is_out_of_reach_for_a_team_of_its_name() {
    let (mut world, cast) = acme();
    let inherited = world.add_inherited_group("PAYMENTS");
    let app = App::by_name(world, json!({})).await;
    for (method, operation) in [("POST", "group-add"), ("DELETE", "group-delete"), ("GET", "group-list")] {
        let answer = app.call(method, operation, &cast.ada, &[("team", "payments")]).await;
        answer.is_refused(403, "group_protected");
    }
    assert!(app.fake.world(|world| world.group(inherited).is_some()));
}

#[tokio::test]
async fn a_group_is_deleted_by_each_of_its_methods() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    for method in ["DELETE", "POST", "GET"] {
        let answer = app.call(method, "group-delete", &cast.ada, &[("team", "payments")]).await;
        assert_eq!(answer.response(), "Runner group deleted successfully: payments");
        assert!(app.fake.world(|world| world.group_by_name("payments").is_none()));
        app.call(method, "group-delete", &cast.ada, &[("team", "payments")])
            .await
            .is_refused(404, "group_not_found");
        app.call("POST", "group-add", &cast.ada, &[("team", "payments")]).await.response();
    }
}

#[tokio::test]
async fn a_group_with_runners_is_not_deleted_and_its_runners_are_named() {
    let (mut world, cast, group) = acme_with_groups();
    world.add_runner(group, "build-1", &["self-hosted"], RunnerStatus::Offline);
    let app = App::start(world).await;
    let answer = app.call("DELETE", "group-delete", &cast.ada, &[("team", "payments")]).await;
    answer.is_refused(409, "group_not_empty");
    assert!(answer.text.contains("build-1"));
    assert!(app.fake.world(|world| world.group(group).is_some()));
    assert_eq!(app.fake.count("DELETE", "/orgs/{org}/actions/runner-groups/{runner_group_id}"), 0);
}

#[tokio::test]
async fn a_list_names_repositories_and_runners_over_all_pages() {
    let (mut world, cast, group) = acme_with_groups();
    for number in 0..250 {
        world.add_runner(group, &format!("build-{number:03}"), &[], RunnerStatus::Online);
    }
    let app = App::start(world).await;
    let response = app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
    assert_eq!(response["repos"], json!(["web"]));
    let runners = response["runners"].as_array().unwrap();
    assert_eq!(runners.len(), 250);
    assert!(runners.contains(&json!("build-249")));
    assert_eq!(response.as_object().unwrap().len(), 2, "nothing but repos and runners");
}

#[tokio::test]
async fn a_team_without_a_group_is_told_so() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    let answer = app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await;
    answer.is_refused(404, "group_not_found");
}

#[tokio::test]
async fn the_group_is_named_by_the_template_from_what_github_says() {
    let (world, cast) = acme();
    let app = App::with(world, json!({ "groups": { "name": "team {team} ({id})" } })).await;
    let answer = app.call("POST", "group-add", &cast.ada, &[("team", "PAYMENTS")]).await;
    let name = format!("team payments ({})", cast.payments.0);
    assert_eq!(answer.response(), format!("Runner group created successfully: {name}"));
    assert!(app.fake.world(|world| world.group_by_name(&name).is_some()));
}

#[tokio::test]
async fn a_group_that_was_deleted_and_made_anew_behind_our_back_is_found_again() {
    // Used as it is known, and checked first.
    for later in [Duration::ZERO, Duration::from_mins(1)] {
        let (world, cast, group) = acme_with_groups();
        let app = App::by_name(world, json!({})).await;
        app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
        app.fake.world(|world| {
            world.delete_group(group);
            let anew = world.add_group("payments", Visibility::Selected);
            world.add_repository_to_group(anew, cast.api);
        });
        app.clock.advance(later);
        let response = app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
        assert_eq!(response["repos"], json!(["api"]));
    }
}

#[tokio::test]
async fn a_group_that_was_just_created_or_checked_is_known_for_a_minute() {
    let (world, cast) = acme();
    let app = App::by_name(world, json!({})).await.settled().await;
    let ask = async || app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await;
    app.call("POST", "group-add", &cast.ada, &[("team", "payments")]).await.response();
    for checks in [0, 1, 1] {
        ask().await.response();
        assert_eq!((app.fake.count("GET", GROUPS), app.fake.count("GET", GROUP)), (0, checks));
        app.clock.advance(Duration::from_secs(if checks == 0 { 60 } else { 1 }));
    }
}

#[tokio::test]
async fn a_group_that_cannot_be_checked_is_not_looked_for_elsewhere() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
    app.clock.advance(Duration::from_mins(1));
    app.fake.clear_calls();
    app.fake.inject(Fault::on("GET", GROUP).error(403, "Resource not accessible by integration"));
    let answer = app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await;
    answer.is_refused(502, "github_error");
    assert_eq!(app.fake.count("GET", GROUPS), 0);
}
