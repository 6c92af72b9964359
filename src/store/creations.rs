//! Groups that GitHub is asked to make: kept until their outcome is known, so that a group is nobody's for a moment only.

use super::Store;
use super::error::StoreError;
use super::records::{self, Added, id, to_signed};
use crate::domain::ids::{GroupId, TeamId};
use crate::domain::record::{GroupRecord, PendingCreation};

/// This very creation: a later one of the team has another beginning.
const DELETE: &str =
    "DELETE FROM arm_creations WHERE team = $1 AND name = $2 AND largest_group = $3 AND begun_at = $4";

impl Store {
    /// All creations whose outcome is not known, by team.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn creations(&self) -> Result<Vec<PendingCreation>, StoreError> {
        let mut transaction = self.database.read().await?;
        let rows = query!(
            &mut transaction,
            fetch_all(i64, String, i64, i64),
            "SELECT team, name, largest_group, begun_at FROM arm_creations ORDER BY team"
        )?;
        transaction.commit().await?;
        let creation = |(team, name, largest_group, begun_at)| {
            let (team, largest_group) = (TeamId(id(team)?), GroupId(id(largest_group)?));
            Ok(PendingCreation { team, name, largest_group, begun_at: id(begun_at)? })
        };
        rows.into_iter().map(creation).collect()
    }

    /// Keeps that GitHub is about to be asked; in place of an earlier creation for the team.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn begin_creation(&self, creation: &PendingCreation) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        let upsert = "INSERT INTO arm_creations (team, name, largest_group, begun_at) VALUES ($1, $2, $3, $4) \
                      ON CONFLICT (team) DO UPDATE SET name = excluded.name, largest_group = excluded.largest_group, \
                      begun_at = excluded.begun_at";
        let (team, name) = (to_signed(creation.team.0)?, creation.name.as_str());
        let (largest, begun_at) = (to_signed(creation.largest_group.0)?, to_signed(creation.begun_at)?);
        execute!(&mut transaction, upsert, team, name, largest, begun_at)?;
        transaction.commit().await
    }

    /// This creation is pending no more; a later one of the team stays.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn end_creation(&self, creation: &PendingCreation) -> Result<(), StoreError> {
        let (team, name) = (to_signed(creation.team.0)?, creation.name.as_str());
        let (largest, begun_at) = (to_signed(creation.largest_group.0)?, to_signed(creation.begun_at)?);
        let mut transaction = self.database.write().await?;
        execute!(&mut transaction, DELETE, team, name, largest, begun_at)?;
        transaction.commit().await
    }

    /// Ends the creation and adds the record of the group that it made: both, or none if the creation is not pending any
    /// more, or contradicts a record. That the record is there already ends the creation as well.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn settle_creation(
        &self,
        creation: &PendingCreation,
        record: &GroupRecord,
    ) -> Result<Option<Added>, StoreError> {
        let (team, name) = (to_signed(creation.team.0)?, creation.name.as_str());
        let (largest, begun_at) = (to_signed(creation.largest_group.0)?, to_signed(creation.begun_at)?);
        let mut transaction = self.change_records().await?;
        if execute!(&mut transaction, DELETE, team, name, largest, begun_at)? == 0 {
            return Ok(None);
        }
        let added = records::add(&mut transaction, record).await?;
        match &added {
            Added::TeamHas(other) if other.group != record.group => return Ok(Some(added)),
            Added::GroupIsOf(_) => return Ok(Some(added)),
            Added::Yes | Added::TeamHas(_) => {}
        }
        transaction.commit().await?;
        Ok(Some(added))
    }
}
