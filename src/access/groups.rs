//! Which runner group is the team's? A record in the store says so; without a store, the group's name.

mod by_name;
mod by_record;
mod creation;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use self::by_name::{ByName, index};
use self::by_record::ByRecord;
pub use self::creation::{Begun, Creation, Settled};
use super::records::Records;
use super::{Authority, Oversight, Teams};
use crate::clock::Clock;
use crate::domain::cache_ttls::CacheTtls;
use crate::domain::ids::GroupId;
use crate::github::{Error, Generation, Github, RunnerGroup};
use crate::single_flight::SingleFlight;
use crate::store::StoreError;

/// Groups that are remembered at once.
const MAX_GROUPS: u64 = 100_000;
/// How long a group's id is remembered; it is checked long before, see [`CacheTtls::group`].
const REMEMBERED_FOR: Duration = Duration::from_hours(24);

/// What says which group is a team's.
#[derive(Clone)]
pub enum Ownership {
    /// A record in the store.
    Recorded(Arc<Records>),
    /// The name that the group has, with the team's id in it.
    Named,
    /// The name that the group has, whoever chose it.
    TrustedNames,
    /// Nothing: groups are not managed here.
    Disabled,
}

/// The proof that a runner group is the team's own, and neither Default nor inherited.
#[derive(Debug, Clone)]
pub struct ManagedGroup {
    id: GroupId,
    name: String,
    selected_repositories_only: bool,
}

impl ManagedGroup {
    fn new(group: &RunnerGroup) -> Self {
        Self {
            id: group.id,
            name: group.name.clone(),
            selected_repositories_only: group.visibility == "selected",
        }
    }

    /// GitHub's id of the group.
    pub fn id(&self) -> GroupId {
        self.id
    }

    /// The name as GitHub has it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether only repositories that were selected one by one may use it.
    pub fn selected_repositories_only(&self) -> bool {
        self.selected_repositories_only
    }
}

/// The proof for a group that is a team's, if it may be managed.
fn managed(group: &RunnerGroup) -> Result<ManagedGroup, GroupError> {
    if group.default || group.inherited { Err(GroupError::Protected) } else { Ok(ManagedGroup::new(group)) }
}

/// Why there is no group to manage.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GroupError {
    /// The team has no group.
    #[error("no such group")]
    NotFound,
    /// It is the Default group or one that the enterprise shares.
    #[error("the group is not managed")]
    Protected,
    /// The team has a group already.
    #[error("the team has a group")]
    Exists,
    /// GitHub has a group of that name, which is not the team's.
    #[error("the name is taken")]
    NameTaken,
    /// The team has a record of a group that GitHub doesn't find.
    #[error("the team's recorded group is gone")]
    Gone,
    /// The administrator switched groups off.
    #[error("groups are switched off")]
    Disabled,
    /// The store is needed, and fails.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The call to GitHub failed.
    #[error("GitHub: {0}")]
    Github(#[from] Error),
}

/// Checks groups by their ids. Those who check the same group at once share one call, but nobody joins one that began before
/// a write to the group ended.
struct Checks {
    under_way: SingleFlight<(GroupId, Generation), Result<RunnerGroup, Error>>,
    github: Arc<Github>,
}

impl Checks {
    async fn check(
        &self,
        id: GroupId,
        read: impl Future<Output = Result<RunnerGroup, Error>>,
    ) -> Result<RunnerGroup, Error> {
        let key = (id, self.github.generation(id).await);
        self.under_way.run(key, read).await
    }
}

enum Kind {
    Recorded(ByRecord),
    Named(ByName),
    Disabled,
}

/// The organisation's runner groups, and whose they are.
pub struct Groups {
    kind: Kind,
    /// Whether a name that a maintainer can choose is proof.
    names_are_trusted: bool,
    checks: Checks,
    github: Arc<Github>,
    clock: Clock,
}

impl Groups {
    /// Remembers no group yet.
    pub fn new(ownership: Ownership, ttls: CacheTtls, github: Arc<Github>, clock: Clock) -> Self {
        let names_are_trusted = matches!(ownership, Ownership::TrustedNames);
        let kind = match ownership {
            Ownership::Recorded(records) => Kind::Recorded(ByRecord::new(records, ttls.group, clock.clone())),
            Ownership::Named | Ownership::TrustedNames => {
                Kind::Named(ByName::new(ttls.group, github.clone(), clock.clone()))
            }
            Ownership::Disabled => Kind::Disabled,
        };
        let checks = Checks { under_way: SingleFlight::new(), github: github.clone() };
        Self { kind, names_are_trusted, checks, github, clock }
    }

    /// Whether a name that a maintainer can choose is proof.
    pub fn go_by_trusted_names(&self) -> bool {
        self.names_are_trusted
    }

    /// The records, if they say whose a group is.
    pub fn records(&self) -> Option<&Records> {
        match &self.kind {
            Kind::Recorded(recorded) => Some(&recorded.records),
            Kind::Named(_) | Kind::Disabled => None,
        }
    }

    /// The group of the team that `authority` is about.
    ///
    /// # Errors
    /// It has none, or none that may be managed.
    pub async fn find(&self, authority: &Authority) -> Result<ManagedGroup, GroupError> {
        let team = authority.team();
        match &self.kind {
            Kind::Recorded(recorded) => recorded.find(team, &self.checks).await,
            Kind::Named(_) if team.group().is_default() => Err(GroupError::Protected),
            Kind::Named(named) => named.find(team.group(), &self.checks).await,
            Kind::Disabled => Err(GroupError::Disabled),
        }
    }

    /// The proof for a group that was just read, if it is the team's.
    ///
    /// # Errors
    /// It isn't, or not any more.
    pub async fn confirm(
        &self,
        authority: &Authority,
        now: &RunnerGroup,
    ) -> Result<ManagedGroup, GroupError> {
        let team = authority.team();
        let is_the_teams = match &self.kind {
            Kind::Recorded(recorded) => {
                let record = recorded.records.of_team(team.id()).await?;
                record.is_some_and(|record| record.group == now.id)
            }
            Kind::Named(_) => team.group().is(&now.name),
            Kind::Disabled => return Err(GroupError::Disabled),
        };
        match managed(now) {
            Ok(group) if is_the_teams => Ok(group),
            Ok(_) | Err(_) => Err(GroupError::NotFound),
        }
    }

    /// Every group that belongs to a team; always read from GitHub.
    ///
    /// # Errors
    /// GitHub, or the store, can't be read.
    pub async fn managed(&self, _: &Oversight, teams: &Teams) -> Result<Vec<ManagedGroup>, GroupError> {
        let mut groups = match &self.kind {
            Kind::Recorded(recorded) => {
                let (listed, records) = (self.list().await?, recorded.records.all().await?);
                let ids: HashSet<_> = records.iter().map(|record| record.group).collect();
                let recorded = listed.iter().filter(|group| ids.contains(&group.id));
                recorded.filter_map(|group| managed(group).ok()).collect()
            }
            Kind::Named(_) => {
                let names = teams.group_names().await?;
                let by_name = index(self.list().await?).into_iter();
                let of_teams = by_name.filter(|(key, _)| names.contains(key));
                of_teams.filter_map(|(_, namesakes)| namesakes.require_managed().ok()).collect::<Vec<_>>()
            }
            Kind::Disabled => return Err(GroupError::Disabled),
        };
        groups.sort_by_key(ManagedGroup::id);
        Ok(groups)
    }

    /// The groups of these names (in lower case), also Default and inherited ones: the administrator listed them.
    ///
    /// # Errors
    /// GitHub can't be read.
    pub async fn named(&self, _: &Oversight, names: &HashSet<String>) -> Result<Vec<ManagedGroup>, Error> {
        let groups = self.list().await?;
        Ok(groups
            .iter()
            .filter(|group| names.contains(&group.name.to_lowercase()))
            .map(ManagedGroup::new)
            .collect())
    }

    /// All groups of the organisation, for those who give them to teams.
    ///
    /// # Errors
    /// GitHub can't be read.
    pub async fn all(&self, _: &Oversight) -> Result<Vec<RunnerGroup>, Error> {
        self.list().await
    }

    async fn list(&self) -> Result<Vec<RunnerGroup>, Error> {
        self.github.runner_groups().await
    }

    /// Forgets a team's group that is gone, or that GitHub no longer finds. A record stays.
    pub async fn forget(&self, authority: &Authority) {
        match &self.kind {
            Kind::Recorded(recorded) => recorded.forget(authority.team()).await,
            Kind::Named(named) => named.forget(authority.team().group()).await,
            Kind::Disabled => {}
        }
    }

    /// A team's group was deleted here: it is nobody's any more.
    pub async fn deleted(&self, authority: &Authority, group: GroupId) {
        self.forget(authority).await;
        if let Kind::Recorded(recorded) = &self.kind
            && let Err(error) = recorded.records.remove(authority.team().id(), group).await
        {
            // The watch over records drops it, once the store works again.
            tracing::warn!(%error, group = group.0, "the record of a deleted group could not be dropped");
        }
    }

    /// Refuses what could not be recorded afterwards.
    ///
    /// # Errors
    /// The store fails at the moment.
    pub fn require_records_writable(&self) -> Result<(), GroupError> {
        match self.records() {
            Some(records) if !records.store().is_good() => {
                Err(StoreError::Unavailable("it fails at the moment".to_owned()).into())
            }
            _ => Ok(()),
        }
    }

    /// Waits until GitHub didn't find a recorded group, or didn't since this was last waited for; for ever without records.
    pub async fn missed(&self) {
        match &self.kind {
            Kind::Recorded(recorded) => recorded.missed().await,
            Kind::Named(_) | Kind::Disabled => std::future::pending().await,
        }
    }
}
