//! Entries of the administrator's.

use actions_runner_manager::domain::entry::fields::EntryField;
use actions_runner_manager::domain::entry::{EntryOperation, HolderRequest, RunnerEnvironment};

use super::*;

const ISSUERS: &str =
    "oidc: {audience: arm, issuers: {github-actions: {}, cluster-a: {url: \"https://oidc.example.com\"}}}\n";

fn with_entries(entries: &str) -> String {
    with_minimal(&format!("{ISSUERS}access:\n{entries}"))
}

#[test]
fn an_entry_of_each_kind_means_what_it_says() {
    let text = with_entries(
        "  - {team: \"id:7\", kind: github-actions, repository: My-Org/shop, ref: refs/heads/Main, environment: production,\n     \
         workflow: .github/workflows/ci.yml, job_workflow: o/r/.github/workflows/x.yml@refs/tags/v1, events: [push],\n     \
         runner_environment: github-hosted, operations: [jitconfig-generate], labels: [gpu-*], per_hour: 5, note: why}\n  \
         - team: Payments\n    kind: oidc\n    issuer: cluster-a\n    subject: system:serviceaccount:a:b\n    \
         claims: {tid: \"1\", verified: true}\n    operations: [demand, diagnose]\n",
    );
    let access = config_of(&text).access;
    assert_eq!((access[0].team.to_string(), access[1].team.to_string()), ("id:7".into(), "payments".into()));
    let HolderRequest::GithubActions(run) = &access[0].request.holder else { panic!("another kind") };
    assert_eq!(run.repository.as_str(), "shop");
    assert!(
        run.git_ref.as_ref().is_some_and(|git_ref| !git_ref.matches("refs/heads/main")),
        "git keeps case"
    );
    assert_eq!(
        (run.environment.as_deref(), run.events.as_slice()),
        (Some("production"), &["push".into()][..])
    );
    assert_eq!(run.runner_environment, Some(RunnerEnvironment::GithubHosted));
    assert_eq!((access[0].request.per_hour, access[0].request.note.as_deref()), (5, Some("why")));
    let HolderRequest::Oidc(conditions) = &access[1].request.holder else { panic!("another kind") };
    assert_eq!(
        (conditions.issuer.as_str(), conditions.subject.as_str()),
        ("cluster-a", "system:serviceaccount:a:b")
    );
    let claims: Vec<_> =
        conditions.claims.iter().map(|claim| format!("{}={}", claim.name, claim.value)).collect();
    assert_eq!(claims, ["tid=1", "verified=true"]);
    let operations = [EntryOperation::Demand, EntryOperation::Diagnose];
    assert_eq!((access[1].request.operations.as_slice(), access[1].request.per_hour), (&operations[..], 60));
}

#[test]
fn everything_that_is_wrong_with_an_entry_is_named_with_its_line() {
    let text = with_entries(
        "  - team: a b\n    kind: github-actions\n    repository: other/shop\n    ref: main\n    events: [push, Push]\n    \
         operations: [jitconfig-generate, runners-remove, group-delete]\n    per_hour: 0\n    labls: [a]\n  \
         - {kind: oidc, issuer: clusterA, claims: [tid, {a: b}], ref: refs/heads/main}\n  - {kind: token, team: a}\n  - text\n",
    );
    assert_lines(
        &problems_of(&text),
        &[
            "config.yml:6: access[0].team: expected a team's slug: 1 to 255 of a-z 0-9 _ -, or its id: id:123, found \"a b\"",
            "config.yml:8: access[0].repository: expected a repository of the configured organisation, found \"other/shop\"",
            "config.yml:9: access[0].ref: expected a full ref such as refs/heads/main, or a pattern of full refs, found \
             \"main\"",
            "config.yml:10: access[0].events[1]: expected an event such as push: 1 to 50 of a-z _, found \"Push\"",
            "config.yml:11: access[0].operations[1]: expected another operation: runners-remove is for entries of access-add \
             alone, since the store keeps which runners an entry was given",
            &format!(
                "config.yml:11: access[0].operations[2]: expected {}, found \"group-delete\"",
                EntryField::Operations.expected()
            ),
            "config.yml:12: access[0].per_hour: expected a whole number from 1 to 10000, found 0",
            "config.yml:13: access[0].labls: unknown key; did you mean labels?",
            "config.yml:14: access[1].team: missing; expected a team's slug: 1 to 255 of a-z 0-9 _ -, or its id: id:123",
            "config.yml:14: access[1].claims[0]: expected a claim and its value, such as tid=1234: at most 1000 characters, \
             no control character, found \"tid\"",
            "config.yml:14: access[1].claims[1]: expected text, found a section",
            &format!(
                "config.yml:14: access[1].operations: missing; expected {}",
                EntryField::Operations.expected()
            ),
            "config.yml:14: access[1].ref: expected only in entries of kind github-actions; this one is oidc",
            "config.yml:14: access[1].issuer: expected the name of an issuer in oidc.issuers, found \"clusterA\"",
            "config.yml:14: access[1].subject: missing; expected a subject: 1 to 1000 characters, no control character",
            "config.yml:15: access[2].kind: expected one of github-actions, oidc; a team token is made with access-add, which \
             shows it once",
            "config.yml:16: access[3]: expected a section of keys and values, found \"text\"",
            "17 problems in the configuration",
        ],
    );
}

/// The problems of an entry for GitHub Actions with these fields, without file and line.
fn problems_of_entry(fields: &str) -> Vec<String> {
    let text =
        with_entries(&format!("  - {{team: \"id:7\", kind: github-actions, repository: shop, {fields}}}\n"));
    let printed = problems_of(&text);
    let lines = printed.lines().filter_map(|line| line.strip_prefix("config.yml:6: ")).map(str::to_owned);
    lines.collect()
}

#[test]
fn a_condition_without_a_value_is_refused_rather_than_dropped() {
    for nothing in ["", "null", "~", "\"\"", "[]", "{}"] {
        let fields = format!("operations: [demand], environment: production, ref: {nothing}");
        let problems = problems_of_entry(&fields);
        assert!(problems.len() == 1 && problems[0].starts_with("access[0].ref: "), "{nothing}: {problems:?}");
    }
}

#[test]
fn what_contradicts_within_an_entry_is_refused() {
    for (fields, problem) in [
        (
            "operations: [demand]",
            "access[0].ref: missing; expected ref, environment, or both: otherwise any branch would do",
        ),
        (
            "operations: [jitconfig-generate], ref: refs/heads/main",
            "access[0].labels: missing; expected the labels that runners may have, since jitconfig-generate is among the \
             operations; * for all",
        ),
        ("operations: [], ref: refs/heads/main", "access[0].operations: expected at least one operation"),
        (
            "operations: [demand], ref: refs/heads/main, events: []",
            "access[0].events: expected at least one event",
        ),
        (
            "operations: [demand], ref: refs/heads/main, subject: x",
            "access[0].subject: expected only in entries of kind oidc; this one is github-actions",
        ),
        ("operations: [demand], ref: refs/heads/main, expires_in: 30d", "access[0].expires_in: unknown key"),
        (
            "operations: demand, ref: refs/heads/main",
            "access[0].operations: expected a list such as [\"a\", \"b\"], found \"demand\"",
        ),
    ] {
        assert_eq!(problems_of_entry(fields), [problem], "{fields}");
    }
}

#[test]
fn an_entry_needs_its_issuer() {
    let entry = "access: [{team: \"id:7\", kind: github-actions, repository: r, ref: refs/heads/main, operations: [demand]}]";
    assert_lines(
        &problems_of(&with_minimal(entry)),
        &[
            "config.yml:4: access[0].kind: expected github-actions among oidc.issuers, which lacks it",
            "1 problem in the configuration",
        ],
    );
    let text = with_entries(
        "  - {team: \"id:7\", kind: oidc, issuer: github-actions, subject: x, operations: [demand]}\n",
    );
    assert_lines(
        &problems_of(&text),
        &[
            "config.yml:6: access[0].issuer: expected an issuer other than GitHub Actions, for which there is the kind \
             github-actions",
            "1 problem in the configuration",
        ],
    );
}

#[test]
fn the_whole_list_may_be_a_variable() {
    let entry =
        r#"[{"team": "id:7", "kind": "oidc", "issuer": "a", "subject": "s", "operations": ["demand"]}]"#;
    let issuers = "a: {url: 'https://oidc.example.com'}";
    let environment = [("ARM_OIDC_AUDIENCE", "arm"), ("ARM_OIDC_ISSUERS", issuers), ("ARM_ACCESS", entry)];
    let loaded = load_bytes(MINIMAL.as_bytes(), &environment).unwrap();
    assert_eq!(loaded.config.access.len(), 1);
    let setting = loaded.settings.iter().find(|setting| setting.path == "access").unwrap();
    assert_eq!(setting.source, Source::Variable("ARM_ACCESS".to_owned()));
    assert_eq!(
        setting.value,
        "[{team: \"id:7\", kind: \"oidc\", issuer: \"a\", subject: \"s\", operations: [\"demand\"]}]"
    );
    let bad = [("ARM_ACCESS", "[{kind: oidc, kind: oidc, colour: red}"), ("ARM_OIDC_ISSUERS", "[]")];
    let printed = problems_with(&bad);
    assert!(printed.contains("ARM_ACCESS: access: expected YAML or JSON, found in line "), "{printed}");
    let section = "ARM_OIDC_ISSUERS: oidc.issuers: expected a section of names, each with a section of its own, found a list";
    assert!(printed.contains(section), "{printed}");
    let printed = problems_with(&[("ARM_ACCESS", "[{kind: oidc, kind: oidc, colour: red}]")]);
    for problem in [
        "ARM_ACCESS: access[0].kind: stands twice in its section; leave one out",
        "ARM_ACCESS: access[0].colour: unknown key",
        "ARM_ACCESS: access[0].team: missing; expected ",
    ] {
        assert!(printed.contains(problem), "{problem}: {printed}");
    }
}

#[test]
fn entries_that_can_not_work_as_written_get_a_warning() {
    let text = with_minimal(
        "store: {url: \"sqlite::memory:\"}\noidc:\n  audience: arm\n  issuers:\n    github-actions: {url: \"https://ghes.example\", \
         teams: [\"id:7\"]}\n    a: {url: \"https://oidc.example.com\", subjects: [\"x-*\"]}\naccess:\n  \
         - {team: payments, kind: github-actions, repository: r, ref: refs/heads/main, operations: [demand, repos-add], \
         labels: [a]}\n  - {team: \"id:8\", kind: github-actions, repository: r, ref: refs/heads/main, operations: [demand]}\n  \
         - {team: \"id:7\", kind: oidc, issuer: a, subject: \"y-*\", operations: [demand]}\n",
    );
    let of = |key: &str| -> Vec<_> {
        let warnings = warnings_of(&text, &[]).into_iter().filter(|(of, _)| of.starts_with(key));
        warnings.map(|(_, warning)| warning).collect()
    };
    assert_eq!(
        of("access"),
        [
            "config.yml:10: access[0].team is the name payments: the entry is whichever team's has it. Write id: and the \
             team's id, which stays",
            "config.yml:10: access[0].operations has repos-add, which policy.access.operations lacks, so the entry doesn't \
             let anybody do that",
            "config.yml:10: access[0].labels has no effect without jitconfig-generate in operations",
            "config.yml:10: access[1] is void: oidc.issuers.github-actions.teams lacks its team",
            "config.yml:10: access[2] is void: oidc.issuers.a.subjects has no pattern for its subject",
            "config.yml:10: access[2].subject has a *, which stands for itself here: a subject is compared to the letter",
        ]
    );
    assert_eq!(
        of("oidc"),
        [
            "config.yml:7: oidc.issuers.github-actions.url is https://ghes.example, which doesn't look like GitHub's: whoever \
             signs tokens there can name any repository"
        ]
    );
}
