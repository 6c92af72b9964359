//! Who somebody is, the organisation, and its teams.

use serde_json::{Value, json};

use crate::access;
use crate::actor::Actor;
use crate::answer::{Answer, Outcome};
use crate::paging::page_of;
use crate::payload;
use crate::request::Request;
use crate::world::{MembershipState, OrgRole, Role, Team, TokenKind, User, UserId, World};

/// A list without a count, with its links.
pub(super) fn listed(items: Vec<Value>, link: Option<String>) -> Answer {
    let answer = Answer::ok(Value::Array(items));
    match link {
        Some(link) => answer.with_header("link", &link),
        None => answer,
    }
}

pub(super) fn own_user(world: &mut World, request: &Request) -> Outcome {
    let Actor::User { id, kind, scopes, .. } = &request.actor else { return Err(Answer::not_found()) };
    let user = world.user(*id).ok_or_else(Answer::not_found)?;
    let scoped = matches!(kind, TokenKind::Classic | TokenKind::OAuth);
    let private = scoped && scopes.iter().any(|scope| scope == "user");
    Ok(Answer::ok(payload::full_user(&request.base, user, private)))
}

/// An account by its number, whatever its login is by now.
pub(super) fn user_by_number(world: &mut World, request: &Request) -> Outcome {
    let user = world.user(UserId(request.number("account_id")?)).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(payload::full_user(&request.base, user, false)))
}

pub(super) fn organization(world: &mut World, request: &Request) -> Outcome {
    let found = world.organization(request.param("org")).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(payload::organization(&request.base, found)))
}

fn user<'w>(world: &'w World, request: &Request) -> Result<&'w User, Answer> {
    world.user_by_login(request.param("username")).ok_or_else(Answer::not_found)
}

pub(super) fn organization_membership(world: &mut World, request: &Request) -> Outcome {
    let user = user(world, request)?;
    user.role.ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(payload::organization_membership(&request.base, &world.org, user)))
}

/// Secret teams exist for their members, for owners, and for Apps that may read members.
fn can_see(world: &World, actor: &Actor, team: &Team) -> bool {
    match actor {
        Actor::User { id, .. } if team.secret => {
            let owner = world.user(*id).is_some_and(|user| user.role == Some(OrgRole::Owner));
            owner || world.membership(team.id, *id).is_some()
        }
        _ => true,
    }
}

fn team<'w>(world: &'w World, request: &Request) -> Result<&'w Team, Answer> {
    let found =
        world.team_by_slug(request.param("team_slug")).filter(|team| can_see(world, &request.actor, team));
    found.ok_or_else(Answer::not_found)
}

pub(super) fn list(world: &mut World, request: &Request) -> Outcome {
    // None of these teams is the enterprise's.
    let ours = request.query_value("team_type").as_deref() != Some("enterprise");
    let visible = |team: &&Team| ours && can_see(world, &request.actor, team);
    let seen: Vec<&Team> = world.teams.all.values().filter(visible).collect();
    let page = page_of(request, seen.len(), seen.iter());
    let shown = page.items.iter().map(|team| payload::team(&request.base, world, team)).collect();
    Ok(listed(shown, page.link))
}

pub(super) fn get(world: &mut World, request: &Request) -> Outcome {
    let found = team(world, request)?;
    Ok(Answer::ok(payload::team_full(&request.base, world, found)))
}

pub(super) fn membership(world: &mut World, request: &Request) -> Outcome {
    let team = team(world, request)?;
    let user = user(world, request)?;
    let (place, _) = world.membership(team.id, user.id).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(payload::team_membership(&request.base, world, team, user, place)))
}

pub(super) fn members(world: &mut World, request: &Request) -> Outcome {
    let team = team(world, request)?;
    let wanted = match request.query_value("role").as_deref() {
        None | Some("all") => None,
        Some("member") => Some(Role::Member),
        Some("maintainer") => Some(Role::Maintainer),
        Some(_) => return Err(Answer::invalid("Invalid role")),
    };
    let members: Vec<_> = world
        .members_of(team.id)
        .into_iter()
        .filter(|(_, place, _)| place.state == MembershipState::Active)
        .filter(|(_, place, _)| wanted.is_none_or(|role| role == place.role))
        .collect();
    let page = page_of(request, members.len(), members.iter());
    let show = |(id, place, inherited): &(_, crate::world::Membership, bool)| {
        Some(payload::team_member(&request.base, world, world.user(*id)?, place.role, *inherited))
    };
    Ok(listed(page.items.into_iter().filter_map(show).collect(), page.link))
}

pub(super) fn repositories(world: &mut World, request: &Request) -> Outcome {
    let team = team(world, request)?;
    let all = world.teams.repositories_of(team.id);
    let seen: Vec<_> = all
        .iter()
        .filter_map(|(id, permission)| Some((world.repository(*id)?, *permission)))
        .filter(|(repository, _)| access::can_see(world, &request.actor, repository))
        .collect();
    let page = page_of(request, seen.len(), seen.iter());
    let shown = page.items.iter().map(|(repository, permission)| {
        payload::team_repository(&request.base, world, repository, *permission, true)
    });
    Ok(listed(shown.collect(), page.link))
}

/// 204 says yes; the repository itself comes only to those who ask for it by media type.
pub(super) fn repository(world: &mut World, request: &Request) -> Outcome {
    let team = team(world, request)?;
    let found = world.repositories.by_name(request.param("owner"), request.param("repo"));
    let found = found.filter(|repository| access::can_see(world, &request.actor, repository));
    let found = found.ok_or_else(Answer::not_found)?;
    let permission = world.teams.permission_on(team.id, found.id).ok_or_else(Answer::not_found)?;
    let wants_it = request.header_values("accept").any(|accept| {
        accept.contains("vnd.github.v3.repository+json") || accept.contains("vnd.github.repository+json")
    });
    if !wants_it {
        return Ok(Answer::no_content());
    }
    Ok(Answer::ok(payload::team_repository(&request.base, world, found, permission, false)))
}

/// A list with its count, in the field `name`.
pub(super) fn counted(name: &str, total: usize, items: Vec<Value>) -> Value {
    let mut body = json!({"total_count": total});
    body[name] = Value::Array(items);
    body
}
