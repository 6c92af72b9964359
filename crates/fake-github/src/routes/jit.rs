//! Just-in-time configurations: a runner for one job, in one group.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::runners::scope;
use crate::answer::{Answer, Outcome};
use crate::payload;
use crate::request::{Fields, Request, missing};
use crate::world::{GroupId, RepoId, Runners, World};

const LONGEST_NAME: usize = 64;
const MOST_LABELS: usize = 100;

struct Wanted {
    name: String,
    group: GroupId,
    labels: Vec<String>,
    work_folder: String,
}

pub(super) fn generate(world: &mut World, request: &Request) -> Outcome {
    let scope = scope(world, request)?;
    let wanted = read(&request.fields()?)?;
    check_group(world, &wanted)?;
    if world.runners.by_name(scope, &wanted.name).is_some() {
        let message = format!("Already exists - A runner with the name {} already exists.", wanted.name);
        return Err(Answer::error(409, &message));
    }
    Ok(Answer::created(make(world, scope, &wanted)?))
}

fn read(fields: &Fields) -> Result<Wanted, Answer> {
    let name = fields.text("name")?.ok_or_else(|| missing("name"))?;
    let group = fields.number("runner_group_id")?;
    let group = group.ok_or_else(|| {
        Answer::invalid("Invalid request.\n\nobject is missing required key: runner_group_id")
    })?;
    let labels = fields.texts("labels")?.ok_or_else(|| missing("labels"))?;
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(Answer::invalid("Invalid Argument - Runner names can only be 64 characters"));
    }
    if labels.is_empty() {
        let message = "Invalid request.\n\nInvalid property /labels: 1 item required; only 0 were supplied.";
        return Err(Answer::invalid(message));
    }
    if labels.len() > MOST_LABELS {
        let message = format!(
            "Invalid request.\n\nInvalid property /labels: no more than 100 items are allowed; {} were supplied.",
            labels.len()
        );
        return Err(Answer::invalid(&message));
    }
    let work_folder = fields.text("work_folder")?.unwrap_or("_work").to_owned();
    Ok(Wanted { name: name.to_owned(), group: GroupId(group), labels, work_folder })
}

fn check_group(world: &World, wanted: &Wanted) -> Result<(), Answer> {
    let group = world.visible_group(wanted.group).ok_or_else(Answer::not_found)?;
    if group.hosted || group.inherited {
        return Err(Answer::error(403, "Self-hosted runners can't be added to this runner group"));
    }
    let most = world.rules.most_runners_in_a_group;
    if group.runners.len() >= most {
        let message =
            format!("Invalid Argument - Runner group {} has reached max limit of {most} runners.", group.id);
        return Err(Answer::invalid(&message));
    }
    Ok(())
}

/// The runner exists, offline, from this moment; only the labels asked for are given, in lower case.
fn make(world: &mut World, scope: Option<RepoId>, wanted: &Wanted) -> Result<Value, Answer> {
    let mut labels: Vec<_> = wanted.labels.iter().map(|label| Runners::bare_label(label)).collect();
    labels.sort_by(|one, other| one.name.cmp(&other.name));
    labels.dedup();
    let id = world.insert_runner(&wanted.name, wanted.group, scope, labels);
    world.set_runner_unconnected(id);
    let config = encoded_config(world, wanted, id.0);
    world.remember_jit_config(&config);
    let runner = world.runner(id).ok_or_else(Answer::not_found)?;
    Ok(json!({"runner": payload::runner(world, runner), "encoded_jit_config": config}))
}

/// Base64 of the files that a runner keeps: about 4,000 characters.
fn encoded_config(world: &mut World, wanted: &Wanted, id: u64) -> String {
    let settings = json!({
        "AgentId": id.to_string(),
        "AgentName": wanted.name,
        "PoolId": wanted.group.0.to_string(),
        "WorkFolder": wanted.work_folder,
        "Ephemeral": "True",
        "DisableUpdate": "False",
        "GitHubUrl": format!("https://github.com/{}", world.org_login()),
    });
    let credentials = json!({"Scheme": "OAuth", "Data": {"ClientId": world.secrets.blob(24)}});
    let files = json!({
        ".runner": STANDARD.encode(settings.to_string()),
        ".credentials": STANDARD.encode(credentials.to_string()),
        ".credentials_rsaparams": world.secrets.blob(1750),
    });
    STANDARD.encode(files.to_string())
}
