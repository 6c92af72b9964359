//! Environments of a repository.

use super::repositories;
use crate::answer::{Answer, Outcome};
use crate::payload;
use crate::request::Request;
use crate::world::World;

pub(super) fn get(world: &mut World, request: &Request) -> Outcome {
    let repository = repositories::find(world, request)?;
    let found = world.environment(repository.id, request.param("environment_name"));
    let found = found.ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(payload::environment(&request.base, world, repository, found)))
}
