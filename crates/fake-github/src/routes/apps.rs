//! The App by itself (JWT), and what its installation tokens can say about themselves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::answer::{Answer, Outcome};
use crate::payload;
use crate::request::{Fields, Request};
use crate::world::{Installation, InstallationId, Level, RepoId, Repository, World};

const MOST_REPOSITORIES: usize = 500;

pub(super) fn app(world: &mut World, request: &Request) -> Outcome {
    Ok(Answer::ok(payload::integration(&request.base, world)))
}

fn find<'w>(world: &'w World, request: &Request) -> Result<&'w Installation, Answer> {
    let id = InstallationId(request.number("installation_id")?);
    world.app.installations.get(&id).ok_or_else(Answer::not_found)
}

pub(super) fn installation(world: &mut World, request: &Request) -> Outcome {
    Ok(Answer::ok(payload::installation(&request.base, world, find(world, request)?)))
}

pub(super) fn installation_of(world: &mut World, request: &Request) -> Outcome {
    let found = world.app.on(request.param("org")).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(payload::installation(&request.base, world, found)))
}

/// Mints a token, narrowed to what the body asks for.
pub(super) fn mint(world: &mut World, request: &Request) -> Outcome {
    let installation = find(world, request)?.clone();
    if installation.suspended_at.is_some() {
        return Err(Answer::error(403, "This installation has been suspended"));
    }
    let fields = request.fields()?;
    let permissions = permissions(&installation, &fields)?;
    let repositories = repositories_wanted(world, &installation, &fields)?;
    let minted = world.mint_installation_token(installation.id, permissions, repositories.clone());
    world.hide_new_token(&minted.token);
    let granted = minted.permissions.iter().map(|(name, level)| (name.clone(), json!(level.name())));
    let selection =
        if repositories.is_none() && installation.repositories.is_none() { "all" } else { "selected" };
    let mut body = json!({
        "token": minted.token,
        "expires_at": minted.expires_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        "permissions": granted.collect::<serde_json::Map<_, _>>(),
        "repository_selection": selection,
    });
    if let Some(chosen) = repositories {
        let shown = chosen.iter().filter_map(|id| world.repository(*id));
        body["repositories"] =
            shown.map(|repository| payload::listed_repository(&request.base, world, repository)).collect();
    }
    Ok(Answer::created(body))
}

fn permissions(installation: &Installation, fields: &Fields) -> Result<BTreeMap<String, Level>, Answer> {
    let wanted = match fields.get("permissions") {
        None => return Ok(installation.permissions.clone()),
        Some(Value::Object(wanted)) => wanted,
        Some(_) => return Err(Answer::invalid_field("Installation", "permissions", "is not an object")),
    };
    let mut narrowed = BTreeMap::new();
    for (name, level) in wanted {
        let level = level.as_str().and_then(Level::from_name);
        let level = level.ok_or_else(|| Answer::invalid_field("Installation", name, "is not a level"))?;
        if installation.permissions.get(name).is_none_or(|granted| *granted < level) {
            let message = "The permissions requested are not granted to this installation.";
            return Err(Answer::invalid_field("Installation", name, message).with_message(message));
        }
        narrowed.insert(name.clone(), level);
    }
    // Metadata comes with any other permission, asked for or not.
    narrowed.entry("metadata".to_owned()).or_insert(Level::Read);
    Ok(narrowed)
}

fn repositories_wanted(
    world: &World,
    installation: &Installation,
    fields: &Fields,
) -> Result<Option<BTreeSet<RepoId>>, Answer> {
    let names = fields.texts("repositories")?;
    let numbers = fields.numbers("repository_ids")?;
    if names.is_none() && numbers.is_none() {
        return Ok(None);
    }
    let refused = |what: &str| {
        let message = format!(
            "There is at least one repository that does not exist or is not accessible to the parent installation: {what}"
        );
        Answer::invalid_field("Installation", "repositories", &message).with_message(&message)
    };
    let (names, numbers) = (names.unwrap_or_default(), numbers.unwrap_or_default());
    if names.len() + numbers.len() > MOST_REPOSITORIES {
        return Err(refused("too many"));
    }
    let allowed = |repository: &&Repository| {
        repository.owner.eq_ignore_ascii_case(&installation.account)
            && installation.repositories.as_ref().is_none_or(|chosen| chosen.contains(&repository.id))
    };
    let by_name = names.iter().map(|name| {
        let found = world.repositories.by_name(&installation.account, name).filter(allowed);
        found.map(|repository| repository.id).ok_or_else(|| refused(name))
    });
    let by_number = numbers.iter().map(|number| {
        let found = world.repository(RepoId(*number)).filter(allowed);
        found.map(|repository| repository.id).ok_or_else(|| refused(&number.to_string()))
    });
    by_name.chain(by_number).collect::<Result<_, _>>().map(Some)
}
