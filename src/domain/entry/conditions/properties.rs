//! Conditions against an oracle that was written apart: it asks of each condition by itself whether the token breaks it.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::domain::ids::RepositoryId;

const REFS: [&str; 6] =
    ["refs/heads/main", "refs/heads/Main", "refs/heads/release", "refs/tags/v1", "refs/pull/1/merge", ""];
const ENVIRONMENTS: [Option<&str>; 4] = [None, Some("runners"), Some("Runners"), Some("runner")];
const FILES: [&str; 2] = [".github/workflows/ci.yml", ".github/workflows/ci.yml.yml"];
const CALLED: [&str; 2] =
    ["o/r/.github/workflows/b.yml@refs/heads/main", "o/r/.github/workflows/b.yml@refs/heads/x"];
const EVENTS: [&str; 4] = ["push", "pull_request", "pull_request_target", "schedule"];
const MACHINES: [&str; 2] = ["github-hosted", "self-hosted"];

/// A token of a run, by its place in each list; a claim may be missing.
#[derive(Debug, Clone)]
struct Token {
    repository: u64,
    git_ref: usize,
    environment: usize,
    file: usize,
    file_ref: usize,
    called: Option<usize>,
    event: usize,
    machine: Option<usize>,
    lacks: Option<&'static str>,
}

/// The conditions of an entry, likewise; without one it is not held against anything.
#[derive(Debug, Clone)]
struct Entry {
    repository: u64,
    git_ref: Option<&'static str>,
    environment: Option<usize>,
    file: Option<usize>,
    called: Option<usize>,
    events: Vec<usize>,
    machine: Option<usize>,
}

fn tokens() -> impl Strategy<Value = Token> {
    let claims =
        prop::sample::select(vec!["repository_id", "repository", "ref", "workflow_ref", "event_name", "sub"]);
    let parts = (1..3_u64, 0..REFS.len(), 0..ENVIRONMENTS.len(), 0..FILES.len(), 0..REFS.len());
    let others = (prop::option::of(0..CALLED.len()), 0..EVENTS.len(), prop::option::of(0..MACHINES.len()));
    (parts, others, prop::option::weighted(0.1, claims)).prop_map(
        |((repository, git_ref, environment, file, file_ref), (called, event, machine), lacks)| Token {
            repository,
            git_ref,
            environment,
            file,
            // Nearly always the run's own.
            file_ref: if file_ref == 0 { 0 } else { git_ref },
            called,
            event,
            machine,
            lacks,
        },
    )
}

fn entries() -> impl Strategy<Value = Entry> {
    let patterns =
        vec!["refs/heads/main", "refs/heads/*", "match:refs/heads/main|refs/heads/release", "match:.*"];
    (
        1..3_u64,
        prop::option::of(prop::sample::select(patterns)),
        prop::option::of(1..ENVIRONMENTS.len()),
        prop::option::of(0..FILES.len()),
        prop::option::of(0..CALLED.len()),
        prop::collection::vec(0..EVENTS.len(), 1..4),
        prop::option::of(0..MACHINES.len()),
    )
        .prop_map(|(repository, git_ref, environment, file, called, events, machine)| Entry {
            repository,
            git_ref,
            environment,
            file,
            called,
            events,
            machine,
        })
}

fn claims(token: &Token) -> Claims {
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
    put("repository_id", json!(token.repository.to_string()));
    put("repository", json!("acme/web"));
    put("ref", json!(REFS[token.git_ref]));
    put("workflow_ref", json!(format!("acme/web/{}@{}", FILES[token.file], REFS[token.file_ref])));
    put("event_name", json!(EVENTS[token.event]));
    // What whoever administers the repository can shape.
    put("sub", json!("repo:acme/web:ref:refs/heads/main"));
    if let Some(name) = ENVIRONMENTS[token.environment] {
        put("environment", json!(name));
    }
    if let Some(called) = token.called {
        put("job_workflow_ref", json!(CALLED[called]));
    }
    if let Some(machine) = token.machine {
        put("runner_environment", json!(MACHINES[machine]));
    }
    if let Some(lacks) = token.lacks {
        claims.remove(lacks);
    }
    Claims::new(claims)
}

fn conditions(entry: &Entry) -> ActionsConditions {
    ActionsConditions {
        repository: RepositoryId(entry.repository),
        repository_name: RepoName::parse("web").unwrap(),
        git_ref: entry.git_ref.map(|text| Pattern::parse_case_sensitive(text).unwrap()),
        environment: entry.environment.and_then(|at| ENVIRONMENTS[at]).map(str::to_owned),
        workflow: entry.file.map(|at| FILES[at].to_owned()),
        job_workflow: entry.called.map(|at| CALLED[at].to_owned()),
        events: entry.events.iter().map(|at| EVENTS[*at].to_owned()).collect(),
        runner_environment: entry.machine.map(|at| RunnerEnvironment::parse(MACHINES[at]).unwrap()),
    }
}

/// Whether a run breaks any condition, without patterns or claims.
fn oracle(entry: &Entry, token: &Token) -> bool {
    let lacks = |name: &str| token.lacks == Some(name);
    let on = |wanted: &str| match wanted {
        "refs/heads/main" => token.git_ref == 0,
        "refs/heads/*" => token.git_ref <= 2,
        "match:.*" => true,
        _ => token.git_ref == 0 || token.git_ref == 2,
    };
    let mut broken = Vec::new();
    broken.push(entry.repository != token.repository || lacks("repository_id"));
    broken.push(!entry.events.contains(&token.event) || lacks("event_name"));
    broken.push(entry.git_ref.is_some_and(|wanted| lacks("ref") || !on(wanted)));
    // The second and third are one name; the last is another.
    let kind = |at: usize| usize::from(at == 3);
    let has = |at: usize| token.environment > 0 && kind(token.environment) == kind(at);
    broken.push(entry.environment.is_some_and(|at| !has(at)));
    let of_another_ref = REFS[token.file_ref] != REFS[token.git_ref];
    let unknown = lacks("workflow_ref") || lacks("repository") || lacks("ref");
    broken.push(entry.file.is_some_and(|at| at != token.file || of_another_ref || unknown));
    broken.push(entry.called.is_some_and(|at| token.called != Some(at)));
    broken.push(entry.machine.is_some_and(|at| token.machine != Some(at)));
    !broken.contains(&true)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_token_fits_exactly_if_it_breaks_no_condition(entry in entries(), token in tokens()) {
        prop_assert_eq!(conditions(&entry).fit(&claims(&token)), oracle(&entry, &token));
    }

    /// Most pairs are of different repositories or events, so here only one thing differs.
    #[test]
    fn a_token_that_fits_no_longer_does_when_one_claim_changes(mut entry in entries(), mut token in tokens(), changed in 0..4_usize) {
        token.lacks = None;
        token.file_ref = token.git_ref;
        entry.repository = token.repository;
        entry.events = vec![token.event];
        entry.git_ref = None;
        entry.environment = (token.environment > 0).then_some(token.environment);
        entry.file = Some(token.file);
        entry.called = token.called;
        entry.machine = token.machine;
        prop_assert!(conditions(&entry).fit(&claims(&token)));
        match changed {
            0 => token.repository = 3 - token.repository,
            1 => token.event = (token.event + 1) % EVENTS.len(),
            2 => token.file = 1 - token.file,
            _ => token.lacks = Some("workflow_ref"),
        }
        prop_assert!(!conditions(&entry).fit(&claims(&token)));
    }
}
