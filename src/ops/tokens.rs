//! Tokens that register and remove runners. They are organisation-wide on GitHub's side, so the
//! administrator can switch them off.

use super::{Error, Refusal, write};
use crate::access::Authority;
use crate::audit::Trail;
use crate::github::RunnerToken;
use crate::state::Shared;

/// A registration token. The team's group need not exist.
pub async fn register(state: &Shared, _authority: &Authority, trail: &Trail) -> Result<RunnerToken, Error> {
    if !state.policy.load().registration_tokens {
        return Err(Error::DeniedByPolicy(Refusal::RegistrationTokens));
    }
    let shared = state.clone();
    write(state, trail, Box::pin(async move { Ok(shared.github.registration_token().await?) })).await
}

/// A removal token. The team's group need not exist.
pub async fn remove(state: &Shared, _authority: &Authority, trail: &Trail) -> Result<RunnerToken, Error> {
    if !state.policy.load().removal_tokens {
        return Err(Error::DeniedByPolicy(Refusal::RemovalTokens));
    }
    let shared = state.clone();
    write(state, trail, Box::pin(async move { Ok(shared.github.removal_token().await?) })).await
}
