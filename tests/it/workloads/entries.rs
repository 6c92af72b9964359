//! Entries are made, listed and removed by a team's maintainers, with a token that they made themselves.

use fake_github::TokenKind;
use serde_json::{Value, json};

use super::{OF_MAIN, actions, add, generate, run, start, token, try_add, with};
use crate::harness::App;
use crate::scene::acme_with_groups;

async fn list(app: &App, token: &str) -> Vec<Value> {
    let response = app.call("GET", "access-list", token, &[("team", "payments")]).await.response();
    response["access"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_entry_is_made_listed_and_removed() {
    let (app, cast) = start(json!({})).await;
    let answer = try_add(&app, &cast, &with(&OF_MAIN, &[("note", "nightly"), ("expires_in", "30d")])).await;
    let made = answer.response()["access"].clone();
    let expected = [
        ("kind", json!("github-actions")),
        ("repository", json!("web")),
        ("repository_id", json!(cast.web.0)),
        ("ref", json!("refs/heads/main")),
        ("events", json!(["push", "workflow_dispatch", "schedule", "release", "merge_group"])),
        ("operations", json!(["jitconfig-generate"])),
        ("labels", json!(["linux"])),
        ("per_hour", json!(60)),
        ("note", json!("nightly")),
        ("created_by", json!("ada")),
        ("created_by_id", json!(cast.ada_id.0)),
        ("source", json!("store")),
    ];
    for (name, value) in expected {
        assert_eq!(made[name], value, "{name}");
    }
    assert!(answer.response().get("token").is_none() && made.get("void").is_none(), "{made}");
    let id = made["id"].as_str().unwrap();
    let line = &answer.audit()[0];
    assert_eq!(
        (&line["entry"], &line["outcome"], &line["user"]),
        (&json!(id), &json!("success"), &json!("ada"))
    );
    assert_eq!(list(&app, &cast.ada).await, std::slice::from_ref(&made));
    generate(&app, &token(&app, &run())).await.response();
    assert_eq!(list(&app, &cast.ada).await[0]["last_used_at"].as_str().map(str::len), Some(20));
    let removed = app.call("DELETE", "access-remove", &cast.ada, &[("team", "payments"), ("id", id)]).await;
    assert_eq!(removed.response(), format!("Access removed: {id}"));
    generate(&app, &token(&app, &run())).await.is_refused(403, "not_trusted");
    let again = app.call("DELETE", "access-remove", &cast.ada, &[("team", "payments"), ("id", id)]).await;
    again.is_refused(404, "access_not_found");
    assert!(list(&app, &cast.ada).await.is_empty());
}

#[tokio::test]
async fn only_a_maintainer_with_a_token_of_their_own_may() {
    let (mut world, cast, _) = acme_with_groups();
    let application = world.add_token(cast.ada_id, TokenKind::AppUser);
    let app = App::with(world, actions(&json!({}))).await.settled().await;
    let (id, _) = add(&app, &cast, &OF_MAIN).await;
    for (method, operation, others) in [
        ("POST", "access-add", OF_MAIN.as_slice()),
        ("GET", "access-list", &[]),
        ("DELETE", "access-remove", &[("id", id.as_str())]),
    ] {
        let parameters: Vec<_> = [("team", "payments")].iter().chain(others).copied().collect();
        for token in [&cast.bob, &cast.pat, &cast.eve, &cast.sam] {
            app.call(method, operation, token, &parameters).await.is_refused(403, "not_a_maintainer");
        }
        app.call(method, operation, &application, &parameters).await.is_refused(401, "unsupported_token");
    }
    // Another team's maintainer can't name it either.
    let of_search = [("team", "search"), ("id", id.as_str())];
    app.call("DELETE", "access-remove", &cast.eve, &of_search).await.is_refused(404, "access_not_found");
    assert_eq!(list(&app, &cast.ada).await.len(), 1);
}

#[tokio::test]
async fn what_contradicts_or_is_missing_is_named() {
    let (app, cast) =
        start(json!({ "oidc": { "issuers": { "cluster": { "url": "https://oidc.example.com/id/1" } } } }))
            .await;
    let oidc = [("kind", "oidc"), ("operations", "demand"), ("issuer", "cluster"), ("subject", "system:x")];
    for (fields, reason, named) in [
        (with(&OF_MAIN, &[("labels", "")]), "missing_parameter", "labels"),
        (with(&OF_MAIN, &[("operations", "")]), "missing_parameter", "operations"),
        (with(&OF_MAIN, &[("repository", "")]), "missing_parameter", "repository"),
        (with(&OF_MAIN, &[("ref", "")]), "missing_parameter", "ref"),
        (with(&OF_MAIN, &[("ref", "main")]), "invalid_parameter", "ref"),
        (with(&OF_MAIN, &[("subject", "x")]), "conflicting_parameter", "subject"),
        (with(&OF_MAIN, &[("operations", "group-delete")]), "invalid_parameter", "operations"),
        (with(&OF_MAIN, &[("workflow", "../ci.yml")]), "invalid_parameter", "workflow"),
        (with(&OF_MAIN, &[("per_hour", "0")]), "invalid_parameter", "per_hour"),
        (with(&OF_MAIN, &[("expires_in", "soon")]), "invalid_parameter", "expires_in"),
        (with(&OF_MAIN, &[("note", "a\nb")]), "invalid_parameter", "note"),
        (with(&OF_MAIN, &[("surprise", "x")]), "unknown_parameter", "surprise"),
        (with(&oidc, &[("issuer", "github-actions")]), "conflicting_parameter", "issuer"),
        (with(&oidc, &[("issuer", "unknown")]), "invalid_parameter", "issuer"),
        (with(&oidc, &[("claims", "tid")]), "invalid_parameter", "claims"),
        (with(&oidc, &[("repository", "web")]), "conflicting_parameter", "repository"),
    ] {
        let answer = try_add(&app, &cast, &fields).await;
        answer.is_refused(400, reason);
        assert!(answer.json()["Error"].as_str().unwrap().contains(named), "{named}: {}", answer.text);
    }
    for repository in ["index", "nothing"] {
        let answer = try_add(&app, &cast, &with(&OF_MAIN, &[("repository", repository)])).await;
        answer.is_refused(404, "repo_not_found");
    }
    assert!(list(&app, &cast.ada).await.is_empty());
}

#[tokio::test]
async fn the_policy_bounds_operations_time_permission_and_subjects() {
    let (app, cast) = start(json!({
        "policy": { "access": { "maxAge": "30d" }, "repositoryPermission": "write" },
        "oidc": { "issuers": {
            "cluster": { "url": "https://oidc.example.com/id/1", "subjects": ["system:serviceaccount:payments-*:*"] },
            "other": { "url": "https://oidc.example.com/id/2", "teams": ["search"] },
        } },
    }))
    .await;
    let oidc = [("kind", "oidc"), ("operations", "demand"), ("issuer", "cluster")];
    for fields in [
        with(&OF_MAIN, &[("operations", "repos-add")]),
        with(&OF_MAIN, &[("expires_in", "31d")]),
        with(&oidc, &[("subject", "system:serviceaccount:search:scaler")]),
        with(&oidc, &[("issuer", "other"), ("subject", "x")]),
    ] {
        try_add(&app, &cast, &fields).await.is_refused(403, "denied_by_policy");
    }
    // payments may only read `api`.
    try_add(&app, &cast, &with(&OF_MAIN, &[("repository", "api")])).await.is_refused(404, "repo_not_found");
    add(&app, &cast, &with(&oidc, &[("subject", "system:serviceaccount:payments-a:scaler")])).await;
    // Without `expires_in` a team token is good for no longer than the administrator allows.
    let answer = try_add(&app, &cast, &[("kind", "token")]).await;
    let made = answer.response()["access"].clone();
    let days = |text: &Value| chrono::DateTime::parse_from_rfc3339(text.as_str().unwrap()).unwrap();
    assert_eq!((days(&made["expires_at"]) - days(&made["created_at"])).num_days(), 30);
}

#[tokio::test]
async fn a_team_has_a_hundred_entries_at_most() {
    let (app, cast) = start(json!({})).await;
    for number in 0..100 {
        add(&app, &cast, &with(&OF_MAIN, &[("note", number.to_string().as_str())])).await;
    }
    try_add(&app, &cast, &OF_MAIN).await.is_refused(403, "denied_by_policy");
}

#[tokio::test]
async fn without_a_store_or_issuers_the_administrator_is_told_what_to_set() {
    let (world, cast, _) = acme_with_groups();
    let app = App::by_name(world, actions(&json!({}))).await;
    let answer = try_add(&app, &cast, &OF_MAIN).await;
    answer.is_refused(501, "not_configured");
    assert!(answer.text.contains("store.url"), "{}", answer.text);
    assert!(list(&app, &cast.ada).await.is_empty());
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    let answer = try_add(&app, &cast, &OF_MAIN).await;
    answer.is_refused(501, "not_configured");
    assert!(answer.text.contains("oidc.issuers"), "{}", answer.text);
}
