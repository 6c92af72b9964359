//! Entries as the store keeps them: added and removed, and when they were used last.

use std::collections::HashMap;
use std::sync::PoisonError;

use super::index::Index;
use super::{Entries, Stored};
use crate::access::mirror::Source;
use crate::access::{AccessError, Records};
use crate::domain::entry::{AccessEntry, EntryId};
use crate::domain::ids::TeamId;
use crate::store::StoreError;

impl Entries {
    /// Adds an entry, unless the team has as many as it may. Whether it was added.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn add(&self, entry: &AccessEntry) -> Result<bool, AccessError> {
        let records = self.bound().await?.ok_or_else(no_store)?;
        let write = records.store().add_access_entry(entry);
        let note = |image: &mut Stored, added: &bool| {
            if *added {
                image.entries.insert(entry.clone());
            }
        };
        Ok(self.stored.change(Box::pin(write), note).await?)
    }

    /// Removes an entry of a team. Whether it was there.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn remove(&self, team: TeamId, entry: EntryId) -> Result<bool, AccessError> {
        let records = self.bound().await?.ok_or_else(no_store)?;
        let write = records.store().remove_access_entry(team, entry);
        Ok(self.stored.change(Box::pin(write), |image, _| image.entries.remove(team, entry)).await?)
    }

    /// Removes all entries of a team that is gone. How many there were.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn remove_team(&self, team: TeamId) -> Result<u64, AccessError> {
        let records = self.bound().await?.ok_or_else(no_store)?;
        let write = records.store().remove_access_entries(team);
        Ok(self.stored.change(Box::pin(write), |image, _| image.entries.remove_team(team)).await?)
    }

    /// When entries of a team were used last, in seconds since 1970; while the store fails, as far as is known here.
    pub async fn uses(&self, team: TeamId) -> HashMap<EntryId, u64> {
        let told = match self.records.as_ref().filter(|records| records.is_usable()) {
            Some(records) => records.store().access_uses(team).await,
            None => Ok(HashMap::new()),
        };
        let mut uses = told.unwrap_or_else(|error| {
            tracing::debug!(%error, "when access entries were used can't be read");
            HashMap::new()
        });
        let here = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        for (entry, at) in here.iter() {
            let latest = uses.entry(*entry).or_default();
            *latest = (*at).max(*latest);
        }
        uses
    }

    /// Has the store know when its entries were used last. While it fails, they wait.
    ///
    /// # Errors
    /// It can't be written; it is told with the next ones.
    pub async fn tell_uses(&self) -> Result<(), StoreError> {
        let Some(records) = self.records.as_ref().filter(|records| records.is_usable()) else {
            return Ok(());
        };
        // What the administrator configured is not in the store, so its uses are kept here alone.
        let configured = self.configured.load_full();
        let uses: Vec<_> = {
            let here = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
            let of_store = here.iter().filter(|(entry, _)| configured.get(**entry).is_none());
            of_store.map(|(entry, at)| (*entry, *at)).collect()
        };
        if uses.is_empty() {
            return Ok(());
        }
        records.store().note_access_uses(&uses).await?;
        let mut here = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        for (entry, told) in uses {
            if here.get(&entry) == Some(&told) {
                here.remove(&entry);
            }
        }
        Ok(())
    }

    async fn bound(&self) -> Result<Option<&Records>, AccessError> {
        let Some(records) = &self.records else { return Ok(None) };
        Box::pin(records.bind()).await?;
        Ok(Some(records))
    }
}

impl Source<Stored> for Records {
    async fn revision(&self) -> Result<u64, StoreError> {
        self.store().access_revision().await
    }

    async fn read(&self) -> Result<Stored, StoreError> {
        let read = self.store().access_entries().await?;
        Ok(Stored { revision: read.revision, entries: Index::of(read.entries) })
    }

    fn is_good(&self) -> bool {
        self.store().is_good()
    }
}

fn no_store() -> StoreError {
    StoreError::Unavailable("there is none".to_owned())
}
