//! Access entries of teams. Changes come one after the other, whatever process makes them, as those of records do.

mod definition;

use std::collections::HashMap;

use self::definition::Definition;
use super::Store;
use super::database::Transaction;
use super::error::StoreError;
use super::records::{id, to_signed};
use crate::domain::entry::{AccessEntry, EntryId, MOST_ENTRIES, Source};
use crate::domain::ids::{TeamId, UserId};

/// All entries, and what they were read as.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEntries {
    /// The revision: as long as the store has no other one, these are the entries.
    pub revision: u64,
    /// The entries.
    pub entries: Vec<AccessEntry>,
}

const SELECT_ALL: &str =
    "SELECT id, team, definition, created_by, created_at, expires_at FROM arm_access ORDER BY created_at, id";
const REVISION: &str = "SELECT value FROM arm_revisions WHERE name = 'access'";
const RAISE_REVISION: &str = "UPDATE arm_revisions SET value = value + 1 WHERE name = 'access'";

type Row = (i64, i64, String, i64, i64, Option<i64>);

impl Store {
    /// All entries. One that can't be understood, perhaps of a later version, is left out: it lets nobody do anything.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn access_entries(&self) -> Result<StoredEntries, StoreError> {
        let mut transaction = self.database.read().await?;
        // The revision first: entries that are newer than it are only read once more.
        let revision = revision(&mut transaction).await?;
        let rows = query!(&mut transaction, fetch_all Row, SELECT_ALL)?;
        transaction.commit().await?;
        let understood = |row: Row| {
            let number = row.0;
            entry(row).inspect_err(|error| {
                let id = EntryId(number.cast_unsigned());
                tracing::error!(%error, %id, "an access entry in the store can't be understood: it counts for nothing");
            })
        };
        let entries = rows.into_iter().filter_map(|row| understood(row).ok()).collect();
        Ok(StoredEntries { revision, entries })
    }

    /// The revision of the entries: another one with every change, by whatever process.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn access_revision(&self) -> Result<u64, StoreError> {
        let mut transaction = self.database.read().await?;
        let revision = revision(&mut transaction).await?;
        transaction.commit().await?;
        Ok(revision)
    }

    /// Adds an entry, unless the team has as many as it may. Whether it was added.
    ///
    /// # Errors
    /// The store is unavailable, or the entry is none that is kept.
    pub async fn add_access_entry(&self, entry: &AccessEntry) -> Result<bool, StoreError> {
        let Source::Store { created_by, created_at, .. } = &entry.source else {
            return Err(StoreError::Unexpected("the administrator's own entries are not kept".to_owned()));
        };
        let mut transaction = self.change_access().await?;
        let team = to_signed(entry.team.0)?;
        // Those that expired don't count; they are shown for a while.
        let count =
            "SELECT COUNT(*) FROM arm_access WHERE team = $1 AND (expires_at IS NULL OR expires_at > $2)";
        let now = to_signed(*created_at)?;
        let there =
            query!(&mut transaction, fetch_optional(i64,), count, team, now)?.map_or(0, |(count,)| count);
        if there >= i64::try_from(MOST_ENTRIES).unwrap_or(i64::MAX) {
            return Ok(false);
        }
        let insert = "INSERT INTO arm_access (id, team, kind, token_hash, definition, created_by, created_at, expires_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let definition = Definition::of(entry);
        let hash = definition.token_hash();
        let text = definition.to_text()?;
        let expires_at = entry.expires_at.map(to_signed).transpose()?;
        execute!(
            &mut transaction,
            insert,
            entry.id.0.cast_signed(),
            team,
            entry.holder.kind().as_str(),
            hash,
            text,
            to_signed(created_by.0)?,
            to_signed(*created_at)?,
            expires_at,
        )?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Removes an entry of a team. Whether it was there.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn remove_access_entry(&self, team: TeamId, entry: EntryId) -> Result<bool, StoreError> {
        let mut transaction = self.change_access().await?;
        let delete = "DELETE FROM arm_access WHERE team = $1 AND id = $2";
        let removed = execute!(&mut transaction, delete, to_signed(team.0)?, entry.0.cast_signed())? > 0;
        if removed {
            transaction.commit().await?;
        }
        Ok(removed)
    }

    /// Removes all entries of a team that is gone. How many.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn remove_access_entries(&self, team: TeamId) -> Result<u64, StoreError> {
        let mut transaction = self.change_access().await?;
        let delete = "DELETE FROM arm_access WHERE team = $1";
        let removed = execute!(&mut transaction, delete, to_signed(team.0)?)?;
        if removed > 0 {
            transaction.commit().await?;
        }
        Ok(removed)
    }

    /// Notes when entries were used last, in seconds since 1970. This is no change of them.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn note_access_uses(&self, uses: &[(EntryId, u64)]) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        let update = "UPDATE arm_access SET last_used_at = $1 WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $1)";
        for (entry, at) in uses {
            execute!(&mut transaction, update, to_signed(*at)?, entry.0.cast_signed())?;
        }
        transaction.commit().await
    }

    /// When a team's entries were used last, as far as that was noted.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn access_uses(&self, team: TeamId) -> Result<HashMap<EntryId, u64>, StoreError> {
        let mut transaction = self.database.read().await?;
        let select = "SELECT id, last_used_at FROM arm_access WHERE team = $1 AND last_used_at IS NOT NULL";
        let rows = query!(&mut transaction, fetch_all(i64, i64), select, to_signed(team.0)?)?;
        transaction.commit().await?;
        rows.into_iter().map(|(entry, at)| Ok((EntryId(entry.cast_unsigned()), id(at)?))).collect()
    }

    /// Begins a change of the entries; it comes after all others that have begun.
    async fn change_access(&self) -> Result<Transaction, StoreError> {
        let mut transaction = self.database.write().await?;
        execute!(&mut transaction, RAISE_REVISION)?;
        Ok(transaction)
    }
}

/// Removes entries that expired before this time, in seconds since 1970.
pub(super) async fn remove_expired(transaction: &mut Transaction, before: i64) -> Result<(), StoreError> {
    let delete = "DELETE FROM arm_access WHERE expires_at IS NOT NULL AND expires_at < $1";
    if execute!(transaction, delete, before)? > 0 {
        execute!(transaction, RAISE_REVISION)?;
    }
    Ok(())
}

async fn revision(transaction: &mut Transaction) -> Result<u64, StoreError> {
    let row = query!(transaction, fetch_optional(i64,), REVISION)?;
    row.map_or_else(
        || Err(StoreError::Unexpected("the access entries have no revision".to_owned())),
        |(value,)| id(value),
    )
}

fn entry((number, team, text, created_by, created_at, expires_at): Row) -> Result<AccessEntry, StoreError> {
    let definition = Definition::from_text(&text)?;
    let (created_by, created_at) = (UserId(id(created_by)?), id(created_at)?);
    let expires_at = expires_at.map(id).transpose()?;
    definition.entry(EntryId(number.cast_unsigned()), TeamId(id(team)?), (created_by, created_at), expires_at)
}
