//! `jitconfig-generate`: bound to the team's group, bounded by the policy, and never left behind.

use std::collections::HashSet;

use fake_github::{DEFAULT_GROUP, Fault, Hold, RunnerStatus};
use serde_json::{Value, json};

use crate::harness::{Answer, App};
use crate::scene::{acme, acme_with_groups};

pub const GENERATE: &str = "/orgs/{org}/actions/runners/generate-jitconfig";
const GROUP_RUNNERS: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners";
pub const RUNNER: &str = "/orgs/{org}/actions/runners/{runner_id}";

pub async fn generate(app: &App, token: &str, others: &[(&str, &str)]) -> Answer {
    let mut parameters = vec![("team", "payments")];
    parameters.extend(others);
    app.call("POST", "jitconfig-generate", token, &parameters).await
}

pub fn names(app: &App) -> Vec<String> {
    app.fake.world(|world| world.runners().map(|runner| runner.name.clone()).collect())
}

fn with_policy(policy: &Value) -> Value {
    json!({ "policy": policy })
}

#[tokio::test]
async fn a_config_is_for_one_job_in_the_teams_own_group() {
    let (world, cast, group) = acme_with_groups();
    let app = App::start(world).await;
    let labels = [("labels", "Linux,GPU,linux")];
    let response = generate(&app, &cast.ada, &labels).await.response();
    let name = response["runner"]["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("payments-") && name.len() == "payments-".len() + 12, "{name}");
    assert_eq!(response["runner"]["labels"], json!(["gpu", "linux"]), "and none that GitHub adds");
    assert_eq!(
        (&response["runner"]["status"], &response["runner"]["ephemeral"]),
        (&json!("offline"), &json!(true))
    );
    app.fake.world(|world| {
        assert_eq!(response["encoded_jit_config"], world.jit_configs()[0].as_str());
        assert_eq!(world.runner_by_name(&name).unwrap().group, group);
        assert!(world.secrets().contains(&world.jit_configs()[0]), "searched for in the logs");
    });
    let sent = app.fake.calls().into_iter().find(|call| call.template == Some(GENERATE)).unwrap();
    let expected = json!({
        "name": name, "runner_group_id": group.0, "labels": ["linux", "gpu"], "work_folder": "_work",
    });
    assert_eq!(sent.request_json(), expected);
}

#[tokio::test]
async fn no_parameter_chooses_another_group() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    for name in ["group", "group_id", "runner_group_id", "runner_group", "org", "repo"] {
        let answer = generate(&app, &cast.ada, &[("labels", "linux"), (name, "1")]).await;
        answer.is_refused(400, "unknown_parameter");
    }
    assert_eq!(app.fake.count("POST", GENERATE), 0);
}

#[tokio::test]
async fn labels_are_held_against_the_policy_without_letter_case() {
    let (world, cast, _) = acme_with_groups();
    let policy = json!({ "jit": { "labels": ["linux", "gpu-*", "match:size-[sml]"], "maxLabels": 3 } });
    let app = App::with(world, with_policy(&policy)).await;
    for labels in ["linux", "LINUX,Gpu-A100", "size-s,size-m,size-l", "linux,LINUX,Linux,linux"] {
        generate(&app, &cast.ada, &[("labels", labels)]).await.response();
    }
    for labels in
        ["windows", "linux,windows", "gpu", "xlinux", "linux2", "size-xl", "linux,gpu-1,gpu-2,gpu-3"]
    {
        let answer = generate(&app, &cast.ada, &[("labels", labels)]).await;
        answer.is_refused(403, "denied_by_policy");
    }
    for labels in ["", ",", "linux,", "linux,,gpu-1", "a\tb"] {
        let answer = generate(&app, &cast.ada, &[("labels", labels)]).await;
        answer.is_refused(400, "invalid_parameter");
    }
    generate(&app, &cast.ada, &[]).await.is_refused(400, "missing_parameter");
    assert_eq!(app.fake.count("POST", GENERATE), 4);
}

#[tokio::test]
async fn without_a_policy_every_label_that_is_one_is_allowed_and_at_most_twenty() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    for label in ["self-hosted", "GPU Large", "a/b", "ünïcode", "*", "match:.*"] {
        let response = generate(&app, &cast.ada, &[("labels", label)]).await.response();
        assert_eq!(response["runner"]["labels"], json!([label.to_lowercase()]));
    }
    let many = |count: usize| (0..count).map(|number| format!("l{number}")).collect::<Vec<_>>().join(",");
    generate(&app, &cast.ada, &[("labels", &many(20))]).await.response();
    generate(&app, &cast.ada, &[("labels", &many(21))]).await.is_refused(403, "denied_by_policy");
    generate(&app, &cast.ada, &[("labels", &many(101))]).await.is_refused(400, "invalid_parameter");
    let long = "a".repeat(257);
    generate(&app, &cast.ada, &[("labels", &long)]).await.is_refused(400, "invalid_parameter");
}

#[tokio::test]
async fn a_name_begins_with_the_teams_prefix_and_a_made_one_is_new_each_time() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    let chosen = generate(&app, &cast.ada, &[("labels", "linux"), ("name", "Payments-a.B_1")]).await;
    assert_eq!(chosen.response()["runner"]["name"], "Payments-a.B_1");
    for name in ["search-1", "payments", "payment-1", "xpayments-1"] {
        let answer = generate(&app, &cast.ada, &[("labels", "linux"), ("name", name)]).await;
        answer.is_refused(403, "denied_by_policy");
        assert!(answer.text.contains("payments-"), "{}", answer.text);
    }
    let mut made = HashSet::new();
    for _ in 0..20 {
        let response = generate(&app, &cast.ada, &[("labels", "linux")]).await.response();
        made.insert(response["runner"]["name"].as_str().unwrap().to_owned());
    }
    assert_eq!(made.len(), 20);
}

#[tokio::test]
async fn the_prefix_is_the_administrators_and_leaves_room_behind_a_long_slug() {
    let (mut world, cast, _) = acme_with_groups();
    let slug = "a".repeat(200);
    let team = world.add_team(&slug);
    world.add_maintainer(team, cast.ada_id);
    world.add_group(&slug, fake_github::Visibility::Selected);
    let app = App::with(world, with_policy(&json!({ "jit": { "namePrefix": "arm.{team}." } }))).await;
    let parameters = [("team", slug.as_str()), ("labels", "linux")];
    let response = app.call("POST", "jitconfig-generate", &cast.ada, &parameters).await.response();
    let name = response["runner"]["name"].as_str().unwrap();
    assert!(name.len() == 64 && name.starts_with("arm.aaa"), "{name}");
    generate(&app, &cast.ada, &[("labels", "linux"), ("name", "payments-1")])
        .await
        .is_refused(403, "denied_by_policy");
}

#[tokio::test]
async fn the_work_folder_is_a_plain_name() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    generate(&app, &cast.ada, &[("labels", "linux"), ("work_folder", "build-1")]).await.response();
    let sent = app.fake.calls().into_iter().find(|call| call.template == Some(GENERATE)).unwrap();
    assert_eq!(sent.request_json()["work_folder"], "build-1");
    for folder in ["", ".", "..", "/", "/tmp", "a/b", "../x", "a\\b", "C:", "~", "$HOME", "a b", "a\0b"] {
        let answer = generate(&app, &cast.ada, &[("labels", "linux"), ("work_folder", folder)]).await;
        answer.is_refused(400, "invalid_parameter");
    }
    assert_eq!(app.fake.count("POST", GENERATE), 1);
}

#[tokio::test]
async fn a_name_that_is_taken_anywhere_in_the_organisation_is_told() {
    let (mut world, cast, group) = acme_with_groups();
    world.add_runner(group, "payments-1", &["linux"], RunnerStatus::Offline);
    world.add_runner(DEFAULT_GROUP, "payments-2", &["linux"], RunnerStatus::Offline);
    let app = App::start(world).await;
    let before = names(&app);
    for name in ["payments-1", "PAYMENTS-1", "payments-2"] {
        let answer = generate(&app, &cast.ada, &[("labels", "linux"), ("name", name)]).await;
        answer.is_refused(409, "runner_exists");
        assert_eq!(answer.audit()[0]["runners"], json!([name]));
    }
    assert_eq!(names(&app), before);
    assert_eq!(app.fake.count("DELETE", RUNNER), 0);
}

#[tokio::test]
async fn a_team_without_a_group_and_a_group_that_github_calls_full_are_told() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    generate(&app, &cast.ada, &[("labels", "linux")]).await.is_refused(404, "group_not_found");
    let (mut world, cast, group) = acme_with_groups();
    world.set_most_runners_in_a_group(1);
    world.add_runner(group, "build-1", &[], RunnerStatus::Online);
    let app = App::start(world).await;
    let full = generate(&app, &cast.ada, &[("labels", "linux")]).await;
    full.is_refused(400, "invalid_parameter");
    assert!(full.text.contains("max limit"), "{}", full.text);
}

#[tokio::test]
async fn a_quota_is_counted_over_all_pages() {
    let (mut world, cast, group) = acme_with_groups();
    for number in 0..249 {
        world.add_runner(group, &format!("build-{number}"), &[], RunnerStatus::Online);
    }
    let app = App::with(world, with_policy(&json!({ "maxRunners": 250 }))).await;
    generate(&app, &cast.ada, &[("labels", "linux")]).await.response();
    let refused = generate(&app, &cast.ada, &[("labels", "linux")]).await;
    refused.is_refused(403, "denied_by_policy");
    assert!(refused.text.contains("250"), "{}", refused.text);
    assert_eq!(app.fake.count("GET", GROUP_RUNNERS), 2 * 3);
    assert_eq!(app.fake.count("POST", GENERATE), 1);
}

#[tokio::test]
async fn of_two_callers_at_once_exactly_one_gets_the_last_place() {
    let (mut world, cast, group) = acme_with_groups();
    world.add_runner(group, "build-1", &[], RunnerStatus::Online);
    let app = App::with(world, with_policy(&json!({ "maxRunners": 2 }))).await.settled().await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("POST", GENERATE).hold(&hold));
    let asking = (0..8).map(|_| generate(&app, &cast.ada, &[("labels", "linux")]));
    let letting = async {
        hold.arrived(1).await;
        hold.release();
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(asking), letting);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        refused.is_refused(403, "denied_by_policy");
    }
    assert_eq!(app.fake.count("POST", GENERATE), 1);
}
