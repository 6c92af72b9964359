//! Repositories, by name and by number, and what somebody may do with them.

use serde_json::json;

use crate::access;
use crate::answer::{Answer, Outcome};
use crate::payload;
use crate::request::Request;
use crate::world::{Repository, World};

/// The repository of the path, by number or by name; a former name redirects to the number.
pub(super) fn find<'w>(world: &'w World, request: &Request) -> Result<&'w Repository, Answer> {
    let (owner, name) = (request.param("owner"), request.param("repo"));
    let visible = |found: &&Repository| access::can_see(world, &request.actor, found);
    if let Some(found) = access::repository_of(world, request).filter(visible) {
        return Ok(found);
    }
    let moved = world.repositories.by_old_name(owner, name).filter(visible).ok_or_else(Answer::not_found)?;
    let rest = request.path.splitn(5, '/').nth(4).map(|rest| format!("/{rest}")).unwrap_or_default();
    let url = format!("{}/repositories/{}{rest}", request.base, moved.id);
    let body = json!({
        "message": "Moved Permanently",
        "url": url,
        "documentation_url": "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects",
    });
    Err(Answer::json(301, body).with_header("location", &url))
}

pub(super) fn get(world: &mut World, request: &Request) -> Outcome {
    let found = find(world, request)?;
    Ok(Answer::ok(payload::full_repository(&request.base, world, found)))
}

pub(super) fn get_by_number(world: &mut World, request: &Request) -> Outcome {
    let found = find(world, request)?;
    Ok(Answer::ok(payload::full_repository(&request.base, world, found)))
}

pub(super) fn permission(world: &mut World, request: &Request) -> Outcome {
    let repository = find(world, request)?;
    let user = world.user_by_login(request.param("username")).ok_or_else(Answer::not_found)?;
    let permission = world.permission_of(user.id, repository.id);
    let (legacy, role) = permission.map_or(("none", "none"), |held| (held.legacy_name(), held.role_name()));
    let mut shown = payload::simple_user(&request.base, user);
    shown["permissions"] = payload::permission_flags(permission);
    shown["role_name"] = json!(role);
    Ok(Answer::ok(json!({"permission": legacy, "role_name": role, "user": shown})))
}
