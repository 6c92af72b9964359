//! Whose a runner group is: by record, since a team's name can change hands.

use super::ids::{GroupId, TeamId};
use super::words::words;

words! {
    /// How a team came to its group.
    pub enum RecordOrigin {
        /// The service made the group for the team.
        Made = "made",
        /// An administrator gave the team a group that existed.
        Adopted = "adopted",
        /// It was read from a file of records.
        Imported = "imported",
    }
}

impl RecordOrigin {
    /// The origin that a word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|origin| origin.as_str() == word)
    }
}

/// That a group is a team's. A team has at most one group, and a group belongs to at most one team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    /// The team.
    pub team: TeamId,
    /// Its group.
    pub group: GroupId,
    /// What the group was called when this was recorded: for people, not for comparing.
    pub name: String,
    /// How the team came to it.
    pub origin: RecordOrigin,
    /// When it was recorded, in seconds since 1970.
    pub at: u64,
}

/// A group that GitHub was, or is about to be, asked to make, and whose outcome is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingCreation {
    /// The team that it is for.
    pub team: TeamId,
    /// What it is to be called.
    pub name: String,
    /// The largest id of a group known before: the new one's is larger.
    pub largest_group: GroupId,
    /// When the creation began, in seconds since 1970.
    pub begun_at: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_reads_back_from_its_word() {
        for origin in RecordOrigin::ALL {
            assert_eq!(RecordOrigin::parse(origin.as_str()), Some(*origin));
        }
        assert_eq!(RecordOrigin::parse("stolen"), None);
    }
}
