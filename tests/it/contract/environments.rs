//! Environments of repositories: what protects them, and who may look.

use fake_github::{DeploymentBranches, Level, Protection, RepoVisibility};
use serde_json::{Value, json};

use super::client::scene;

const RUNNERS: &str = "/repos/acme/widgets/environments/runners";

fn kinds(environment: &Value) -> Vec<&str> {
    let rules = environment["protection_rules"].as_array().expect("rules").iter();
    rules.map(|rule| rule["type"].as_str().expect("a kind of rule")).collect()
}

#[tokio::test]
async fn an_environment_without_protection_has_no_rules() {
    let scene = scene();
    scene.fake.world(|world| world.add_environment(scene.repo, "runners", Protection::none()));
    let shown = scene.get(RUNNERS).await.json();
    assert_eq!((&shown["name"], &shown["deployment_branch_policy"]), (&json!("runners"), &Value::Null));
    assert_eq!(kinds(&shown), Vec::<&str>::new());
    scene.assert_in_order();
}

#[tokio::test]
async fn each_protection_is_a_rule() {
    let scene = scene();
    let all = Protection::none().reviewed_by(scene.mona).reviewed_by_team(scene.team).wait(30);
    let all = all.branches(DeploymentBranches::Protected);
    scene.fake.world(|world| world.add_environment(scene.repo, "runners", all));
    let shown = scene.get(RUNNERS).await.json();
    assert_eq!(kinds(&shown), ["wait_timer", "required_reviewers", "branch_policy"]);
    assert_eq!(shown["protection_rules"][0]["wait_timer"], 30);
    let reviewers = &shown["protection_rules"][1]["reviewers"];
    assert_eq!((&reviewers[0]["type"], &reviewers[0]["reviewer"]["login"]), (&json!("User"), &json!("mona")));
    assert_eq!(
        (&reviewers[1]["type"], &reviewers[1]["reviewer"]["slug"]),
        (&json!("Team"), &json!("platform"))
    );
    let policy =
        |protected: bool| json!({"protected_branches": protected, "custom_branch_policies": !protected});
    assert_eq!(shown["deployment_branch_policy"], policy(true));
    let selected = Protection::none().branches(DeploymentBranches::Selected);
    scene.fake.world(|world| world.add_environment(scene.repo, "runners", selected));
    let changed = scene.get(RUNNERS).await.json();
    assert_eq!((&changed["id"], &changed["deployment_branch_policy"]), (&shown["id"], &policy(false)));
    assert_eq!(kinds(&changed), ["branch_policy"]);
    scene.assert_in_order();
}

#[tokio::test]
async fn an_environment_is_found_in_any_letter_case_and_with_any_letters() {
    let scene = scene();
    scene.fake.world(|world| {
        world.add_environment(scene.repo, "Runners", Protection::none());
        world.add_environment(scene.repo, "staging/eu: größer 50%", Protection::none());
    });
    assert_eq!(scene.get(RUNNERS).await.json()["name"], "Runners");
    let odd = "/repos/acme/widgets/environments/staging%2Feu%3A%20gr%C3%B6%C3%9Fer%2050%25";
    let shown = scene.get(odd).await.json();
    assert_eq!(shown["name"], "staging/eu: größer 50%");
    let own = shown["url"].as_str().expect("a URL").replace(scene.fake.url(), "");
    assert_eq!(scene.get(&own).await.json()["id"], shown["id"]);
    scene.fake.world(|world| world.delete_environment(scene.repo, "RUNNERS"));
    assert_eq!(scene.get(RUNNERS).await.status, 404);
    scene.assert_in_order();
}

#[tokio::test]
async fn the_app_needs_to_read_actions_to_see_an_environment() {
    let scene = scene();
    scene.fake.world(|world| {
        world.add_environment(scene.repo, "runners", Protection::none());
        world.revoke_app_permission("actions");
    });
    let by_number = format!("/repositories/{}/environments/runners", scene.repo);
    for path in [RUNNERS, &by_number, "/repos/acme/widgets/environments/nothing"] {
        let refused = scene.get(path).await;
        assert_eq!(
            (refused.status, refused.message().as_str()),
            (403, "Resource not accessible by integration")
        );
        assert_eq!(refused.header("x-accepted-github-permissions"), "actions=read");
    }
    scene.fake.world(|world| world.grant_app_permission("actions", Level::Read));
    let token = scene.fake.world(fake_github::World::installation_token);
    assert_eq!(scene.call("GET", RUNNERS, &token, None).await.status, 200);
    scene.assert_in_order();
}

#[tokio::test]
async fn whoever_can_read_a_repository_can_see_its_environments() {
    let scene = scene();
    let stranger = scene.fake.world(|world| {
        world.add_environment(scene.repo, "runners", Protection::none());
        let sam = world.add_user("sam");
        world.add_token(sam, fake_github::TokenKind::Classic)
    });
    assert_eq!(scene.call("GET", RUNNERS, &scene.member, None).await.status, 200);
    assert_eq!(scene.call("GET", RUNNERS, &stranger, None).await.status, 404);
    assert_eq!(scene.call("GET", RUNNERS, "", None).await.status, 404);
    scene.fake.world(|world| {
        world.revoke_app_permission("actions");
        world.set_repository_visibility(scene.repo, RepoVisibility::Public);
    });
    for token in [&stranger, &scene.token, ""] {
        assert_eq!(scene.call("GET", RUNNERS, token, None).await.status, 200);
    }
    scene.assert_in_order();
}

#[tokio::test]
async fn the_environment_of_a_renamed_repository_is_found_by_number() {
    let scene = scene();
    scene.fake.world(|world| {
        world.add_environment(scene.repo, "runners", Protection::none());
        world.rename_repository(scene.repo, "gizmos");
    });
    let moved = scene.get(RUNNERS).await;
    assert_eq!(moved.status, 301);
    let location = moved.header("location").replace(scene.fake.url(), "");
    assert_eq!(location, format!("/repositories/{}/environments/runners", scene.repo));
    assert_eq!(scene.get(&location).await.json()["name"], "runners");
    scene.fake.world(|world| {
        world.delete_repository(scene.repo);
        world.add_repository("gizmos", RepoVisibility::Private);
    });
    assert_eq!(scene.get(&location).await.status, 404);
    assert_eq!(scene.get("/repos/acme/gizmos/environments/runners").await.status, 404);
    scene.assert_in_order();
}
