//! Who acts, as limits and shares are counted for.

use super::entry::EntryId;
use super::ids::{RepositoryId, UserId};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Principal {
    /// The service itself.
    System,
    /// A user, by GitHub's id.
    User(UserId),
    /// Workflows of a repository, by GitHub's id.
    Repository(RepositoryId),
    /// A subject of another issuer: the first bytes of a hash of both.
    Subject(u64),
    /// Whoever holds a team token, by its entry.
    Token(EntryId),
}

impl Principal {
    /// Its kind in a word.
    pub fn kind(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User(_) => "user",
            Self::Repository(_) => "repository",
            Self::Subject(_) => "subject",
            Self::Token(_) => "token",
        }
    }

    /// Which of its kind.
    pub fn number(self) -> u64 {
        match self {
            Self::System => 0,
            Self::User(id) => id.0,
            Self::Repository(id) => id.0,
            Self::Subject(hash) => hash,
            Self::Token(entry) => entry.0,
        }
    }
}
