//! The workflow of the page: its first job's steps are run in order, as GitHub's runner does.

use std::fs;

use fake_github::Run;
use serde_json::{Value, json};

use super::machine::{Machine, text};
use super::page::yaml;
use super::platform::Platform;
use super::{AUDIENCE, as_maintainer, made, start};
use crate::harness::App;

/// Keeps the file that it is given, as a machine's user data would.
const START_MACHINE: &str =
    "#!/bin/sh\ncat \"$1\" > \"$RECORDS/user-data\"\nls -l \"$1\" | cut -c 1-10 > \"$RECORDS/mode\"\n";
const REQUEST_TOKEN: &str = "what-the-runner-has-for-asking";

/// What GitHub puts in for an expression.
fn filled_in(value: &str) -> String {
    let text = value.replace("${{ github.run_id }}", "4711").replace("${{ github.run_attempt }}", "2");
    assert!(!text.contains("${{"), "unknown here: {text}");
    text
}

/// Whether the steps went well, and what is in the log before anything is masked.
async fn run_steps(app: &App, job: &Value, token: &str) -> (bool, String, Machine) {
    // GitHub's URL has a query already.
    let platform = Platform {
        path: "/idtoken",
        header: ("Authorization", "bearer what-the-runner-has-for-asking"),
        query: &[("api-version", "2.0"), ("audience", AUDIENCE)],
        answer: json!({ "count": token.len(), "value": token }).to_string(),
    };
    let url = format!("http://127.0.0.1:{}/idtoken?api-version=2.0", platform.start().await);
    let (mut log, mut succeeded) = (String::new(), true);
    let mut machine = Machine::new(app, &[]);
    fs::create_dir(machine.at("temp")).unwrap();
    machine.program("work/ci/start-machine", START_MACHINE);
    for (name, value) in [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN),
        ("RUNNER_TEMP", &machine.at("temp").display().to_string()),
    ] {
        machine.set(name, value);
    }
    for step in job["steps"].as_array().unwrap() {
        let Some(run) = step["run"].as_str() else {
            assert!(step["uses"].as_str().unwrap().starts_with("actions/checkout@"), "{step}");
            continue;
        };
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            machine.set(name, &filled_in(value.as_str().unwrap()));
        }
        let run = filled_in(run);
        let output = machine.shell(&["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", &run]).await;
        log.push_str(&text(&output.stdout));
        log.push_str(&text(&output.stderr));
        if !output.status.success() {
            succeeded = false;
            break;
        }
    }
    (succeeded, log, machine)
}

fn token(app: &App, run: Run) -> String {
    app.fake.actions_token(&run.at(app.clock.unix_seconds()), AUDIENCE)
}

async fn with_actions() -> (App, String, fake_github::GroupId) {
    let (world, ada, group) = super::my_org();
    // The page's own, with the address that belongs to `github.apiURL`.
    let mut config = super::configured("github-actions", "");
    config["oidc"]["issuers"]["github-actions"].as_object_mut().unwrap().remove("url");
    (App::with(world, config).await.settled().await, ada, group)
}

#[tokio::test]
async fn the_workflow_of_the_example_starts_a_machine_that_takes_its_own_job() {
    let (app, ada, group) = with_actions().await;
    let listed = as_maintainer(&app, &ada, "allow a workflow").await;
    assert_eq!(listed["access"][0]["environment"], "runners");
    let workflow = yaml("workflow");
    let job = &workflow["jobs"]["runner"];
    assert_eq!((&workflow["permissions"], &job["environment"]), (&json!({}), &json!("runners")));
    assert_eq!(job["permissions"], json!({ "contents": "read", "id-token": "write" }));
    assert_eq!(workflow["defaults"]["run"]["shell"], "bash");
    let token = token(&app, Run::of("my-org", "shop").environment("runners"));
    let (succeeded, log, machine) = run_steps(&app, job, &token).await;
    assert!(succeeded, "{log}");
    let (label, config) = made(&app, group);
    assert_eq!(label, filled_in(workflow["jobs"]["build"]["runs-on"].as_str().unwrap()));
    assert_eq!(workflow["jobs"]["build"]["needs"], "runner");
    assert_eq!(
        (machine.text("records/user-data").trim(), machine.text("records/mode").trim()),
        (config.as_str(), "-rw-------")
    );
    // In the log they are only where GitHub is told to mask them.
    for secret in [&token, &config] {
        let unmasked = log.replace(&format!("::add-mask::{secret}"), "");
        assert!(log != unmasked && !unmasked.contains(secret.as_str()), "{log}");
        assert!(!machine.text("records/curl").contains(secret.as_str()));
    }
    assert!(!log.contains(REQUEST_TOKEN) && !machine.text("records/curl").contains(REQUEST_TOKEN));
    assert_eq!(fs::read_dir(machine.at("temp")).unwrap().count(), 1, "only the config is left");
}

#[tokio::test]
async fn a_job_without_the_environment_is_refused_with_the_reason_in_its_log() {
    let (app, ada, _) = with_actions().await;
    as_maintainer(&app, &ada, "allow a workflow").await;
    let token = token(&app, Run::of("my-org", "shop"));
    let (succeeded, log, machine) = run_steps(&app, &yaml("workflow")["jobs"]["runner"], &token).await;
    assert!(!succeeded && log.contains("not_trusted"), "{log}");
    assert!(machine.text("records/user-data").is_empty());
}

#[tokio::test]
async fn the_entry_for_forks_lets_in_the_named_workflow_on_the_named_event_alone() {
    let (app, ada, _) = with_actions().await;
    as_maintainer(&app, &ada, "allow a workflow for forks").await;
    let named =
        Run::of("my-org", "shop").environment("runners").workflow(".github/workflows/fork-runner.yml");
    let labels = [("team", "payments"), ("labels", "fork-7")];
    let other_file = named.clone().event("pull_request_target").workflow(".github/workflows/ci.yml");
    for run in [named.clone(), named.clone().event("workflow_run"), other_file] {
        let answer = app.call("POST", "jitconfig-generate", &token(&app, run), &labels).await;
        answer.is_refused(403, "not_trusted");
    }
    let token = token(&app, named.event("pull_request_target"));
    app.call("POST", "jitconfig-generate", &token, &labels).await.response();
}

#[tokio::test]
async fn tokens_of_another_address_than_the_configured_one_are_of_no_use() {
    let (app, ..) =
        start("github-actions", "https://token.actions.githubusercontent.com/my-enterprise").await;
    let token = token(&app, Run::of("my-org", "shop"));
    app.call("GET", "status", &token, &[]).await.is_refused(401, "unsupported_token");
}
