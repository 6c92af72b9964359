//! Handlers of the repositories in a team's group.

use actix_web::Responder;

use super::ApiError;
use super::envelope::success;
use super::extract::Authorized;
use super::operation_parameters::{AnyRepos, SomeRepos};
use crate::ops::repos::{self, Change};

/// The answer of `add`, and of `set`, too, as in the earlier service.
pub(super) const ADDED: &str = "Successfully added repositories to runner group";
pub(super) const REMOVED: &str = "Successfully removed repositories from runner group";

pub(super) async fn add(asked: Authorized<SomeRepos>) -> Result<impl Responder, ApiError> {
    let SomeRepos(names) = &asked.parameters;
    repos::change(&asked.state, &asked.authority, names, Change::Add, &asked.trail).await?;
    Ok(success(ADDED))
}

pub(super) async fn remove(asked: Authorized<SomeRepos>) -> Result<impl Responder, ApiError> {
    let SomeRepos(names) = &asked.parameters;
    repos::change(&asked.state, &asked.authority, names, Change::Remove, &asked.trail).await?;
    Ok(success(REMOVED))
}

pub(super) async fn set(asked: Authorized<AnyRepos>) -> Result<impl Responder, ApiError> {
    let AnyRepos(names) = &asked.parameters;
    repos::set(&asked.state, &asked.authority, names, &asked.trail).await?;
    Ok(success(ADDED))
}
