//! The installation token behind a repository's tokens: how little it may do, and who never asks for one.

use fake_github::{Exchange, FakeGithub, Fault, Level, World};
use serde_json::{Value, json};

use super::{everything, granted, register, register_for, started};
use crate::harness::App;
use crate::scene::acme;

/// What installation tokens were asked for.
fn asked_for(fake: &FakeGithub) -> Vec<Value> {
    let is_mint = |template: Option<&str>| template.is_some_and(|path| path.ends_with("/access_tokens"));
    fake.calls().iter().filter(|call| is_mint(call.template)).map(Exchange::request_json).collect()
}

#[tokio::test]
async fn the_token_for_a_repository_is_narrowed_to_it_kept_and_asked_for_by_nobody_else() {
    let (app, scene) = started().await;
    let cast = &scene.cast;
    app.call("POST", "group-add", &cast.ada, &[("team", "payments")]).await.response();
    granted(&register(&app, &cast.olivia, "acme").await);
    let all = asked_for(&app.fake);
    assert!(
        !all.is_empty() && all.iter().all(|asked| asked["permissions"]["administration"].is_null()),
        "{all:?}"
    );
    app.fake.clear_calls();
    for scope in ["acme/web", "ACME/WEB", "acme/web", "acme/api"] {
        granted(&register(&app, &cast.olivia, scope).await);
    }
    let narrow = |name: &str| json!({ "permissions": { "administration": "write", "metadata": "read" }, "repositories": [name] });
    let asked: Vec<_> = asked_for(&app.fake).iter().map(|asked| asked.to_string().to_lowercase()).collect();
    assert_eq!(asked, [narrow("web").to_string(), narrow("api").to_string()]);
    app.fake.world(|world| {
        let minted = world.minted_tokens().last().unwrap();
        let permissions: Vec<_> =
            minted.permissions.iter().map(|(name, level)| (name.as_str(), *level)).collect();
        assert_eq!(permissions, [("administration", Level::Write), ("metadata", Level::Read)]);
    });
}

#[tokio::test]
async fn an_app_that_may_not_administer_says_so_and_works_for_everybody_else() {
    let (mut world, cast) = acme();
    world.limit_app_to(&[cast.web, cast.index]);
    let app = App::with(world, everything()).await;
    app.call("POST", "group-add", &cast.ada, &[("team", "payments")]).await.response();
    granted(&register(&app, &cast.olivia, "acme").await);
    let answer = register_for(&app, &cast.eve, "acme/index", "search").await;
    answer.is_refused(502, "github_error");
    assert!(answer.text.contains("Administration (read and write)"), "{}", answer.text);
    let lines = answer.audit();
    assert_eq!((lines.len(), &lines[0]["outcome"]), (1, &json!("failed")));
    // Granted meanwhile, it works at once.
    app.fake.world(|world| world.grant_app_permission("administration", Level::Write));
    granted(&register_for(&app, &cast.eve, "acme/index", "search").await);
}

#[tokio::test]
async fn a_repository_token_that_github_revoked_is_renewed_and_the_write_sent_once() {
    let (mut app, scene) = started().await;
    app.own_token_is_refused = true;
    granted(&register(&app, &scene.adam, "acme/web").await);
    app.fake.world(World::revoke_installation_tokens);
    let before = app.fake.world(|world| world.runner_tokens().len());
    granted(&register(&app, &scene.adam, "acme/web").await);
    assert_eq!(app.fake.world(|world| world.runner_tokens().len()), before + 1);
}

#[tokio::test]
async fn the_proxy_classifies_githubs_failures_as_every_operation_does() {
    let (app, scene) = started().await;
    let path = "/repos/{owner}/{repo}/actions/runners/registration-token";
    for (fault, status, reason) in [
        (Fault::on("POST", path).error(500, "oops"), 502, "github_error"),
        (Fault::on("POST", path).truncated(), 502, "github_error"),
        (Fault::on("POST", path).error(404, "Not Found"), 404, "repo_not_found"),
        (Fault::on("POST", path).error(403, "Resource not accessible by integration"), 502, "github_error"),
    ] {
        app.fake.inject(fault);
        let answer = register(&app, &scene.adam, "acme/web").await;
        app.fake.clear_faults();
        answer.is_refused(status, reason);
        assert!(!answer.text.contains("oops") && !answer.text.contains("integration"), "{}", answer.text);
        assert_eq!(answer.audit().len(), 1);
    }
}
