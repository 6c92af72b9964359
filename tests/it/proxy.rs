//! Tokens of a scope: `POST /register`, `POST /remove`, and `repo` on `token-register` and `token-remove`.

mod repository_token;

use fake_github::{Level, Permission, RepoVisibility, TokenKind, World};
use serde_json::{Value, json};

use crate::harness::{Answer, App, send};
use crate::scene::{Cast, acme};

/// The usual organisation, whose App may administer repositories, and more people.
struct Scene {
    cast: Cast,
    /// Administers `web` by himself.
    adam: String,
    /// May push to `web`.
    wendy: String,
    /// May do with `web` nearly everything that its administrators may.
    mats: String,
}

fn scene() -> (World, Scene) {
    let (mut world, cast) = acme();
    world.grant_app_permission("administration", Level::Write);
    let mut with = |login: &str, permission| {
        let user = world.add_member(login);
        world.add_collaborator(cast.web, user, permission);
        world.add_token(user, TokenKind::Classic)
    };
    let adam = with("adam", Permission::Admin);
    let wendy = with("wendy", Permission::Push);
    let mats = with("mats", Permission::Maintain);
    (world, Scene { cast, adam, wendy, mats })
}

fn everything() -> Value {
    json!({ "scopes": { "allow": ["acme", "acme/*"] } })
}

async fn started() -> (App, Scene) {
    let (world, scene) = scene();
    (App::with(world, everything()).await, scene)
}

async fn ask(app: &App, path: &str, token: &str, body: Value) -> Answer {
    send(app.request("POST", path, token).json(&body)).await
}

async fn register(app: &App, token: &str, scope: &str) -> Answer {
    ask(app, "/register", token, json!({ "scope": scope })).await
}

async fn register_for(app: &App, token: &str, scope: &str, team: &str) -> Answer {
    ask(app, "/register", token, json!({ "scope": scope, "team": team })).await
}

/// The token in an answer that must be exactly what the stand-alone proxy's clients read.
#[track_caller]
fn granted(answer: &Answer) -> String {
    let body = answer.json();
    assert_eq!(answer.status, 200, "{body}");
    let mut fields: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    fields.sort();
    assert_eq!(fields, ["expires_at", "token"]);
    assert!(chrono::DateTime::parse_from_rfc3339(body["expires_at"].as_str().unwrap()).is_ok());
    body["token"].as_str().unwrap().to_owned()
}

/// The refusal's one audit line.
#[track_caller]
fn refused(answer: &Answer, status: u16, reason: &str) -> Value {
    answer.is_refused(status, reason);
    let mut lines = answer.audit();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((lines[0]["reason"].as_str(), lines[0]["outcome"].as_str()), (Some(reason), Some("refused")));
    lines.remove(0)
}

#[tokio::test]
async fn an_owner_gets_tokens_of_the_organisation_and_nobody_else_does() {
    let (app, scene) = started().await;
    let cast = &scene.cast;
    for (path, removal) in [("/register", false), ("/remove", true)] {
        let token = granted(&ask(&app, path, &cast.olivia, json!({ "scope": "acme" })).await);
        app.fake.world(|world| {
            let made = world.runner_tokens().iter().find(|made| made.token == token).unwrap();
            assert_eq!((made.removal, made.repository), (removal, None));
        });
        for token in [&cast.ada, &cast.bob, &cast.pat, &cast.sam, &scene.adam] {
            let line =
                refused(&ask(&app, path, token, json!({ "scope": "acme" })).await, 403, "not_a_maintainer");
            assert_eq!(line["repositories"], json!(["acme"]));
        }
    }
    // No team stands for the organisation, whoever maintains it.
    refused(&register_for(&app, &cast.ada, "acme", "payments").await, 403, "not_a_maintainer");
    refused(&register_for(&app, &cast.olivia, "acme", "payments").await, 403, "not_a_maintainer");
    assert_eq!(app.fake.world(|world| world.runner_tokens().len()), 2);
}

#[tokio::test]
async fn who_administers_a_repository_gets_its_tokens_and_who_only_writes_does_not() {
    let (app, scene) = started().await;
    let cast = &scene.cast;
    for (path, removal) in [("/register", false), ("/remove", true)] {
        for token in [&scene.adam, &cast.olivia] {
            let answer = ask(&app, path, token, json!({ "scope": "acme/web" })).await;
            let token = granted(&answer);
            app.fake.world(|world| {
                let made = world.runner_tokens().iter().find(|made| made.token == token).unwrap();
                assert_eq!((made.removal, made.repository), (removal, Some(cast.web)));
            });
            let lines = answer.audit();
            assert_eq!(lines.len(), 1);
            assert_eq!(lines[0]["operation"], path[1..]);
            assert_eq!(
                (&lines[0]["outcome"], &lines[0]["repositories"]),
                (&json!("success"), &json!(["acme/web"]))
            );
            assert!(!lines[0].to_string().contains(&token));
        }
        for token in [&scene.wendy, &scene.mats, &cast.ada, &cast.sam] {
            refused(&ask(&app, path, token, json!({ "scope": "acme/web" })).await, 403, "not_a_maintainer");
        }
    }
}

#[tokio::test]
async fn a_team_needs_admin_on_the_repository_and_an_active_maintainer_who_asks() {
    let (world, scene) = scene();
    let app = App::with(world, everything()).await;
    let cast = &scene.cast;
    for (scope, permission) in [("acme/web", "push"), ("acme/api", "read")] {
        let line = refused(&register_for(&app, &cast.ada, scope, "payments").await, 403, "not_a_maintainer");
        assert_eq!(
            (&line["team"], &line["repositories"]),
            (&json!("payments"), &json!([scope])),
            "{permission}"
        );
    }
    granted(&register_for(&app, &cast.eve, "acme/index", "search").await);
    granted(&register_for(&app, &cast.eve, "ACME/Index", "SEARCH").await);
    // Neither another team's maintainer, nor a member, nor somebody invited; not even for what the team has.
    app.fake.world(|world| world.grant(cast.payments, cast.web, Permission::Admin));
    granted(&register_for(&app, &cast.ada, "acme/web", "payments").await);
    for token in [&cast.eve, &cast.bob, &cast.pat, &scene.adam] {
        refused(&register_for(&app, token, "acme/web", "payments").await, 403, "not_a_maintainer");
    }
    refused(&register_for(&app, &cast.ada, "acme/index", "payments").await, 403, "not_a_maintainer");
    refused(&register_for(&app, &cast.ada, "acme/web", "nonexistent").await, 403, "not_a_maintainer");
}

#[tokio::test]
async fn the_same_is_served_through_v1_with_repo() {
    let (app, scene) = started().await;
    let cast = &scene.cast;
    for (operation, removal) in [("token-register", false), ("token-remove", true)] {
        for repo in ["index", "acme/index", "INDEX"] {
            let parameters = [("team", "search"), ("repo", repo)];
            let response = app.call("POST", operation, &cast.eve, &parameters).await.response();
            assert_eq!(response.as_object().unwrap().len(), 2);
            app.fake.world(|world| {
                let made = world.runner_tokens().last().unwrap();
                assert_eq!((made.removal, made.repository), (removal, Some(cast.index)));
            });
        }
        for repo in ["web", "api", "index", "nonexistent"] {
            let parameters = [("team", "payments"), ("repo", repo)];
            let answer = app.call("POST", operation, &cast.ada, &parameters).await;
            assert_eq!(refused(&answer, 403, "not_a_maintainer")["repositories"], json!([repo]));
        }
        for repo in ["", "a/b", "other/index", "../x", "acme/index/x"] {
            let parameters = [("team", "search"), ("repo", repo)];
            let answer = app.call("POST", operation, &cast.eve, &parameters).await;
            refused(&answer, 400, "invalid_parameter");
        }
    }
}

#[tokio::test]
async fn a_scope_of_another_shape_or_organisation_is_refused_before_github_is_asked() {
    let (app, scene) = started().await;
    let app = app.settled().await;
    granted(&register(&app, &scene.cast.olivia, "acme").await);
    app.fake.clear_calls();
    let long = "a".repeat(10 << 10);
    for scope in [
        "",
        "/",
        "org/",
        "acme/",
        "/acme",
        "acme/..",
        "acme/.",
        "../x",
        "acme/a/b",
        "a/b/c",
        "other",
        "other/web",
        "evil-acme/web",
        "acme-x/web",
        "acme%2fweb",
        "acme/web%2f..",
        "acme/web ",
        "acme\\web",
        "acme/web?x=1",
        "acme/web#x",
        "acme/w*",
        "https://github.com/acme/web",
        &long,
        &format!("acme/{long}"),
    ] {
        for path in ["/register", "/remove"] {
            let answer = ask(&app, path, &scene.cast.olivia, json!({ "scope": scope })).await;
            refused(&answer, 400, "invalid_parameter");
            assert!(
                answer.text.len() < 1_000 && answer.text.contains("\\\"scope\\\""),
                "{scope:.30}: {}",
                answer.text
            );
        }
    }
    assert_eq!(app.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_missing_or_unknown_is_named_and_answered_in_the_envelope() {
    let (app, scene) = started().await;
    let olivia = &scene.cast.olivia;
    ask(&app, "/register", olivia, json!({})).await.is_refused(400, "missing_parameter");
    let more = json!({ "scope": "acme", "url": "https://evil.example" });
    ask(&app, "/register", olivia, more).await.is_refused(400, "unknown_parameter");
    let list = json!({ "scope": ["acme", "other"] });
    ask(&app, "/register", olivia, list).await.is_refused(400, "invalid_parameter");
    ask(&app, "/register", "", json!({ "scope": "acme" })).await.is_refused(401, "missing_token");
    ask(&app, "/register", "ghp_nobody", json!({ "scope": "acme" })).await.is_refused(401, "invalid_token");
    let deep = send(app.request("POST", "/register/x", olivia)).await;
    deep.is_refused(404, "not_found");
    let below = send(app.request("POST", "/api/v1/register", olivia)).await;
    below.is_refused(404, "not_found");
    let text =
        app.request("POST", "/register", olivia).body("scope=acme").header("content-type", "text/plain");
    send(text).await.is_refused(415, "unsupported_media_type");
    for method in ["GET", "PUT", "DELETE"] {
        let answer = send(app.request(method, "/register?scope=acme", olivia)).await;
        answer.is_refused(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), "POST");
    }
    // The stand-alone proxy's clients send JSON; a form and the query are as good.
    granted(&send(app.request("POST", "/register", olivia).form(&[("scope", "acme")])).await);
    // As curl sends it with --data and no header, which is how the stand-alone proxy's users were told to ask.
    let curl =
        app.request("POST", "/register", olivia).header("content-type", "application/x-www-form-urlencoded");
    granted(&send(curl.body(r#"{"scope":"acme/web"}"#)).await);
    granted(&send(app.request("POST", "/register?scope=acme", olivia)).await);
}

#[tokio::test]
async fn nothing_is_served_until_it_is_allowed_and_deny_wins_in_any_letter_case() {
    let cases: &[(Value, &[(&str, bool)])] = &[
        (json!({}), &[("acme", false), ("acme/web", false)]),
        (json!({ "allow": ["acme/*"] }), &[("acme", false), ("acme/web", true), ("Acme/WEB", true)]),
        (json!({ "allow": ["ACME"] }), &[("acme", true), ("acme/web", false)]),
        (
            json!({ "allow": ["acme/*", "acme"], "deny": ["Acme/Web"] }),
            &[("acme/web", false), ("ACME/WEB", false), ("acme/api", true), ("acme", true)],
        ),
        (
            json!({ "allow": ["match:.*cm.*"], "deny": ["match:(?i)ACME/I.*"] }),
            &[("acme/web", true), ("acme/index", false)],
        ),
        (json!({ "allow": ["match:cme/we"] }), &[("acme/web", false)]),
    ];
    for (scopes, expected) in cases {
        let (world, scene) = scene();
        let app = App::with(world, json!({ "scopes": scopes })).await;
        for (scope, is_served) in *expected {
            let answer = register(&app, &scene.cast.olivia, scope).await;
            if *is_served {
                granted(&answer);
            } else {
                refused(&answer, 403, "denied_by_policy");
            }
        }
    }
}

#[tokio::test]
async fn through_v1_a_repository_needs_an_allowed_scope_too() {
    let (world, scene) = scene();
    let app = App::start(world).await;
    let parameters = [("team", "search"), ("repo", "index")];
    let answer = app.call("POST", "token-register", &scene.cast.eve, &parameters).await;
    refused(&answer, 403, "denied_by_policy");
}

#[tokio::test]
async fn who_may_not_have_a_scope_is_not_told_whether_it_is_served() {
    let (world, scene) = scene();
    let app = App::with(world, json!({ "scopes": { "allow": ["acme/web"] } })).await;
    let public = |answer: &Answer| answer.text.split("\"RequestID\"").next().unwrap().to_owned();
    let seen = [
        register(&app, &scene.wendy, "acme/web").await,
        register(&app, &scene.wendy, "acme/api").await,
        register(&app, &scene.wendy, "acme/nonexistent").await,
        register(&app, &scene.cast.olivia, "acme/nonexistent").await,
        register(&app, &scene.wendy, "acme").await,
    ];
    for answer in &seen {
        answer.is_refused(403, "not_a_maintainer");
        assert_eq!(public(answer), public(&seen[0]));
    }
}

#[tokio::test]
async fn scopes_can_change_while_the_service_runs() {
    let (world, scene) = scene();
    let app = App::start(world).await;
    refused(&register(&app, &scene.adam, "acme/web").await, 403, "denied_by_policy");
    for (allow, is_served) in [(json!(["acme/web"]), true), (json!(["acme/api"]), false)] {
        app.reconfigure(&json!({ "scopes": { "allow": allow } }));
        let is_so = async || (register(&app, &scene.adam, "acme/web").await.status == 200) == is_served;
        app.until("the new scopes are in force", is_so).await;
    }
}

#[tokio::test]
async fn the_policy_holds_for_the_proxy_as_well() {
    let (world, scene) = scene();
    let mut extra = everything();
    extra["policy"] = json!({ "registrationTokens": false, "teams": { "deny": ["search"] } });
    let app = App::with(world, extra).await;
    let cast = &scene.cast;
    // Of the organisation, a registration token is what the administrator switched off; of a repository it isn't.
    refused(&register(&app, &cast.olivia, "acme").await, 403, "denied_by_policy");
    granted(&ask(&app, "/remove", &cast.olivia, json!({ "scope": "acme" })).await);
    granted(&register(&app, &scene.adam, "acme/web").await);
    refused(&register_for(&app, &cast.eve, "acme/index", "search").await, 403, "denied_by_policy");
    granted(&register(&app, &cast.eve, "acme/index").await);
}

#[tokio::test]
async fn a_public_repository_is_no_exception() {
    let (mut world, scene) = scene();
    let open = world.add_repository("open", RepoVisibility::Public);
    world.grant(scene.cast.payments, open, Permission::Pull);
    let app = App::with(world, everything()).await;
    refused(&register(&app, &scene.cast.sam, "acme/open").await, 403, "not_a_maintainer");
    refused(&register_for(&app, &scene.cast.ada, "acme/open", "payments").await, 403, "not_a_maintainer");
}
