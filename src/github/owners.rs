//! Whether a user owns the organisation.

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
    match outcome {
        Ok(reply) => {
            let membership: OrgMembership = reply.parse()?;
            let is_user = membership.user.is_some_and(|found| found.id == user);
            Ok(is_user && membership.role == "admin" && membership.state == "active")
        }
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}
