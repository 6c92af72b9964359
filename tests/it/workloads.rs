//! Callers who are no users: workflows of GitHub Actions, other workloads with a token of an OIDC issuer, and holders of team
//! tokens. They do what an access entry of the team says, and nothing else.

mod attacks;
mod conditions;
mod configured;
mod entries;
mod grace;
mod holders;
mod issuers;
mod limits;
mod one_use;
mod own_runners;
mod rights;
mod teams;
mod void;

use fake_github::{Run, World};
use serde_json::{Value, json};

use crate::harness::{Answer, App, merge};
use crate::scene::{Cast, acme_with_groups};

pub const AUDIENCE: &str = "https://arm.example.com";
/// What an entry for the workflow of most tests takes.
pub const OF_MAIN: [(&str, &str); 5] = [
    ("kind", "github-actions"),
    ("repository", "web"),
    ("ref", "refs/heads/main"),
    ("operations", "jitconfig-generate"),
    ("labels", "linux"),
];

/// The configuration that accepts tokens of GitHub Actions.
pub fn actions(extra: &Value) -> Value {
    let mut config = json!({ "oidc": { "audience": AUDIENCE, "issuers": { "github-actions": {} } } });
    merge(&mut config, extra);
    config
}

/// The service, where payments has a group and tokens of GitHub Actions are accepted.
pub async fn start(extra: Value) -> (App, Cast) {
    let (world, cast, _) = acme_with_groups();
    (in_world(world, extra).await, cast)
}

pub async fn in_world(world: World, extra: Value) -> App {
    App::with(world, actions(&extra)).await.settled().await
}

/// A job of payments' repository `web`, pushed to its main branch.
pub fn run() -> Run {
    Run::of("acme", "web")
}

/// The token of a job, issued now.
pub fn token(app: &App, run: &Run) -> String {
    let token = app.fake.actions_token(&run.clone().at(app.clock.unix_seconds()), AUDIENCE);
    format!("Bearer {token}")
}

/// Adds an entry for payments, as its maintainer. Gives its id, and the team token if it is of one.
pub async fn add(app: &App, cast: &Cast, fields: &[(&str, &str)]) -> (String, String) {
    let answer = try_add(app, cast, fields).await;
    let response = answer.response();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&response["access"]["id"]), text(&response["token"]))
}

pub async fn try_add(app: &App, cast: &Cast, fields: &[(&str, &str)]) -> Answer {
    let parameters: Vec<_> = [("team", "payments")].into_iter().chain(fields.iter().copied()).collect();
    app.call("POST", "access-add", &cast.ada, &parameters).await
}

/// The same fields with other values; an empty value leaves a field out.
pub fn with<'a>(fields: &[(&'a str, &'a str)], others: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = fields.iter().filter(|(name, _)| !others.iter().any(|(other, _)| other == name));
    kept.chain(others.iter().filter(|(_, value)| !value.is_empty())).copied().collect()
}

/// Asks for a JIT config for payments.
pub async fn generate(app: &App, token: &str) -> Answer {
    generate_with(app, token, "linux").await
}

pub async fn generate_with(app: &App, token: &str, labels: &str) -> Answer {
    app.call("POST", "jitconfig-generate", token, &[("team", "payments"), ("labels", labels)]).await
}
