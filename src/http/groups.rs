//! Handlers of a team's group.

use actix_web::Responder;

use super::extract::{Authorized, TeamOnly};
use super::{ApiError, success};
use crate::ops::groups;

pub(super) async fn add(asked: Authorized<TeamOnly>) -> Result<impl Responder, ApiError> {
    let group = groups::add(&asked.state, &asked.authority, &asked.trail).await?;
    Ok(success(format!("Runner group created successfully: {group}")))
}

pub(super) async fn delete(asked: Authorized<TeamOnly>) -> Result<impl Responder, ApiError> {
    let group = groups::delete(&asked.state, &asked.authority, &asked.trail).await?;
    Ok(success(format!("Runner group deleted successfully: {group}")))
}

pub(super) async fn list(asked: Authorized<TeamOnly>) -> Result<impl Responder, ApiError> {
    Ok(success(groups::list(&asked.state, &asked.authority, &asked.trail).await?))
}
