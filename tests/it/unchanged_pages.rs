//! Lists that are shown are asked for on the condition that they changed, which costs none of the hour's calls if they didn't.
//! What a write depends on is always read anew.

use std::time::Duration;

use fake_github::{Credential, Exchange, RunnerStatus, Subject, World};
use serde_json::{Value, json};

use crate::harness::App;
use crate::runners::for_payments;
use crate::scene::{Cast, acme_with_runners};

const GROUP_RUNNERS: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners";
const MINT: &str = "/app/installations/{installation_id}/access_tokens";

const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];

/// The service after Ada listed the group of payments.
async fn after_a_list(extra: Value) -> (App, Cast) {
    let (mut world, cast, group) = acme_with_runners();
    for number in 0..150 {
        world.add_runner(group, &format!("build-{number}"), &["linux"], RunnerStatus::Offline);
    }
    world.add_repository_to_group(group, cast.index);
    let app = App::with(world, extra).await.settled().await;
    list(&app, &cast).await;
    app.fake.clear_calls();
    (app, cast)
}

async fn list(app: &App, cast: &Cast) -> Value {
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response()
}

fn used(app: &App) -> u64 {
    app.fake.world(|world| {
        let installation = world.installation_id();
        world.budget(Subject::Installation(installation)).used
    })
}

/// The calls on the condition that something changed.
fn conditional(app: &App) -> Vec<Exchange> {
    let calls = app.fake.calls().into_iter();
    calls.filter(|call| call.request_header("if-none-match").is_some()).collect()
}

#[tokio::test]
async fn a_list_that_did_not_change_costs_none_of_the_hours_calls() {
    let (app, cast) = after_a_list(json!({})).await;
    let before = (used(&app), list(&app, &cast).await);
    let conditional = conditional(&app);
    assert_eq!(
        (conditional.len(), app.fake.total_calls()),
        (3, 3),
        "two pages of runners, one of repositories"
    );
    assert!(conditional.iter().all(|call| call.status == Some(304)), "{conditional:?}");
    assert_eq!((used(&app), list(&app, &cast).await), before);
    assert_eq!(before.1["runners"].as_array().unwrap().len(), 153);
}

#[tokio::test]
async fn what_changed_at_github_is_shown_at_once() {
    let (app, cast) = after_a_list(json!({})).await;
    let group = app.fake.world(|world| world.group_by_name("payments").unwrap().id);
    let before = list(&app, &cast).await["runners"].as_array().unwrap().len();
    app.fake.world(|world| {
        world.add_runner(group, "new-1", &[], RunnerStatus::Online);
    });
    let listed = list(&app, &cast).await;
    let names = listed["runners"].as_array().unwrap();
    assert_eq!(names.len(), before + 1);
    assert!(names.contains(&json!("new-1")), "{listed}");
    // A change that leaves the number of entries as it is.
    app.fake.world(|world| {
        let gone = world.runner_by_name("new-1").unwrap().id;
        world.delete_runner(gone);
        world.add_runner(group, "new-2", &[], RunnerStatus::Online);
        world.add_repository_to_group(group, cast.api);
    });
    let listed = list(&app, &cast).await;
    let names = listed["runners"].as_array().unwrap();
    assert!(names.contains(&json!("new-2")) && !names.contains(&json!("new-1")), "{listed}");
    assert!(listed["repos"].as_array().unwrap().contains(&json!("api")), "{listed}");
    app.fake.clear_calls();
    let status = app.fake.world(|world| world.runner_by_name("new-2").unwrap().id);
    app.fake.world(|world| world.set_runner_status(status, RunnerStatus::Offline));
    let selected = for_payments(&[("name", "new-2")]);
    let runners = app.call("GET", "runners-list", &cast.ada, &selected).await.response();
    assert_eq!(runners["runners"][0]["status"], "offline", "{runners}");
}

#[tokio::test]
async fn no_tag_of_an_old_token_is_sent_with_a_new_one() {
    let (mut app, cast) = after_a_list(json!({})).await;
    app.own_token_is_refused = true;
    app.clock.advance(Duration::from_mins(56));
    app.fake.advance(Duration::from_mins(56));
    app.fake.clear_calls();
    let listed = list(&app, &cast).await;
    assert!(app.fake.count("POST", MINT) >= 1, "it was time for a new one");
    assert_eq!(conditional(&app).len(), 0, "{:?}", conditional(&app));
    list(&app, &cast).await;
    app.fake.clear_calls();
    list(&app, &cast).await;
    assert_eq!(conditional(&app).len(), 3, "what was read with the new one was kept");
    app.fake.world(World::revoke_installation_tokens);
    app.clock.advance(Duration::from_secs(10));
    app.fake.clear_calls();
    assert_eq!(list(&app, &cast).await, listed);
    let accepted = conditional(&app).into_iter().filter(|call| !matches!(call.credential, Credential::Bad));
    assert_eq!(accepted.count(), 0, "{:?}", conditional(&app));
    list(&app, &cast).await;
    app.fake.clear_calls();
    let before = used(&app);
    assert_eq!((list(&app, &cast).await, used(&app)), (listed, before), "its own tags are sent again");
}

#[tokio::test]
async fn what_a_write_depends_on_is_read_anew() {
    let quota = json!({ "policy": { "maxRunners": 1_000 } });
    let (app, cast) = after_a_list(quota).await;
    for (method, operation, others) in [
        ("DELETE", "runners-remove", vec![("names", "build-1")]),
        ("DELETE", "runners-remove", vec![("offline", "true"), ("dry_run", "true")]),
        ("POST", "jitconfig-generate", vec![("labels", "linux")]),
        ("PATCH", "repos-remove", vec![("repos", "index")]),
        ("DELETE", "group-delete", vec![("remove_runners", "true")]),
    ] {
        app.fake.clear_calls();
        let answer = app.call(method, operation, &cast.ada, &for_payments(&others)).await;
        let is_served = answer.status == 200 || answer.refusal().1 == "group_not_empty";
        assert!(is_served, "{operation}: {}", answer.text);
        let lists = app.fake.calls().iter().any(|call| call.template == Some(GROUP_RUNNERS));
        assert!(lists || operation == "repos-remove", "{operation}: {:?}", app.calls());
        assert_eq!(conditional(&app).len(), 0, "{operation}: {:?}", conditional(&app));
    }
}
