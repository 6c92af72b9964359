//! About GitHub itself: its addresses, and how many requests are left.

use serde_json::{Value, json};

use crate::answer::{Answer, Outcome};
use crate::request::Request;
use crate::world::World;

pub(super) fn meta(world: &mut World, _request: &Request) -> Outcome {
    if let Some((major, minor)) = world.rules.enterprise_version {
        return Ok(Answer::ok(json!({
            "verifiable_password_authentication": true,
            "packages": [],
            "domains": {},
            "installed_version": format!("{major}.{minor}.2"),
        })));
    }
    let everywhere = json!(["192.0.2.0/24", "2001:db8::/32"]);
    Ok(Answer::ok(json!({
        "verifiable_password_authentication": false,
        "hooks": everywhere,
        "web": everywhere,
        "api": everywhere,
        "git": everywhere,
        "actions": everywhere,
        "domains": {"website": ["*.github.com"], "actions": ["*.actions.githubusercontent.com"]},
    })))
}

pub(super) fn rate_limit(world: &mut World, request: &Request) -> Outcome {
    if world.rules.enterprise_version.is_some() {
        return Err(Answer::error(404, "Rate limiting is not enabled."));
    }
    let now = world.now();
    let one = |limit: u64, used: u64, reset: i64| json!({"limit": limit, "used": used, "remaining": limit.saturating_sub(used), "reset": reset});
    let core: Value = match request.actor.subject() {
        Some(subject) => {
            let budget = world.budgets.at(subject, now);
            one(budget.limit, budget.used, budget.reset.timestamp())
        }
        None => one(60, 0, now.timestamp() + 3600),
    };
    let untouched = |limit| one(limit, 0, now.timestamp() + 3600);
    Ok(Answer::ok(json!({
        "resources": {
            "core": core,
            "search": untouched(30),
            "graphql": untouched(5000),
            "integration_manifest": untouched(5000),
            "source_import": untouched(100),
            "code_search": untouched(10),
            "actions_runner_registration": untouched(10_000),
            "scim": untouched(15_000),
            "dependency_snapshots": untouched(100),
            "dependency_sbom": untouched(100),
            "code_scanning_autofix": untouched(10),
        },
        "rate": core,
    })))
}
