//! JIT configs for a workflow that shows a token of GitHub Actions, beside those for a user; and what verifying such a token takes.

use std::time::{Duration, Instant};

use actions_runner_manager::clock::Clock;
use actions_runner_manager::domain::issuer::{Algorithm, Issuer, Issuers, KeySource};
use actions_runner_manager::oidc::Verifier;
use fake_github::{IssuerOptions, OidcIssuer};

use crate::Outcome;
use crate::client::{Connection, HERE, request};
use crate::fake::{AUDIENCE, REPOSITORY, TEAM};
use crate::figures::{Latencies, millis};
use crate::github::Github;
use crate::report::{Report, Table};
use crate::service::{Limits, Service};
use crate::sizes::USUAL;

/// What a call to GitHub takes.
const LATENCY: Duration = Duration::from_millis(50);
/// Requests that are measured, and those before them.
const REQUESTS: usize = 200;
const WARM_UP: usize = 5;
/// Tokens that are verified.
const VERIFIED: u32 = 20_000;
/// What the service may add to the call, and what verifying a token may take.
const MOST_TIME: Duration = Duration::from_millis(57);
const MOST_CPU: Duration = Duration::from_micros(100);

pub(crate) async fn measure(report: &mut Report) -> Outcome<()> {
    let mut github = Github::start(USUAL)?;
    let service = Service::start_with(&mut github, Limits::Off, Some("sqlite")).await?;
    let mut connection = Connection::open(&service.target, HERE).await?;
    let entry = format!(
        "/api/v1/access-add?team={TEAM}&kind=github-actions&repository={REPOSITORY}0&ref=refs/heads/main\
         &operations=jitconfig-generate&labels=linux&per_hour=10000"
    );
    let added = connection.exchange(&request("POST", &entry, &github.settings.token)).await?;
    if added != 200 {
        return Err(format!("access-add: {}", connection.body()).into());
    }
    github.set_latency(LATENCY)?;
    let mut table = Table::new(&["jitconfig-generate, one call of 50 ms", "p50 ms", "p99 ms"]);
    let user = vec![github.settings.token.clone(); REQUESTS + WARM_UP];
    let workflow = github.tokens(REQUESTS + WARM_UP)?;
    let mut of_workflow = Latencies::default();
    for (name, tokens) in [("by a user", user), ("by a workflow, each with a token of its own", workflow)] {
        let latencies = one_after_the_other(&mut connection, &tokens).await?;
        table.row(vec![name.to_owned(), millis(latencies.p50()), millis(latencies.p99())]);
        of_workflow = latencies;
    }
    report.table("Callers who are no users", &table);
    report.at_most("p50 of a workflow's jitconfig-generate", MOST_TIME, of_workflow.p50());
    let each = verification().await?;
    report.at_most("verifying a token of GitHub Actions (RS256)", MOST_CPU, each);
    Ok(())
}

async fn one_after_the_other(connection: &mut Connection, tokens: &[String]) -> Outcome<Latencies> {
    let path = format!("/api/v1/jitconfig-generate?team={TEAM}&labels=linux");
    let mut all = Vec::with_capacity(tokens.len());
    for token in tokens {
        let request = request("POST", &path, token);
        let started = Instant::now();
        let status = connection.exchange(&request).await?;
        all.push(started.elapsed());
        if status != 200 {
            return Err(format!("jitconfig-generate: {}", connection.body()).into());
        }
    }
    Ok(Latencies::from(all.split_off(WARM_UP)))
}

/// How long verifying takes once the keys are there; nothing is waited for, so that is time of a processor.
async fn verification() -> Outcome<Duration> {
    let issuer = OidcIssuer::start(&IssuerOptions::default())?;
    let issuers = Issuers::new(vec![Issuer {
        name: "measured".to_owned(),
        url: issuer.url(),
        is_actions: false,
        audience: AUDIENCE.to_owned(),
        algorithms: vec![Algorithm::Rs256],
        max_lifetime: Duration::from_hours(1),
        single_use: false,
        keys: KeySource::Discovery,
        ca_file: None,
        teams: Vec::new(),
        subjects: Vec::new(),
    }]);
    let verifier = Verifier::new(issuers, Clock::system())?;
    // About as long as GitHub's own.
    let token =
        (0..25).fold(issuer.token("repo:acme/shop:ref:refs/heads/main", AUDIENCE), |token, number| {
            token.claim(
                &format!("claim_number_{number}"),
                "acme/shop/.github/workflows/ci.yml@refs/heads/main",
            )
        });
    let token = token.sign();
    verifier.verify(&token).await?;
    let started = Instant::now();
    for _ in 0..VERIFIED {
        verifier.verify(&token).await?;
    }
    Ok(started.elapsed() / VERIFIED)
}
