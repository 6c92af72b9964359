//! What is made or deleted isn't seen everywhere at once.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::scene;

const GROUPS: &str = "/orgs/acme/actions/runner-groups";
const RUNNERS: &str = "/orgs/acme/actions/runners";
const LAG: Duration = Duration::from_secs(30);

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect()
}

#[tokio::test]
async fn a_new_group_is_found_only_after_a_while() {
    let scene = scene();
    scene.fake.world(|world| world.set_lag(LAG));
    let made = scene.send("POST", GROUPS, json!({"name": "new", "visibility": "selected"})).await;
    assert_eq!(made.status, 201);
    let group = format!("{GROUPS}/{}", made.json()["id"]);
    let jit = json!({"name": "j", "runner_group_id": made.json()["id"], "labels": ["x"]});
    for path in [group.clone(), format!("{group}/runners"), format!("{group}/repositories")] {
        assert_eq!(scene.get(&path).await.status, 404, "{path}");
    }
    assert_eq!(scene.send("POST", &format!("{RUNNERS}/generate-jitconfig"), jit.clone()).await.status, 404);
    let list = scene.get(GROUPS).await.json();
    assert_eq!(
        (names(&list["runner_groups"]), &list["total_count"]),
        (vec!["Default", "platform"], &json!(2))
    );
    assert_eq!(
        scene.send("POST", GROUPS, json!({"name": "New"})).await.status,
        409,
        "the name is taken at once"
    );
    scene.fake.advance(LAG);
    assert_eq!(scene.get(&group).await.status, 200);
    assert_eq!(scene.get(GROUPS).await.json()["total_count"], 3);
    assert_eq!(scene.send("POST", &format!("{RUNNERS}/generate-jitconfig"), jit).await.status, 201);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_new_installation_token_works_only_after_a_while() {
    let scene = scene();
    scene.fake.world(|world| world.set_lag(LAG));
    let mint = format!("/app/installations/{}/access_tokens", scene.installation);
    let minted = scene.call("POST", &mint, &scene.jwt(), None).await.json();
    let token = minted["token"].as_str().expect("a token");
    let early = scene.call("GET", GROUPS, token, None).await;
    assert_eq!((early.status, early.message().as_str()), (401, "Bad credentials"));
    scene.fake.advance(LAG);
    assert_eq!(scene.call("GET", GROUPS, token, None).await.status, 200);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_deleted_runner_lingers_in_lists() {
    let scene = scene();
    scene.fake.world(|world| world.set_lag(LAG));
    let runner = format!("{RUNNERS}/{}", scene.runner);
    assert_eq!(scene.act("DELETE", &runner).await.status, 204);
    assert_eq!(scene.get(&runner).await.status, 404);
    assert_eq!(scene.act("DELETE", &runner).await.status, 404);
    let lists =
        [RUNNERS.to_owned(), format!("{RUNNERS}?name=one"), format!("{GROUPS}/{}/runners", scene.group)];
    for path in &lists {
        let list = scene.get(path).await.json();
        assert_eq!((names(&list["runners"]), &list["total_count"]), (vec!["one"], &json!(1)), "{path}");
    }
    let other = scene.get(&format!("{GROUPS}/1/runners")).await.json();
    assert_eq!(other["total_count"], 0);
    scene.fake.advance(LAG);
    for path in &lists {
        assert_eq!(scene.get(path).await.json()["total_count"], 0, "{path}");
    }
    scene.assert_in_order();
}
