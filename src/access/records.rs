//! The records of which group is which team's: read from the store once, then held in memory, so that no request waits
//! for the store to know whose a group is.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::GroupError;
use super::mirror::{Mirror, Source};
use crate::domain::ids::{GroupId, TeamId};
use crate::domain::record::{GroupRecord, PendingCreation};
use crate::github::Github;
use crate::store::{Added, Store, StoreError};

/// All records.
pub struct Records {
    store: Arc<Store>,
    github: Arc<Github>,
    /// GitHub's address, as the store remembers it.
    api_url: String,
    /// Set once the store is known to be of this organisation: ids of another's would be of other groups.
    bound: OnceCell<()>,
    image: Mirror<Image>,
}

/// The records at one moment, found by either side.
#[derive(Clone, Default)]
struct Image {
    revision: u64,
    by_team: HashMap<TeamId, GroupRecord>,
    teams: HashMap<GroupId, TeamId>,
}

impl super::mirror::Image for Image {
    fn revision(&self) -> u64 {
        self.revision
    }
}

impl Image {
    fn of(revision: u64, records: Vec<GroupRecord>) -> Self {
        let mut image = Self { revision, ..Self::default() };
        for record in records {
            image.insert(record);
        }
        image
    }

    fn insert(&mut self, record: GroupRecord) {
        self.teams.insert(record.group, record.team);
        self.by_team.insert(record.team, record);
    }

    /// What the store said to a record.
    fn note(&mut self, added: &Added, record: &GroupRecord) {
        self.insert(match added {
            Added::Yes => record.clone(),
            Added::TeamHas(there) | Added::GroupIsOf(there) => there.clone(),
        });
    }

    fn remove(&mut self, team: TeamId, group: GroupId) {
        if self.by_team.get(&team).is_some_and(|record| record.group == group) {
            self.by_team.remove(&team);
            self.teams.remove(&group);
        }
    }
}

impl Records {
    /// The records of this store. Nothing is read yet.
    pub fn new(store: Arc<Store>, github: Arc<Github>, api_url: String) -> Self {
        Self { store, github, api_url, bound: OnceCell::new(), image: Mirror::default() }
    }

    /// Makes sure that the store is this organisation's.
    ///
    /// # Errors
    /// It is another's, or it can't be found out at the moment.
    pub async fn bind(&self) -> Result<(), GroupError> {
        if self.bound.initialized() {
            return Ok(());
        }
        // Nobody waits for a store that is known to fail.
        if !self.store.is_good() {
            return Err(StoreError::Unavailable("it fails at the moment".to_owned()).into());
        }
        let organisation = self.github.organisation_id().await?;
        let bind = async || {
            let outcome = self.store.bind(&self.api_url, organisation.0).await;
            if let Err(error @ StoreError::OtherGithub { .. }) = &outcome {
                tracing::error!(%error, "the store can't be used");
            }
            Ok::<_, GroupError>(outcome?)
        };
        self.bound.get_or_try_init(bind).await.copied()
    }

    /// Where they are kept.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Whether the store is known to be this organisation's.
    pub fn is_bound(&self) -> bool {
        self.bound.initialized()
    }

    /// Whether it is, and works as far as is known.
    pub fn is_usable(&self) -> bool {
        self.is_bound() && self.store.is_good()
    }

    /// Reads the records again if they have another revision than those in memory. Not before they are needed here.
    ///
    /// # Errors
    /// The store can't be read; what is in memory stays.
    pub async fn follow(&self, revision: u64) -> Result<(), StoreError> {
        self.image.follow(revision, self).await
    }

    /// Reads what other processes, or nobody here so far, changed.
    ///
    /// # Errors
    /// The store can't be read; what is in memory stays.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.image.refresh(self).await
    }

    /// The record of a team.
    ///
    /// # Errors
    /// The store could not be read since the start, or may be another organisation's.
    pub async fn of_team(&self, team: TeamId) -> Result<Option<GroupRecord>, GroupError> {
        Ok(self.image().await?.by_team.get(&team).cloned())
    }

    /// The team whose group it is.
    ///
    /// # Errors
    /// As [`Records::of_team`].
    pub async fn team_of(&self, group: GroupId) -> Result<Option<TeamId>, GroupError> {
        Ok(self.image().await?.teams.get(&group).copied())
    }

    /// Every record.
    ///
    /// # Errors
    /// As [`Records::of_team`].
    pub async fn all(&self) -> Result<Vec<GroupRecord>, GroupError> {
        Ok(self.image().await?.by_team.values().cloned().collect())
    }

    async fn image(&self) -> Result<Arc<Image>, GroupError> {
        if !self.bound.initialized() {
            // Boxed, since it happens once.
            Box::pin(self.bind()).await?;
        }
        Ok(self.image.image(self).await?)
    }

    /// Records that a group is a team's, unless either has another record; the record is kept for good when this returns.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn add(&self, record: &GroupRecord) -> Result<Added, StoreError> {
        let write = Box::pin(self.store.add_record(record));
        self.image.change(write, |image, added| image.note(added, record)).await
    }

    /// The same for the group that a pending creation made; nothing if that is pending no more.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn settle(
        &self,
        creation: &PendingCreation,
        record: &GroupRecord,
    ) -> Result<Option<Added>, StoreError> {
        let write = Box::pin(self.store.settle_creation(creation, record));
        let note = |image: &mut Image, added: &Option<Added>| {
            if let Some(added) = added {
                image.note(added, record);
            }
        };
        self.image.change(write, note).await
    }

    /// The group is the team's no longer. Whether it was.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn remove(&self, team: TeamId, group: GroupId) -> Result<bool, StoreError> {
        let write = Box::pin(self.store.remove_record(team, group));
        self.image.change(write, |image, _| image.remove(team, group)).await
    }

    /// What came of a team's creation is not known yet, if anything.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn pending(&self, team: TeamId) -> Result<Option<PendingCreation>, StoreError> {
        Ok(self.store.creations().await?.into_iter().find(|creation| creation.team == team))
    }
}

impl Source<Image> for Records {
    async fn revision(&self) -> Result<u64, StoreError> {
        self.store.records_revision().await
    }

    async fn read(&self) -> Result<Image, StoreError> {
        let read = self.store.records().await?;
        Ok(Image::of(read.revision, read.records))
    }

    fn is_good(&self) -> bool {
        self.store.is_good()
    }
}
