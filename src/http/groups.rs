//! Handlers of a team's group.

use actix_web::Responder;

use super::ApiError;
use super::envelope::success;
use super::extract::{Authorized, Reaching};
use super::operation_parameters::{GroupDelete, TeamOnly};
use crate::ops::groups::{self, RunnersOfDeleted};

/// What the answer of `add` begins with; the group's name follows.
pub(super) const CREATED: &str = "Runner group created successfully: ";
/// The same of `delete`.
pub(super) const DELETED: &str = "Runner group deleted successfully: ";

pub(super) async fn add(asked: Authorized<TeamOnly>) -> Result<impl Responder, ApiError> {
    let group = groups::add(&asked.state, &asked.authority, &asked.trail).await?;
    Ok(success(format!("{CREATED}{group}")))
}

pub(super) async fn delete(asked: Authorized<GroupDelete>) -> Result<impl Responder, ApiError> {
    let plan = match &asked.parameters {
        GroupDelete { transfer_to: Some(to), .. } => {
            let to = asked.other_team("transfer_to", to).await?;
            RunnersOfDeleted::MovedTo(Box::new(to))
        }
        GroupDelete { remove_runners: true, .. } => RunnersOfDeleted::Removed,
        GroupDelete { .. } => RunnersOfDeleted::MustBeNone,
    };
    let group = groups::delete(&asked.state, &asked.authority, plan, &asked.trail).await?;
    Ok(success(format!("{DELETED}{group}")))
}

pub(super) async fn list(asked: Reaching<TeamOnly>) -> Result<impl Responder, ApiError> {
    let contents = groups::list(&asked.state, &asked.reach, &asked.trail).await?;
    asked.is_done();
    Ok(success(contents))
}
