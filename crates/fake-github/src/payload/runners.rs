//! Runner groups and runners. What an older Enterprise Server does not know is left out.

use serde_json::{Value, json};

use super::with;
use crate::world::{Group, Label, Runner, Visibility, World};

pub(crate) fn group(base: &str, world: &World, group: &Group) -> Value {
    let url = format!("{base}/orgs/{}/actions/runner-groups/{}", world.org.login, group.id);
    let mut fields = json!({
        "id": group.id.0,
        "name": group.name,
        "visibility": group.visibility.name(),
        "default": group.default,
        "runners_url": format!("{url}/runners"),
        "inherited": group.inherited,
        "allows_public_repositories": group.allows_public_repositories,
    });
    if group.visibility == Visibility::Selected {
        fields = with(fields, json!({"selected_repositories_url": format!("{url}/repositories")}));
    }
    if world.rules.enterprise_version.is_none() {
        fields = with(fields, json!({"hosted_runners_url": format!("{url}/hosted-runners")}));
    }
    if group.inherited {
        fields = with(fields, json!({"inherited_allows_public_repositories": false}));
    }
    if world.since(3, 6) {
        let restrictions = json!({
            "workflow_restrictions_read_only": group.inherited,
            "restricted_to_workflows": group.restricted_to_workflows,
            "selected_workflows": group.selected_workflows,
        });
        fields = with(fields, restrictions);
    }
    fields
}

fn label(label: &Label) -> Value {
    let kind = if label.read_only() { "read-only" } else { "custom" };
    match label.id {
        Some(id) => json!({"id": id, "name": label.name, "type": kind}),
        None => json!({"name": label.name, "type": kind}),
    }
}

pub(crate) fn runner(world: &World, runner: &Runner) -> Value {
    let mut fields = json!({
        "id": runner.id.0,
        "name": runner.name,
        "os": runner.os,
        "status": runner.status.name(),
        "busy": runner.busy,
        "labels": runner.labels.iter().map(label).collect::<Vec<_>>(),
    });
    if world.since(3, 8) {
        fields = with(fields, json!({"runner_group_id": runner.group.0}));
    }
    if world.since(3, 13) {
        fields = with(fields, json!({"ephemeral": runner.ephemeral}));
    }
    if world.since(3, 17) {
        let version = if runner.os == "unknown" { Value::Null } else { json!("2.331.0") };
        fields = with(fields, json!({"version": version}));
    }
    fields
}

pub(crate) fn hosted_runner(group: &Group, place: usize, name: &str) -> Value {
    json!({
        "id": place + 1,
        "name": name,
        "runner_group_id": group.id.0,
        "platform": "linux-x64",
        "image_details": {
            "id": "ubuntu-24.04",
            "size_gb": 86,
            "display_name": "Ubuntu 24.04",
            "source": "github",
        },
        "machine_size_details": {"id": "8-core", "cpu_cores": 8, "memory_gb": 32, "storage_gb": 300},
        "status": "Ready",
        "maximum_runners": 10,
        "public_ip_enabled": false,
        "last_active_on": "2024-03-02T08:00:00Z",
    })
}
