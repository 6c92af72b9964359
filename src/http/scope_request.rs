//! From a request of the token proxy to a proof: token, limits, caller, team if one is named, scope, policy.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::body::read;
use super::error::ApiError;
use super::extract::{Entrance, note, slug};
use super::parameters::malformed;
use crate::access::{ScopeAuthority, ScopeHolder};
use crate::audit::Trail;
use crate::domain::scope::Scope;
use crate::state::Shared;

/// A request for a token of a scope, by somebody who may have it.
pub(super) struct ScopeRequest {
    /// The shared parts.
    pub(super) state: Shared,
    /// For which scope.
    pub(super) authority: ScopeAuthority,
    /// What the audit line will say.
    pub(super) trail: Trail,
}

impl FromRequest for ScopeRequest {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let entrance = Entrance::of(&request)?;
            let caller = entrance.authenticate(&request).await?;
            let mut parameters = read(&entrance, &request, payload).await?;
            let Entrance { state, trail, .. } = entrance;
            let maintainer = match parameters.optional_text("team")? {
                None => None,
                Some(team) => {
                    let slug = slug(&team, &trail)?;
                    let maintainer = state.teams.maintainer(&caller, &slug).await?;
                    note(&trail, maintainer.team());
                    Some(maintainer)
                }
            };
            let scope = parameters.required_text("scope")?;
            let scope = Scope::parse(&scope, state.github.org())
                .map_err(|error| malformed("scope", &scope, &error.to_string()))?;
            parameters.nothing_else()?;
            trail.note(|record| record.repositories = vec![scope.to_string()]);
            let holder = match &maintainer {
                None => ScopeHolder::by_own_right(&state.github, &caller, &scope).await?,
                Some(maintainer) => ScopeHolder::by_team(&state.github, maintainer, &scope).await?,
            };
            if let Some(maintainer) = maintainer {
                maintainer.under(&state.policy.load())?;
            }
            let authority = holder.under(&state.scopes.load())?;
            Ok(Self { state, authority, trail })
        })
    }
}
