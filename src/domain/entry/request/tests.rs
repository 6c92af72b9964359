use super::*;
use crate::domain::entry::fields::{parse_claim, parse_git_ref, parse_labels};
use crate::domain::issuer::{ACTIONS_ON_GITHUB_COM, Algorithm, Issuer, KeySource};

fn issuer(name: &str, url: &str) -> Issuer {
    Issuer {
        name: name.to_owned(),
        url: url.to_owned(),
        is_actions: name == ACTIONS,
        audience: "arm".to_owned(),
        algorithms: vec![Algorithm::Rs256],
        max_lifetime: std::time::Duration::from_hours(1),
        single_use: false,
        keys: KeySource::Discovery,
        ca_file: None,
        teams: Vec::new(),
        subjects: Vec::new(),
    }
}

fn issuers() -> Issuers {
    Issuers::new(vec![
        issuer(ACTIONS, ACTIONS_ON_GITHUB_COM),
        issuer("cluster-a", "https://oidc.example.com"),
    ])
}

fn of_actions() -> EntryFields {
    EntryFields {
        kind: Some(EntryKind::GithubActions),
        operations: Some(vec![EntryOperation::Demand]),
        repository: RepoName::parse("shop").ok(),
        git_ref: parse_git_ref("refs/heads/main").ok(),
        ..EntryFields::default()
    }
}

fn of_oidc() -> EntryFields {
    EntryFields {
        kind: Some(EntryKind::Oidc),
        operations: Some(vec![EntryOperation::Demand]),
        issuer: Some("cluster-a".to_owned()),
        subject: Some("system:serviceaccount:payments:runner".to_owned()),
        ..EntryFields::default()
    }
}

fn found(fields: &EntryFields) -> Vec<(&'static str, FieldProblem)> {
    let errors = fields.conflicts(&issuers());
    assert_eq!(fields.clone().into_request(&issuers()).err().unwrap_or_default(), errors);
    errors.into_iter().map(|error| (error.field.as_str(), error.problem)).collect()
}

#[test]
fn what_is_not_given_has_a_default() {
    let request = of_actions().into_request(&issuers()).unwrap();
    assert_eq!((request.per_hour, request.labels.len(), request.note), (60, 0, None));
    let HolderRequest::GithubActions(run) = request.holder else { panic!("another kind") };
    assert_eq!(run.events, DEFAULT_EVENTS);
    let conditions = run.of_repository(RepositoryId(7));
    assert_eq!((conditions.repository, conditions.repository_name.as_str()), (RepositoryId(7), "shop"));

    let token = EntryFields { kind: Some(EntryKind::Token), ..EntryFields::default() };
    let request = token.into_request(&Issuers::default()).unwrap();
    assert_eq!((request.holder.kind(), request.operations), (EntryKind::Token, vec![EntryOperation::Demand]));
    assert_eq!(of_oidc().into_request(&issuers()).unwrap().holder.kind(), EntryKind::Oidc);
}

#[test]
fn an_environment_may_take_the_place_of_a_ref() {
    let fields = EntryFields { git_ref: None, environment: Some("production".to_owned()), ..of_actions() };
    assert_eq!(found(&fields), []);
    let fields = EntryFields { git_ref: None, ..of_actions() };
    assert_eq!(found(&fields), [("ref", FieldProblem::Missing)]);
}

#[test]
fn everything_that_is_missing_is_found_at_once() {
    let nothing_of = |kind| EntryFields { kind, ..EntryFields::default() };
    assert_eq!(found(&nothing_of(None)), [("kind", FieldProblem::Missing)]);
    let missing = |field| (field, FieldProblem::Missing);
    let all = ["operations", "repository", "ref"].map(missing);
    assert_eq!(found(&nothing_of(Some(EntryKind::GithubActions))), all);
    let all = ["operations", "issuer", "subject"].map(missing);
    assert_eq!(found(&nothing_of(Some(EntryKind::Oidc))), all);
}

#[test]
fn labels_are_required_of_what_makes_runners() {
    let operations = Some(vec![EntryOperation::Demand, EntryOperation::JitconfigGenerate]);
    for kind in
        [of_actions(), of_oidc(), EntryFields { kind: Some(EntryKind::Token), ..EntryFields::default() }]
    {
        let without = EntryFields { operations: operations.clone(), ..kind };
        assert_eq!(found(&without), [("labels", FieldProblem::Missing)]);
        let empty = EntryFields { labels: Some(Vec::new()), ..without.clone() };
        assert_eq!(found(&empty), [("labels", FieldProblem::Missing)]);
        assert_eq!(found(&EntryFields { labels: Some(vec![parse_labels("*").unwrap()]), ..without }), []);
    }
}

#[test]
fn an_empty_list_is_not_the_default() {
    let fields = EntryFields { events: Some(Vec::new()), operations: Some(Vec::new()), ..of_actions() };
    assert_eq!(found(&fields), [("operations", FieldProblem::Invalid), ("events", FieldProblem::Invalid)]);
}

#[test]
fn fields_of_another_kind_are_refused() {
    let all = EntryFields {
        environment: Some("production".to_owned()),
        workflow: Some(".github/workflows/ci.yml".to_owned()),
        job_workflow: Some("o/r/.github/workflows/ci.yml@refs/heads/main".to_owned()),
        events: Some(vec!["push".to_owned()]),
        runner_environment: Some(RunnerEnvironment::GithubHosted),
        issuer: Some("cluster-a".to_owned()),
        subject: Some("x".to_owned()),
        claims: Some(Vec::new()),
        ..of_actions()
    };
    let conflicting = |field| (field, FieldProblem::Conflicting);
    assert_eq!(found(&all), ["issuer", "subject", "claims"].map(conflicting));
    let of_actions =
        ["repository", "ref", "environment", "workflow", "job_workflow", "events", "runner_environment"];
    let oidc = EntryFields { kind: Some(EntryKind::Oidc), ..all.clone() };
    assert_eq!(found(&oidc), of_actions.map(conflicting));
    let token = EntryFields { kind: Some(EntryKind::Token), ..all };
    let both: Vec<_> =
        of_actions.into_iter().chain(["issuer", "subject", "claims"]).map(conflicting).collect();
    assert_eq!(found(&token), both);
    let message = &token.conflicts(&issuers())[0].message;
    assert_eq!(message, "expected only in entries of kind github-actions; this one is token");
}

#[test]
fn an_issuer_of_actions_is_never_trusted_for_its_subjects() {
    let of = |name: &str| EntryFields { issuer: Some(name.to_owned()), ..of_oidc() };
    assert_eq!(found(&of(ACTIONS)), [("issuer", FieldProblem::Conflicting)]);
    assert_eq!(found(&of("other")), [("issuer", FieldProblem::Invalid)]);
    let disguised = Issuers::new(vec![issuer("other", "https://ghes.example.com/_services/token")]);
    assert_eq!(of("other").conflicts(&disguised)[0].problem, FieldProblem::Conflicting);
    assert_eq!(of(ACTIONS).conflicts(&Issuers::default())[0].problem, FieldProblem::Conflicting);
}

#[test]
fn a_claim_has_one_value_and_what_is_repeated_counts_once() {
    let claims = |texts: &[&str]| Some(texts.iter().map(|text| parse_claim(text).unwrap()).collect());
    let fields = EntryFields { claims: claims(&["a=1", "b=1", "a=2"]), ..of_oidc() };
    assert_eq!(found(&fields), [("claims", FieldProblem::Conflicting)]);
    let fields = EntryFields { claims: claims(&["a=1", "b=1", "a=1"]), ..of_oidc() };
    let HolderRequest::Oidc(conditions) = fields.into_request(&issuers()).unwrap().holder else { panic!() };
    assert_eq!(conditions.claims.len(), 2);
}
