//! Whether a user owns the organisation, or belongs to it.

use super::call::Call;
use super::error::Error;
use super::reply::Reply;
use super::types::OrgMembership;
use crate::domain::ids::UserId;
use crate::domain::names::{Login, OrgName};
use crate::metrics::CallKind;

/// The call that asks for it.
pub(super) fn call(org: &OrgName, user: &Login) -> Call {
    Call::get(CallKind::OrgMembership, format!("/orgs/{org}/memberships/{user}"))
}

/// Whether its outcome shows an active owner who is this user, whoever has the login now.
pub(super) fn is_owner(outcome: Result<Reply, Error>, user: UserId) -> Result<bool, Error> {
    Ok(active(outcome, user)?.is_some_and(|membership| membership.role == "admin"))
}

/// Whether its outcome shows an active member who is this user.
pub(super) fn is_member(outcome: Result<Reply, Error>, user: UserId) -> Result<bool, Error> {
    Ok(active(outcome, user)?.is_some())
}

fn active(outcome: Result<Reply, Error>, user: UserId) -> Result<Option<OrgMembership>, Error> {
    match outcome {
        Ok(reply) => {
            let membership: OrgMembership = reply.parse()?;
            let is_user = membership.user.as_ref().is_some_and(|found| found.id == user);
            Ok(Some(membership).filter(|membership| is_user && membership.state == "active"))
        }
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
