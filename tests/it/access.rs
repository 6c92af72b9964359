//! Who may do what: every operation against everybody who may not.

use std::time::Duration;

use fake_github::{Fault, Role, TokenKind, Visibility, World};
use reqwest::header::AUTHORIZATION;
use serde_json::json;

use crate::harness::{App, send};
use crate::scene::{Cast, acme, acme_with_groups};

const MEMBERSHIP: &str = "/orgs/{org}/teams/{team_slug}/memberships/{username}";

/// A method, an operation, and the parameters it needs beside `team`.
pub type Operation = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Every operation that acts for a team, with a method and the parameters it needs beside `team`.
pub const TEAM_OPERATIONS: &[Operation] = &[
    ("POST", "group-add", &[]),
    ("POST", "group-create", &[]),
    ("DELETE", "group-delete", &[]),
    ("GET", "group-list", &[]),
    ("GET", "group-show", &[]),
    ("PATCH", "repos-add", &[("repos", "web")]),
    ("PATCH", "repos-remove", &[("repos", "web")]),
    ("PATCH", "repos-set", &[("repos", "web")]),
    ("POST", "token-register", &[]),
    ("POST", "token-remove", &[]),
    ("POST", "jitconfig-generate", &[("labels", "linux")]),
    ("GET", "runners-list", &[]),
    ("DELETE", "runners-remove", &[("offline", "true")]),
    ("POST", "runners-transfer", &[("to", "search"), ("all", "true")]),
    ("DELETE", "group-delete", &[("remove_runners", "true")]),
    ("DELETE", "group-delete", &[("transfer_to", "search")]),
];

/// Those about access entries.
pub const ENTRY_OPERATIONS: &[Operation] = &[
    ("POST", "access-add", &[("kind", "token")]),
    ("GET", "access-list", &[]),
    ("DELETE", "access-remove", &[("id", "0000000000000000")]),
];

fn with_team<'a>(team: &'a str, others: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    std::iter::once(("team", team)).chain(others.iter().copied()).collect()
}

#[tokio::test]
async fn nobody_but_an_active_maintainer_of_that_team_gets_anywhere() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    let before = app.fake.world(|world| world.groups().count());
    for (method, operation, others) in TEAM_OPERATIONS.iter().chain(ENTRY_OPERATIONS) {
        for token in [&cast.bob, &cast.pat, &cast.eve, &cast.sam] {
            for team in ["payments", "PAYMENTS", "nonexistent"] {
                let answer = app.call(method, operation, token, &with_team(team, others)).await;
                answer.is_refused(403, "not_a_maintainer");
            }
        }
        let parameters = with_team("payments", others);
        app.call(method, operation, "", &parameters).await.is_refused(401, "missing_token");
        app.call(method, operation, "ghp_nobody", &parameters).await.is_refused(401, "invalid_token");
    }
    let writes = app.fake.calls().iter().filter(|call| call.method != "GET").count();
    assert_eq!(writes, 1, "nothing was written but the installation token");
    assert_eq!(app.fake.world(|world| world.groups().count()), before);
}

#[tokio::test]
async fn a_team_that_does_not_exist_is_answered_as_one_of_others() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    let strip = |text: &str| text.split("\"RequestID\"").next().unwrap().to_owned();
    let others = app.call("GET", "group-list", &cast.ada, &[("team", "search")]).await;
    let nobodys = app.call("GET", "group-list", &cast.ada, &[("team", "nonexistent")]).await;
    assert_eq!(others.status, nobodys.status);
    assert_eq!(strip(&others.text), strip(&nobodys.text));
}

#[tokio::test]
async fn an_organisation_owner_counts_as_a_maintainer_of_a_team_they_are_in() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    app.call("POST", "group-add", &cast.olivia, &[("team", "payments")]).await.response();
}

#[tokio::test]
async fn every_form_of_the_header_and_every_kind_of_user_token_is_accepted() {
    let (mut world, cast) = acme();
    let tokens: Vec<_> = [TokenKind::Classic, TokenKind::FineGrained, TokenKind::OAuth, TokenKind::AppUser]
        .map(|kind| world.add_token(cast.ada_id, kind))
        .into();
    let app = App::start(world).await;
    for token in tokens {
        for scheme in ["", "token ", "Bearer ", "bearer ", "TOKEN "] {
            let answer = app.call("GET", "status", &format!("{scheme}{token}"), &[]).await;
            assert_eq!(answer.response(), "Server ready", "{scheme}");
        }
    }
}

#[tokio::test]
async fn tokens_without_a_user_are_told_apart_and_other_headers_never_reach_github() {
    let (mut world, cast) = acme();
    let actions = world.add_actions_token(None);
    let installation = world.installation_token();
    let app = App::start(world).await.settled().await;
    for token in [actions.as_str(), &installation, "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"] {
        let answer = app.call("GET", "status", token, &[]).await;
        answer.is_refused(401, "unsupported_token");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    for header in ["Basic YWRhOnBhc3N3b3Jk", "Bearer a b", "ghp_ü", "Digest x", &"a".repeat(5_000)] {
        let answer = app.call("GET", "status", header, &[]).await;
        answer.is_refused(401, "invalid_token");
    }
    let two = app.request("GET", "/api/v1/status", &cast.ada).header(AUTHORIZATION, &cast.bob);
    send(two).await.is_refused(401, "invalid_token");
    assert_eq!(app.fake.count("GET", "/user"), 0);
}

#[tokio::test]
async fn what_github_says_of_a_token_tells_one_without_a_user_from_one_that_is_refused() {
    let (world, _) = acme();
    let app = App::start(world).await;
    for (message, reason) in [
        ("Resource not accessible by integration", "unsupported_token"),
        ("Sorry. Your account was suspended.", "invalid_token"),
    ] {
        app.fake.inject(Fault::on("GET", "/user").error(403, message).once());
        app.call("GET", "status", &format!("an-old-token-for-{reason}"), &[]).await.is_refused(401, reason);
    }
}

#[tokio::test]
async fn a_membership_that_cannot_be_read_is_no_refusal() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    app.fake.inject(Fault::on("GET", MEMBERSHIP).error(403, "Resource not accessible by integration"));
    let answer = app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await;
    answer.is_refused(502, "github_error");
}

#[tokio::test]
async fn a_suspended_user_and_a_revoked_token_are_refused() {
    let (mut world, cast) = acme();
    world.suspend_user(cast.ada_id);
    world.revoke_token(&cast.bob);
    let app = App::start(world).await;
    for token in [&cast.ada, &cast.bob] {
        app.call("GET", "status", token, &[]).await.is_refused(401, "invalid_token");
    }
}

#[tokio::test]
async fn checks_come_in_the_documented_order() {
    let (world, cast, _) = acme_with_groups();
    let config = json!({ "policy": { "teams": { "deny": ["search"] } } });
    let app = App::with(world, config).await;
    // Each request has all that is wrong with those below it, too.
    let wrong = [("team", "../x"), ("repos", "../x"), ("what", "1")];
    app.call("PATCH", "no-such-thing", "", &wrong).await.is_refused(404, "not_found");
    app.call("PUT", "repos-add", "", &wrong).await.is_refused(405, "method_not_allowed");
    app.call("PATCH", "repos-add", "", &wrong).await.is_refused(401, "missing_token");
    app.call("PATCH", "repos-add", "ghp_bad", &wrong).await.is_refused(401, "invalid_token");
    app.call("PATCH", "repos-add", &cast.ada, &wrong).await.is_refused(400, "invalid_parameter");
    let wrong = [("team", "search"), ("repos", "../x"), ("what", "1")];
    app.call("PATCH", "repos-add", &cast.ada, &wrong).await.is_refused(403, "not_a_maintainer");
    app.call("PATCH", "repos-add", &cast.eve, &wrong).await.is_refused(400, "invalid_parameter");
    let wrong = [("team", "search"), ("repos", "index"), ("what", "1")];
    app.call("PATCH", "repos-add", &cast.eve, &wrong).await.is_refused(400, "unknown_parameter");
    let denied = [("team", "search"), ("repos", "nonexistent")];
    app.call("PATCH", "repos-add", &cast.eve, &denied).await.is_refused(403, "denied_by_policy");
    // The same where administrators may be admitted, too.
    let list =
        async |token: &str, wrong: &[(&str, &str)]| app.call("GET", "runners-list", token, wrong).await;
    list(&cast.ada, &[("team", "search"), ("status", "x")]).await.is_refused(403, "not_a_maintainer");
    list(&cast.eve, &[("team", "search"), ("status", "x")]).await.is_refused(400, "invalid_parameter");
    list(&cast.eve, &[("team", "search")]).await.is_refused(403, "denied_by_policy");
}

#[tokio::test]
async fn a_bad_token_with_a_bad_body_is_answered_for_the_token() {
    let (world, _) = acme();
    let app = App::start(world).await;
    for token in ["", "ghp_bad"] {
        let request =
            app.request("POST", "/api/v1/group-add", token).header("content-type", "application/json");
        let answer = send(request.body("{")).await;
        assert_eq!(answer.status, 401, "{}", answer.text);
    }
}

#[tokio::test]
async fn policy_teams_keeps_teams_out_by_anchored_patterns() {
    let (world, cast, _) = acme_with_groups();
    let config = json!({ "policy": { "teams": { "allow": ["pay*", "sear"], "deny": ["*-x"] } } });
    let app = App::with(world, config).await;
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
    let answer = app.call("GET", "group-list", &cast.eve, &[("team", "search")]).await;
    answer.is_refused(403, "denied_by_policy");
}

#[tokio::test]
async fn a_demoted_maintainer_is_refused_once_the_cache_time_is_over() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
    app.fake.world(|world| world.set_role(cast.payments, cast.ada_id, Role::Member));
    app.clock.advance(Duration::from_mins(1));
    let answer = app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await;
    answer.is_refused(403, "not_a_maintainer");
    app.fake.world(|world| world.set_role(cast.payments, cast.ada_id, Role::Maintainer));
    app.clock.advance(Duration::from_secs(5));
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
}

/// Team payments is renamed, and a new team takes its slug; gives the token of the new team's maintainer.
fn take_over(world: &mut World, cast: &Cast) -> String {
    world.rename_team(cast.payments, "treasury");
    let usurper = world.add_team("payments");
    let user = world.add_member("mallory");
    world.add_maintainer(usurper, user);
    world.add_token(user, TokenKind::Classic)
}

/// The service where groups are named by the team's id, too, and the one of team payments exists.
async fn with_ids_in_names() -> (App, Cast) {
    let (mut world, cast) = acme();
    world.add_group(&format!("payments-{}", cast.payments.0), Visibility::Selected);
    (App::with(world, json!({ "groups": { "name": "{team}-{id}" } })).await, cast)
}

#[tokio::test]
async fn a_team_that_takes_over_a_slug_does_not_inherit_the_group() {
    let (app, cast) = with_ids_in_names().await;
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
    let intruder = app.fake.world(|world| take_over(world, &cast));
    // The slug is still known as the old team's; the membership that GitHub tells is of another team.
    let answer = app.call("GET", "group-list", &intruder, &[("team", "payments")]).await;
    answer.is_refused(404, "group_not_found");
}

#[tokio::test]
async fn a_membership_whose_address_holds_no_id_counts_for_the_team_that_has_the_slug_now() {
    let url = "https://ghes.example.com/api/v3/orgs/acme/teams/payments/memberships/somebody";
    let membership = json!({ "url": url, "role": "maintainer", "state": "active" });
    let unnumbered = || Fault::on("GET", MEMBERSHIP).status(200, membership.clone());
    let (app, cast) = with_ids_in_names().await;
    app.fake.inject(unnumbered());
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();

    let (app, cast) = with_ids_in_names().await;
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
    app.fake.inject(unnumbered());
    // The slug is still known as the old team's.
    let intruder = app.fake.world(|world| take_over(world, &cast));
    let answer = app.call("GET", "group-list", &intruder, &[("team", "payments")]).await;
    answer.is_refused(404, "group_not_found");
}
