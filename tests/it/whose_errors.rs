//! An error is told to whom it belongs: what GitHub holds against the service, or what isn't GitHub at all, is nothing that
//! a caller did; and what may pass is tried again.

use std::time::Duration;

use fake_github::{Fault, Level, World};
use serde_json::{Value, json};

use crate::harness::{Answer, App, log_lines};
use crate::scene::{Cast, acme, acme_with_groups, acme_with_runners};

const USER: &str = "/user";
const MEMBERSHIP: &str = "/orgs/{org}/teams/{team_slug}/memberships/{username}";
const GROUP_RUNNERS: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners";
const JIT: &str = "/orgs/{org}/actions/runners/generate-jitconfig";
const REGISTRATION: &str = "/orgs/{org}/actions/runners/registration-token";
const MINT: &str = "/app/installations/{installation_id}/access_tokens";
const INSTALLATION: &str = "/orgs/{org}/installation";

const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];
/// What administrators have to put right.
const CREDENTIAL: &str = "GitHub doesn't accept this service's credential";
/// For so long a token that was just minted is believed in.
const YOUNG: Duration = Duration::from_secs(10);

async fn register(app: &App, token: &str) -> Answer {
    app.call("POST", "token-register", token, &PAYMENTS).await
}

#[track_caller]
fn is_the_services_own(answer: &Answer, sentence: &str) {
    answer.is_refused(502, "github_error");
    assert!(answer.text.contains(sentence), "{}", answer.text);
    let lines = log_lines(answer.header("x-request-id"));
    let is_told = |line: &Value| line["level"] == "warn" || line["level"] == "error";
    assert!(lines.iter().any(is_told), "the log says it, too: {lines:#?}");
}

/// The service with its token minted a while ago, and what was done to GitHub since.
async fn after(extra: Value, change: impl FnOnce(&mut World)) -> (App, Cast) {
    let (world, cast, _) = acme_with_groups();
    let mut app = App::with(world, extra).await.settled().await;
    app.own_token_is_refused = true;
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    app.clock.advance(YOUNG);
    app.fake.world(change);
    app.fake.clear_calls();
    (app, cast)
}

#[tokio::test]
async fn an_app_that_was_uninstalled_takes_nobodys_role_away() {
    for extra in [json!({}), json!({ "installationID": null })] {
        let (app, cast) = after(extra, World::uninstall_app).await;
        for token in [&cast.ada, &cast.eve] {
            let answer = app.call("GET", "group-list", token, &PAYMENTS).await;
            is_the_services_own(&answer, CREDENTIAL);
            assert_eq!(answer.audit().iter().filter(|line| line["outcome"] == "refused").count(), 0);
        }
    }
}

#[tokio::test]
async fn an_app_that_was_installed_again_works_at_once() {
    for extra in [json!({}), json!({ "installationID": null })] {
        let is_configured = extra.get("installationID").is_none();
        let mut id = 0;
        let again = |world: &mut World| {
            world.uninstall_app();
            id = world.install_app_on("acme").0;
        };
        let (app, cast) = after(extra, again).await;
        register(&app, &cast.ada).await.response();
        assert_eq!((app.fake.count("GET", INSTALLATION), app.fake.count("POST", MINT)), (1, 2));
        app.fake.clear_calls();
        register(&app, &cast.ada).await.response();
        assert_eq!(app.fake.total_calls(), 1);
        let said = log_lines("correct installationID");
        let is_warned = said.iter().any(|line| line["installation"] == id && line["level"] == "warn");
        assert!(is_warned || !is_configured, "{said:#?}");
    }
}

#[tokio::test]
async fn an_installation_that_is_found_and_lost_again_is_not_looked_up_at_each_request() {
    let (app, cast) = after(json!({ "installationID": null }), World::revoke_installation_tokens).await;
    app.fake.inject(Fault::on("POST", MINT).error(404, "Not Found"));
    for look_ups in [1, 1] {
        is_the_services_own(&register(&app, &cast.ada).await, CREDENTIAL);
        assert_eq!(app.fake.count("GET", INSTALLATION), look_ups);
    }
}

#[tokio::test]
async fn a_permission_that_was_withdrawn_is_not_the_callers_fault() {
    let withdraw = |world: &mut World| {
        world.set_app_permissions(&[("members", Level::Read), ("metadata", Level::Read)]);
        world.revoke_installation_tokens();
    };
    let (app, cast) = after(json!({}), withdraw).await;
    let wanted = [("team", "payments"), ("labels", "x")];
    let answers = [
        app.call("POST", "jitconfig-generate", &cast.ada, &wanted).await,
        app.call("POST", "group-add", &cast.ada, &PAYMENTS).await,
        register(&app, &cast.ada).await,
    ];
    for answer in answers.iter().filter(|answer| answer.status != 409) {
        is_the_services_own(answer, CREDENTIAL);
        assert!(!answer.text.contains("permissions requested"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_suspended_installation_and_a_forbidden_address_are_not_the_callers_fault() {
    let (app, cast) = after(json!({}), World::suspend_app).await;
    is_the_services_own(&register(&app, &cast.ada).await, CREDENTIAL);
    app.fake.world(World::resume_app);
    register(&app, &cast.ada).await.response();
    let forbidden = "Although you appear to have the correct authorization credentials, the `acme` organization has an IP \
                     allow list enabled, and 192.0.2.1 is not permitted to access this resource.";
    for path in [USER, MEMBERSHIP, REGISTRATION] {
        app.clock.advance(Duration::from_mins(2));
        app.fake.inject(Fault::on("*", path).error(403, forbidden).once());
        let answer = register(&app, &cast.ada).await;
        is_the_services_own(&answer, CREDENTIAL);
        let lines = log_lines(answer.header("x-request-id"));
        assert!(
            lines.iter().any(|line| line.to_string().contains("add this service's address")),
            "{lines:#?}"
        );
        register(&app, &cast.ada).await.response();
    }
}

#[tokio::test]
async fn what_is_not_github_refuses_nobody() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    let page = || json!("<html>Sign in</html>");
    for fault in [
        Fault::everywhere().status(302, page()).header("location", "https://sso.example/login"),
        Fault::everywhere().status(401, page()),
        Fault::everywhere().status(403, page()),
        Fault::everywhere().status(404, page()),
        Fault::everywhere().status(407, page()),
        Fault::everywhere().error(301, "Moved Permanently"),
    ] {
        app.fake.inject(fault);
        let stranger = app.call("GET", "status", &cast.sam, &[]).await;
        is_the_services_own(&stranger, "is not GitHub's API");
        app.fake.clear_faults();
        app.call("GET", "status", &cast.ada, &[]).await.response();
        app.fake.inject(Fault::on("*", MEMBERSHIP).status(302, page()));
        let known = app.call("GET", "group-list", &cast.ada, &PAYMENTS).await;
        is_the_services_own(&known, "is not GitHub's API");
        app.fake.clear_faults();
    }
    app.call("GET", "status", &cast.sam, &[]).await.response();
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
}

#[tokio::test]
async fn minting_is_tried_again() {
    for fault in [Fault::on("POST", MINT).error(502, "no"), Fault::on("POST", MINT).reset()] {
        let (app, cast) = after(json!({}), World::revoke_installation_tokens).await;
        app.fake.inject(fault.times(2));
        register(&app, &cast.ada).await.response();
        assert_eq!(app.fake.world(|world| world.minted_tokens().len()), 2, "one at the start, one now");
    }
}

#[tokio::test]
async fn a_token_that_not_all_of_github_knows_yet_is_kept() {
    let lagging = |world: &mut World| {
        world.set_lag(Duration::from_millis(1_200));
        world.revoke_installation_tokens();
    };
    let (app, cast) = after(json!({}), lagging).await;
    let all = futures_util::future::join_all((0..6).map(|_| register(&app, &cast.ada)));
    for answer in all.await {
        answer.response();
    }
    assert_eq!(app.fake.count("POST", MINT), 1);
}

#[tokio::test]
async fn a_young_token_that_stays_refused_is_neither_thrown_away_nor_told_to_the_caller() {
    let (app, cast) = after(json!({}), World::revoke_installation_tokens).await;
    app.fake.inject(Fault::on("POST", REGISTRATION).error(401, "Bad credentials"));
    is_the_services_own(&register(&app, &cast.ada).await, CREDENTIAL);
    assert_eq!((app.fake.count("POST", MINT), app.fake.count("POST", REGISTRATION)), (1, 5));
}

#[tokio::test]
async fn a_young_token_that_was_revoked_is_replaced_but_not_again_and_again() {
    let (app, cast) = after(json!({}), |_| ()).await;
    for status in [200, 200, 200, 502] {
        app.fake.world(World::revoke_installation_tokens);
        assert_eq!(register(&app, &cast.ada).await.status, status);
    }
    assert_eq!(app.fake.count("POST", MINT), 3);
    app.clock.advance(YOUNG);
    register(&app, &cast.ada).await.response();
}

#[tokio::test]
async fn a_403_for_a_young_token_is_tried_once_more_and_for_an_older_one_not() {
    let (app, cast) = after(json!({}), World::revoke_installation_tokens).await;
    register(&app, &cast.ada).await.response();
    let refused = || Fault::on("POST", REGISTRATION).error(403, "Resource not accessible by integration");
    app.fake.inject(refused().once());
    register(&app, &cast.ada).await.response();
    app.clock.advance(YOUNG);
    app.fake.inject(refused().once());
    register(&app, &cast.ada).await.is_refused(502, "github_error");
}

#[tokio::test]
async fn a_group_that_was_just_made_is_found_although_github_does_not_show_it_yet() {
    let (mut world, cast) = acme();
    world.set_lag(Duration::from_millis(800));
    let mut app = App::start(world).await;
    app.own_token_is_refused = true;
    app.call("POST", "group-add", &cast.ada, &PAYMENTS).await.response();
    let parameters = [("team", "payments"), ("repos", "web")];
    app.call("PATCH", "repos-add", &cast.ada, &parameters).await.response();
    assert_eq!(app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response()["repos"], json!(["web"]));
}

#[tokio::test]
async fn a_runner_that_was_removed_is_on_no_list_although_github_still_shows_it() {
    let (world, cast, _) = acme_with_runners();
    let app = App::start(world).await.settled().await;
    app.fake.world(|world| world.set_lag(Duration::from_hours(1)));
    let names = [("team", "payments"), ("names", "idle-1")];
    let removed = || app.call("POST", "runners-remove", &cast.ada, &names);
    let listed =
        async || app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response()["runners"].clone();
    removed().await.response();
    assert_eq!(listed().await, json!(["gone-1", "busy-1"]));
    removed().await.is_refused(404, "runner_not_found");
    app.clock.advance(Duration::from_mins(1));
    assert_eq!(listed().await.as_array().unwrap().len(), 3, "by then GitHub has to know it");
}

#[tokio::test]
async fn a_server_error_that_says_when_to_come_back_is_told_so_and_holds_nobody_else() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    app.fake.inject(Fault::on("POST", REGISTRATION).error(503, "no").header("retry-after", "7").once());
    let answer = register(&app, &cast.ada).await;
    answer.is_refused(503, "github_unavailable");
    assert_eq!(answer.header("retry-after"), "7");
    register(&app, &cast.ada).await.response();
    app.fake.clear_calls();
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).error(503, "no").header("retry-after", "1").once());
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    assert_eq!(app.fake.count("GET", GROUP_RUNNERS), 2);
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).error(503, "no").header("retry-after", "4").once());
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.is_refused(503, "github_unavailable");
}

#[tokio::test]
async fn where_nothing_listens_github_is_unavailable() {
    let (world, cast) = acme();
    let app = App::with(world, json!({ "github": { "apiURL": "http://127.0.0.1:1" } })).await;
    let answer = app.call("GET", "status", &cast.ada, &[]).await;
    answer.is_refused(503, "github_unavailable");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn a_caller_is_told_what_exactly_github_does_not_accept() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    let body = json!({
        "message": "Validation Failed",
        "errors": [{ "resource": "Runner", "field": "labels", "code": "custom", "message": "label quokka is reserved" }],
    });
    app.fake.inject(Fault::on("POST", JIT).status(422, body));
    let wanted = [("team", "payments"), ("labels", "quokka")];
    let answer = app.call("POST", "jitconfig-generate", &cast.ada, &wanted).await;
    answer.is_refused(400, "invalid_parameter");
    assert!(answer.text.contains("Validation Failed: label quokka is reserved"), "{}", answer.text);
}

#[tokio::test]
async fn a_slug_of_digits_is_no_teams_id() {
    let (mut world, cast) = acme();
    let team = world.add_team("20240712");
    world.add_maintainer(team, cast.ada_id);
    let app = App::start(world).await.settled().await;
    app.fake.inject(Fault::on("GET", MEMBERSHIP).changed(|membership, _| {
        membership["url"] = json!("https://api.github.com/orgs/acme/teams/20240712/memberships/ada");
    }));
    app.call("POST", "token-register", &cast.ada, &[("team", "20240712")]).await.response();
}

#[tokio::test]
async fn whoever_tries_too_often_at_github_is_no_bad_token() {
    let (world, cast) = acme();
    let app = App::start(world).await.settled().await;
    for message in ["Maximum number of login attempts exceeded. Please try again later.", "Forbidden"] {
        app.fake.inject(Fault::on("GET", USER).error(403, message).once());
        let answer = app.call("GET", "status", &cast.sam, &[]).await;
        is_the_services_own(&answer, CREDENTIAL);
    }
    app.call("GET", "status", &cast.sam, &[]).await.response();
}
