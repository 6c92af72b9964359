//! Every operation of the fake once, in order of the table, against GitHub's description.

use std::collections::BTreeSet;

use fake_github::{Protection, RepoVisibility, RunnerStatus, TokenKind, Visibility};
use serde_json::{Value, json};

use super::client::{Scene, scene};
use super::description::Description;

/// Operations of the description that the service has no use for, or for one of its methods only.
const LEFT_OUT: [&str; 17] = [
    "/app/installations",
    "/installation/repositories",
    "/installation/token",
    "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners",
    "/orgs/{org}/actions/runners/downloads",
    "/orgs/{org}/actions/runners/{runner_id}/labels",
    "/orgs/{org}/actions/runners/{runner_id}/labels/{name}",
    "/repos/{owner}/{repo}/actions/jobs/{job_id}",
    "/repos/{owner}/{repo}/actions/runners",
    "/repos/{owner}/{repo}/actions/runners/downloads",
    "/repos/{owner}/{repo}/actions/runners/generate-jitconfig",
    "/repos/{owner}/{repo}/actions/runners/{runner_id}",
    "/repos/{owner}/{repo}/actions/runners/{runner_id}/labels",
    "/repos/{owner}/{repo}/actions/runners/{runner_id}/labels/{name}",
    "/repos/{owner}/{repo}/actions/runs",
    "/repos/{owner}/{repo}/actions/runs/{run_id}",
    "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs",
];

#[test]
fn the_fake_serves_what_the_description_describes() {
    let described: BTreeSet<(&str, &str)> = Description::of_github().operations().collect();
    let served: BTreeSet<(&str, &str)> = fake_github::routes().collect();
    let undescribed: Vec<_> = served.difference(&described).collect();
    assert!(undescribed.is_empty(), "{undescribed:?}");
    let missing: BTreeSet<&str> = described.difference(&served).map(|(_, template)| *template).collect();
    assert_eq!(missing, BTreeSet::from(LEFT_OUT));
}

#[tokio::test]
async fn every_operation_succeeds_as_described() {
    let scene = scene();
    people_and_teams(&scene).await;
    app(&scene).await;
    groups(&scene).await;
    runners(&scene).await;
    repository_runners(&scene).await;
    scene.assert_in_order();

    let calls = scene.fake.calls();
    let succeeded: BTreeSet<_> = calls
        .iter()
        .filter(|call| call.status.is_some_and(|status| status < 300))
        .filter_map(|call| Some((call.method.as_str(), call.template?)))
        .collect();
    let never: Vec<_> = fake_github::routes()
        .filter(|(method, template)| !succeeded.contains(&(*method, *template)))
        .collect();
    assert!(never.is_empty(), "never seen to succeed: {never:?}");
}

async fn expect(scene: &Scene, method: &str, path: &str, body: Option<Value>, status: u16) -> Value {
    let reply = scene.call(method, path, &scene.token, body).await;
    assert_eq!(reply.status, status, "{method} {path}: {}", reply.message());
    reply.json()
}

async fn people_and_teams(scene: &Scene) {
    for (token, shown) in [
        (scene.fake.world(|world| world.add_token(scene.mona, TokenKind::Classic)), "private"),
        (scene.fake.world(|world| world.add_token(scene.mona, TokenKind::FineGrained)), "public"),
        (scene.fake.world(|world| world.add_token(scene.mona, TokenKind::AppUser)), "public"),
        (scene.fake.world(|world| world.add_token_with_scopes(scene.mona, TokenKind::OAuth, &[])), "public"),
    ] {
        let me = scene.call("GET", "/user", &token, None).await;
        assert_eq!((me.status, me.json()["user_view_type"].clone()), (200, json!(shown)));
        assert_eq!(me.json()["id"], scene.mona.0);
    }
    scene.fake.world(|world| {
        let child = world.add_child_team("Kernel", scene.team);
        let linus = world.add_member("linus");
        world.add_maintainer(child, linus);
    });
    for path in [
        "/meta",
        "/rate_limit",
        "/orgs/acme",
        "/orgs/acme/teams",
        "/orgs/acme/teams/platform",
        "/orgs/acme/teams/kernel",
        "/orgs/acme/teams/platform/members",
        "/orgs/acme/teams/platform/members?role=maintainer&per_page=1&page=1",
        "/orgs/acme/teams/platform/memberships/mona",
        "/orgs/acme/teams/platform/repos",
        "/orgs/acme/memberships/olga",
        "/repos/acme/widgets",
        "/repos/acme/widgets/collaborators/mona/permission",
    ] {
        expect(scene, "GET", path, None, 200).await;
    }
    expect(scene, "GET", &format!("/repositories/{}", scene.repo), None, 200).await;
    expect(scene, "GET", &format!("/user/{}", scene.mona), None, 200).await;
    scene.fake.world(|world| world.add_environment(scene.repo, "runners", Protection::none()));
    expect(scene, "GET", "/repos/acme/widgets/environments/runners", None, 200).await;
    expect(scene, "GET", &format!("/repositories/{}/environments/runners", scene.repo), None, 200).await;
    let path = "/orgs/acme/teams/platform/repos/acme/widgets";
    expect(scene, "GET", path, None, 204).await;
    let asked = scene
        .request(path)
        .bearer_auth(&scene.token)
        .header("accept", "application/vnd.github.v3.repository+json");
    assert_eq!(asked.send().await.expect("an answer").status(), 200);
}

async fn app(scene: &Scene) {
    let jwt = scene.jwt();
    let installation = format!("/app/installations/{}", scene.installation);
    for path in ["/app", &installation, "/orgs/acme/installation"] {
        let reply = scene.call("GET", path, &jwt, None).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.message());
    }
    let mint = format!("{installation}/access_tokens");
    let whole = scene.call("POST", &mint, &jwt, None).await;
    assert_eq!((whole.status, whole.json()["repository_selection"].clone()), (201, json!("all")));
    let narrow = json!({"permissions": {"members": "read"}, "repositories": ["widgets"]});
    let narrow = scene.call("POST", &mint, &jwt, Some(narrow)).await;
    assert_eq!(narrow.status, 201);
}

async fn groups(scene: &Scene) {
    let all = "/orgs/acme/actions/runner-groups";
    let other = scene.fake.world(|world| world.add_repository("gadgets", RepoVisibility::Internal));
    let hosted = scene.fake.world(|world| world.add_hosted_group("big ones", &["ubuntu-8"]));
    let two = scene.fake.world(|world| world.add_runner(scene.group, "two", &["gpu"], RunnerStatus::Offline));
    let wanted = json!({
        "name": "payments", "visibility": "selected", "selected_repository_ids": [scene.repo.0],
        "runners": [two.0], "allows_public_repositories": false, "restricted_to_workflows": true,
        "selected_workflows": ["acme/widgets/.github/workflows/x.yml@refs/heads/main"],
    });
    let made = expect(scene, "POST", all, Some(wanted), 201).await;
    let one = format!("{all}/{}", made["id"]);
    assert_eq!(made["selected_repositories_url"], format!("{}{one}/repositories", scene.fake.url()));
    expect(scene, "GET", all, None, 200).await;
    expect(scene, "GET", &format!("{all}?visible_to_repository=widgets&per_page=100"), None, 200).await;
    expect(scene, "GET", &one, None, 200).await;
    let renamed = json!({"name": "Payments", "visibility": "selected", "allows_public_repositories": true});
    let renamed = expect(scene, "PATCH", &one, Some(renamed), 200).await;
    assert_eq!(renamed["restricted_to_workflows"], false);
    expect(scene, "GET", &format!("{all}/{hosted}/hosted-runners"), None, 200).await;
    expect(scene, "GET", &format!("{one}/repositories?per_page=5"), None, 200).await;
    let chosen = json!({"selected_repository_ids": [other.0]});
    expect(scene, "PUT", &format!("{one}/repositories"), Some(chosen), 204).await;
    expect(scene, "PUT", &format!("{one}/repositories/{}", scene.repo), None, 204).await;
    expect(scene, "DELETE", &format!("{one}/repositories/{other}"), None, 204).await;
    expect(scene, "GET", &format!("{one}/runners"), None, 200).await;
    expect(scene, "PUT", &format!("{one}/runners/{}", scene.runner), None, 204).await;
    expect(scene, "PUT", &format!("{one}/runners/{two}"), None, 204).await;
    expect(scene, "DELETE", &format!("{one}/runners/{two}"), None, 204).await;
    scene.fake.world(|world| {
        let payments = world.group_by_name("payments").expect("the group").id;
        assert_eq!(world.repositories_of(payments), ["widgets"]);
        assert_eq!(world.runners_of(payments), ["one"]);
        assert_eq!(world.runner(two).expect("a runner").group, fake_github::DEFAULT_GROUP);
        world.move_runner(scene.runner, scene.group);
    });
    expect(scene, "DELETE", &one, None, 204).await;
    assert!(scene.fake.world(|world| world.group_by_name("payments").is_none()));
}

async fn runners(scene: &Scene) {
    let all = "/orgs/acme/actions/runners";
    expect(scene, "GET", all, None, 200).await;
    let found = expect(scene, "GET", &format!("{all}?name=one"), None, 200).await;
    assert_eq!(found["total_count"], 1);
    tokens(scene, all).await;
    let wanted = json!({
        "name": "jit-1", "runner_group_id": scene.group.0, "labels": ["GPU", "big"], "work_folder": "_w",
    });
    let made = expect(scene, "POST", &format!("{all}/generate-jitconfig"), Some(wanted), 201).await;
    let labels: Vec<&Value> =
        made["runner"]["labels"].as_array().expect("labels").iter().map(|l| &l["name"]).collect();
    assert_eq!(labels, ["big", "gpu"]);
    let runner = scene.fake.world(|world| world.runner_by_name("jit-1").map(|runner| runner.group));
    assert_eq!(runner, Some(scene.group));
    let one = format!("{all}/{}", made["runner"]["id"]);
    expect(scene, "GET", &one, None, 200).await;
    expect(scene, "DELETE", &one, None, 204).await;
}

async fn repository_runners(scene: &Scene) {
    tokens(scene, "/repos/acme/widgets/actions/runners").await;
}

async fn tokens(scene: &Scene, all: &str) {
    for kind in ["registration-token", "remove-token"] {
        let token = expect(scene, "POST", &format!("{all}/{kind}"), None, 201).await;
        assert_eq!(token["token"].as_str().map(str::len), Some(29));
    }
}

#[tokio::test]
async fn every_operation_on_something_unknown_is_answered_with_404() {
    let scene = scene();
    let group = "/orgs/acme/actions/runner-groups/777";
    let runner = "/orgs/acme/actions/runners/777";
    for (method, path, body) in [
        ("GET", "/orgs/nowhere".to_owned(), None),
        ("GET", "/orgs/nowhere/teams".to_owned(), None),
        ("GET", "/orgs/acme/teams/nobodies".to_owned(), None),
        ("GET", "/orgs/acme/teams/nobodies/members".to_owned(), None),
        ("GET", "/orgs/acme/teams/platform/memberships/nobody".to_owned(), None),
        ("GET", "/orgs/acme/teams/platform/memberships/olga".to_owned(), None),
        ("GET", "/orgs/acme/teams/platform/repos/acme/nothing".to_owned(), None),
        ("GET", "/orgs/acme/memberships/nobody".to_owned(), None),
        ("GET", "/repos/acme/nothing".to_owned(), None),
        ("GET", "/user/777".to_owned(), None),
        ("GET", "/repos/acme/widgets/environments/nothing".to_owned(), None),
        ("GET", "/repos/acme/nothing/environments/runners".to_owned(), None),
        ("GET", "/repositories/777/environments/runners".to_owned(), None),
        ("GET", "/repos/acme/widgets/collaborators/nobody/permission".to_owned(), None),
        ("GET", group.to_owned(), None),
        ("PATCH", group.to_owned(), Some(json!({"name": "x"}))),
        ("DELETE", group.to_owned(), None),
        ("GET", format!("{group}/repositories"), None),
        ("PUT", format!("{group}/repositories/{}", scene.repo), None),
        ("PUT", format!("/orgs/acme/actions/runner-groups/{}/repositories/777", scene.group), None),
        ("DELETE", format!("/orgs/acme/actions/runner-groups/{}/runners/777", scene.group), None),
        ("GET", format!("{group}/runners"), None),
        ("GET", runner.to_owned(), None),
        ("DELETE", runner.to_owned(), None),
        ("POST", "/repos/acme/nothing/actions/runners/registration-token".to_owned(), None),
    ] {
        let reply = scene.call(method, &path, &scene.token, body).await;
        assert_eq!((reply.status, reply.message().as_str()), (404, "Not Found"), "{method} {path}");
    }
    scene.assert_in_order();
}

#[tokio::test]
async fn what_is_not_a_path_of_github_is_404() {
    let scene = scene();
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/orgs/acme/"),
        ("GET", "/orgs/acme/teams/"),
        ("GET", "/orgs//teams"),
        ("GET", "/zen/of/nothing"),
        ("GET", "/orgs/acme/teams/platform%2Fmembers"),
        ("GET", "/orgs/acme/actions/runners/one"),
        ("DELETE", "/orgs/acme"),
        ("GET", "/orgs/acme/actions/runners/registration-token"),
    ] {
        assert_eq!(scene.act(method, path).await.status, 404, "{method} {path}");
    }
    scene.assert_answers_in_order();
}

#[tokio::test]
async fn a_part_of_a_path_is_decoded_once() {
    let scene = scene();
    scene.fake.world(|world| world.add_group("100%25", Visibility::All));
    assert_eq!(scene.get("/orgs/acme/teams/plat%66orm").await.status, 200);
    assert_eq!(scene.get("/orgs/acme/teams/plat%2566orm").await.status, 404);
    scene.assert_in_order();
}
