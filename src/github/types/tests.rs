//! What is read of GitHub's responses, and what is made of odd ones.

use super::*;

#[test]
fn what_is_null_is_as_if_it_were_left_out_and_what_protects_stays_on() {
    let runner: Runner = serde_json::from_str(
        r#"{"id": 7, "name": null, "os": null, "status": null, "busy": null, "ephemeral": null, "runner_group_id": null,
            "labels": [null, {"name": null}, {"name": "gpu", "id": null, "type": null}, {}]}"#,
    )
    .unwrap();
    assert_eq!((runner.id, runner.busy, runner.is_online()), (RunnerId(7), false, false));
    assert_eq!(runner.labels, [RunnerLabel { name: "gpu".into() }]);
    let runner: Runner = serde_json::from_str(r#"{"id": 7, "labels": null}"#).unwrap();
    assert!(runner.labels.is_empty() && runner.name.is_empty());
    let group: RunnerGroup = serde_json::from_str(
        r#"{"id": 1, "name": "a", "visibility": null, "default": null, "inherited": null, "selected_workflows": null,
            "allows_public_repositories": null, "restricted_to_workflows": null}"#,
    )
    .unwrap();
    assert!(group.default && group.inherited && group.visibility != "selected");
}

fn membership(url: &str) -> Membership {
    Membership { role: "maintainer".into(), state: "active".into(), url: url.into() }
}

#[test]
fn a_membership_tells_which_team_it_is_of() {
    for (url, id) in [
        ("https://api.github.com/organizations/1/team/42/memberships/ada", Some(42)),
        ("https://api.github.com/teams/7/memberships/ada", Some(7)),
        ("https://ghes.example/api/v3/organizations/1/team/42/memberships/ada", Some(42)),
        ("https://ghes.example/api/v3/teams/7/memberships/ada", Some(7)),
        ("https://api.github.com/orgs/o/teams/payments/memberships/ada", None),
        ("https://api.github.com/orgs/o/teams/20240712/memberships/ada", None),
        ("https://ghes.example/api/v3/orgs/teams/teams/20240712/memberships/ada", None),
        ("https://api.github.com/orgs/o/team/20240712/memberships/ada", None),
        ("https://api.github.com/orgs/9/memberships/ada", None),
        ("", None),
    ] {
        assert_eq!(membership(url).team_id(), id.map(TeamId), "{url}");
    }
}

#[test]
fn a_team_has_a_permission_if_github_says_so_and_otherwise_only_reads() {
    let repository = |extra: serde_json::Value| -> Repository {
        let mut all = serde_json::json!({ "id": 1, "name": "web", "full_name": "acme/web" });
        all.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    };
    let of = |push, maintain, admin| serde_json::json!({ "permissions": { "pull": true, "push": push, "maintain": maintain, "admin": admin } });
    for (said, granted) in [
        (serde_json::json!({}), 1),
        (serde_json::json!({ "permissions": null, "role_name": "admin" }), 1),
        (serde_json::json!({ "permissions": {}, "role_name": "admin" }), 1),
        (of(false, false, false), 1),
        (of(true, false, false), 2),
        (of(true, true, false), 3),
        (of(true, true, true), 4),
        // Custom roles; and permissions that don't include those below.
        (serde_json::json!({ "permissions": { "pull": true, "push": true }, "role_name": "deployer" }), 2),
        (of(false, true, false), 3),
        (of(false, false, true), 4),
        // An older server, and a custom role that only bears the name.
        (serde_json::json!({ "permissions": { "push": true }, "role_name": "maintain" }), 3),
        (
            serde_json::json!({ "permissions": { "push": true, "maintain": false }, "role_name": "maintain" }),
            2,
        ),
    ] {
        let repository = repository(said);
        for (index, permission) in RepositoryPermission::ALL.iter().enumerate() {
            assert_eq!(repository.grants(*permission), index < granted, "{permission} of {repository:?}");
        }
    }
}

#[test]
fn a_pending_or_unknown_membership_is_no_maintainership() {
    for (role, state, expected) in [
        ("maintainer", "active", true),
        ("maintainer", "pending", false),
        ("member", "active", false),
        ("Maintainer", "active", false),
        ("owner", "active", false),
    ] {
        let membership = Membership { role: role.into(), state: state.into(), url: String::new() };
        assert_eq!(membership.is_active_maintainer(), expected, "{role} {state}");
    }
}
