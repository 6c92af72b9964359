//! How long what GitHub answered may be used again.

use std::time::Duration;

/// The `cache` section: for how long each kind of answer is kept; zero keeps nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheTtls {
    /// Whose a token is.
    pub identity: Duration,
    /// That a token is refused.
    pub refused_identity: Duration,
    /// A team's id and canonical slug.
    pub team: Duration,
    /// That a user maintains a team.
    pub membership: Duration,
    /// That a user doesn't.
    pub refused_membership: Duration,
    /// A group's id, before it is checked again.
    pub group: Duration,
}
