//! Self-hosted runners, of the organisation or of one repository: the path decides.

use chrono::TimeDelta;
use serde_json::json;

use super::repositories;
use super::teams::counted;
use crate::answer::{Answer, Outcome};
use crate::paging::page_of;
use crate::payload;
use crate::request::Request;
use crate::world::{RepoId, Runner, RunnerId, RunnerToken, World};

/// The repository that the path is about, or `None` for the organisation.
pub(super) fn scope(world: &World, request: &Request) -> Result<Option<RepoId>, Answer> {
    if request.param("repo").is_empty() {
        return Ok(None);
    }
    repositories::find(world, request).map(|repository| Some(repository.id))
}

/// The runner of the path.
pub(super) fn find<'w>(world: &'w World, request: &Request) -> Result<&'w Runner, Answer> {
    let scope = scope(world, request)?;
    let found = world.runner(RunnerId(request.number("runner_id")?));
    found.filter(|runner| runner.repository == scope).ok_or_else(Answer::not_found)
}

pub(super) fn list(world: &mut World, request: &Request) -> Outcome {
    let scope = scope(world, request)?;
    let wanted = request.query_value("name").filter(|_| world.since(3, 12));
    let of_scope = |runner: &Runner| runner.repository == scope;
    let seen = if let Some(name) = wanted {
        let named = |runner: &Runner| of_scope(runner) && runner.name.eq_ignore_ascii_case(&name);
        let present = world.runners.by_name(scope, &name).map(|runner| runner.id);
        world.listed_runners(present.into_iter(), named)
    } else {
        let present = world.runners().filter(|runner| of_scope(runner)).map(|runner| runner.id);
        world.listed_runners(present, of_scope)
    };
    let page = page_of(request, seen.len(), seen.into_iter());
    let shown = page.items.iter().filter_map(|id| world.listed_runner(*id));
    let shown = shown.map(|runner| payload::runner(world, runner)).collect();
    let answer = Answer::ok(counted("runners", page.total, shown));
    Ok(match page.link {
        Some(link) => answer.with_header("link", &link),
        None => answer,
    })
}

pub(super) fn get(world: &mut World, request: &Request) -> Outcome {
    Ok(Answer::ok(payload::runner(world, find(world, request)?)))
}

pub(super) fn delete(world: &mut World, request: &Request) -> Outcome {
    let runner = find(world, request)?;
    if runner.busy {
        let message = format!("Runner \"{}\" is still running a job", runner.name);
        return Err(Answer::invalid(&message));
    }
    let id = runner.id;
    world.delete_runner_with_lag(id);
    Ok(Answer::no_content())
}

pub(super) fn registration_token(world: &mut World, request: &Request) -> Outcome {
    give_token(world, request, false)
}

pub(super) fn remove_token(world: &mut World, request: &Request) -> Outcome {
    give_token(world, request, true)
}

/// Both kinds are good for an hour and, unlike installation tokens, are dated with an offset.
fn give_token(world: &mut World, request: &Request, removal: bool) -> Outcome {
    let repository = scope(world, request)?;
    let token = world.secrets.runner_token();
    let expires_at = world.now() + TimeDelta::hours(1);
    world.runners.tokens.push(RunnerToken { token: token.clone(), removal, repository, expires_at });
    let offset = chrono::FixedOffset::west_opt(8 * 3600);
    let shown = offset.map_or_else(
        || expires_at.to_rfc3339(),
        |offset| expires_at.with_timezone(&offset).to_rfc3339_opts(chrono::SecondsFormat::Millis, false),
    );
    Ok(Answer::created(json!({"token": token, "expires_at": shown})))
}
