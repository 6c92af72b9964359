use super::*;

/// Asserts that the parser takes the first and refuses the others.
fn assert_takes<T>(parse: impl Fn(&str) -> Result<T, FieldError>, yes: &[&str], no: &[&str]) {
    for text in yes {
        assert!(parse(text).is_ok(), "{text:?} should be accepted");
    }
    for text in no {
        let Err(error) = parse(text) else { panic!("{text:?} should be refused") };
        assert_eq!(error.problem, FieldProblem::Invalid, "{text:?}");
        let says = error.message.starts_with("expected ") || error.message.contains(" does not compile: ");
        assert!(says, "{text:?}: {error}");
    }
}

#[test]
fn a_ref_is_full_or_a_pattern_that_can_fit_full_ones() {
    let yes =
        ["refs/heads/main", "refs/tags/v*", "refs/heads/*", "match:refs/heads/(main|release/.*)", "match:.*"];
    let no = [
        "",
        "main",
        "heads/main",
        "*",
        "match:main",
        "match:(",
        "refs/heads/main ",
        "REFS/heads/main",
        "a\nb",
    ];
    assert_takes(parse_git_ref, &yes, &no);
    let main = parse_git_ref("refs/heads/Main").unwrap();
    assert!(main.matches("refs/heads/Main") && !main.matches("refs/heads/main"), "git keeps case");
}

#[test]
fn an_environment_is_any_line_of_text() {
    let long = "ä".repeat(255);
    assert_takes(
        parse_environment,
        &["production", "Prod (EU)", &long],
        &["", ".", "..", "...", "a\nb", &"ä".repeat(256)],
    );
}

#[test]
fn a_workflow_is_a_file_in_the_folder_of_workflows() {
    let yes = [".github/workflows/ci.yml", ".github/workflows/a b@c.yaml"];
    let no = [
        "",
        "ci.yml",
        ".github/workflows/.yml",
        ".github/workflows/ci.json",
        ".github/workflows/a/b.yml",
        "/.github/workflows/ci.yml",
        ".github/workflows/ci.yml@refs/heads/main",
        ".github/workflows/a\nb.yml",
    ];
    assert_takes(parse_workflow, &yes, &no);
    let too_long = format!(".github/workflows/{}.yml", "a".repeat(1_000));
    assert!(parse_workflow(&too_long).is_err());
}

#[test]
fn a_called_workflow_has_a_full_ref_or_a_commit() {
    let commit = format!("my-org/shared/.github/workflows/x.yml@{}", "0a".repeat(20));
    let yes = [
        "my-org/shared/.github/workflows/build.yml@refs/heads/main",
        "my-org/.github/.github/workflows/build.yaml@refs/tags/v1",
        "o/r/.github/workflows/a@b.yml@refs/heads/user@x",
        &commit,
    ];
    let short = &commit[..commit.len() - 1];
    let capital = commit.replace("0a", "0A");
    let no = [
        "",
        ".github/workflows/build.yml@refs/heads/main",
        "shared/.github/workflows/build.yml@refs/heads/main",
        "my-org/shared/.github/workflows/build.yml",
        "my-org/shared/.github/workflows/build.yml@main",
        "my-org/shared/.github/workflows/build.yml@refs/pull/1/merge",
        "my-org/shared/.github/workflows/build.yml@refs/heads/",
        "my-org/shared/.github/workflows/build.yml@refs/heads/*",
        "my-org/../.github/workflows/build.yml@refs/heads/main",
        "my org/shared/.github/workflows/build.yml@refs/heads/main",
        short,
        &capital,
    ];
    assert_takes(parse_job_workflow, &yes, &no);
}

#[test]
fn an_event_is_lower_case_letters_and_underscores() {
    let long = "a".repeat(51);
    assert_takes(parse_event, &["push", "pull_request_target"], &["", "Push", "a-b", "a,b", "*", &long]);
}

#[test]
fn a_claim_is_a_name_and_a_value() {
    let too_long = format!("a={}", "b".repeat(1_001));
    assert_takes(parse_claim, &["tid=1234", "a=b=c", "a b= c "], &["", "a", "=b", "a=", "a=b\nc", &too_long]);
    let claim = parse_claim("a=b=c").unwrap();
    assert_eq!((claim.name.as_str(), claim.value.as_str()), ("a", "b=c"));
    assert!(super::claim("a=b", "c").is_err(), "a name has no =");
}

#[test]
fn words_of_closed_sets_are_listed_where_another_was_given() {
    assert_takes(parse_kind, &["github-actions", "oidc", "token"], &["", "OIDC", "user"]);
    assert_takes(
        parse_operation,
        &["jitconfig-generate", "repos-remove"],
        &["", "access-add", "group-delete"],
    );
    assert_takes(parse_runner_environment, &["github-hosted", "self-hosted"], &["", "GitHub-hosted"]);
    let listed = |words: Vec<&str>| format!("one of {}", words.join(", "));
    assert_eq!(
        EntryField::Kind.expected(),
        listed(EntryKind::ALL.iter().map(|word| word.as_str()).collect())
    );
    let operations = EntryOperation::ALL.iter().map(|word| word.as_str()).collect();
    assert_eq!(EntryField::Operations.expected(), listed(operations));
    let environments = RunnerEnvironment::ALL.iter().map(|word| word.as_str()).collect();
    assert_eq!(EntryField::RunnerEnvironment.expected(), listed(environments));
}

#[test]
fn numbers_and_spans_are_bounded() {
    assert_takes(parse_per_hour, &["1", "60", "10000"], &["", "0", "10001", "-1", "+1", "1.0", "many"]);
    assert_eq!(
        EntryField::PerHour.expected(),
        format!("a whole number from {} to {}", PER_HOUR.start(), PER_HOUR.end())
    );
    assert_takes(parse_expires_in, &["30d", "12h", "1s"], &["", "0", "0d", "30", "-1d", "1w", "forever"]);
}

#[test]
fn texts_are_one_line_of_bounded_length() {
    let (long, too_long) = ("ä".repeat(1_000), "ä".repeat(1_001));
    assert_takes(parse_note, &["why, and who asked", &long], &["", "a\nb", "a\u{1b}[31m", &too_long]);
    let subject = "system:serviceaccount:payments:runner";
    assert_takes(parse_subject, &[subject, " to the letter ", &long], &["", "a\tb", &too_long]);
    assert_takes(parse_issuer, &["cluster-a", "A.b_c"], &["", "a b", "a/b", "https://a", &"a".repeat(65)]);
}

#[test]
fn names_are_those_of_the_organisation() {
    let org = OrgName::parse("my-org").unwrap();
    assert_takes(|text| parse_repository(text, &org), &["shop", "My-Org/shop"], &["", "other/shop", ".."]);
    assert_takes(parse_team, &["payments", "id:123"], &["", "a b", "id:x"]);
    assert_takes(parse_labels, &["*", "gpu-*", "match:a|b"], &["", "match:("]);
}

#[test]
fn an_error_names_its_field_as_callers_write_it() {
    assert_eq!(
        parse_event("A").unwrap_err().to_string(),
        "events: expected an event such as push: 1 to 50 of a-z _"
    );
    assert_eq!(parse_git_ref("main").unwrap_err().field.as_str(), "ref");
}
