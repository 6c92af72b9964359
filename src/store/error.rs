//! What can go wrong with the store. No message holds a secret.

use std::path::PathBuf;

use crate::domain::record::GroupRecord;

/// Why the store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the file.
    #[error(
        "{file} is in use by another process: an SQLite store is for one process at a time; stop the other one, or use \
         PostgreSQL",
        file = file.display()
    )]
    InUse {
        /// The store's file.
        file: PathBuf,
    },
    /// A file can't be used.
    #[error("cannot {what} {file}: {reason}", file = file.display())]
    File {
        /// What can't be done with it.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file is there, and is no store.
    #[error("cannot use {file} as the store: {reason}", file = file.display())]
    NotAStore {
        /// The file.
        file: PathBuf,
        /// What the database said.
        reason: String,
    },
    /// A database holds what can't be understood; for those who only ask, also that a server doesn't let the service in or is
    /// out of reach.
    #[error(transparent)]
    Unreachable(StoreError),
    /// A later version made the schema, and this one doesn't know it.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// The schema is that of a later version that this one can't work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the store has schema {found}, made by version {found_by}; this version, {own}, knows schema {known}: use version \
     {found_by} or later",
    own = env!("CARGO_PKG_VERSION")
)]
pub struct SchemaError {
    /// The schema that the store has.
    pub(super) found: i64,
    /// The version that made it.
    pub(super) found_by: String,
    /// The latest schema that is known here.
    pub(super) known: i64,
}

/// Why something can't be read from the store or written to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store can't be reached, refuses, or takes too long. What was to be written may have been.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// What is in the store can't be understood, or it doesn't accept what should fit.
    #[error("the store doesn't work as expected: {0}")]
    Unexpected(String),
    /// The store is of another organisation, or of one at another GitHub.
    #[error(
        "the store belongs to the organisation with id {kept_organisation} at {kept_url}; this service is configured for the \
         one with id {organisation} at {url}: use a store of its own"
    )]
    OtherGithub {
        /// GitHub's address in the store.
        kept_url: String,
        /// The organisation's id in the store.
        kept_organisation: u64,
        /// The configured address.
        url: String,
        /// The configured organisation's id.
        organisation: u64,
    },
    /// Records contradict each other or those in the store; nothing was imported.
    #[error("{}", list(.0))]
    Contradictions(Vec<Contradiction>),
}

/// Two records that can't both hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "team {} can't have group {}: team {} has group {}",
    imported.team, imported.group, other.team, other.group
)]
pub struct Contradiction {
    /// The record that was to be imported.
    pub imported: GroupRecord,
    /// The one that it contradicts.
    pub other: GroupRecord,
}

fn list(contradictions: &[Contradiction]) -> String {
    let lines: Vec<_> = contradictions.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

/// What comes from a database's driver.
impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(of_database) if is_about_the_data(&**of_database) => {
                Self::Unexpected(of_database.message().to_owned())
            }
            sqlx::Error::Database(of_database) => Self::Unavailable(of_database.message().to_owned()),
            sqlx::Error::PoolTimedOut => {
                Self::Unavailable("it can't be reached, or has no connection free".to_owned())
            }
            sqlx::Error::PoolClosed => Self::Unavailable("it was closed".to_owned()),
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::Decode(_)
            | sqlx::Error::Encode(_)
            | sqlx::Error::RowNotFound
            | sqlx::Error::TypeNotFound { .. } => Self::Unexpected(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// Whether the database refuses a value, rather than the statement or everything.
fn is_about_the_data(error: &dyn sqlx::error::DatabaseError) -> bool {
    // SQLSTATE's class 22 is about values that a type can't hold.
    let is_value = error.code().is_some_and(|code| code.len() == 5 && code.starts_with("22"));
    is_value || !matches!(error.kind(), sqlx::error::ErrorKind::Other)
}
