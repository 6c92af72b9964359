//! The labels of a runner. Those that GitHub gave stay.

use super::super::answer::{Answer, Outcome};
use super::super::payload;
use super::super::request::{Request, missing};
use super::super::world::{Label, RunnerId, World};
use super::runners::find;

const MOST_LABELS: usize = 100;

fn shown(world: &World, request: &Request) -> Outcome {
    Ok(Answer::ok(payload::labels(&find(world, request)?.labels)))
}

pub(super) fn list(world: &mut World, request: &Request) -> Outcome {
    shown(world, request)
}

fn named(label: &Label, name: &str) -> bool {
    label.name.to_lowercase() == name.to_lowercase()
}

/// Puts `names` behind those labels of the runner that `keep` holds, each once.
fn replace(world: &mut World, runner: RunnerId, names: &[String], keep: fn(&Label) -> bool) {
    let old = world.runner(runner).map(|runner| runner.labels.clone()).unwrap_or_default();
    let mut labels: Vec<Label> = old.into_iter().filter(keep).collect();
    for name in names {
        if !labels.iter().any(|label| named(label, name)) {
            labels.push(world.runners.label(name));
        }
    }
    world.change_runner(runner, |runner| runner.labels = labels);
}

fn names(request: &Request, least: usize) -> Result<Vec<String>, Answer> {
    let names = request.fields()?.texts("labels")?.ok_or_else(|| missing("labels"))?;
    if names.len() < least || names.len() > MOST_LABELS {
        let message =
            format!("Invalid request.\n\nInvalid property /labels: {} items were supplied.", names.len());
        return Err(Answer::invalid(&message));
    }
    Ok(names)
}

pub(super) fn add(world: &mut World, request: &Request) -> Outcome {
    let id = find(world, request)?.id;
    replace(world, id, &names(request, 1)?, |_| true);
    shown(world, request)
}

pub(super) fn set(world: &mut World, request: &Request) -> Outcome {
    let id = find(world, request)?.id;
    replace(world, id, &names(request, 0)?, Label::read_only);
    shown(world, request)
}

pub(super) fn clear(world: &mut World, request: &Request) -> Outcome {
    let id = find(world, request)?.id;
    replace(world, id, &[], Label::read_only);
    shown(world, request)
}

pub(super) fn remove(world: &mut World, request: &Request) -> Outcome {
    let runner = find(world, request)?;
    let (id, name) = (runner.id, request.param("name"));
    let label = runner.labels.iter().find(|label| named(label, name)).ok_or_else(Answer::not_found)?;
    if label.read_only() {
        return Err(Answer::invalid(&format!("The label {name} is read-only")));
    }
    world.change_runner(id, |runner| runner.labels.retain(|label| !named(label, name)));
    shown(world, request)
}
