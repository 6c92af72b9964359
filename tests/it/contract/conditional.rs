//! Entity tags, and what a 304 costs.

use fake_github::{Subject, World};

use super::client::{Reply, Scene, scene};

const GROUPS: &str = "/orgs/acme/actions/runner-groups";

async fn get_with(scene: &Scene, path: &str, token: &str, tag: &str) -> Reply {
    let answer = scene.request(path).bearer_auth(token).header("if-none-match", tag).send().await;
    let answer = answer.expect("an answer");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Reply { status, headers, body: answer.bytes().await.expect("a body").to_vec() }
}

fn used(scene: &Scene) -> u64 {
    scene.fake.world(|world| world.budget(Subject::Installation(scene.installation)).used)
}

#[tokio::test]
async fn what_did_not_change_is_a_304_that_costs_nothing() {
    let scene = scene();
    let first = scene.get(GROUPS).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\"") && tag.len() > 10, "{tag}");
    let before = used(&scene);
    let second = get_with(&scene, GROUPS, &scene.token, &tag).await;
    assert_eq!((second.status, second.body.len(), second.header("etag")), (304, 0, tag.as_str()));
    assert_eq!(used(&scene), before);
    assert_eq!(second.header("x-ratelimit-used"), before.to_string());
    assert_eq!(second.header("x-ratelimit-remaining"), first.header("x-ratelimit-remaining"));
    assert!(!second.header("x-github-request-id").is_empty());
    assert_eq!(get_with(&scene, GROUPS, &scene.token, &format!("\"other\", {tag}")).await.status, 304);
    scene.assert_in_order();
}

#[tokio::test]
async fn what_changed_is_a_200_with_another_tag() {
    let scene = scene();
    let tag = scene.get(GROUPS).await.header("etag").to_owned();
    let before = used(&scene);
    scene.fake.world(|world| world.rename_group(scene.group, "renamed"));
    let changed = get_with(&scene, GROUPS, &scene.token, &tag).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
    assert_eq!(used(&scene), before + 1);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_tag_is_worth_nothing_with_another_token() {
    let scene = scene();
    let tag = scene.get(GROUPS).await.header("etag").to_owned();
    let next = scene.fake.world(World::installation_token);
    assert_eq!(get_with(&scene, GROUPS, &next, &tag).await.status, 200);
    scene.fake.world(|world| world.revoke_token(&scene.token));
    assert_eq!(get_with(&scene, GROUPS, &scene.token, &tag).await.status, 401);
    scene.assert_in_order();
}

#[tokio::test]
async fn only_a_200_to_a_get_has_a_tag() {
    let scene = scene();
    assert_eq!(scene.get("/orgs/acme/teams/nobodies").await.header("etag"), "");
    assert_eq!(scene.act("POST", "/orgs/acme/actions/runners/remove-token").await.header("etag"), "");
    scene.assert_in_order();
}
