//! Repositories of teams that are renamed, moved, or deleted and made anew; and accounts by their numbers.

use fake_github::{Permission, RepoVisibility};
use serde_json::{Value, json};

use super::client::{Scene, scene};

/// A team's repository by name, in the form that says more than yes.
async fn of_team(scene: &Scene, name: &str) -> (u16, Value) {
    let asked = scene
        .request(&format!("/orgs/acme/teams/platform/repos/{name}"))
        .bearer_auth(&scene.token)
        .header("accept", "application/vnd.github.v3.repository+json");
    let answer = asked.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_teams_repository_states_its_number_its_name_and_the_role() {
    let scene = scene();
    let (status, shown) = of_team(&scene, "ACME/Widgets").await;
    assert_eq!((status, &shown["id"]), (200, &json!(scene.repo.0)));
    assert_eq!((&shown["full_name"], &shown["role_name"]), (&json!("acme/widgets"), &json!("write")));
    assert_eq!(shown["permissions"]["push"], true);
    assert_eq!(shown["permissions"]["maintain"], false);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_renamed_repository_of_a_team_is_found_under_its_new_name_only() {
    let scene = scene();
    scene.fake.world(|world| world.rename_repository(scene.repo, "gizmos"));
    assert_eq!(of_team(&scene, "acme/widgets").await.0, 404);
    let (status, shown) = of_team(&scene, "acme/gizmos").await;
    assert_eq!(
        (status, &shown["id"], &shown["full_name"]),
        (200, &json!(scene.repo.0), &json!("acme/gizmos"))
    );
    scene.assert_in_order();
}

#[tokio::test]
async fn a_repository_that_moved_to_another_owner_is_no_teams_any_more() {
    let scene = scene();
    scene.fake.world(|world| {
        world.set_repository_visibility(scene.repo, RepoVisibility::Public);
        world.transfer_repository(scene.repo, "elsewhere");
    });
    for name in ["acme/widgets", "elsewhere/widgets"] {
        assert_eq!(of_team(&scene, name).await.0, 404, "{name}");
    }
    let moved = scene.get("/repos/acme/widgets").await;
    assert_eq!(moved.status, 301);
    let shown = scene.get(&moved.header("location").replace(scene.fake.url(), "")).await.json();
    assert_eq!((&shown["id"], &shown["full_name"]), (&json!(scene.repo.0), &json!("elsewhere/widgets")));
    assert!(scene.fake.world(|world| world.repositories_of(scene.group).is_empty()));
    scene.assert_in_order();
}

#[tokio::test]
async fn a_repository_made_anew_under_the_same_name_has_another_number() {
    let scene = scene();
    let again = scene.fake.world(|world| {
        world.delete_repository(scene.repo);
        world.add_repository("widgets", RepoVisibility::Private)
    });
    assert_ne!(again, scene.repo);
    assert_eq!(of_team(&scene, "acme/widgets").await.0, 404);
    scene.fake.world(|world| world.grant(scene.team, again, Permission::Pull));
    assert_eq!(of_team(&scene, "acme/widgets").await.1["id"], again.0);
    assert_eq!(scene.get(&format!("/repositories/{}", scene.repo)).await.status, 404);
    scene.assert_in_order();
}

#[tokio::test]
async fn an_account_is_found_by_its_number_until_it_is_deleted() {
    let scene = scene();
    let path = format!("/user/{}", scene.mona);
    assert_eq!(scene.get(&path).await.json()["login"], "mona");
    scene.fake.world(|world| world.rename_user(scene.mona, "lisa"));
    for token in [scene.token.as_str(), ""] {
        let shown = scene.call("GET", &path, token, None).await.json();
        assert_eq!((&shown["login"], &shown["user_view_type"]), (&json!("lisa"), &json!("public")));
    }
    scene.fake.world(|world| world.delete_user(scene.mona));
    assert_eq!(scene.get(&path).await.status, 404);
    assert_eq!(scene.call("GET", "/user", &scene.member, None).await.status, 401);
    assert_eq!(scene.get("/orgs/acme/teams/platform/memberships/lisa").await.status, 404);
    scene.assert_in_order();
}
