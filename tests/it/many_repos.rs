//! `repos-add` and `repos-remove` of many repositories: the group's list is read and set at once, and nobody's change is lost.

use std::time::Duration;

use fake_github::{Fault, GroupId, Hold, Permission, RepoVisibility, World};
use serde_json::json;

use crate::harness::{Answer, App};
use crate::scene::{Cast, acme_with_groups};

const LIST: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/repositories";
const OF_TEAM: &str = "/orgs/{org}/teams/{team_slug}/repos";
const ONE: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/repositories/{repository_id}";

/// The group of payments holds `web`; the team has `service-0` to `service-29` besides.
fn thirty() -> (World, Cast, GroupId) {
    let (mut world, cast, group) = acme_with_groups();
    for number in 0..30 {
        let repository = world.add_repository(&format!("service-{number}"), RepoVisibility::Private);
        world.grant(cast.payments, repository, Permission::Push);
    }
    (world, cast, group)
}

fn services(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("service-{number}")).collect()
}

async fn ask(app: &App, operation: &str, token: &str, repos: &[String]) -> Answer {
    let method = if operation == "repos-set" { "PUT" } else { "PATCH" };
    app.call_json(method, operation, token, json!({ "team": "payments", "repos": repos })).await
}

fn held(app: &App, group: GroupId) -> Vec<String> {
    let mut held = app.fake.world(|world| world.repositories_of(group));
    held.sort();
    held
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[tokio::test]
async fn up_to_ten_are_written_one_by_one_and_more_with_one_list_and_one_write() {
    let (world, cast, group) = thirty();
    let app = App::start(world).await;
    for (operation, single) in [("repos-add", "PUT"), ("repos-remove", "DELETE")] {
        for (count, singles, lists) in [(10, 10, 0), (11, 0, 1)] {
            app.fake.clear_calls();
            let answer = ask(&app, operation, &cast.ada, &services(0..count)).await;
            answer.response();
            assert_eq!(app.fake.count(single, ONE), singles, "{operation} of {count}");
            assert_eq!((app.fake.count("GET", LIST), app.fake.count("PUT", LIST)), (lists, lists));
            let named = answer.audit()[0]["repositories"].as_array().unwrap().len();
            assert_eq!((answer.audit().len(), named), (1, count), "{operation} of {count}");
        }
        let expected = if single == "PUT" { services(0..11) } else { Vec::new() };
        assert_eq!(held(&app, group), sorted([expected, vec!["web".to_owned()]].concat()));
    }
}

#[tokio::test]
async fn what_the_group_holds_besides_stays_over_all_pages_of_its_list() {
    let (mut world, cast, group) = thirty();
    for number in 0..250 {
        let repository = world.add_repository(&format!("other-{number}"), RepoVisibility::Private);
        world.add_repository_to_group(group, repository);
    }
    let app = App::start(world).await;
    ask(&app, "repos-add", &cast.ada, &services(0..30)).await.response();
    assert_eq!(held(&app, group).len(), 1 + 250 + 30);
    ask(&app, "repos-remove", &cast.ada, &services(0..20)).await.response();
    assert_eq!(held(&app, group).len(), 1 + 250 + 10);
    // Those that are there already, and those that are not there any more, are no failure.
    ask(&app, "repos-add", &cast.ada, &services(15..30)).await.response();
    ask(&app, "repos-remove", &cast.ada, &services(0..30)).await.response();
    assert_eq!(held(&app, group).len(), 1 + 250);
}

#[tokio::test]
async fn repositories_that_the_team_lost_can_still_be_removed_among_many() {
    let (mut world, cast, group) = thirty();
    for name in services(0..12) {
        let id = world.repository_by_name(&name).unwrap().id;
        world.add_repository_to_group(group, id);
        world.revoke_grant(cast.payments, id);
    }
    let app = App::start(world).await;
    ask(&app, "repos-remove", &cast.ada, &services(0..12)).await.response();
    assert_eq!(held(&app, group), ["web"]);
    let again = ask(&app, "repos-remove", &cast.ada, &services(0..12)).await;
    again.is_refused(404, "repo_not_found");
}

#[tokio::test]
async fn requests_at_once_lose_none_of_each_others_changes() {
    let (world, cast, group) = thirty();
    let app = App::start(world).await;
    // So that nothing but the group's turn decides the order.
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", LIST).after_effect().hold(&hold).once());
    let (first, second, third, fourth) =
        (services(0..11), services(11..22), services(22..24), services(24..30));
    let many = ask(&app, "repos-add", &cast.ada, &first);
    let others = async {
        hold.arrived(1).await;
        let letting = async {
            app.until("the look-ups of the others", async || app.fake.count("GET", OF_TEAM) == 4).await;
            let mut looks = 0;
            app.until("what they would do if they didn't wait", async || {
                looks += 1;
                looks == 10
            })
            .await;
            assert_eq!(app.fake.count("PUT", ONE) + app.fake.count("PUT", LIST), 0, "they wait");
            hold.release();
        };
        tokio::join!(
            ask(&app, "repos-add", &cast.ada, &second),
            ask(&app, "repos-add", &cast.ada, &third),
            ask(&app, "repos-add", &cast.ada, &fourth),
            letting,
        )
    };
    let (one, (two, three, four, ())) = tokio::join!(many, others);
    for answer in [one, two, three, four] {
        answer.response();
    }
    assert_eq!(held(&app, group), sorted([services(0..30), vec!["web".to_owned()]].concat()));
}

#[tokio::test]
async fn a_failure_of_the_one_write_changes_nothing_and_says_so() {
    let (world, cast, group) = thirty();
    let app = App::start(world).await;
    for method in ["GET", "PUT"] {
        app.fake.inject(Fault::on(method, LIST).error(502, "Bad Gateway"));
        let answer = ask(&app, "repos-add", &cast.ada, &services(0..11)).await;
        app.fake.clear_faults();
        answer.is_refused(502, "github_error");
        assert!(answer.json().get("Done").is_none(), "{}", answer.text);
        assert_eq!(held(&app, group), ["web"]);
    }
}

#[tokio::test]
async fn what_github_asked_to_wait_for_is_named_as_failed_and_repeating_finishes_it() {
    let (world, cast, group) = thirty();
    let app = App::start(world).await;
    let last = app.fake.world(|world| world.repository_by_name("service-3").unwrap().id);
    let (path, hold) =
        (format!("/orgs/acme/actions/runner-groups/{}/repositories/{}", group.0, last.0), Hold::new());
    app.fake.inject(Fault::on("PUT", &path).secondary_limit(Duration::from_secs(30)).hold(&hold).once());
    let repos = services(0..4);
    let adding = ask(&app, "repos-add", &cast.ada, &repos);
    let letting = async {
        hold.arrived(1).await;
        app.until("the other writes", async || app.fake.count("PUT", ONE) == 3).await;
        hold.release();
    };
    let (answer, ()) = tokio::join!(adding, letting);
    answer.is_refused(503, "github_rate_limited");
    assert_eq!(answer.header("retry-after"), "30");
    let body = answer.json();
    assert_eq!((&body["Done"], &body["Failed"]), (&json!(services(0..3)), &json!(["service-3"])), "{body}");
    assert_eq!(answer.audit()[0]["outcome"], "partial");
    app.clock.advance(Duration::from_secs(30));
    ask(&app, "repos-add", &cast.ada, &repos).await.response();
    assert_eq!(held(&app, group).len(), 5);
}
