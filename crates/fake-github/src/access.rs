//! What somebody may do: each route names what it needs, and this decides.

use crate::actor::Actor;
use crate::answer::Answer;
use crate::request::Request;
use crate::world::{Level, OrgRole, Permission, RepoId, RepoVisibility, Repository, TokenKind, World};

/// What a route needs from its caller.
#[derive(Clone, Copy)]
pub(crate) enum Needs {
    /// Nothing at all.
    Nothing,
    /// A user.
    Person,
    /// The App itself, by JWT.
    App,
    /// A permission in the organisation of the path.
    Organization(&'static str, Level),
    /// A permission on the repository of the path.
    Repository(&'static str, Level),
}

/// Refuses a caller who lacks what the route needs.
pub(crate) fn authorize(world: &World, needs: Needs, request: &Request) -> Result<(), Answer> {
    let actor = &request.actor;
    match needs {
        Needs::Nothing => Ok(()),
        Needs::App => match actor {
            Actor::App => Ok(()),
            _ => Err(Answer::error(401, "A JSON web token could not be decoded")),
        },
        Needs::Person => match actor {
            Actor::User { .. } => Ok(()),
            Actor::Installation { .. } => Err(not_by_integration(None)),
            Actor::Anonymous => Err(unauthenticated()),
            Actor::App => Err(Answer::error(401, "Bad credentials")),
        },
        Needs::Organization(name, level) => in_organization(world, request, name, level),
        Needs::Repository(name, level) => on_repository(world, request, name, level),
    }
}

fn unauthenticated() -> Answer {
    Answer::error(401, "Requires authentication")
}

fn not_by_integration(needed: Option<(&str, Level)>) -> Answer {
    let answer = Answer::error(403, "Resource not accessible by integration");
    match needed {
        Some((name, level)) => {
            answer.with_header("x-accepted-github-permissions", &format!("{name}={}", level.name()))
        }
        None => answer,
    }
}

fn in_organization(world: &World, request: &Request, name: &str, level: Level) -> Result<(), Answer> {
    let org = world.organization(request.param("org"));
    match &request.actor {
        Actor::Anonymous => Err(unauthenticated()),
        Actor::App => Err(Answer::error(401, "Bad credentials")),
        Actor::Installation { account, permissions, .. } => {
            let ours = org.is_some_and(|org| org.login.eq_ignore_ascii_case(account));
            if !ours {
                return Err(Answer::not_found());
            }
            let held = permissions.get(name).is_some_and(|held| *held >= level);
            if held { Ok(()) } else { Err(not_by_integration(Some((name, level)))) }
        }
        Actor::User { id, .. } => {
            let ours = org.is_some_and(|org| org.id == world.org_id());
            let role = world.user(*id).and_then(|user| user.role).filter(|_| ours);
            let role = role.ok_or_else(Answer::not_found)?;
            let (scope, enough) = match name {
                "members" => ("read:org", true),
                _ => ("admin:org", role == OrgRole::Owner),
            };
            token_allows(world, request, name, level, scope)?;
            if enough { Ok(()) } else { Err(Answer::error(403, "Must have admin rights to Organization.")) }
        }
    }
}

/// Whether a user's token, apart from the user, may be used for this.
fn token_allows(
    world: &World,
    request: &Request,
    name: &str,
    level: Level,
    scope: &str,
) -> Result<(), Answer> {
    let Actor::User { kind, scopes, permissions, .. } = &request.actor else { return Ok(()) };
    match kind {
        TokenKind::Classic | TokenKind::OAuth => {
            let org_scope =
                |held: &String| held == "admin:org" || (scope == "read:org" && held == "write:org");
            if scopes.iter().any(|held| held == scope || (scope.ends_with(":org") && org_scope(held))) {
                return Ok(());
            }
            let message = format!("This API operation needs the \"{scope}\" scope.");
            Err(Answer::error(403, &message).with_header("x-accepted-oauth-scopes", &scope))
        }
        TokenKind::FineGrained => {
            if name == "metadata" || permissions.get(name).is_some_and(|held| *held >= level) {
                return Ok(());
            }
            let accepted = format!("{name}={}", level.name());
            let answer = Answer::error(403, "Resource not accessible by personal access token");
            Err(answer.with_header("x-accepted-github-permissions", &accepted))
        }
        TokenKind::AppUser => {
            let granted = world.app.on(world.org_login()).map(|installation| &installation.permissions);
            let held = granted.and_then(|granted| granted.get(name)).is_some_and(|held| *held >= level);
            if held { Ok(()) } else { Err(not_by_integration(Some((name, level)))) }
        }
    }
}

/// The repository of the path, by number or by name, whoever may see it.
pub(crate) fn repository_of<'w>(world: &'w World, request: &Request) -> Option<&'w Repository> {
    match request.param("repository_id") {
        "" => world.repositories.by_name(request.param("owner"), request.param("repo")),
        number => world.repository(RepoId(number.parse().ok()?)),
    }
}

fn on_repository(world: &World, request: &Request, name: &str, level: Level) -> Result<(), Answer> {
    let Some(repository) = repository_of(world, request) else {
        // A handler tells apart what never existed and what was renamed.
        return if matches!(request.actor, Actor::Anonymous) { Err(Answer::not_found()) } else { Ok(()) };
    };
    // Whoever can read a repository can read this of it, and everybody can read a public one.
    let readable = name == "metadata" || (name == "actions" && level == Level::Read);
    let open = readable && repository.visibility == RepoVisibility::Public;
    if !can_see(world, &request.actor, repository) {
        return Err(Answer::not_found());
    }
    match &request.actor {
        Actor::App => Err(Answer::error(401, "Bad credentials")),
        Actor::Anonymous if open => Ok(()),
        Actor::Anonymous => Err(unauthenticated()),
        Actor::Installation { permissions, .. } => {
            let held = permissions.get(name).is_some_and(|held| *held >= level);
            if held || open { Ok(()) } else { Err(not_by_integration(Some((name, level)))) }
        }
        Actor::User { id, .. } => {
            if open {
                return Ok(());
            }
            token_allows(world, request, name, level, "repo")?;
            if readable || world.permission_of(*id, repository.id) == Some(Permission::Admin) {
                Ok(())
            } else {
                Err(Answer::error(403, "Must have admin rights to Repository."))
            }
        }
    }
}

/// Whether a repository exists for somebody; 404 otherwise.
pub(crate) fn can_see(world: &World, actor: &Actor, repository: &Repository) -> bool {
    if repository.visibility == RepoVisibility::Public {
        return true;
    }
    match actor {
        Actor::Anonymous | Actor::App => false,
        Actor::Installation { account, repositories, .. } => {
            repository.owner.eq_ignore_ascii_case(account)
                && repositories.as_ref().is_none_or(|chosen| chosen.contains(&repository.id))
        }
        Actor::User { id, .. } => world.permission_of(*id, repository.id).is_some(),
    }
}
