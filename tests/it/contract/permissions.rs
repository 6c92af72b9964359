//! Who may do what: tokens of every kind, the App's JWT, and what permissions open.

use std::time::Duration;

use fake_github::{
    Credential, DEFAULT_GROUP, Level, OrgRole, RepoVisibility, Subject, TokenKind, TokenStyle, Visibility,
    World,
};
use serde_json::json;

use super::client::{jwt, scene};

const GROUPS: &str = "/orgs/acme/actions/runner-groups";

#[tokio::test]
async fn bad_credentials_are_refused_in_githubs_words() {
    let scene = scene();
    for token in ["ghp_000000000000000000000000000000000000", "x", "eyJ.eyJ.x"] {
        let reply = scene.call("GET", "/user", token, None).await;
        assert_eq!(reply.status, 401, "{token}");
    }
    let reply = scene.call("GET", "/user", "ghp_nope", None).await;
    assert_eq!(reply.json()["message"], "Bad credentials");
    assert_eq!(reply.json()["status"], "401");
    assert_eq!(scene.last_call().credential, Credential::Bad);
    let reply = scene.call("GET", "/user", "", None).await;
    assert_eq!((reply.status, reply.message().as_str()), (401, "Requires authentication"));
    scene.assert_in_order();
}

#[tokio::test]
async fn tokens_look_like_githubs() {
    let scene = scene();
    let make = |kind| scene.fake.world(|world| world.add_token(scene.mona, kind));
    for (kind, prefix, length) in [
        (TokenKind::Classic, "ghp_", 40),
        (TokenKind::OAuth, "gho_", 40),
        (TokenKind::AppUser, "ghu_", 40),
        (TokenKind::FineGrained, "github_pat_", 93),
    ] {
        let (one, other) = (make(kind), make(kind));
        assert!(one.starts_with(prefix) && one.len() == length, "{prefix} {}", one.len());
        assert_ne!(one, other);
    }
    assert_eq!(scene.token.len(), 40);
    scene.fake.world(|world| world.set_token_style(TokenStyle::Stateless));
    let long = scene.fake.world(World::installation_token);
    assert!(long.len() > 450 && long.matches('.').count() == 2, "{}", long.len());
    assert_eq!(scene.call("GET", GROUPS, &long, None).await.status, 200);
}

#[tokio::test]
async fn a_revoked_token_and_a_suspended_user_are_refused() {
    let scene = scene();
    scene.fake.world(|world| world.suspend_user(scene.mona));
    assert_eq!(scene.call("GET", "/user", &scene.member, None).await.status, 403);
    scene.fake.world(|world| world.reinstate_user(scene.mona));
    assert_eq!(scene.call("GET", "/user", &scene.member, None).await.status, 200);
    scene.fake.world(|world| world.revoke_token(&scene.member));
    assert_eq!(scene.call("GET", "/user", &scene.member, None).await.status, 401);
    scene.assert_in_order();
}

#[tokio::test]
async fn an_installation_or_a_workflow_is_no_user() {
    let scene = scene();
    let workflow = scene.fake.world(|world| world.add_actions_token(Some(scene.repo)));
    for token in [&scene.token, &workflow] {
        let reply = scene.call("GET", "/user", token, None).await;
        assert_eq!((reply.status, reply.message().as_str()), (403, "Resource not accessible by integration"));
    }
    assert_eq!(scene.call("GET", "/user", &scene.jwt(), None).await.status, 401);
    assert_eq!(scene.call("GET", GROUPS, &workflow, None).await.status, 403);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_token_may_do_what_its_permissions_say() {
    let scene = scene();
    let mint = format!("/app/installations/{}/access_tokens", scene.installation);
    let body = json!({"permissions": {"organization_self_hosted_runners": "read"}});
    let token = scene.call("POST", &mint, &scene.jwt(), Some(body)).await.json()["token"].clone();
    let token = token.as_str().expect("a token");
    assert_eq!(scene.call("GET", GROUPS, token, None).await.status, 200);
    let refused = scene.call("POST", GROUPS, token, Some(json!({"name": "x"}))).await;
    assert_eq!((refused.status, refused.message().as_str()), (403, "Resource not accessible by integration"));
    assert_eq!(refused.header("x-accepted-github-permissions"), "organization_self_hosted_runners=write");
    assert_eq!(scene.call("GET", "/orgs/acme/teams/platform", token, None).await.status, 403);
    scene.fake.world(|world| world.set_app_permissions(&[("metadata", Level::Read)]));
    assert_eq!(scene.call("GET", GROUPS, token, None).await.status, 403);
    scene.assert_in_order();
}

#[tokio::test]
async fn more_than_was_granted_is_not_minted() {
    let scene = scene();
    let mint = format!("/app/installations/{}/access_tokens", scene.installation);
    let foreign =
        scene.fake.world(|world| world.add_repository_of("other", "theirs", RepoVisibility::Private));
    for body in [
        json!({"permissions": {"members": "write"}}),
        json!({"permissions": {"secrets": "read"}}),
        json!({"repositories": ["nothing"]}),
        json!({"repository_ids": [foreign.0]}),
    ] {
        let reply = scene.call("POST", &mint, &scene.jwt(), Some(body.clone())).await;
        assert_eq!(reply.status, 422, "{body}");
    }
    scene.assert_in_order();
}

#[tokio::test]
async fn an_expired_installation_token_is_refused() {
    let scene = scene();
    scene.fake.advance(Duration::from_secs(3590));
    assert_eq!(scene.get(GROUPS).await.status, 200);
    scene.fake.advance(Duration::from_secs(11));
    let reply = scene.get(GROUPS).await;
    assert_eq!((reply.status, reply.message().as_str()), (401, "Bad credentials"));
    scene.assert_in_order();
}

#[tokio::test]
async fn a_jwt_must_be_fresh_short_lived_and_signed_by_the_app() {
    let scene = scene();
    let app = scene.fake.world(|world| world.app_id());
    let good = scene.jwt();
    let (head, _) = good.rsplit_once('.').expect("a JWT");
    for (what, token) in [
        ("expired", jwt(app, 700, -1)),
        ("lives too long", jwt(app, 60, 660)),
        ("from the future", jwt(app, -120, 500)),
        ("of another app", jwt(app + 1, 60, 540)),
        ("badly signed", format!("{head}.{}", "A".repeat(342))),
    ] {
        assert_eq!(scene.call("GET", "/app", &token, None).await.status, 401, "{what}");
    }
    assert_eq!(scene.call("GET", "/app", &good, None).await.status, 200);
    scene.fake.world(|world| world.set_clock_skew(chrono::TimeDelta::seconds(-180)));
    let slow = scene.call("GET", "/app", &good, None).await;
    assert_eq!(slow.message(), "'Expiration time' claim ('exp') is too far in the future");
    assert_eq!(scene.call("GET", "/app", &scene.token, None).await.status, 401);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_suspended_installation_can_do_nothing() {
    let scene = scene();
    let mint = format!("/app/installations/{}/access_tokens", scene.installation);
    scene.fake.world(World::suspend_app);
    for refused in [scene.get(GROUPS).await, scene.call("POST", &mint, &scene.jwt(), None).await] {
        assert_eq!(
            (refused.status, refused.message().as_str()),
            (403, "This installation has been suspended")
        );
    }
    let shown = scene.call("GET", "/orgs/acme/installation", &scene.jwt(), None).await;
    assert!(shown.json()["suspended_at"].is_string());
    scene.fake.world(World::uninstall_app);
    assert_eq!(scene.get(GROUPS).await.status, 401);
    assert_eq!(scene.call("GET", "/orgs/acme/installation", &scene.jwt(), None).await.status, 404);
    assert_eq!(scene.call("POST", &mint, &scene.jwt(), None).await.status, 404);
    scene.assert_in_order();
}

#[tokio::test]
async fn an_app_that_is_installed_anew_has_another_number_and_no_old_token() {
    let scene = scene();
    let again = scene.fake.world(World::reinstall_app);
    assert_ne!(again, scene.installation);
    assert_eq!(scene.get(GROUPS).await.status, 401);
    let mint = |id| format!("/app/installations/{id}/access_tokens");
    assert_eq!(scene.call("POST", &mint(scene.installation), &scene.jwt(), None).await.status, 404);
    let shown = scene.call("GET", "/orgs/acme/installation", &scene.jwt(), None).await.json();
    assert_eq!((&shown["id"], &shown["permissions"]["administration"]), (&json!(again.0), &json!("write")));
    let token = scene.call("POST", &mint(again), &scene.jwt(), None).await.json()["token"].clone();
    assert_eq!(scene.call("GET", GROUPS, token.as_str().expect("a token"), None).await.status, 200);
    scene.assert_in_order();
}

#[tokio::test]
async fn an_owner_manages_runners_with_a_token_of_their_own() {
    let scene = scene();
    assert_eq!(scene.call("GET", GROUPS, &scene.owner, None).await.status, 200);
    assert_eq!(scene.call("GET", GROUPS, &scene.member, None).await.status, 403);
    let weak = scene.fake.world(|world| {
        let boss = world.add_owner("boss");
        world.add_token_with_scopes(boss, TokenKind::Classic, &["repo"])
    });
    assert_eq!(scene.call("GET", GROUPS, &weak, None).await.status, 403);
    let fine = scene.fake.world(|world| {
        let boss = world.user_by_login("boss").expect("boss").id;
        world.add_token_with_permissions(boss, &[("organization_self_hosted_runners", Level::Read)])
    });
    assert_eq!(scene.call("GET", GROUPS, &fine, None).await.status, 200);
    assert_eq!(scene.call("POST", GROUPS, &fine, Some(json!({"name": "x"}))).await.status, 403);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_stranger_sees_nothing_of_the_organisation() {
    let scene = scene();
    let stranger = scene.fake.world(|world| {
        let sam = world.add_user("sam");
        world.add_token(sam, TokenKind::Classic)
    });
    for path in [GROUPS, "/orgs/acme/teams/platform", "/repos/acme/widgets"] {
        assert_eq!(scene.call("GET", path, &stranger, None).await.status, 404, "{path}");
    }
    assert_eq!(scene.call("GET", "/user", &stranger, None).await.status, 200);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_secret_team_is_seen_by_its_members_owners_and_the_app() {
    let scene = scene();
    scene.fake.world(|world| world.add_secret_team("Moles"));
    let path = "/orgs/acme/teams/moles";
    assert_eq!(scene.get(path).await.status, 200);
    assert_eq!(scene.call("GET", path, &scene.owner, None).await.status, 200);
    assert_eq!(scene.call("GET", path, &scene.member, None).await.status, 404);
    scene.fake.world(|world| {
        let moles = world.team_by_slug("moles").expect("the team").id;
        world.add_maintainer(moles, scene.mona);
    });
    assert_eq!(scene.call("GET", path, &scene.member, None).await.status, 200);
    scene.fake.world(|world| world.set_org_role(scene.mona, None::<OrgRole>));
    assert_eq!(scene.call("GET", path, &scene.member, None).await.status, 404);
    scene.assert_in_order();
}

#[tokio::test]
async fn an_installation_acts_on_its_own_organisation_only() {
    let scene = scene();
    scene.fake.world(|world| {
        world.install_app_on("other");
        world.add_repository_of("other", "theirs", RepoVisibility::Private)
    });
    assert_eq!(scene.get("/orgs/other/actions/runner-groups").await.status, 404);
    assert_eq!(scene.get("/repos/other/theirs").await.status, 404);
    scene.fake.world(|world| world.limit_app_to(&[]));
    assert_eq!(scene.get("/repos/acme/widgets").await.status, 404);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_used_up_budget_is_refused_until_its_window_ends() {
    let scene = scene();
    let first = scene.get(GROUPS).await;
    assert_eq!(first.header("x-ratelimit-resource"), "core");
    scene.fake.world(|world| world.set_remaining(Subject::Installation(scene.installation), 1));
    let last = scene.get(GROUPS).await;
    assert_eq!((last.status, last.header("x-ratelimit-remaining")), (200, "0"));
    let refused = scene.get(GROUPS).await;
    assert_eq!(refused.status, 403);
    assert!(refused.message().starts_with("API rate limit exceeded"));
    assert_eq!(scene.get("/rate_limit").await.json()["rate"]["remaining"], 0);
    assert_eq!(scene.call("GET", "/user", &scene.member, None).await.status, 200);
    scene.fake.world(|world| world.set_exhausted_status(429));
    assert_eq!(scene.get(GROUPS).await.status, 429);
    scene.fake.advance(Duration::from_hours(1));
    let token = scene.fake.world(World::installation_token);
    assert_eq!(scene.call("GET", GROUPS, &token, None).await.status, 200);
    scene.assert_in_order();
}

#[tokio::test]
async fn an_enterprise_server_lacks_what_came_later() {
    let scene = scene();
    scene.fake.world(|world| world.set_enterprise_version(3, 9));
    let path = "/orgs/acme/actions/runners/generate-jitconfig";
    let wanted = json!({"name": "x", "runner_group_id": scene.group.0, "labels": ["x"]});
    assert_eq!(scene.send("POST", path, wanted.clone()).await.status, 404);
    assert_eq!(scene.get(&format!("{GROUPS}/{DEFAULT_GROUP}/hosted-runners")).await.status, 404);
    assert_eq!(scene.get("/rate_limit").await.status, 404);
    let team = scene.get("/orgs/acme/teams/platform").await;
    assert_eq!((team.json()["type"].clone(), team.header("x-ratelimit-limit")), (json!(null), ""));
    let meta = scene.get("/meta").await;
    assert_eq!(meta.json()["installed_version"], "3.9.2");
    assert_eq!(meta.header("x-github-enterprise-version"), "3.9.2");
    scene.fake.world(|world| world.set_enterprise_version(3, 10));
    assert_eq!(scene.send("POST", path, wanted).await.status, 201);
    let direct = scene.call("GET", "/api/v3/orgs/acme/actions/runner-groups", &scene.token, None).await;
    let address = direct.json()["runner_groups"][0]["runners_url"].clone();
    assert!(address.as_str().is_some_and(|url| url.starts_with(&scene.fake.enterprise_url())), "{address}");
    scene.fake.world(|world| world.add_group("x", Visibility::All));
    scene.assert_in_order();
}

#[tokio::test]
async fn a_request_needs_a_user_agent_and_a_known_version() {
    let scene = scene();
    let nameless = scene.request("/meta").header("user-agent", "").send().await.expect("an answer");
    assert_eq!(nameless.status(), 403);
    let strange = scene.request("/meta").header("x-github-api-version", "1999-01-01");
    assert_eq!(strange.send().await.expect("an answer").status(), 400);
    let known = scene.request("/meta").header("x-github-api-version", "2022-11-28");
    assert_eq!(known.send().await.expect("an answer").status(), 200);
}
