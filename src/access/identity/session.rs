//! Is the login still the user's? Whose a token is is remembered by the user's id for a while, but GitHub is asked about
//! memberships by the login; meanwhile the user may have given it up, and somebody else may have taken it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{CallerToken, Identities};
use crate::access::AccessError;
use crate::domain::ids::UserId;
use crate::domain::names::Login;

/// An identity that was asked for so shortly before is believed. Every first request asks for the membership right after the
/// identity, so that it costs no further call; the two accounts would have to be renamed in between.
const LOGIN_TRUSTED_FOR: Duration = Duration::from_secs(5);

/// What a caller's identity was learnt from, for as long as their request lasts.
pub(in crate::access) struct Session {
    identities: Arc<Identities>,
    token: CallerToken,
    address: IpAddr,
    asked_at: Duration,
}

impl Session {
    pub(super) fn new(
        identities: Arc<Identities>,
        token: CallerToken,
        address: IpAddr,
        asked_at: Duration,
    ) -> Self {
        Self { identities, token, address, asked_at }
    }

    /// Whether the token's user still has this id and login. Unless that is known since a few seconds ago, it costs one
    /// `GET /user`, of the caller's own budget at GitHub, in place of the renewal that the identity needs within
    /// `cache.identity` anyway. A remembered membership and a refusal never get here.
    pub(in crate::access) async fn still_is(&self, id: UserId, login: &Login) -> Result<bool, AccessError> {
        if !self.identities.is_old(self.asked_at) {
            return Ok(true);
        }
        let now = Box::pin(self.identities.renew(&self.token, self.address)).await?;
        Ok(now.id == id && now.login == *login)
    }
}

impl Identities {
    fn is_old(&self, asked_at: Duration) -> bool {
        self.clock.now().saturating_sub(asked_at) > LOGIN_TRUSTED_FOR
    }

    /// The user behind a token as of a few seconds ago at most.
    async fn renew(self: &Arc<Self>, token: &CallerToken, address: IpAddr) -> super::Identity {
        let hash = self.hash(token);
        // Only what is old: another request may have renewed it.
        self.known.forget_if(hash, |user| self.is_old(user.asked_at)).await;
        self.look_up(token, hash, address).await
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("asked_at", &self.asked_at).finish_non_exhaustive()
    }
}
