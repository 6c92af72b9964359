//! Environments, with the rules that protect them.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{MADE, WEB, node_id, simple_user, team};
use crate::world::{DeploymentBranches, Environment, Protection, Repository, World};

/// The form of an environment's number that is the same all over GitHub.
pub(crate) fn environment_node_id(id: u64) -> String {
    node_id("Environment", id)
}

/// An environment by itself.
pub(crate) fn environment(
    base: &str,
    world: &World,
    repository: &Repository,
    environment: &Environment,
) -> Value {
    let full_name = repository.full_name();
    let name = utf8_percent_encode(&environment.name, NON_ALPHANUMERIC);
    json!({
        "id": environment.id,
        "node_id": environment_node_id(environment.id),
        "name": environment.name,
        "url": format!("{base}/repos/{full_name}/environments/{name}"),
        "html_url": format!("{WEB}/{full_name}/deployments/activity_log?environments_filter={name}"),
        "created_at": MADE,
        "updated_at": MADE,
        "protection_rules": rules(base, world, environment),
        "deployment_branch_policy": branch_policy(environment.protection.branches),
    })
}

fn branch_policy(branches: DeploymentBranches) -> Value {
    match branches {
        DeploymentBranches::All => Value::Null,
        DeploymentBranches::Protected => json!({"protected_branches": true, "custom_branch_policies": false}),
        DeploymentBranches::Selected => json!({"protected_branches": false, "custom_branch_policies": true}),
    }
}

fn rules(base: &str, world: &World, environment: &Environment) -> Vec<Value> {
    let protection = &environment.protection;
    // The numbers of rules are of no use to anybody; they only have to differ.
    let rule = |place: u64, kind: &str| {
        let id = environment.id * 10 + place;
        json!({"id": id, "node_id": node_id("Gate", id), "type": kind})
    };
    let mut rules = Vec::new();
    if protection.wait_minutes > 0 {
        let mut wait = rule(1, "wait_timer");
        wait["wait_timer"] = json!(protection.wait_minutes);
        rules.push(wait);
    }
    let reviewers = reviewers(base, world, protection);
    if !reviewers.is_empty() {
        let mut review = rule(2, "required_reviewers");
        review["prevent_self_review"] = json!(false);
        review["reviewers"] = json!(reviewers);
        rules.push(review);
    }
    if protection.branches != DeploymentBranches::All {
        rules.push(rule(3, "branch_policy"));
    }
    rules
}

fn reviewers(base: &str, world: &World, protection: &Protection) -> Vec<Value> {
    let people = protection.reviewers.iter().filter_map(|id| world.user(*id));
    let people = people.map(|user| json!({"type": "User", "reviewer": simple_user(base, user)}));
    let teams = protection.reviewing_teams.iter().filter_map(|id| world.team(*id));
    let teams = teams.map(|shown| json!({"type": "Team", "reviewer": team(base, world, shown)}));
    people.chain(teams).collect()
}
