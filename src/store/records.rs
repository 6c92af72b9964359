//! Which group is whose. Changes come one after the other, whatever process makes them: each raises the records' revision
//! first, and so waits for the one before.

use super::Store;
use super::database::Transaction;
use super::error::{Contradiction, StoreError};
use crate::domain::ids::{GroupId, TeamId};
use crate::domain::record::{GroupRecord, RecordOrigin};

/// All records, and what they were read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// The revision: as long as the store has no other one, these are the records.
    pub revision: u64,
    /// The records, by team.
    pub records: Vec<GroupRecord>,
}

/// Whether a record was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It was.
    Yes,
    /// The team has this group, which may be the very same.
    TeamHas(GroupRecord),
    /// The group is another team's.
    GroupIsOf(GroupRecord),
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Records that were not there before.
    pub added: usize,
    /// Records that were there; they have the name, origin and time of the import now.
    pub replaced: usize,
}

const SELECT_ALL: &str = "SELECT team, group_id, name, origin, at FROM arm_group_records ORDER BY team";
const SELECT_BY_TEAM: &str = "SELECT team, group_id, name, origin, at FROM arm_group_records WHERE team = $1";
const SELECT_BY_GROUP: &str =
    "SELECT team, group_id, name, origin, at FROM arm_group_records WHERE group_id = $1";
const REVISION: &str = "SELECT value FROM arm_revisions WHERE name = 'records'";
const RAISE_REVISION: &str = "UPDATE arm_revisions SET value = value + 1 WHERE name = 'records'";

type Row = (i64, i64, String, String, i64);

impl Store {
    /// All records.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn records(&self) -> Result<Records, StoreError> {
        let mut transaction = self.database.read().await?;
        // The revision first: records that are newer than it are only read once more.
        let revision = revision(&mut transaction).await?;
        let rows = query!(&mut transaction, fetch_all Row, SELECT_ALL)?;
        transaction.commit().await?;
        let records = rows.into_iter().map(record).collect::<Result<_, _>>()?;
        Ok(Records { revision, records })
    }

    /// The revision of the records: another one with every change, by whatever process. A look that costs little.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn records_revision(&self) -> Result<u64, StoreError> {
        let mut transaction = self.database.read().await?;
        let revision = revision(&mut transaction).await?;
        transaction.commit().await?;
        Ok(revision)
    }

    /// Adds a record, unless the team has a group or the group is another team's.
    ///
    /// # Errors
    /// The store is unavailable. The record may have been added all the same: it then is what the team has.
    pub async fn add_record(&self, record: &GroupRecord) -> Result<Added, StoreError> {
        let mut transaction = self.change_records().await?;
        let added = add(&mut transaction, record).await?;
        if added == Added::Yes {
            transaction.commit().await?;
        }
        Ok(added)
    }

    /// Removes the record that the group is the team's. Whether there was one.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn remove_record(&self, team: TeamId, group: GroupId) -> Result<bool, StoreError> {
        let mut transaction = self.change_records().await?;
        let delete = "DELETE FROM arm_group_records WHERE team = $1 AND group_id = $2";
        let removed = execute!(&mut transaction, delete, to_signed(team.0)?, to_signed(group.0)?)? > 0;
        if removed {
            transaction.commit().await?;
        }
        Ok(removed)
    }

    /// Adds records, or replaces those of the same team and group; all of them or none.
    ///
    /// # Errors
    /// [`StoreError::Contradictions`] names all records that contradict each other or those in the store; or it is
    /// unavailable.
    pub async fn import_records(&self, records: &[GroupRecord]) -> Result<Imported, StoreError> {
        let mut transaction = self.change_records().await?;
        let mut imported = Imported { added: 0, replaced: 0 };
        let mut contradictions = Vec::new();
        for record in records {
            let other = match add(&mut transaction, record).await? {
                Added::Yes => {
                    imported.added += 1;
                    continue;
                }
                Added::TeamHas(other) if other.group == record.group => {
                    replace(&mut transaction, record).await?;
                    imported.replaced += 1;
                    continue;
                }
                Added::TeamHas(other) | Added::GroupIsOf(other) => other,
            };
            contradictions.push(Contradiction { imported: record.clone(), other });
        }
        if !contradictions.is_empty() {
            return Err(StoreError::Contradictions(contradictions));
        }
        transaction.commit().await?;
        Ok(imported)
    }

    /// Begins a change of the records; it comes after all others that have begun.
    pub(super) async fn change_records(&self) -> Result<Transaction, StoreError> {
        let mut transaction = self.database.write().await?;
        execute!(&mut transaction, RAISE_REVISION)?;
        Ok(transaction)
    }
}

/// Adds a record within a change of the records.
pub(super) async fn add(transaction: &mut Transaction, record: &GroupRecord) -> Result<Added, StoreError> {
    let (team, group) = (to_signed(record.team.0)?, to_signed(record.group.0)?);
    if let Some(row) = query!(transaction, fetch_optional Row, SELECT_BY_TEAM, team)? {
        return self::record(row).map(Added::TeamHas);
    }
    if let Some(row) = query!(transaction, fetch_optional Row, SELECT_BY_GROUP, group)? {
        return self::record(row).map(Added::GroupIsOf);
    }
    let insert =
        "INSERT INTO arm_group_records (team, group_id, name, origin, at) VALUES ($1, $2, $3, $4, $5)";
    let (name, origin, at) = (record.name.as_str(), record.origin.as_str(), to_signed(record.at)?);
    execute!(transaction, insert, team, group, name, origin, at)?;
    Ok(Added::Yes)
}

async fn replace(transaction: &mut Transaction, record: &GroupRecord) -> Result<(), StoreError> {
    let update = "UPDATE arm_group_records SET name = $1, origin = $2, at = $3 WHERE team = $4";
    let (name, origin, at) = (record.name.as_str(), record.origin.as_str(), to_signed(record.at)?);
    execute!(transaction, update, name, origin, at, to_signed(record.team.0)?).map(drop)
}

async fn revision(transaction: &mut Transaction) -> Result<u64, StoreError> {
    let row = query!(transaction, fetch_optional(i64,), REVISION)?;
    row.map_or_else(
        || Err(StoreError::Unexpected("the records have no revision".to_owned())),
        |(value,)| id(value),
    )
}

fn record((team, group, name, origin, at): Row) -> Result<GroupRecord, StoreError> {
    let unknown =
        || StoreError::Unexpected(format!("the record of team {team} has the unknown origin {origin:?}"));
    let origin = RecordOrigin::parse(&origin).ok_or_else(unknown)?;
    Ok(GroupRecord { team: TeamId(id(team)?), group: GroupId(id(group)?), name, origin, at: id(at)? })
}

/// A number as the database has it.
pub(super) fn to_signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Unexpected(format!("{number} is too large a number")))
}

/// A number of the database as what it stands for.
pub(super) fn id(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Unexpected(format!("{number} is negative")))
}
