//! From the `Authorization` header of a request to who is asking.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

use crate::actor::Actor;
use crate::answer::Answer;
use crate::request::Request;
use crate::world::{Holder, InstallationId, Level, World};

/// The longest life of an App's JWT, in seconds.
const LONGEST_JWT: i64 = 600;
/// How far in the future a JWT may say it was made, in seconds.
const JWT_FROM_THE_FUTURE: i64 = 60;

/// Finds out who sent a request.
pub(crate) fn identify(world: &World, request: &Request) -> Result<Actor, Answer> {
    let headers: Vec<&str> = request.header_values("authorization").collect();
    let header = match headers[..] {
        [] => return Ok(Actor::Anonymous),
        [one] => one,
        _ => return Err(Answer::error(400, "Bad Request")),
    };
    let (scheme, secret) = header.trim().split_once(' ').unwrap_or(("", header));
    let (scheme, secret) = (scheme.to_ascii_lowercase(), secret.trim());
    if !matches!(scheme.as_str(), "bearer" | "token") {
        return Err(bad_credentials());
    }
    match world.people.tokens.get(secret) {
        Some(holder) => holder_of(world, holder),
        None if scheme == "bearer" && looks_like_jwt(secret) => app_of(world, secret),
        None => Err(bad_credentials()),
    }
}

fn bad_credentials() -> Answer {
    Answer::error(401, "Bad credentials")
}

fn looks_like_jwt(secret: &str) -> bool {
    secret.starts_with("ey") && secret.split('.').count() == 3
}

fn holder_of(world: &World, holder: &Holder) -> Result<Actor, Answer> {
    match holder {
        Holder::User { user, kind, scopes, permissions } => {
            let account = world.user(*user).ok_or_else(bad_credentials)?;
            if account.suspended {
                return Err(Answer::error(403, "Sorry. Your account was suspended."));
            }
            let (scopes, permissions) = (scopes.clone(), permissions.clone());
            Ok(Actor::User { id: *user, kind: *kind, scopes, permissions })
        }
        Holder::Installation(held) => {
            let found = world.app.installations.get(&held.installation).ok_or_else(bad_credentials)?;
            let now = world.now();
            if held.expires_at <= now || held.works_from.is_some_and(|from| now < from) {
                return Err(bad_credentials());
            }
            if found.suspended_at.is_some() {
                return Err(Answer::error(403, "This installation has been suspended"));
            }
            let mut permissions = held.permissions.clone();
            permissions
                .retain(|name, level| found.permissions.get(name).is_some_and(|granted| granted >= level));
            let repositories = held.repositories.clone().or_else(|| found.repositories.clone());
            let account = found.account.clone();
            Ok(Actor::Installation { id: found.id, account, permissions, repositories, actions: false })
        }
        Holder::Actions { repository } => {
            let permissions = ["contents", "metadata"].map(|name| (name.to_owned(), Level::Read)).into();
            Ok(Actor::Installation {
                id: InstallationId(0),
                account: world.org_login().to_owned(),
                permissions,
                repositories: Some(repository.iter().copied().collect()),
                actions: true,
            })
        }
    }
}

#[derive(Deserialize)]
struct Claims {
    /// The App's number, or its client id.
    iss: serde_json::Value,
    iat: i64,
    exp: i64,
}

fn app_of(world: &World, jwt: &str) -> Result<Actor, Answer> {
    let undecodable = || Answer::error(401, "A JSON web token could not be decoded");
    let mut rules = Validation::new(Algorithm::RS256);
    rules.validate_exp = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    let key = DecodingKey::from_rsa_der(&world.app.public_key);
    let claims = decode::<Claims>(jwt, &key, &rules).map_err(|_| undecodable())?.claims;
    let issuer = claims.iss.as_str().map_or_else(|| claims.iss.to_string(), ToOwned::to_owned);
    if issuer != world.app.id.to_string() && issuer != crate::payload::client_id(world) {
        return Err(Answer::error(401, "Integration not found"));
    }
    let now = (chrono::Utc::now() + world.app.clock_skew).timestamp();
    if claims.exp <= now {
        return Err(Answer::error(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        ));
    }
    if claims.exp > now + LONGEST_JWT {
        return Err(Answer::error(401, "'Expiration time' claim ('exp') is too far in the future"));
    }
    if claims.iat > now + JWT_FROM_THE_FUTURE {
        return Err(Answer::error(
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        ));
    }
    Ok(Actor::App)
}
