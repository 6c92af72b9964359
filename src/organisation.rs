//! One organisation: the connection to GitHub that acts on it, its teams and groups, and the rules of its administrator.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use moka::sync::Cache;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::access::{Administrators, Entries, Groups, Members, Records, Teams};
use crate::clock::Clock;
use crate::domain::entry::EntryId;
use crate::domain::ids::{GroupId, RunnerId};
use crate::domain::issuer::Issuers;
use crate::domain::names::OrgName;
use crate::domain::pattern::Rules;
use crate::domain::policy::Policy;
use crate::github::{self, Generation, Github};
use crate::replicas::{Replicas, Turns};
use crate::single_flight::SingleFlight;
use crate::store::Store;

/// Runners whose JIT config was handed out that are remembered at once.
const MAX_HANDED_OUT: u64 = 100_000;
/// Runners that are written to, or were moved lately, at once.
const MAX_RUNNER_TURNS: u64 = 100_000;
/// How long it is remembered where a runner was moved: longer than any request works with a list that it read.
const MOVED_REMEMBERED_FOR: Duration = Duration::from_mins(10);
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
    /// Who belongs to it.
    pub members: Arc<Members>,
    /// Which group is a team's.
    pub groups: Groups,
    /// Records of which group is whose, which also know whether the store is this organisation's; none without a store.
    pub records: Option<Arc<Records>>,
    /// What outlives the process; none if the administrator set up no store.
    pub store: Option<Arc<Store>>,
    /// What the administrator allows.
    pub policy: ArcSwap<Policy>,
    /// The scopes that tokens are handed out for.
    pub scopes: ArcSwap<Rules>,
    /// What callers may do who are no users.
    pub entries: Arc<Entries>,
    /// Whose OIDC tokens are accepted.
    pub issuers: ArcSwap<Issuers>,
    /// Who may act on every managed group.
    pub administrators: Administrators,
    /// Whether a group may be used that an owner opened to all repositories.
    pub allow_open_groups: bool,
    /// The time that it goes by.
    pub clock: Clock,
    /// What is being made to be shown, for all who asked for the same.
    pub views: SingleFlight<ViewKey, Result<Bytes, github::Error>>,
    /// The processes that serve it together.
    pub replicas: Arc<Replicas>,
    /// Turns with its groups, and with teams whose group is created.
    pub turns: Turns,
    /// Turns with its runners.
    pub runner_turns: RunnerTurns,
    /// Runners whose JIT config was handed out here.
    pub handed_out: HandedOut,
}

/// Something that is shown of a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ViewKey {
    /// The operation that shows it.
    pub operation: &'static str,
    /// Of which group.
    pub group: GroupId,
    /// As of this time, or later.
    pub generation: Generation,
    /// What was selected.
    pub selected: String,
}

/// Turns with single runners. Whoever has one knows where this process moved the runner lately, and that nobody else here moves
/// or removes it meanwhile.
pub struct RunnerTurns(Cache<RunnerId, Arc<Mutex<Option<Moved>>>>);

/// Where this process moved a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// The group that it was moved into.
    pub to: GroupId,
    /// When the move had ended, on the organisation's clock.
    pub at: Duration,
    /// Whether GitHub said so. Otherwise the answer was lost, and it may have stayed.
    pub is_confirmed: bool,
}

impl Default for RunnerTurns {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MAX_RUNNER_TURNS).time_to_idle(MOVED_REMEMBERED_FOR).build())
    }
}

impl RunnerTurns {
    /// Waits for the turn with this runner.
    pub async fn turn_with(&self, runner: RunnerId) -> OwnedMutexGuard<Option<Moved>> {
        self.0.get_with(runner, Arc::default).lock_owned().await
    }
}

/// Runners whose JIT config was handed out, and by which access entry.
pub struct HandedOut(Cache<RunnerId, Option<EntryId>>);

impl Default for HandedOut {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MAX_HANDED_OUT).time_to_live(HANDED_OUT_FOR).build())
    }
}

impl HandedOut {
    /// The config of this runner was handed out.
    pub fn insert(&self, runner: RunnerId, entry: Option<EntryId>) {
        self.0.insert(runner, entry);
    }

    /// Whether it was handed out by this access entry.
    pub fn is_of(&self, runner: RunnerId, entry: EntryId) -> bool {
        self.0.get(&runner).flatten() == Some(entry)
    }

    /// Whether the config of this runner was handed out.
    pub fn contains(&self, runner: RunnerId) -> bool {
        self.0.contains_key(&runner)
    }
}
