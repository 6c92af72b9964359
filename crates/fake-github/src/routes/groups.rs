//! Runner groups of the organisation.

use std::collections::BTreeSet;

use serde_json::Value;

use super::teams::counted;
use crate::answer::{Answer, Outcome};
use crate::paging::page_of;
use crate::payload;
use crate::request::{Fields, Request, missing};
use crate::world::{
    DEFAULT_GROUP, DeletionOfUsedGroups, Group, GroupId, RepoId, RepoVisibility, Repository, Runner,
    RunnerId, Visibility, World,
};

fn find<'w>(world: &'w World, request: &Request) -> Result<&'w Group, Answer> {
    world.visible_group(GroupId(request.number("runner_group_id")?)).ok_or_else(Answer::not_found)
}

/// The group of the path, if the organisation may change it.
fn own(world: &World, request: &Request) -> Result<GroupId, Answer> {
    let group = find(world, request)?;
    if group.inherited {
        return Err(Answer::error(403, "Inherited runner groups can't be changed by the organization"));
    }
    Ok(group.id)
}

/// Whether a repository may use a group.
fn allows(group: &Group, repository: &Repository) -> bool {
    let public = repository.visibility == RepoVisibility::Public;
    let chosen = match group.visibility {
        Visibility::All => true,
        Visibility::Private => !public,
        Visibility::Selected => group.repositories.contains(&repository.id),
    };
    chosen && (!public || group.allows_public_repositories)
}

pub(super) fn list(world: &mut World, request: &Request) -> Outcome {
    let repository = match request.query_value("visible_to_repository") {
        None => None,
        Some(name) => {
            let name = name.rsplit_once('/').map_or(name.as_str(), |(_, name)| name);
            Some(world.repository_by_name(name).ok_or_else(Answer::not_found)?)
        }
    };
    let page = match repository {
        None => page_of(request, world.visible_groups().count(), world.visible_groups()),
        Some(repository) => {
            let seen: Vec<&Group> =
                world.visible_groups().filter(|group| allows(group, repository)).collect();
            page_of(request, seen.len(), seen.into_iter())
        }
    };
    let shown = page.items.iter().map(|group| payload::group(&request.base, world, group)).collect();
    Ok(Answer::ok(counted("runner_groups", page.total, shown)))
}

pub(super) fn get(world: &mut World, request: &Request) -> Outcome {
    Ok(Answer::ok(payload::group(&request.base, world, find(world, request)?)))
}

/// The name in a body, which no other group may have, whatever the letter case.
fn name(world: &World, fields: &Fields, of: Option<GroupId>) -> Result<String, Answer> {
    let name = fields.text("name")?.ok_or_else(|| missing("name"))?.trim();
    if name.is_empty() {
        return Err(Answer::invalid("Name can't be blank"));
    }
    match world.group_by_name(name) {
        Some(other) if of != Some(other.id) => {
            Err(Answer::error(409, "A runner group with this name already exists."))
        }
        _ => Ok(name.to_owned()),
    }
}

fn visibility(fields: &Fields) -> Result<Option<Visibility>, Answer> {
    let Some(text) = fields.text("visibility")? else { return Ok(None) };
    let known = Visibility::from_name(text);
    known
        .map(Some)
        .ok_or_else(|| Answer::invalid(&format!("Invalid request.\n\n{text} is not a visibility.")))
}

/// The repositories of a body, all of which must belong to the organisation.
fn chosen_repositories(world: &World, fields: &Fields) -> Result<Option<BTreeSet<RepoId>>, Answer> {
    let Some(numbers) = fields.numbers("selected_repository_ids")? else { return Ok(None) };
    let chosen: BTreeSet<RepoId> = numbers.into_iter().map(RepoId).collect();
    let unknown = chosen.iter().find(|id| !is_ours(world, **id));
    match unknown {
        Some(id) => Err(Answer::invalid(&format!("Repository {id} doesn't belong to the organization."))),
        None => Ok(Some(chosen)),
    }
}

fn is_ours(world: &World, repository: RepoId) -> bool {
    world.repository(repository).is_some_and(|found| found.owner.eq_ignore_ascii_case(world.org_login()))
}

fn chosen_runners(world: &World, fields: &Fields) -> Result<Option<BTreeSet<RunnerId>>, Answer> {
    let Some(numbers) = fields.numbers("runners")? else { return Ok(None) };
    let chosen: BTreeSet<RunnerId> = numbers.into_iter().map(RunnerId).collect();
    let ours = |id: &&RunnerId| world.runner(**id).is_some_and(|runner| runner.repository.is_none());
    match chosen.iter().find(|id| !ours(id)) {
        Some(id) => Err(Answer::invalid(&format!("Runner {id} doesn't exist."))),
        None => Ok(Some(chosen)),
    }
}

/// Sets what create and update have in common; a flag that isn't given becomes false.
fn apply(group: &mut Group, fields: &Fields) -> Result<(), Answer> {
    group.allows_public_repositories = fields.flag("allows_public_repositories")?.unwrap_or(false);
    group.restricted_to_workflows = fields.flag("restricted_to_workflows")?.unwrap_or(false);
    if let Some(workflows) = fields.texts("selected_workflows")? {
        group.selected_workflows = workflows;
    }
    Ok(())
}

pub(super) fn create(world: &mut World, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let name = name(world, &fields, None)?;
    let visibility = visibility(&fields)?.unwrap_or(Visibility::All);
    let repositories = chosen_repositories(world, &fields)?.unwrap_or_default();
    let runners = chosen_runners(world, &fields)?.unwrap_or_default();
    let mut draft = Group::new(DEFAULT_GROUP, &name, visibility);
    apply(&mut draft, &fields)?;
    let id = world.add_group(&name, visibility);
    world.change_group(id, |group| {
        *group = Group { id, ..draft };
        if visibility == Visibility::Selected {
            group.repositories = repositories;
        }
    });
    for runner in runners {
        world.move_runner(runner, id);
    }
    world.hide_new_group(id);
    let made = world.group(id).ok_or_else(Answer::not_found)?;
    Ok(Answer::created(payload::group(&request.base, world, made)))
}

pub(super) fn update(world: &mut World, request: &Request) -> Outcome {
    let id = own(world, request)?;
    let fields = request.fields()?;
    let name = name(world, &fields, Some(id))?;
    let visibility = visibility(&fields)?;
    let mut draft = find(world, request)?.clone();
    if draft.default && draft.name != name {
        return Err(Answer::invalid("The default runner group can't be renamed"));
    }
    apply(&mut draft, &fields)?;
    draft.visibility = visibility.unwrap_or(draft.visibility);
    world.change_group(id, |group| *group = draft);
    world.rename_group(id, &name);
    Ok(Answer::ok(payload::group(&request.base, world, find(world, request)?)))
}

pub(super) fn delete(world: &mut World, request: &Request) -> Outcome {
    let id = own(world, request)?;
    let group = find(world, request)?;
    if group.default {
        return Err(Answer::error(403, "The default runner group can't be deleted"));
    }
    let refused = world.rules.deletion_of_used_groups == DeletionOfUsedGroups::Refused;
    if refused && !group.runners.is_empty() {
        return Err(Answer::error(409, "You must first move or remove all of the runners from the group."));
    }
    world.delete_group(id);
    Ok(Answer::no_content())
}

pub(super) fn hosted_runners(world: &mut World, request: &Request) -> Outcome {
    let group = find(world, request)?;
    let page = page_of(request, group.hosted_runners.len(), group.hosted_runners.iter().enumerate());
    let show = |(place, name): &(usize, &String)| payload::hosted_runner(group, *place, name);
    let body = counted("runners", page.total, page.items.iter().map(show).collect());
    Ok(linked(body, page.link))
}

fn linked(body: Value, link: Option<String>) -> Answer {
    let answer = Answer::ok(body);
    match link {
        Some(link) => answer.with_header("link", &link),
        None => answer,
    }
}

pub(super) fn repositories(world: &mut World, request: &Request) -> Outcome {
    let group = find(world, request)?;
    let repositories = group.repositories.iter().filter_map(|id| world.repository(*id));
    let page = page_of(request, group.repositories.len(), repositories);
    let show = |repository: &&Repository| payload::minimal_repository(&request.base, world, repository);
    Ok(Answer::ok(counted("repositories", page.total, page.items.iter().map(show).collect())))
}

/// The group of the path, if repositories can be chosen for it.
fn selectable(world: &World, request: &Request) -> Result<GroupId, Answer> {
    let id = own(world, request)?;
    if find(world, request)?.visibility == Visibility::Selected {
        return Ok(id);
    }
    Err(Answer::error(409, "Repositories can only be selected when the visibility of the group is selected"))
}

pub(super) fn set_repositories(world: &mut World, request: &Request) -> Outcome {
    let id = selectable(world, request)?;
    let chosen = chosen_repositories(world, &request.fields()?)?;
    let chosen = chosen.ok_or_else(|| missing("selected_repository_ids"))?;
    world.change_group(id, |group| group.repositories = chosen);
    Ok(Answer::no_content())
}

fn repository(world: &World, request: &Request) -> Result<RepoId, Answer> {
    let id = RepoId(request.number("repository_id")?);
    if is_ours(world, id) { Ok(id) } else { Err(Answer::not_found()) }
}

pub(super) fn add_repository(world: &mut World, request: &Request) -> Outcome {
    let (id, repository) = (selectable(world, request)?, repository(world, request)?);
    world.add_repository_to_group(id, repository);
    Ok(Answer::no_content())
}

pub(super) fn remove_repository(world: &mut World, request: &Request) -> Outcome {
    let (id, repository) = (selectable(world, request)?, repository(world, request)?);
    world.change_group(id, |group| {
        group.repositories.remove(&repository);
    });
    Ok(Answer::no_content())
}

pub(super) fn runners(world: &mut World, request: &Request) -> Outcome {
    let group = find(world, request)?;
    let of_group = |runner: &Runner| runner.group == group.id && runner.repository.is_none();
    let seen = world.listed_runners(group.runners.iter().copied(), of_group);
    let page = page_of(request, seen.len(), seen.into_iter());
    let shown = page.items.iter().filter_map(|id| world.listed_runner(*id));
    let shown = shown.map(|runner| payload::runner(world, runner)).collect();
    Ok(linked(counted("runners", page.total, shown), page.link))
}

fn runner(world: &World, request: &Request) -> Result<RunnerId, Answer> {
    let id = RunnerId(request.number("runner_id")?);
    let found = world.runner(id).filter(|runner| runner.repository.is_none());
    found.map(|runner| runner.id).ok_or_else(Answer::not_found)
}

pub(super) fn add_runner(world: &mut World, request: &Request) -> Outcome {
    let (id, runner) = (own(world, request)?, runner(world, request)?);
    if find(world, request)?.runners.len() >= world.rules.most_runners_in_a_group {
        return Err(Answer::invalid("Runner group has reached its maximum of runners."));
    }
    world.move_runner(runner, id);
    Ok(Answer::no_content())
}

/// The runner isn't deleted: it goes to the Default group.
pub(super) fn remove_runner(world: &mut World, request: &Request) -> Outcome {
    let (id, runner) = (own(world, request)?, runner(world, request)?);
    if world.runner(runner).is_none_or(|found| found.group != id) {
        return Err(Answer::not_found());
    }
    world.move_runner(runner, DEFAULT_GROUP);
    Ok(Answer::no_content())
}
