//! A personal access token in place of the App.

use actions_runner_manager::server::Check;
use fake_github::{Level, TokenKind, UserId, World};
use serde_json::{Value, json};

use crate::harness::{self, App, log_lines};
use crate::scene::Cast;
use crate::tour;

/// The settings that put a token in place of the App.
fn with_token(name: &str, value: &str) -> Value {
    json!({
        "appID": null, "installationID": null, "privateKeyFile": null, name: value,
        "scopes": { "allow": [tour::SCOPES] },
    })
}

/// The organisation without an App, and an account to act as.
fn without_an_app() -> (World, Cast, UserId) {
    let (mut world, cast) = tour::start();
    world.uninstall_app();
    let robot = world.add_owner("robot");
    (world, cast, robot)
}

async fn acting_with(world: World, token: &str) -> App {
    let mut app = App::with(world, with_token("token", token)).await;
    app.acts_as = Some("robot".to_owned());
    app
}

/// Makes a token of a user.
type MakeToken = fn(&mut World, UserId) -> String;
/// A token, and what the check says of it.
type Lacking = (MakeToken, &'static [&'static str]);

/// What a fine-grained token of an owner needs.
const PERMISSIONS: &[(&str, Level)] = &[
    ("members", Level::Read),
    ("organization_self_hosted_runners", Level::Write),
    ("administration", Level::Write),
];

#[tokio::test]
async fn every_operation_works_with_an_owners_token() {
    let kinds: [MakeToken; 2] = [
        |world, robot| world.add_token_with_scopes(robot, TokenKind::Classic, &["admin:org", "repo"]),
        |world, robot| world.add_token_with_permissions(robot, PERMISSIONS),
    ];
    for make in kinds {
        let (mut world, cast, robot) = without_an_app();
        let token = make(&mut world, robot);
        let app = acting_with(world, &token).await;
        let mut check = app.server.check();
        let passed = check.wait_for(|check| !matches!(check, Check::Pending)).await.unwrap().clone();
        assert!(matches!(passed, Check::Passed));
        tour::without_jit(&app, &cast).await;
        tour::jit(&app, &cast).await;
        assert!(app.calls().iter().all(|call| !call.contains("/app")), "nothing is asked as an App");
    }
}

/// What the check at start has to say.
async fn problem_of(app: &App) -> String {
    let mut check = app.server.check();
    let check = check.wait_for(|check| !matches!(check, Check::Pending)).await.unwrap().clone();
    match check {
        Check::Failed(problem) => problem.to_string(),
        _ => panic!("the check passed"),
    }
}

#[tokio::test]
async fn what_a_token_lacks_is_told_at_start_in_githubs_own_words() {
    let cases: &[Lacking] = &[
        (
            |world, robot| world.add_token_with_scopes(robot, TokenKind::Classic, &["repo", "read:org"]),
            &[
                "may not manage the organisation's runner groups",
                "X-Accepted-OAuth-Scopes: admin:org",
                "X-OAuth-Scopes: repo, read:org",
            ],
        ),
        (
            |world, robot| world.add_token_with_permissions(robot, &[("members", Level::Read)]),
            &[
                "Self-hosted runners (read and write)",
                "X-Accepted-GitHub-Permissions: organization_self_hosted_runners=read",
            ],
        ),
        (
            |world, robot| {
                world.add_token_with_permissions(robot, &[("organization_self_hosted_runners", Level::Write)])
            },
            &["may not see the organisation's teams", "X-Accepted-GitHub-Permissions: members=read"],
        ),
        (
            |world, robot| {
                world.set_org_role(robot, Some(fake_github::OrgRole::Member));
                world.add_token_with_scopes(robot, TokenKind::Classic, &["admin:org"])
            },
            &["it has to be an organisation owner's", "Must have admin rights"],
        ),
        (
            |world, robot| {
                world.set_org_role(robot, None);
                world.add_token_with_scopes(robot, TokenKind::Classic, &["admin:org"])
            },
            &["it has to be an organisation owner's", "404"],
        ),
    ];
    for (make, expected) in cases {
        let (mut world, _, robot) = without_an_app();
        let token = make(&mut world, robot);
        let app = acting_with(world, &token).await;
        let problem = problem_of(&app).await;
        for words in *expected {
            assert!(problem.contains(words), "\"{words}\" is not in: {problem}");
        }
    }
}

#[tokio::test]
async fn a_permission_that_a_request_lacks_is_named_in_its_log_and_not_to_the_caller() {
    let (mut world, cast, robot) = without_an_app();
    let only_reads = [("members", Level::Read), ("organization_self_hosted_runners", Level::Read)];
    let token = world.add_token_with_permissions(robot, &only_reads);
    let app = acting_with(world, &token).await;
    let answer = app.call("POST", "group-add", &cast.ada, &[("team", "payments")]).await;
    answer.is_refused(502, "github_error");
    let named = "X-Accepted-GitHub-Permissions: organization_self_hosted_runners=write";
    let lines = log_lines(answer.header("x-request-id"));
    assert!(lines.iter().any(|line| line.to_string().contains(named)), "{lines:#?}");
    assert!(!answer.text.contains("organization_self_hosted_runners"));
    // A repository's token is refused with the advice to whoever administers the service.
    let parameters = [("team", "payments"), ("repo", "web")];
    let answer = app.call("POST", "token-register", &cast.ada, &parameters).await;
    answer.is_refused(502, "github_error");
    assert!(answer.text.contains("may not administer the repository"), "{}", answer.text);
}

#[tokio::test]
async fn a_tokens_file_is_read_again() {
    let (mut world, cast, robot) = without_an_app();
    let tokens = [(); 2].map(|()| world.add_token_with_permissions(robot, PERMISSIONS));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token.txt");
    std::fs::write(&file, format!("{}\n", tokens[0])).unwrap();
    let fake = harness::fake(world);
    let extra = with_token("tokenFile", file.to_str().unwrap());
    let mut app = App::in_front_of(fake, &extra).await;
    app.acts_as = Some("robot".to_owned());
    app.own_token_is_refused = true;
    let listed = async || app.call("GET", "runners-list", &cast.eve, &[("team", "search")]).await;
    listed().await.response();
    app.fake.world(|world| world.revoke_token(&tokens[0]));
    listed().await.is_refused(502, "github_error");
    std::fs::write(&file, format!("{}\n", tokens[1])).unwrap();
    app.server.reload();
    app.until("the new token is in force", async || listed().await.status == 200).await;
}
