//! The calls that GitHub allows in an hour are everybody's: nobody uses them up for others, whatever they send.

mod holds;
mod pace;
mod places;
mod reserve;
mod shares;
mod strangers;
mod unknown_teams;

use fake_github::{Subject, World};
use serde_json::{Value, json};

use crate::harness::{Answer, App, merge};

const TEAM: &str = "/orgs/{org}/teams/{team_slug}";
const MEMBERSHIP: &str = "/orgs/{org}/teams/{team_slug}/memberships/{username}";
const ORG_MEMBERSHIP: &str = "/orgs/{org}/memberships/{username}";
const REGISTRATION: &str = "/orgs/{org}/actions/runners/registration-token";
const REMOVAL: &str = "/orgs/{org}/actions/runners/remove-token";
const GROUP_RUNNERS: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners";
const GROUP_REPOSITORY: &str =
    "/orgs/{org}/actions/runner-groups/{runner_group_id}/repositories/{repository_id}";

const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];
const SEARCH: [(&str, &str); 1] = [("team", "search")];

/// The service with its admin listener, for the metrics.
async fn with_admin(world: World, extra: Value) -> App {
    let mut settings = json!({ "server": { "admin": { "address": "127.0.0.1", "port": 0 } } });
    merge(&mut settings, &extra);
    App::with(world, settings).await.settled().await
}

/// The value of a series; 0 if there is none.
async fn metric(app: &App, series: &str) -> f64 {
    let text = app.admin("/metrics").await.text;
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.parse().unwrap())
}

/// How often calls were refused here since the process began, by what there was too little of. All tests count together.
async fn scarce(app: &App, what: &str) -> f64 {
    metric(app, &format!("arm_github_scarce_total{{scarce=\"{what}\"}}")).await
}

/// Calls with the App's credential since they were last cleared.
fn apps_calls(app: &App) -> Vec<String> {
    app.calls().into_iter().filter(|call| call != "GET /user").collect()
}

/// Leaves the App just so many calls of its hour. The service learns it from the next response.
fn set_remaining(app: &App, calls: u64) {
    app.fake.world(|world| {
        let installation = Subject::Installation(world.installation_id());
        world.set_remaining(installation, calls);
    });
}

async fn register(app: &App, token: &str, team: &str) -> Answer {
    app.call("POST", "token-register", token, &[("team", team)]).await
}

fn retry_after(answer: &Answer) -> u64 {
    answer.header("retry-after").parse().unwrap_or_else(|_| panic!("no Retry-After: {answer:?}"))
}
