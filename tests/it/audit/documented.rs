//! docs/operations.md says what is in an audit line, and in an access line.

use std::collections::BTreeSet;

use fake_github::{Fault, TokenKind};
use serde_json::{Value, json};

use crate::documents::{cells, operations, words};
use crate::harness::{App, audit_lines, log_lines};
use crate::scene::acme_with_runners;
use crate::workloads;

/// The fields that a table names, in its order.
fn documented(line: &str) -> Vec<String> {
    cells(&operations(), line, "| field |").iter().flat_map(|row| words(&row[0])).collect()
}

fn fields_of<'a>(lines: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    lines.into_iter().flat_map(|line| line.as_object().unwrap().keys().cloned()).collect()
}

#[tokio::test]
async fn audit_lines_have_the_documented_fields_and_no_others() {
    let (mut world, cast, _) = acme_with_runners();
    world.add_maintainer(cast.search, cast.ada_id);
    let team = world.add_team("platform-admins");
    let root = world.add_member("root");
    world.add_maintainer(team, root);
    let root = world.add_token(root, TokenKind::Classic);
    let settings = workloads::actions(&json!({ "admin": { "team": "platform-admins" } }));
    let app = App::with(world, settings).await.settled().await;
    app.fake.inject(
        Fault::on("PUT", "/orgs/{org}/actions/runner-groups/{runner_group_id}/repositories")
            .error(500, "Server Error"),
    );
    let mut lines = Vec::new();
    for (method, operation, token, others, outcome) in [
        ("PATCH", "repos-set", &cast.ada, &[("repos", "web")][..], "failed"),
        ("PATCH", "repos-set", &cast.bob, &[("repos", "web")], "refused"),
        ("POST", "runners-transfer", &cast.ada, &[("names", "idle-1"), ("to", "search")], "success"),
        ("DELETE", "runners-remove", &root, &[("names", "gone-1"), ("dry_run", "true")], "success"),
        ("DELETE", "runners-remove", &root, &[("names", "gone-1")], "success"),
    ] {
        let mut parameters = vec![("team", "payments")];
        parameters.extend(others);
        let answer = app.call(method, operation, token, &parameters).await;
        let line = super::line_of(&answer);
        assert_eq!(line["outcome"], outcome, "{line}");
        lines.push(line);
    }
    workloads::add(&app, &cast, &workloads::OF_MAIN).await;
    lines.push(super::line_of(&workloads::generate(&app, &workloads::token(&app, &workloads::run())).await));
    let deny = "audit-lines-have-the-documented-fields";
    let changed = json!({ "policy": { "teams": { "deny": [deny] } }, "server": { "legacyGet": false } });
    app.reconfigure(&workloads::actions(&changed));
    app.until("the line of the reload", async || !audit_lines(deny).is_empty()).await;
    let mut documented: BTreeSet<_> = documented("**Audit line**").into_iter().collect();
    assert!(documented.remove("count"), "it is in lines of callers over their limit alone");
    let all = lines.iter().chain(&audit_lines(deny)).cloned().collect::<Vec<_>>();
    assert_eq!(fields_of(&all), documented);
    for field in [
        "timestamp",
        "level",
        "message",
        "time",
        "target",
        "request_id",
        "operation",
        "outcome",
        "caller",
        "user",
        "client",
    ] {
        assert!(lines.iter().all(|line| line[field].is_string()), "{field} is in every line");
    }
}

#[tokio::test]
async fn access_lines_have_the_documented_fields_and_no_others() {
    let (world, cast, _) = acme_with_runners();
    let settings = workloads::actions(&json!({ "server": { "trustedProxies": ["127.0.0.1"] } }));
    let app = App::with(world, settings).await.settled().await;
    workloads::add(&app, &cast, &workloads::OF_MAIN).await;
    let by_entry = workloads::generate(&app, &workloads::token(&app, &workloads::run())).await;
    let request = app.request("GET", "/api/v1/group-list?team=payments", &cast.bob);
    let request = request.header("x-request-id", "mine").header("x-forwarded-for", "unknown");
    let answer = crate::harness::send(request).await;
    answer.is_refused(403, "not_a_maintainer");
    let lines: Vec<_> =
        [by_entry, answer].iter().flat_map(|answer| log_lines(answer.header("x-request-id"))).collect();
    let access: Vec<_> = lines.iter().filter(|line| line["target"] == "access").collect();
    assert_eq!(access.len(), 2, "{lines:?}");
    let common = ["timestamp", "level", "target", "message"].map(str::to_owned);
    let expected: BTreeSet<_> = documented("**Access line**").into_iter().chain(common).collect();
    assert_eq!(fields_of(access), expected);
}
