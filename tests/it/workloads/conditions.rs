//! Each condition of an entry, held and not.

use std::time::Duration;

use fake_github::{Protection, Run};
use serde_json::json;

use super::{OF_MAIN, add, generate, run, start, token, with};

const SHARED: &str = "acme/shared/.github/workflows/build.yml@refs/heads/main";

/// An entry with every condition.
const STRICT: [(&str, &str); 9] = [
    ("kind", "github-actions"),
    ("repository", "web"),
    ("operations", "jitconfig-generate"),
    ("labels", "linux"),
    ("ref", "refs/heads/release-*"),
    ("environment", "Runners"),
    ("workflow", ".github/workflows/ci.yml"),
    ("job_workflow", SHARED),
    ("runner_environment", "github-hosted"),
];

fn strict_run() -> Run {
    run().git_ref("refs/heads/release-1").environment("runners").job_workflow(SHARED)
}

#[tokio::test]
async fn every_single_condition_flipped_refuses_the_run() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &STRICT).await;
    generate(&app, &token(&app, &strict_run())).await.response();
    app.fake.clear_calls();
    let flipped = [
        ("ref", strict_run().git_ref("refs/heads/main")),
        ("ref in another case", strict_run().git_ref("refs/heads/Release-1")),
        ("ref with more behind it", strict_run().git_ref("refs/heads/release-1/x")),
        ("ref of a tag", strict_run().git_ref("refs/tags/release-1")),
        ("no environment", run().git_ref("refs/heads/release-1").job_workflow(SHARED)),
        ("environment", strict_run().environment("runners2")),
        ("workflow", strict_run().workflow(".github/workflows/other.yml")),
        ("job_workflow", strict_run().job_workflow("acme/shared/.github/workflows/build.yml@refs/heads/x")),
        ("runner_environment", strict_run().self_hosted()),
        ("event", strict_run().event("pull_request_target")),
        ("event", strict_run().event("workflow_run")),
        ("event", strict_run().event("issue_comment")),
        (
            "repository",
            Run::of("acme", "api")
                .git_ref("refs/heads/release-1")
                .environment("runners")
                .job_workflow(SHARED),
        ),
    ];
    for (what, run) in flipped {
        let answer = generate(&app, &token(&app, &run)).await;
        assert_eq!(answer.refusal(), (403, "not_trusted".to_owned()), "{what}");
    }
    assert_eq!(app.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_pull_request_gets_nothing_unless_its_event_is_named_and_a_customised_subject_changes_nothing() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &with(&OF_MAIN, &[("ref", "match:refs/.*")])).await;
    let pull_request = run().pull_request(7, "topic", "main");
    generate(&app, &token(&app, &pull_request)).await.is_refused(403, "not_trusted");
    // As if it were a push to main, which whoever administers the repository can have GitHub sign.
    let now = app.clock.unix_seconds();
    let shaped = app.fake.token_of(&pull_request.clone().at(now), super::AUDIENCE);
    let shaped = shaped.subject("repo:acme/web:ref:refs/heads/main").sign();
    generate(&app, &shaped).await.is_refused(403, "not_trusted");
    add(&app, &cast, &with(&OF_MAIN, &[("ref", "match:refs/.*"), ("events", "pull_request")])).await;
    generate(&app, &token(&app, &pull_request)).await.response();
}

#[tokio::test]
async fn an_environment_alone_counts_only_where_it_is_protected() {
    let (app, cast) = start(json!({})).await;
    let fields = with(&OF_MAIN, &[("ref", ""), ("environment", "runners")]);
    let refused = super::try_add(&app, &cast, &fields).await;
    refused.is_refused(400, "invalid_parameter");
    assert!(refused.text.contains("not protected"), "{}", refused.text);
    app.fake.world(|world| {
        world.add_environment(cast.web, "runners", Protection::none().reviewed_by(cast.ada_id));
    });
    add(&app, &cast, &fields).await;
    let own = run().git_ref("refs/heads/topic").environment("RUNNERS");
    generate(&app, &token(&app, &own)).await.response();
    // Whoever administers the repository takes the protection away: found out within the hour.
    app.fake.world(|world| world.add_environment(cast.web, "runners", Protection::none()));
    app.clock.advance(Duration::from_hours(1));
    generate(&app, &token(&app, &own)).await.is_refused(403, "not_trusted");
    let listed = app.call("GET", "access-list", &cast.ada, &[("team", "payments")]).await.response();
    assert_eq!(listed["access"][0]["void"], "environment_unprotected");
}

#[tokio::test]
async fn without_the_permission_to_look_an_environment_needs_a_ref_beside_it() {
    let (app, cast) = start(json!({})).await;
    app.fake.world(|world| {
        world.add_environment(cast.web, "runners", Protection::none().reviewed_by(cast.ada_id));
        world.revoke_app_permission("actions");
    });
    let fields = with(&OF_MAIN, &[("ref", ""), ("environment", "runners")]);
    let refused = super::try_add(&app, &cast, &fields).await;
    refused.is_refused(501, "not_configured");
    assert!(refused.text.contains("Actions (read)"), "{}", refused.text);
    add(&app, &cast, &with(&fields, &[("ref", "refs/heads/main")])).await;
    generate(&app, &token(&app, &run().environment("runners"))).await.response();
}

#[tokio::test]
async fn an_event_that_an_entry_names_is_the_only_one() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &with(&OF_MAIN, &[("events", "workflow_run")])).await;
    generate(&app, &token(&app, &run().event("workflow_run"))).await.response();
    generate(&app, &token(&app, &run())).await.is_refused(403, "not_trusted");
}
