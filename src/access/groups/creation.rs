//! How a group comes to be a team's when it is created: what GitHub is about to be asked is kept first, so that a group
//! whose response was lost is found again, and nobody else's is taken for it.

use super::by_record::ByRecord;
use super::{GroupError, Groups, Kind, ManagedGroup, managed};
use crate::access::{Authority, ManagedTeam};
use crate::domain::ids::GroupId;
use crate::domain::record::{GroupRecord, PendingCreation, RecordOrigin};
use crate::domain::template::GroupName;
use crate::github::{Error, RunnerGroup};
use crate::store::Added;

/// For so many seconds after it was begun, a creation whose outcome is unknown may still be settled.
const PENDING_FOR: u64 = 600;

/// The right to ask GitHub for a team's group, once.
#[derive(Debug)]
pub struct Creation {
    name: GroupName,
    /// Kept in the store; none without one.
    pending: Option<PendingCreation>,
    /// An earlier one of the team, whose outcome is unknown.
    earlier: Option<PendingCreation>,
}

/// What came of the beginning of a creation.
#[derive(Debug)]
pub enum Begun {
    /// GitHub can be asked.
    Now(Creation),
    /// An earlier creation, whose response was lost, made the group.
    Before(ManagedGroup),
}

/// What came of looking for the group of a creation with an unknown outcome.
#[derive(Debug)]
pub enum Settled {
    /// It is there, and the team's from now on.
    Now(ManagedGroup),
    /// It isn't there yet.
    NotYet,
    /// Nothing is pending any more.
    Over,
}

impl Creation {
    /// The name that the group is to have.
    pub fn name(&self) -> &GroupName {
        &self.name
    }

    /// What is kept of it as long as its outcome is unknown.
    pub fn pending(&self) -> Option<&PendingCreation> {
        self.pending.as_ref()
    }
}

impl Groups {
    /// Begins to create the team's group.
    ///
    /// # Errors
    /// The team has a group, or may have none of this name; or what is about to be done can't be kept.
    pub async fn begin(&self, authority: &Authority) -> Result<Begun, GroupError> {
        let team = authority.team();
        let name = team.group().clone();
        match &self.kind {
            Kind::Disabled => Err(GroupError::Disabled),
            _ if name.is_default() => Err(GroupError::Protected),
            Kind::Named(_) => Ok(Begun::Now(Creation { name, pending: None, earlier: None })),
            Kind::Recorded(recorded) => Box::pin(self.begin_recorded(recorded, team)).await,
        }
    }

    async fn begin_recorded(&self, recorded: &ByRecord, team: &ManagedTeam) -> Result<Begun, GroupError> {
        self.require_records_writable()?;
        let records = &recorded.records;
        if records.of_team(team.id()).await?.is_some() {
            return Err(self.recorded_already(recorded, team).await);
        }
        let earlier = records.pending(team.id()).await?;
        // Always listed anew: any group that is there now was not made by what follows.
        let groups = self.list().await?;
        if let Some(earlier) = &earlier
            && let Some(group) = self.settle_from(recorded, earlier, &groups).await?
        {
            return Ok(Begun::Before(group));
        }
        let name = team.group();
        if groups.iter().any(|group| name.is(&group.name)) {
            if let Some(earlier) = &earlier {
                records.store().end_creation(earlier).await?;
            }
            return Err(GroupError::NameTaken);
        }
        let Some(largest_group) = groups.iter().map(|group| group.id).max() else {
            return Err(Error::unexpected("the list of runner groups is empty; it lacks Default").into());
        };
        let pending = PendingCreation {
            team: team.id(),
            name: name.as_str().to_owned(),
            largest_group,
            begun_at: self.clock.unix_seconds(),
        };
        records.store().begin_creation(&pending).await?;
        Ok(Begun::Now(Creation { name: name.clone(), pending: Some(pending), earlier }))
    }

    /// GitHub created the group: it is the team's from now on.
    ///
    /// # Errors
    /// It can't be recorded, or the team got another meanwhile.
    pub async fn made(&self, creation: &Creation, group: &RunnerGroup) -> Result<(), GroupError> {
        match (&self.kind, &creation.pending) {
            (Kind::Recorded(recorded), Some(pending)) => {
                recorded.remember(group).await;
                let record = self.record_of(pending, group);
                let added = match recorded.records.settle(pending, &record).await? {
                    Some(added) => added,
                    // Another request of the team began meanwhile; this group is the team's all the same.
                    None => recorded.records.add(&record).await?,
                };
                own(added, group.id)
            }
            (Kind::Named(named), _) => {
                named.remember(group).await;
                Ok(())
            }
            (Kind::Recorded(_) | Kind::Disabled, _) => Err(GroupError::Disabled),
        }
    }

    /// GitHub says that the name is taken: by the group of an earlier creation that shows only now, or by another group,
    /// which the error is about.
    ///
    /// # Errors
    /// It is another group.
    pub async fn taken(
        &self,
        creation: &Creation,
        authority: &Authority,
    ) -> Result<ManagedGroup, GroupError> {
        self.give_up(creation).await;
        match (&self.kind, &creation.earlier) {
            (Kind::Recorded(recorded), Some(earlier)) => {
                // It was replaced by the one that is given up.
                recorded.records.store().begin_creation(earlier).await?;
                match self.settle(earlier).await? {
                    Settled::Now(group) => return Ok(group),
                    Settled::NotYet | Settled::Over => recorded.records.store().end_creation(earlier).await?,
                }
            }
            (Kind::Recorded(_) | Kind::Named(_) | Kind::Disabled, _) => {}
        }
        let is_named = matches!(self.kind, Kind::Named(_));
        Err(match self.find(authority).await {
            Err(GroupError::Protected) if is_named => GroupError::Protected,
            Ok(_) => GroupError::Exists,
            Err(_) => GroupError::NameTaken,
        })
    }

    /// Nothing was created.
    pub async fn give_up(&self, creation: &Creation) {
        if let (Some(records), Some(pending)) = (self.records(), &creation.pending)
            && let Err(error) = records.store().end_creation(pending).await
        {
            // It ends by itself, see `PENDING_FOR`.
            tracing::warn!(%error, "a creation that came to nothing is still kept as pending");
        }
    }

    /// Looks for the group that a creation with an unknown outcome may have made, and gives it to the team: a group of
    /// exactly that name, newer than the creation, for selected repositories, with nothing in it yet.
    ///
    /// # Errors
    /// GitHub or the store can't be asked.
    pub async fn settle(&self, creation: &PendingCreation) -> Result<Settled, GroupError> {
        let Kind::Recorded(recorded) = &self.kind else { return Ok(Settled::Over) };
        let pending = recorded.records.pending(creation.team).await?;
        if pending.as_ref() != Some(creation) {
            return Ok(Settled::Over);
        }
        if creation.begun_at + PENDING_FOR < self.clock.unix_seconds() {
            recorded.records.store().end_creation(creation).await?;
            return Ok(Settled::Over);
        }
        let groups = self.list().await?;
        Ok(self.settle_from(recorded, creation, &groups).await?.map_or(Settled::NotYet, Settled::Now))
    }

    async fn settle_from(
        &self,
        recorded: &ByRecord,
        creation: &PendingCreation,
        groups: &[RunnerGroup],
    ) -> Result<Option<ManagedGroup>, GroupError> {
        if creation.begun_at + PENDING_FOR < self.clock.unix_seconds() {
            return Ok(None);
        }
        let made = groups.iter().find(|group| {
            group.name == creation.name && group.id > creation.largest_group && group.visibility == "selected"
        });
        let Some(group) = made else { return Ok(None) };
        let proof = managed(group);
        if proof.is_err() || !self.is_empty(group.id).await? {
            return Ok(None);
        }
        match recorded.records.settle(creation, &self.record_of(creation, group)).await? {
            Some(added) => own(added, group.id)?,
            None => return Ok(None),
        }
        recorded.remember(group).await;
        proof.map(Some)
    }

    async fn is_empty(&self, group: GroupId) -> Result<bool, GroupError> {
        let reads = (self.github.group_repositories(group), self.github.group_runners(group));
        let (repositories, runners) = futures_util::future::try_join(reads.0, reads.1).await?;
        Ok(repositories.is_empty() && runners.is_empty())
    }

    fn record_of(&self, creation: &PendingCreation, group: &RunnerGroup) -> GroupRecord {
        GroupRecord {
            team: creation.team,
            group: group.id,
            name: group.name.clone(),
            origin: RecordOrigin::Made,
            at: self.clock.unix_seconds(),
        }
    }

    /// The team has a record. Whether GitHub still has the group is looked at, so that a record without a group is soon
    /// dropped.
    async fn recorded_already(&self, recorded: &ByRecord, team: &ManagedTeam) -> GroupError {
        match recorded.find(team, &self.checks).await {
            Ok(_) | Err(GroupError::Protected) => GroupError::Exists,
            Err(GroupError::NotFound) => GroupError::Gone,
            Err(error) => error,
        }
    }
}

/// Whether this very group is the team's.
fn own(added: Added, group: GroupId) -> Result<(), GroupError> {
    match added {
        Added::Yes => Ok(()),
        Added::TeamHas(had) if had.group == group => Ok(()),
        Added::TeamHas(_) | Added::GroupIsOf(_) => Err(GroupError::Exists),
    }
}
