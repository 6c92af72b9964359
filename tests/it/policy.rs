//! Whom the administrator lets in, by names, which those who bear them can change, and by ids, which nobody can; and what a
//! team must be permitted to do with a repository.

use fake_github::{Fault, Permission, RepoVisibility, TeamId, TokenKind};
use serde_json::{Value, json};

use crate::access::TEAM_OPERATIONS;
use crate::harness::{App, send};
use crate::scene::{acme, acme_with_groups};

const TEAM_REPOSITORY: &str = "/orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}";
const TEAM_REPOSITORIES: &str = "/orgs/{org}/teams/{team_slug}/repos";

fn teams(allow: &[&str], deny: &[&str]) -> Value {
    json!({ "policy": { "teams": { "allow": allow, "deny": deny } } })
}

fn id(team: TeamId) -> String {
    format!("id:{}", team.0)
}

/// Requests of every operation, with the parameters that it needs.
fn every_operation(app: &App, token: &str) -> Vec<reqwest::RequestBuilder> {
    let of_team = TEAM_OPERATIONS.iter().map(|(method, operation, others)| {
        let request = app.request(method, &format!("/api/v1/{operation}"), token);
        request.query(&[("team", "payments")]).query(others)
    });
    let status = app.request("GET", "/api/v1/status", token);
    let of_proxy = ["/register", "/remove"]
        .map(|path| app.request("POST", path, token).json(&json!({ "scope": "acme", "team": "payments" })));
    of_team.chain([status]).chain(of_proxy).collect()
}

#[tokio::test]
async fn a_user_whom_the_policy_keeps_out_gets_nowhere_and_the_refusal_is_audited() {
    let (_, cast, _) = acme_with_groups();
    let ada = format!("id:{}", cast.ada_id.0);
    for (allow, deny) in [
        (json!(["*"]), json!(["ADA"])),
        (json!(["*"]), json!(["x", "match:a.a"])),
        (json!(["*"]), json!([ada])),
        (json!(["bob", "e*"]), json!([])),
        (json!([]), json!([])),
        (json!([ada]), json!(["a*"])),
    ] {
        let (world, cast, _) = acme_with_groups();
        let config = json!({ "policy": { "users": { "allow": allow, "deny": deny } } });
        let app = App::with(world, config).await.settled().await;
        for request in every_operation(&app, &cast.ada) {
            let answer = send(request).await;
            answer.is_refused(403, "denied_by_policy");
            assert!(answer.text.contains("let you use the service"), "{}", answer.text);
            assert_ne!(answer.header("ratelimit-limit"), "", "every authenticated answer has it");
            let line = &answer.audit()[0];
            assert_eq!(
                (&line["reason"], &line["user"]),
                (&json!("denied_by_policy"), &json!("ada")),
                "{line}"
            );
            assert_eq!((&line["outcome"], answer.audit().len()), (&json!("refused"), 1));
        }
        assert_eq!(app.calls(), ["GET /user"], "nothing else was asked");
    }
}

#[tokio::test]
async fn a_user_whom_the_policy_lets_in_by_login_or_id_is_served() {
    let (_, cast, _) = acme_with_groups();
    let ada = format!("id:{}", cast.ada_id.0);
    for (allow, deny) in [(json!(["Ada"]), json!([])), (json!([ada]), json!(["bob", "id:1"]))] {
        let (world, cast, _) = acme_with_groups();
        let config = json!({ "policy": { "users": { "allow": allow, "deny": deny } } });
        let app = App::with(world, config).await;
        app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
        app.call("GET", "status", &cast.bob, &[]).await.is_refused(403, "denied_by_policy");
    }
}

#[tokio::test]
async fn policy_users_comes_behind_the_token_and_the_limit_and_before_everything_else() {
    let (world, cast, _) = acme_with_groups();
    let config = json!({
        "policy": { "users": { "deny": ["ada"] } },
        "server": { "rateLimit": 1, "rateBurst": 2 },
    });
    let app = App::with(world, config).await;
    let wrong = [("team", "../x"), ("what", "1")];
    app.call("GET", "group-list", "", &wrong).await.is_refused(401, "missing_token");
    app.call("GET", "group-list", "ghp_bad", &wrong).await.is_refused(401, "invalid_token");
    app.call("GET", "group-list", &cast.ada, &wrong).await.is_refused(403, "denied_by_policy");
    let broken =
        app.request("POST", "/api/v1/group-add", &cast.ada).header("content-type", "application/json");
    send(broken.body("{")).await.is_refused(403, "denied_by_policy");
    app.call("GET", "group-list", &cast.ada, &wrong).await.is_refused(429, "rate_limited");
}

#[tokio::test]
async fn administrators_are_users_too() {
    let (world, cast, _) = acme_with_groups();
    let config = json!({ "admin": { "team": "search" }, "policy": { "users": { "deny": ["eve"] } } });
    let app = App::with(world, config).await;
    app.call("GET", "runners-list", &cast.eve, &[("team", "*")]).await.is_refused(403, "denied_by_policy");
}

#[tokio::test]
async fn a_user_who_is_denied_by_id_stays_so_under_another_login() {
    let (world, cast, _) = acme_with_groups();
    let eve = world.user_by_login("eve").unwrap().id;
    let config = json!({ "policy": { "users": { "deny": [format!("id:{}", eve.0), "bob"] } } });
    let app = App::with(world, config).await;
    let bob = app.fake.world(|world| world.user_by_login("bob").unwrap().id);
    app.fake.world(|world| {
        world.rename_user(eve, "friend");
        world.rename_user(bob, "robert");
    });
    app.call("GET", "status", &cast.eve, &[]).await.is_refused(403, "denied_by_policy");
    // A login binds nobody who can change it.
    app.call("GET", "status", &cast.bob, &[]).await.response();
}

#[tokio::test]
async fn a_change_of_policy_users_takes_effect_while_the_service_runs() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    app.call("GET", "status", &cast.ada, &[]).await.response();
    app.reconfigure(&json!({ "policy": { "users": { "deny": ["ada"] } } }));
    let refused = async || app.call("GET", "status", &cast.ada, &[]).await.status == 403;
    app.until("ada is kept out", refused).await;
}

#[tokio::test]
async fn a_team_that_is_denied_by_a_pattern_evades_it_by_another_name_and_one_by_id_does_not() {
    let ask = [("team", "contractors-a")];
    for by_id in [false, true] {
        let (mut world, cast) = acme();
        let team = world.add_team("contractors-a");
        world.add_maintainer(team, cast.ada_id);
        let denied = if by_id { id(team) } else { "contractors-*".to_owned() };
        let app = App::with(world, teams(&["*"], &[&denied])).await;
        app.call("POST", "token-register", &cast.ada, &ask).await.is_refused(403, "denied_by_policy");
        app.fake.world(|world| world.rename_team(team, "friends"));
        let renamed = app.call("POST", "token-register", &cast.ada, &[("team", "friends")]).await;
        if by_id {
            renamed.is_refused(403, "denied_by_policy");
        } else {
            // The documentation says so: a pattern binds nobody who can change the name.
            renamed.response();
        }
    }
}

#[tokio::test]
async fn a_team_that_takes_the_slug_of_an_allowed_one_is_kept_out_also_while_caches_are_warm() {
    let (world, cast, _) = acme_with_groups();
    let app = App::with(world, teams(&[&id(cast.payments)], &[])).await;
    let payments = [("team", "payments")];
    app.call("POST", "token-register", &cast.ada, &payments).await.response();
    let mallory = app.fake.world(|world| {
        world.rename_team(cast.payments, "treasury");
        let usurper = world.add_team("payments");
        let user = world.add_member("mallory");
        world.add_maintainer(usurper, user);
        world.add_token(user, TokenKind::Classic)
    });
    app.call("POST", "token-register", &mallory, &payments).await.is_refused(403, "denied_by_policy");
    app.call("POST", "token-register", &cast.ada, &[("team", "treasury")]).await.response();
    app.call("POST", "token-register", &cast.eve, &[("team", "search")])
        .await
        .is_refused(403, "denied_by_policy");
}

/// `web` by push, `api` by pull, `run` by maintain and `own` by admin.
fn with_permissions() -> (fake_github::World, crate::scene::Cast, fake_github::GroupId) {
    let (mut world, cast, group) = acme_with_groups();
    for (name, permission) in
        [("sort", Permission::Triage), ("run", Permission::Maintain), ("own", Permission::Admin)]
    {
        let repository = world.add_repository(name, RepoVisibility::Private);
        world.grant(cast.payments, repository, permission);
    }
    (world, cast, group)
}

#[tokio::test]
async fn a_team_adds_only_what_it_has_the_required_permission_on() {
    let all = ["api", "sort", "web", "run", "own"];
    for (required, granted) in
        [("read", &all[..]), ("write", &all[2..]), ("maintain", &all[3..]), ("admin", &all[4..])]
    {
        let (world, cast, group) = with_permissions();
        let config = json!({ "policy": { "repositoryPermission": required } });
        let app = App::with(world, config).await;
        let set = async |repos: Value| {
            let body = json!({ "team": "payments", "repos": repos });
            app.call_json("PUT", "repos-set", &cast.ada, body).await
        };
        for operation in ["repos-add", "repos-set"] {
            for name in all {
                let answer =
                    app.call("PATCH", operation, &cast.ada, &[("team", "payments"), ("repos", name)]).await;
                if granted.contains(&name) {
                    answer.response();
                    assert!(app.fake.world(|world| world.repositories_of(group)).contains(&name.to_owned()));
                } else {
                    answer.is_refused(404, "repo_not_found");
                    assert!(answer.text.contains(required), "{}", answer.text);
                }
            }
        }
        // All at once, so that the team's list is read: a route of its own.
        app.fake.clear_calls();
        let answer = set(json!(all)).await;
        if granted.len() == all.len() {
            answer.response();
        } else {
            answer.is_refused(404, "repo_not_found");
            let named = answer.json()["Error"].as_str().unwrap().to_owned();
            for name in all {
                assert_eq!(named.contains(name), !granted.contains(&name), "{required} {name}: {named}");
            }
        }
        assert_eq!(
            (app.fake.count("GET", TEAM_REPOSITORIES), app.fake.count("GET", TEAM_REPOSITORY)),
            (1, 0)
        );
        set(json!(granted)).await.response();
        assert_eq!(app.fake.world(|world| world.repositories_of(group)).len(), granted.len());
    }
}

#[tokio::test]
async fn a_repository_with_too_little_permission_is_answered_as_one_that_does_not_exist() {
    let (world, cast, _) = with_permissions();
    let app = App::with(world, json!({ "policy": { "repositoryPermission": "write" } })).await;
    let about = async |repos: &str| {
        let answer =
            app.call("PATCH", "repos-add", &cast.ada, &[("team", "payments"), ("repos", repos)]).await;
        let (body, named) = (answer.json(), repos.replace(',', ", "));
        (answer.status, body["Reason"].clone(), body["Error"].as_str().unwrap().replace(&named, "NAME"))
    };
    let readable = about("api").await;
    assert_eq!((readable.0, readable.1.as_str()), (404, Some("repo_not_found")));
    assert_eq!(about("index").await, readable, "another team's");
    assert_eq!(about("nonexistent").await, readable);
    // And one refusal is like the other when the list is read.
    assert_eq!(about("api,index,nonexistent").await.2, readable.2);
}

#[tokio::test]
async fn what_is_too_much_to_add_can_be_removed() {
    let (mut world, cast, group) = with_permissions();
    world.add_repository_to_group(group, cast.api);
    let app = App::with(world, json!({ "policy": { "repositoryPermission": "admin" } })).await;
    let parameters = [("team", "payments"), ("repos", "api,web")];
    app.call("PATCH", "repos-remove", &cast.ada, &parameters).await.response();
    assert!(app.fake.world(|world| world.repositories_of(group)).is_empty());
}

#[tokio::test]
async fn permissions_that_github_does_not_state_are_not_granted() {
    let (world, cast, group) = with_permissions();
    let app =
        App::with(world, json!({ "policy": { "repositoryPermission": "write" } })).await.settled().await;
    let add =
        async || app.call("POST", "repos-add", &cast.ada, &[("team", "payments"), ("repos", "own")]).await;
    let own = json!({ "id": 1, "name": "own", "full_name": "acme/own", "role_name": "admin" });
    app.fake.inject(Fault::on("GET", TEAM_REPOSITORY).status(200, own).once());
    add().await.is_refused(404, "repo_not_found");
    assert_eq!(app.fake.world(|world| world.repositories_of(group)), ["web"]);
    add().await.response();
}

#[tokio::test]
async fn what_a_team_must_be_permitted_costs_no_call() {
    let mut calls = Vec::new();
    for required in ["read", "admin"] {
        let (world, cast, _) = with_permissions();
        let app =
            App::with(world, json!({ "policy": { "repositoryPermission": required } })).await.settled().await;
        let parameters = [("team", "payments"), ("repos", "own")];
        for _ in 0..2 {
            app.call("POST", "repos-add", &cast.ada, &parameters).await.response();
        }
        calls.push(app.fake.total_calls());
    }
    assert_eq!(calls[0], calls[1]);
}
