//! Handlers of the tokens that register and remove runners: through v1, and as the stand-alone token proxy did.

use actix_web::{HttpResponse, Responder};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiError;
use super::envelope::success;
use super::extract::Authorized;
use super::operation_parameters::MaybeRepo;
use super::scope_request::ScopeRequest;
use crate::github::RunnerToken;
use crate::ops::tokens::{self, Purpose};

/// A token on its way to the caller: the one place where it is text again.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(super) struct TokenAnswer {
    /// A secret.
    #[schema(min_length = 1)]
    token: String,
    /// When it is no longer good for anything, as GitHub says it: an hour from now.
    #[schema(examples("2026-11-21T13:00:00Z"))]
    expires_at: String,
}

impl From<RunnerToken> for TokenAnswer {
    fn from(granted: RunnerToken) -> Self {
        Self { token: granted.token.expose_secret().to_owned(), expires_at: granted.expires_at }
    }
}

pub(super) async fn register(asked: Authorized<MaybeRepo>) -> Result<impl Responder, ApiError> {
    through_v1(asked, Purpose::Register).await
}

pub(super) async fn remove(asked: Authorized<MaybeRepo>) -> Result<impl Responder, ApiError> {
    through_v1(asked, Purpose::Remove).await
}

async fn through_v1(asked: Authorized<MaybeRepo>, purpose: Purpose) -> Result<HttpResponse, ApiError> {
    let Authorized { state, authority, parameters: MaybeRepo(repo), trail } = asked;
    let token = match repo {
        None => tokens::for_team(&state, &authority, purpose, &trail).await?,
        Some(name) => {
            trail.note(|record| record.repositories = vec![name.to_string()]);
            let holder = authority.over_repository(&state.github, state.github.org(), &name).await?;
            let authority = holder.under(&state.scopes.load())?;
            tokens::for_scope(&state, &authority, purpose, &trail).await?
        }
    };
    Ok(success(TokenAnswer::from(token)))
}

pub(super) async fn proxy_register(asked: ScopeRequest) -> Result<impl Responder, ApiError> {
    as_proxy(asked, Purpose::Register).await
}

pub(super) async fn proxy_remove(asked: ScopeRequest) -> Result<impl Responder, ApiError> {
    as_proxy(asked, Purpose::Remove).await
}

/// Without an envelope, as the stand-alone proxy answered.
async fn as_proxy(asked: ScopeRequest, purpose: Purpose) -> Result<HttpResponse, ApiError> {
    let token = tokens::for_scope(&asked.state, &asked.authority, purpose, &asked.trail).await?;
    Ok(HttpResponse::Ok().json(TokenAnswer::from(token)))
}
