//! The records of which group is which team's: read from the store once, then held in memory, so that no request waits
//! for the store to know whose a group is.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use tokio::sync::{Mutex, OnceCell};

use super::GroupError;
use crate::domain::ids::{GroupId, OrganisationId, TeamId};
use crate::domain::record::{GroupRecord, PendingCreation};
use crate::github::Github;
use crate::store::{Added, Store, StoreError};

/// All records.
pub struct Records {
    store: Arc<Store>,
    github: Arc<Github>,
    /// GitHub's address, as the store remembers it.
    api_url: String,
    /// The organisation's id.
    organisation: OnceCell<OrganisationId>,
    /// Set once the store is known to be of this organisation: ids of another's would be of other groups.
    bound: OnceCell<()>,
    /// None until the store was read for the first time.
    image: ArcSwapOption<Image>,
    /// Set when the store may hold what the memory doesn't.
    image_is_stale: AtomicBool,
    /// Held by those who change what is in memory, so that no change is lost to another.
    changing: Mutex<()>,
}

/// The records at one moment, found by either side.
#[derive(Clone, Default)]
struct Image {
    revision: u64,
    by_team: HashMap<TeamId, GroupRecord>,
    teams: HashMap<GroupId, TeamId>,
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
        Self {
            store,
            github,
            api_url,
            organisation: OnceCell::new(),
            bound: OnceCell::new(),
            image: ArcSwapOption::empty(),
            image_is_stale: AtomicBool::new(false),
            changing: Mutex::default(),
        }
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
        let ask = async || self.github.organisation_id().await;
        let organisation = *self.organisation.get_or_try_init(ask).await?;
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

    /// Reads the records again if they have another revision than those in memory. Not before they are needed here.
    ///
    /// # Errors
    /// The store can't be read; what is in memory stays.
    pub async fn follow(&self, revision: u64) -> Result<(), StoreError> {
        match self.image.load_full() {
            Some(image) if image.revision != revision => self.refresh().await,
            Some(_) | None => Ok(()),
        }
    }

    /// Reads what other processes, or nobody here so far, changed.
    ///
    /// # Errors
    /// The store can't be read; what is in memory stays.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let _changing = self.changing.lock().await;
        if let Some(image) = self.image.load_full()
            && self.store.records_revision().await? == image.revision
        {
            self.image_is_stale.store(false, Ordering::Relaxed);
            return Ok(());
        }
        let read = self.store.records().await?;
        self.image_is_stale.store(false, Ordering::Relaxed);
        self.image.store(Some(Arc::new(Image::of(read.revision, read.records))));
        Ok(())
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
        if let Some(image) = self.image.load_full().filter(|_| self.bound.initialized()) {
            let is_stale = self.image_is_stale.load(Ordering::Relaxed);
            // As long as the store fails, what is in memory goes on to count.
            if !is_stale || !self.store.is_good() || Box::pin(self.refresh()).await.is_err() {
                return Ok(image);
            }
        }
        // Boxed, since it happens once.
        Box::pin(async {
            self.bind().await?;
            self.refresh().await?;
            self.image.load_full().ok_or(StoreError::Unavailable("it was not read yet".to_owned()).into())
        })
        .await
    }

    /// Records that a group is a team's, unless either has another record; the record is kept for good when this returns.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn add(&self, record: &GroupRecord) -> Result<Added, StoreError> {
        let write = Box::pin(self.store.add_record(record));
        self.change(write, |image, added| image.note(added, record)).await
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
        self.change(write, note).await
    }

    /// The group is the team's no longer. Whether it was.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn remove(&self, team: TeamId, group: GroupId) -> Result<bool, StoreError> {
        let write = Box::pin(self.store.remove_record(team, group));
        self.change(write, |image, _| image.remove(team, group)).await
    }

    /// What came of a team's creation is not known yet, if anything.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn pending(&self, team: TeamId) -> Result<Option<PendingCreation>, StoreError> {
        Ok(self.store.creations().await?.into_iter().find(|creation| creation.team == team))
    }

    async fn change<T>(
        &self,
        write: impl Future<Output = Result<T, StoreError>>,
        apply: impl FnOnce(&mut Image, &T),
    ) -> Result<T, StoreError> {
        let _changing = self.changing.lock().await;
        // A write whose outcome is lost, or that is given up, may have been done all the same.
        let mut outcome_is_lost = Doubt { image_is_stale: &self.image_is_stale, remains: true };
        let outcome = write.await?;
        outcome_is_lost.remains = false;
        // Its revision stays that of the last reading: the next one finds what others changed meanwhile.
        if let Some(image) = self.image.load_full() {
            let mut image = Image::clone(&image);
            apply(&mut image, &outcome);
            self.image.store(Some(Arc::new(image)));
        }
        Ok(outcome)
    }
}

/// Has the records read again, if it remains.
struct Doubt<'a> {
    image_is_stale: &'a AtomicBool,
    remains: bool,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if self.remains {
            self.image_is_stale.store(true, Ordering::Relaxed);
        }
    }
}
