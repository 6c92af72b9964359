//! One organisation: the connection to GitHub that acts on it, its teams and groups, and the rules of its administrator.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use moka::sync::Cache;
use tokio::sync::RwLock;

use crate::access::{Groups, Teams};
use crate::domain::ids::{GroupId, RunnerId};
use crate::domain::names::{OrgName, TeamSlug};
use crate::domain::pattern::Rules;
use crate::domain::policy::Policy;
use crate::github::Github;

/// Groups that somebody may wait for at once.
const MAX_GROUPS_WAITED_FOR: u64 = 100_000;
/// Runners whose JIT config was handed out that are remembered at once.
const MAX_HANDED_OUT: u64 = 100_000;
/// How long they are remembered: GitHub removes those that don't connect within a day.
const HANDED_OUT_FOR: Duration = Duration::from_hours(24);

/// An organisation, and everything that is known about it.
pub struct Organisation {
    /// Its login.
    pub name: OrgName,
    /// The connection to GitHub, with the credential that acts on it.
    pub github: Arc<Github>,
    /// Which teams its users maintain.
    pub teams: Teams,
    /// Which group is a team's.
    pub groups: Groups,
    /// What the administrator allows.
    pub policy: ArcSwap<Policy>,
    /// The scopes that tokens are handed out for.
    pub scopes: ArcSwap<Rules>,
    /// The team whose active maintainers may act on every managed group.
    pub administrators: Option<TeamSlug>,
    /// Turns with its groups.
    pub turns: Turns,
    /// Runners whose JIT config was handed out here.
    pub handed_out: HandedOut,
}

/// Turns with groups. A lock is held by those who bring runners into a group, and alone by who counts its runners or
/// deletes it.
pub struct Turns(Cache<GroupId, Arc<RwLock<()>>>);

impl Default for Turns {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MAX_GROUPS_WAITED_FOR).build())
    }
}

impl Turns {
    /// The lock of this group.
    pub fn with(&self, group: GroupId) -> Arc<RwLock<()>> {
        self.0.get_with(group, Arc::default)
    }
}

/// Runners whose JIT config was handed out.
pub struct HandedOut(Cache<RunnerId, ()>);

impl Default for HandedOut {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MAX_HANDED_OUT).time_to_live(HANDED_OUT_FOR).build())
    }
}

impl HandedOut {
    /// The config of this runner was handed out.
    pub fn insert(&self, runner: RunnerId) {
        self.0.insert(runner, ());
    }

    /// Whether the config of this runner was handed out.
    pub fn contains(&self, runner: RunnerId) -> bool {
        self.0.contains_key(&runner)
    }
}
