//! Handlers of the runners in a team's group.

use actix_web::Responder;
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiError;
use super::envelope::success;
use super::extract::{Authorized, Reaching};
use super::operation_parameters::{JitConfig, RunnersRemove, RunnersTransfer};
use crate::ops::jit;
use crate::ops::runners::{self, Filter, RunnerView, Skipped, Touched};

/// A JIT config on its way to the caller: the one place where it is text again.
#[derive(Serialize, ToSchema)]
#[schema(as = JitConfig)]
pub(super) struct JitAnswer {
    /// The runner; it exists, offline, from now on.
    runner: RunnerView,
    /// A secret: what `run.sh --jitconfig` takes.
    #[schema(min_length = 1)]
    encoded_jit_config: String,
}

/// The runners that fit.
#[derive(Serialize, ToSchema)]
#[schema(as = RunnerList)]
pub(super) struct ListAnswer {
    runners: Vec<RunnerView>,
}

/// What became of the runners that were meant.
#[derive(Serialize, ToSchema)]
#[schema(as = RemovedRunners)]
pub(super) struct RemoveAnswer {
    /// Those that were removed, or would be with `dry_run`.
    removed: Vec<Touched>,
    /// Those that were left alone.
    skipped: Vec<Skipped>,
}

/// What became of the runners that were meant.
#[derive(Serialize, ToSchema)]
#[schema(as = TransferredRunners)]
pub(super) struct TransferAnswer {
    /// Those that are in the other group now.
    transferred: Vec<Touched>,
    /// Those that were left alone.
    skipped: Vec<Skipped>,
}

pub(super) async fn jit_config(asked: Authorized<JitConfig>) -> Result<impl Responder, ApiError> {
    let JitConfig(wanted) = asked.parameters;
    let granted = jit::generate(&asked.state, &asked.authority, wanted, &asked.trail).await?;
    let encoded_jit_config = granted.config.expose_secret().to_owned();
    Ok(success(JitAnswer { runner: granted.runner, encoded_jit_config }))
}

pub(super) async fn list(asked: Reaching<Filter>) -> Result<impl Responder, ApiError> {
    let runners = runners::list(&asked.state, &asked.reach, &asked.parameters, &asked.trail).await?;
    asked.is_done();
    Ok(success(ListAnswer { runners }))
}

pub(super) async fn remove(asked: Reaching<RunnersRemove>) -> Result<impl Responder, ApiError> {
    let RunnersRemove { selection, dry_run } = &asked.parameters;
    asked.trail.note(|record| record.dry_run = *dry_run);
    let outcome = runners::remove(&asked.state, &asked.reach, selection, *dry_run, &asked.trail).await?;
    asked.is_done();
    Ok(success(RemoveAnswer { removed: outcome.done, skipped: outcome.skipped }))
}

pub(super) async fn transfer(asked: Authorized<RunnersTransfer>) -> Result<impl Responder, ApiError> {
    let RunnersTransfer { to, selection } = &asked.parameters;
    let to = asked.other_team("to", to).await?;
    let outcome = runners::transfer(&asked.state, &asked.authority, &to, selection, &asked.trail).await?;
    Ok(success(TransferAnswer { transferred: outcome.done, skipped: outcome.skipped }))
}
