//! `repos-add`, `repos-remove` and `repos-set`.

use fake_github::{Fault, Permission, RepoVisibility, Visibility};
use serde_json::json;

use crate::harness::App;
use crate::scene::{acme, acme_with_groups};

const ADDED: &str = "Successfully added repositories to runner group";
const REMOVED: &str = "Successfully removed repositories from runner group";

#[tokio::test]
async fn repositories_of_the_team_are_added_by_every_method_and_source() {
    let (world, cast, group) = acme_with_groups();
    let app = App::start(world).await;
    for method in ["PATCH", "POST", "GET"] {
        let parameters = [("team", "payments"), ("repos", "web,acme/API")];
        assert_eq!(app.call(method, "repos-add", &cast.ada, &parameters).await.response(), ADDED);
        let mut held = app.fake.world(|world| world.repositories_of(group));
        held.sort();
        assert_eq!(held, ["api", "web"]);
        app.call_json("PATCH", "repos-set", &cast.ada, json!({"team": "payments", "repos": []}))
            .await
            .response();
        assert!(app.fake.world(|world| world.repositories_of(group)).is_empty());
    }
    let body = json!({ "team": "payments", "repos": ["api", "API", "api"] });
    assert_eq!(app.call_json("POST", "repos-add", &cast.ada, body).await.response(), ADDED);
    assert_eq!(app.fake.world(|world| world.repositories_of(group)), ["api"]);
}

#[tokio::test]
async fn a_repository_that_the_team_has_no_access_to_is_never_added() {
    let (mut world, cast, group) = acme_with_groups();
    world.add_repository_of("elsewhere", "web2", RepoVisibility::Public);
    let app = App::start(world).await;
    for repos in ["index", "web,index", "nonexistent", "web2"] {
        for operation in ["repos-add", "repos-set"] {
            let answer =
                app.call("PATCH", operation, &cast.ada, &[("team", "payments"), ("repos", repos)]).await;
            answer.is_refused(404, "repo_not_found");
        }
    }
    assert_eq!(app.fake.world(|world| world.repositories_of(group)), ["web"], "nothing was written");
}

#[tokio::test]
async fn a_repository_of_another_owner_is_no_parameter() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    for repos in ["elsewhere/web", "acme/../web", "acme/web/x", "..", "", "web,", ",", "web,,api", "we b"] {
        let answer =
            app.call("PATCH", "repos-add", &cast.ada, &[("team", "payments"), ("repos", repos)]).await;
        answer.is_refused(400, "invalid_parameter");
    }
    let empty = json!({ "team": "payments", "repos": [] });
    app.call_json("PATCH", "repos-add", &cast.ada, empty).await.is_refused(400, "invalid_parameter");
    app.call("PATCH", "repos-add", &cast.ada, &[("team", "payments")])
        .await
        .is_refused(400, "missing_parameter");
}

#[tokio::test]
async fn repositories_are_removed_by_every_method_and_again_without_harm() {
    let (world, cast, group) = acme_with_groups();
    let app = App::start(world).await;
    for method in ["PATCH", "POST", "DELETE", "GET", "DELETE"] {
        let parameters = [("team", "payments"), ("repos", "web")];
        assert_eq!(app.call(method, "repos-remove", &cast.ada, &parameters).await.response(), REMOVED);
        assert!(app.fake.world(|world| world.repositories_of(group)).is_empty());
    }
}

#[tokio::test]
async fn a_repository_that_the_team_lost_can_still_be_removed() {
    let (mut world, cast, group) = acme_with_groups();
    world.revoke_grant(cast.payments, cast.web);
    let app = App::start(world).await;
    let parameters = [("team", "payments"), ("repos", "web")];
    assert_eq!(app.call("PATCH", "repos-remove", &cast.ada, &parameters).await.response(), REMOVED);
    assert!(app.fake.world(|world| world.repositories_of(group)).is_empty());
    app.call("PATCH", "repos-remove", &cast.ada, &parameters).await.is_refused(404, "repo_not_found");
}

#[tokio::test]
async fn the_set_is_replaced_by_every_method() {
    let (world, cast, group) = acme_with_groups();
    let app = App::start(world).await;
    for (method, repos) in [("PATCH", "api"), ("PUT", "web,api"), ("POST", "web"), ("GET", "api")] {
        let parameters = [("team", "payments"), ("repos", repos)];
        assert_eq!(app.call(method, "repos-set", &cast.ada, &parameters).await.response(), ADDED);
        let mut held = app.fake.world(|world| world.repositories_of(group));
        let mut expected: Vec<_> = repos.split(',').collect();
        held.sort();
        expected.sort_unstable();
        assert_eq!(held, expected);
    }
}

#[tokio::test]
async fn a_team_with_many_repositories_is_searched_in_the_cheaper_way() {
    let (mut world, cast, group) = acme_with_groups();
    let names: Vec<_> = (0..150).map(|number| format!("service-{number}")).collect();
    for name in &names {
        let repository = world.add_repository(name, RepoVisibility::Private);
        world.grant(cast.payments, repository, Permission::Pull);
    }
    let app = App::start(world).await;
    let body = json!({ "team": "payments", "repos": names });
    assert_eq!(app.call_json("PUT", "repos-set", &cast.ada, body).await.response(), ADDED);
    assert_eq!(app.fake.world(|world| world.repositories_of(group)).len(), 150);
    let single = "/orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}";
    assert_eq!(app.fake.count("GET", single), 0);
    assert_eq!(app.fake.count("GET", "/orgs/{org}/teams/{team_slug}/repos"), 2);
    app.fake.clear_calls();
    app.call("POST", "repos-add", &cast.ada, &[("team", "payments"), ("repos", "service-7")])
        .await
        .response();
    assert_eq!(app.fake.count("GET", single), 1);
    // Two of two pages' repositories: looked up by name, since that costs no more and can't grow.
    app.call("POST", "repos-add", &cast.ada, &[("team", "payments"), ("repos", "service-7,service-8")])
        .await
        .response();
    assert_eq!(app.fake.count("GET", single), 3);
    assert_eq!(app.fake.count("GET", "/orgs/{org}/teams/{team_slug}/repos"), 0);
}

#[tokio::test]
async fn a_group_that_an_owner_opened_to_all_repositories_is_left_alone() {
    let (mut world, cast, group) = acme_with_groups();
    world.set_group_visibility(group, Visibility::All);
    let app = App::start(world).await;
    for operation in ["repos-add", "repos-remove", "repos-set"] {
        let answer = app.call("PATCH", operation, &cast.ada, &[("team", "payments"), ("repos", "web")]).await;
        answer.is_refused(403, "group_protected");
    }
}

#[tokio::test]
async fn a_repository_that_only_the_group_holds_can_be_removed_but_not_added() {
    let (mut world, cast, group) = acme_with_groups();
    world.add_repository_to_group(group, cast.index);
    let app = App::start(world).await;
    let parameters = [("team", "payments"), ("repos", "index")];
    app.call("POST", "repos-add", &cast.ada, &parameters).await.is_refused(404, "repo_not_found");
    assert_eq!(app.call("POST", "repos-remove", &cast.ada, &parameters).await.response(), REMOVED);
    app.fake.clear_calls();
    let parameters = [("team", "payments"), ("repos", "web")];
    assert_eq!(app.call("POST", "repos-remove", &cast.ada, &parameters).await.response(), REMOVED);
    assert_eq!(
        app.fake.total_calls(),
        2,
        "what the team has needs no look into the group: {:?}",
        app.calls()
    );
}

#[tokio::test]
async fn a_team_that_is_gone_has_no_repositories_and_is_not_remembered() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
    app.fake.world(|world| world.delete_team(cast.payments));
    // So many that the team's list is read, which tells that there is no such team.
    let parameters = [("team", "payments"), ("repos", "web,api")];
    app.call("POST", "repos-add", &cast.ada, &parameters).await.is_refused(404, "repo_not_found");
    let answer = app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await;
    answer.is_refused(403, "not_a_maintainer");
}

#[tokio::test]
async fn repositories_go_into_a_group_that_was_made_anew_behind_our_back() {
    let (world, cast, group) = acme_with_groups();
    let app = App::by_name(world, json!({})).await;
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
    let anew = app.fake.world(|world| {
        world.delete_group(group);
        world.add_group("payments", Visibility::Selected)
    });
    let parameters = [("team", "payments"), ("repos", "web,api")];
    assert_eq!(app.call("POST", "repos-add", &cast.ada, &parameters).await.response(), ADDED);
    assert_eq!(app.fake.world(|world| world.repositories_of(anew)).len(), 2);
}

#[tokio::test]
async fn a_failure_half_way_says_what_was_done_and_repeating_finishes_the_job() {
    let (world, cast, group) = acme_with_groups();
    let app = App::start(world).await;
    let one = "/orgs/{org}/actions/runner-groups/{runner_group_id}/repositories/{repository_id}";
    app.fake.inject(Fault::on("PUT", one).error(502, "Bad Gateway").once());
    let parameters = [("team", "payments"), ("repos", "web,api")];
    let answer = app.call("POST", "repos-add", &cast.ada, &parameters).await;
    answer.is_refused(502, "github_error");
    let body = answer.json();
    assert_eq!(body["Done"].as_array().unwrap().len(), 1, "{body}");
    assert_eq!(body["Failed"].as_array().unwrap().len(), 1, "{body}");
    assert_eq!(answer.audit()[0]["outcome"], "partial");
    assert_eq!(app.call("POST", "repos-add", &cast.ada, &parameters).await.response(), ADDED);
    assert_eq!(app.fake.world(|world| world.repositories_of(group)).len(), 2);
}

#[tokio::test]
async fn without_a_group_nothing_is_added() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    for operation in ["repos-add", "repos-remove", "repos-set"] {
        let answer = app.call("PATCH", operation, &cast.ada, &[("team", "payments"), ("repos", "web")]).await;
        answer.is_refused(404, "group_not_found");
    }
}
