//! The schema, and how it came to be: each step is run once, in one transaction with its number.

use super::database::{Connection, Transaction};
use super::error::{SchemaError, StoreError};

/// A step of the schema.
#[derive(Clone, Copy)]
pub(super) struct Migration {
    /// Its number: 1 and up.
    pub(super) version: i64,
    /// The earliest schema whose programs also work with this one: they were written for it and run while it comes, and
    /// may have to come back.
    pub(super) compatible_from: i64,
    /// Statements for both databases.
    pub(super) both: &'static str,
    /// Statements for SQLite alone.
    pub(super) sqlite: &'static str,
    /// Statements for PostgreSQL alone.
    pub(super) postgres: &'static str,
}

/// Every step. A step that was released is never changed.
pub(super) const ALL: &[Migration] = &[
    Migration {
        version: 1,
        compatible_from: 1,
        both: include_str!("migrations/1.sql"),
        sqlite: include_str!("migrations/1.sqlite.sql"),
        postgres: include_str!("migrations/1.postgres.sql"),
    },
    Migration {
        version: 2,
        compatible_from: 1,
        both: "",
        sqlite: "",
        postgres: include_str!("migrations/2.postgres.sql"),
    },
    Migration {
        version: 3,
        compatible_from: 1,
        both: include_str!("migrations/3.sql"),
        sqlite: "",
        postgres: "",
    },
];

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Migrated {
    /// The schema is one that this program works with.
    UpToDate,
    /// It isn't, and was left as it was.
    Refused(SchemaError),
}

/// Any number will do, as long as all versions agree on it: `arm` in ASCII.
const LOCK: i64 = 0x0061_726D;

/// Runs the steps that are missing. One process at a time does: the others wait for it, then find nothing to do.
pub(super) async fn run(transaction: &mut Transaction, steps: &[Migration]) -> Result<Migrated, StoreError> {
    // SQLite's transactions that write exclude each other anyway.
    if let Connection::Postgres(_) = transaction.connection {
        execute!(transaction, "SELECT pg_advisory_xact_lock($1)", LOCK)?;
    }
    transaction
        .run_all("CREATE TABLE IF NOT EXISTS arm_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        .await?;
    let found = number(transaction, "schema_version").await?.unwrap_or(0);
    if let Some(error) = refusal(transaction, steps, found).await? {
        return Ok(Migrated::Refused(error));
    }
    for step in steps.iter().filter(|step| step.version > found) {
        transaction.run_all(step.both).await?;
        transaction.run_all(step.of(&transaction.connection)).await?;
        keep(transaction, "schema_version", &step.version.to_string()).await?;
        keep(transaction, "schema_compatible_from", &step.compatible_from.to_string()).await?;
        keep(transaction, "schema_by", env!("CARGO_PKG_VERSION")).await?;
    }
    Ok(Migrated::UpToDate)
}

/// Why the schema of a server can't be worked with, if so. Changes nothing.
pub(super) async fn look(
    transaction: &mut Transaction,
    steps: &[Migration],
) -> Result<Option<SchemaError>, StoreError> {
    let exists = query!(transaction, fetch_optional(bool,), "SELECT to_regclass('arm_meta') IS NOT NULL")?;
    if exists != Some((true,)) {
        return Ok(None);
    }
    let found = number(transaction, "schema_version").await?.unwrap_or(0);
    refusal(transaction, steps, found).await
}

async fn refusal(
    transaction: &mut Transaction,
    steps: &[Migration],
    found: i64,
) -> Result<Option<SchemaError>, StoreError> {
    let known = steps.last().map_or(0, |step| step.version);
    if found <= known || number(transaction, "schema_compatible_from").await?.unwrap_or(found) <= known {
        return Ok(None);
    }
    let found_by = value(transaction, "schema_by").await?.unwrap_or_default();
    Ok(Some(SchemaError { found, found_by, known }))
}

impl Migration {
    fn of(&self, connection: &Connection) -> &'static str {
        match connection {
            Connection::Sqlite(_) => self.sqlite,
            Connection::Postgres(_) => self.postgres,
        }
    }
}

async fn number(transaction: &mut Transaction, name: &str) -> Result<Option<i64>, StoreError> {
    let value = value(transaction, name).await?;
    let number = value.map(|value| value.parse()).transpose();
    number.map_err(|_| StoreError::Unexpected(format!("arm_meta has no number as {name}")))
}

async fn value(transaction: &mut Transaction, name: &str) -> Result<Option<String>, StoreError> {
    let row =
        query!(transaction, fetch_optional(String,), "SELECT value FROM arm_meta WHERE name = $1", name)?;
    Ok(row.map(|(value,)| value))
}

async fn keep(transaction: &mut Transaction, name: &str, value: &str) -> Result<(), StoreError> {
    let statement = "INSERT INTO arm_meta (name, value) VALUES ($1, $2) \
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    execute!(transaction, statement, name, value).map(drop)
}
