//! One odd detail of a list neither fails the whole nor shortens it.

use fake_github::{Fault, Permission, RepoVisibility, RunnerStatus};
use serde_json::{Value, json};

use crate::harness::{App, log_lines};
use crate::scene::{Cast, acme_with_groups};

const GROUP_RUNNERS: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners";
const TEAM_REPOSITORIES: &str = "/orgs/{org}/teams/{team_slug}/repos";

const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];

/// A group of payments with so many runners, and as many more repositories of the team.
async fn with(count: usize) -> (App, Cast) {
    let (mut world, cast, group) = acme_with_groups();
    for number in 0..count {
        world.add_runner(group, &format!("build-{number}"), &["gpu"], RunnerStatus::Online);
        let repository = world.add_repository(&format!("repo-{number}"), RepoVisibility::Private);
        world.grant(cast.payments, repository, Permission::Push);
    }
    (App::start(world).await.settled().await, cast)
}

async fn listed(app: &App, cast: &Cast) -> Vec<Value> {
    let answer = app.call("GET", "runners-list", &cast.ada, &PAYMENTS).await;
    answer.response()["runners"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_list_is_whole_without_its_links_or_with_odd_ones() {
    let (app, cast) = with(130).await;
    let odd: [fn(&str) -> Option<String>; 3] = [
        |_| None,
        |link| Some(link.replace('"', "")),
        |link| Some(link.split(", ").filter(|one| !one.contains("last")).collect::<Vec<_>>().join(", ")),
    ];
    for change in odd {
        app.fake.clear_faults();
        app.fake.inject(Fault::on("GET", TEAM_REPOSITORIES).changed(move |_, headers| {
            let links: Vec<_> = headers.extract_if(.., |(name, _)| name == "link").collect();
            headers.extend(links.into_iter().filter_map(|(name, link)| Some((name, change(&link)?))));
        }));
        app.fake.clear_calls();
        let parameters = [("team", "payments"), ("repos", "repo-0,repo-5,repo-129")];
        app.call("PATCH", "repos-set", &cast.ada, &parameters).await.response();
        assert_eq!(app.fake.count("GET", TEAM_REPOSITORIES), 2);
    }
}

#[tokio::test]
async fn a_list_is_whole_whatever_count_is_stated_and_a_wrong_one_costs_little() {
    let (app, cast) = with(130).await;
    for count in
        [json!(null), json!(0), json!(99), json!(101), json!(131), json!(1_000_000), json!("130"), json!(-1)]
    {
        app.fake.clear_faults();
        let stated = count.clone();
        app.fake.inject(Fault::on("GET", GROUP_RUNNERS).changed(move |body, headers| {
            body["total_count"] = stated.clone();
            headers.retain(|(name, _)| name != "link");
        }));
        app.fake.clear_calls();
        assert_eq!(listed(&app, &cast).await.len(), 130, "{count}");
        assert!(
            app.fake.count("GET", GROUP_RUNNERS) <= 120,
            "{count}: {}",
            app.fake.count("GET", GROUP_RUNNERS)
        );
    }
}

#[tokio::test]
async fn a_list_that_changes_while_it_is_read_is_read_once_more() {
    let (app, cast) = with(130).await;
    // An entry that moved to the page before is on neither.
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).times(2).changed(|body, _| {
        let runners = body["runners"].as_array_mut().unwrap();
        if runners.len() < 100 {
            runners.remove(0);
        }
    }));
    assert_eq!(listed(&app, &cast).await.len(), 130);
    assert_eq!(app.fake.count("GET", GROUP_RUNNERS), 4);
}

#[tokio::test]
async fn what_is_null_in_a_list_is_left_out() {
    let (app, cast) = with(2).await;
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).changed(|body, _| {
        let runners = body["runners"].as_array_mut().unwrap();
        for field in ["os", "status", "busy", "ephemeral", "runner_group_id"] {
            runners[0][field] = json!(null);
        }
        runners[0]["labels"] = json!([null, { "name": null }, { "name": "gpu" }]);
        runners[1]["labels"] = json!(null);
        runners.push(json!(null));
    }));
    let runners = listed(&app, &cast).await;
    assert_eq!(runners.len(), 2);
    assert_eq!((&runners[0]["labels"], &runners[0]["busy"]), (&json!(["gpu"]), &json!(false)));
    assert_eq!(runners[1]["labels"], json!([]));
}

#[tokio::test]
async fn an_entry_that_nothing_can_be_done_with_is_an_error_that_names_the_field() {
    let (app, cast) = with(2).await;
    for id in [json!(null), json!("seven"), json!(-1)] {
        app.fake.clear_faults();
        app.fake.inject(Fault::on("GET", GROUP_RUNNERS).changed(move |body, _| {
            body["runners"][1]["id"] = id.clone();
        }));
        let answer = app.call("GET", "runners-list", &cast.ada, &PAYMENTS).await;
        answer.is_refused(502, "github_error");
        let lines = log_lines(answer.header("x-request-id"));
        let names_it =
            |line: &Value| line["detail"].as_str().is_some_and(|detail| detail.ends_with("(at \"id\")"));
        assert!(lines.iter().any(names_it), "{lines:#?}");
    }
}
