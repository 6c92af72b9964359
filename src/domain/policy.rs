//! What the administrator allows, beyond what GitHub does.

use std::time::Duration;

use super::entry::{EntryKind, EntryOperation};
use super::ids::{TeamId, UserId};
use super::names::TeamSlug;
use super::pattern::Pattern;
use super::subject::Subjects;
use super::words::words;

/// The `policy` section. Can be replaced while the service runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Whether organisation-wide registration tokens are handed out.
    pub registration_tokens: bool,
    /// Whether organisation-wide removal tokens are handed out.
    pub removal_tokens: bool,
    /// The teams that may use the service.
    pub teams: Subjects<TeamId>,
    /// The users who may.
    pub users: Subjects<UserId>,
    /// What a team must be permitted to do with a repository to add it to its group.
    pub repository_permission: RepositoryPermission,
    /// What a JIT config may ask for.
    pub jit: JitPolicy,
    /// The most runners that one group may hold; 0 is no limit.
    pub max_runners: u64,
    /// What access entries may hold.
    pub access: AccessPolicy,
}

/// The `policy.access` section.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessPolicy {
    /// Operations that entries may hold; those that exist are narrowed by it.
    pub operations: Vec<EntryOperation>,
    /// The longest time that an entry may be good for.
    pub max_age: Duration,
    /// JIT configs in an hour by all entries of a team together.
    pub per_hour: u32,
    /// Whether a team token is good after its maker stopped maintaining the team.
    pub tokens_outlive_creator: bool,
    /// The same of other entries.
    pub others_outlive_creator: bool,
}

impl AccessPolicy {
    /// Whether an entry of this kind goes on when its maker no longer maintains the team.
    pub fn outlives_creator(&self, kind: EntryKind) -> bool {
        match kind {
            EntryKind::Token => self.tokens_outlive_creator,
            EntryKind::GithubActions | EntryKind::Oidc => self.others_outlive_creator,
        }
    }
}

impl Default for AccessPolicy {
    fn default() -> Self {
        Self {
            operations: EntryOperation::DEFAULT.to_vec(),
            max_age: Duration::from_hours(24 * 365),
            per_hour: 600,
            tokens_outlive_creator: false,
            others_outlive_creator: true,
        }
    }
}

/// The team whose active maintainers are the administrators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdministratorsTeam {
    /// There are none.
    None,
    /// By its id, which stays.
    Id(TeamId),
    /// By its slug, which is looked up once.
    Slug(TeamSlug),
}

/// The `policy.jit` section.
#[derive(Debug, Clone, PartialEq)]
pub struct JitPolicy {
    /// Labels that may be asked for.
    pub labels: Vec<Pattern>,
    /// The most labels in one request.
    pub max_labels: usize,
    /// What a runner's name starts with; `{team}` is the slug.
    pub name_prefix: String,
}

words! {
    /// What somebody may do with a repository, each including those before it. GitHub's `triage` lies between the first
    /// two, and custom roles wherever their own permissions put them.
    pub enum RepositoryPermission {
        /// See it.
        Read = "read",
        /// Push to it.
        Write = "write",
        /// Manage it without access to sensitive or destructive actions.
        Maintain = "maintain",
        /// Everything.
        Admin = "admin",
    }
}
