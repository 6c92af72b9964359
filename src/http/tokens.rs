//! Handlers of the tokens that register and remove runners.

use actix_web::Responder;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::extract::Authorized;
use super::operation_parameters::TeamOnly;
use super::{ApiError, success};
use crate::github::RunnerToken;
use crate::ops::tokens;

/// A token on its way to the caller: the one place where it is text again.
#[derive(Serialize)]
struct TokenAnswer {
    token: String,
    expires_at: String,
}

impl From<RunnerToken> for TokenAnswer {
    fn from(granted: RunnerToken) -> Self {
        Self { token: granted.token.expose_secret().to_owned(), expires_at: granted.expires_at }
    }
}

pub(super) async fn register(asked: Authorized<TeamOnly>) -> Result<impl Responder, ApiError> {
    let token = tokens::register(&asked.state, &asked.authority, &asked.trail).await?;
    Ok(success(TokenAnswer::from(token)))
}

pub(super) async fn remove(asked: Authorized<TeamOnly>) -> Result<impl Responder, ApiError> {
    let token = tokens::remove(&asked.state, &asked.authority, &asked.trail).await?;
    Ok(success(TokenAnswer::from(token)))
}
