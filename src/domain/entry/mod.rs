//! Access entries: what a team's maintainers, or the administrator, let callers do who are no users.

mod conditions;
pub mod configured;
pub mod fields;
mod request;
mod team_token;

use std::fmt;
use std::time::Duration;

pub use self::conditions::{
    ActionsConditions, ClaimCondition, DEFAULT_EVENTS, RunnerEnvironment, SubjectConditions,
};
pub use self::request::{ActionsRequest, EntryFields, EntryRequest, HolderRequest};
pub use self::team_token::{TeamToken, TokenHash};
use super::ids::{TeamId, UserId};
use super::names::{Label, Login, TeamSlug};
use super::pattern::Pattern;
use super::words::words;

/// Entries that a team may have.
pub const MOST_ENTRIES: usize = 100;
/// Characters of a value.
pub const LONGEST_VALUE: usize = 1_000;
/// JIT configs in an hour, if the entry doesn't say.
pub const DEFAULT_PER_HOUR: u32 = 60;
/// After so long a team token expires, if its entry doesn't say.
pub const TOKEN_EXPIRES_IN: Duration = Duration::from_hours(24 * 90);

/// An entry's id: 16 hexadecimal digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(pub u64);

impl EntryId {
    /// The form of an id.
    pub const EXPECTED: &'static str = "an entry's id: 16 of 0-9 a-f";
    /// The same as a regular expression, not anchored.
    pub const PATTERN: &'static str = "[0-9a-f]{16}";

    /// Takes the text of an id.
    pub fn parse(text: &str) -> Option<Self> {
        let are_digits =
            text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        are_digits.then(|| u64::from_str_radix(text, 16).ok()).flatten().map(Self)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// An entry.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessEntry {
    /// Its id.
    pub id: EntryId,
    /// Whose group it is about, by id.
    pub team: TeamId,
    /// The slug that the team had when it was last looked at.
    pub team_slug: TeamSlug,
    /// Whom it lets act.
    pub holder: Holder,
    /// What they may do.
    pub operations: Vec<EntryOperation>,
    /// Labels that they may ask for.
    pub labels: Vec<Pattern>,
    /// JIT configs that they may have in an hour.
    pub per_hour: u32,
    /// What its maker wrote beside it.
    pub note: Option<String>,
    /// Who made it, and when.
    pub source: Source,
    /// Until when it is good: seconds since 1970.
    pub expires_at: Option<u64>,
}

/// Who made an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A maintainer of the team; it is kept in the store.
    Store {
        /// The maintainer.
        created_by: UserId,
        /// The login that they had.
        login: Login,
        /// When: seconds since 1970.
        created_at: u64,
    },
    /// The administrator, in the configuration.
    Configuration,
}

/// Why the administrator doesn't allow an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryRefusal {
    /// `policy.access.operations` lacks it.
    #[error("the operation {0} is not among `policy.access.operations`")]
    Operation(EntryOperation),
    /// `policy.access.maxAge` is shorter.
    #[error("an entry is good for {} days at most", .0.as_secs() / 86_400)]
    MaxAge(Duration),
    /// The issuer's `teams` lack the team.
    #[error("the issuer {0} is not for this team")]
    Team(String),
    /// The issuer's `subjects` lack it.
    #[error("the subject is not among those of the issuer {0}")]
    Subject(String),
}

/// Whom an entry lets act.
#[derive(Debug, Clone, PartialEq)]
pub enum Holder {
    /// Runs of GitHub Actions.
    GithubActions(ActionsConditions),
    /// Holders of a token of another issuer.
    Oidc(SubjectConditions),
    /// Whoever holds the team token with this hash.
    Token(TokenHash),
}

words! {
    /// A kind of entry.
    pub enum EntryKind {
        /// Runs of GitHub Actions.
        GithubActions = "github-actions",
        /// Tokens of another issuer.
        Oidc = "oidc",
        /// A team token.
        Token = "token",
    }
}

words! {
    /// An operation that an entry can hold.
    #[expect(missing_docs, reason = "each says which operation it is")]
    pub enum EntryOperation {
        JitconfigGenerate = "jitconfig-generate",
        Demand = "demand",
        Diagnose = "diagnose",
        RunnersList = "runners-list",
        RunnersRemove = "runners-remove",
        GroupList = "group-list",
        GroupShow = "group-show",
        ReposAdd = "repos-add",
        ReposRemove = "repos-remove",
    }
}

impl EntryOperation {
    /// What entries may hold unless the administrator says otherwise.
    pub const DEFAULT: [Self; 7] = [
        Self::JitconfigGenerate,
        Self::Demand,
        Self::Diagnose,
        Self::RunnersList,
        Self::RunnersRemove,
        Self::GroupList,
        Self::GroupShow,
    ];

    /// Takes the operation's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|operation| operation.as_str() == name).copied()
    }
}

impl EntryKind {
    /// Takes the kind's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|kind| kind.as_str() == name).copied()
    }
}

impl Holder {
    /// Its kind.
    pub fn kind(&self) -> EntryKind {
        match self {
            Self::GithubActions(_) => EntryKind::GithubActions,
            Self::Oidc(_) => EntryKind::Oidc,
            Self::Token(_) => EntryKind::Token,
        }
    }
}

impl AccessEntry {
    /// Whether it expired.
    pub fn is_over(&self, now: u64) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// When it was made: seconds since 1970. What the administrator configured is older than all else.
    pub fn created_at(&self) -> u64 {
        match &self.source {
            Source::Store { created_at, .. } => *created_at,
            Source::Configuration => 0,
        }
    }

    /// The first of the labels that it doesn't let its holder ask for.
    pub fn refused_label<'a>(&self, labels: &'a [Label]) -> Option<&'a Label> {
        // A label is no path: a lone `*` means all of them, also those with a slash.
        let allowed = |label: &Label| {
            self.labels.iter().any(|pattern| pattern.is_star() || pattern.matches(label.as_str()))
        };
        labels.iter().find(|label| !allowed(label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_in_one_way() {
        assert_eq!(EntryId(0xab).to_string(), "00000000000000ab");
        assert_eq!(EntryId::parse("00000000000000ab"), Some(EntryId(0xab)));
        for text in
            ["", "ab", "00000000000000AB", "+000000000000ab0", "00000000000000ab0", "0x000000000000ab"]
        {
            assert_eq!(EntryId::parse(text), None, "{text}");
        }
    }
}
