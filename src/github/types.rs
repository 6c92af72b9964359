//! GitHub's responses, reduced to the fields used. Fields that GitHub's own examples omit are optional.

use secrecy::SecretString;
use serde::Deserialize;

use crate::domain::ids::{GroupId, OrganisationId, RepositoryId, RunnerId, TeamId, UserId};
use crate::domain::names::Label;
use crate::domain::policy::RepositoryPermission;

/// A user, from `GET /user`.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// Stays the same when the user is renamed.
    pub id: UserId,
    /// The current login.
    pub login: String,
    /// The scopes of the token that asked, from the header `X-OAuth-Scopes`.
    #[serde(skip)]
    pub scopes: Vec<String>,
}

/// The organisation that is managed.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Organisation {
    /// Stays the same when the organisation is renamed.
    pub(super) id: OrganisationId,
}

/// A team of the organisation.
#[derive(Debug, Clone, Deserialize)]
pub struct Team {
    /// Stays the same when the team is renamed; a new team under an old slug has another.
    pub id: TeamId,
    /// The canonical slug.
    pub slug: String,
    /// How many repositories the team has access to; only used to choose the cheaper look-up.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub repos_count: u64,
}

/// A user's membership in a team.
#[derive(Debug, Clone, Deserialize)]
pub struct Membership {
    /// `member` or `maintainer`; organisation owners are reported as maintainers.
    pub role: String,
    /// `active` or `pending`.
    pub state: String,
    /// The API's address of the membership, with the team's id in it.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub url: String,
}

impl Membership {
    /// Whether this is an accepted maintainer role. Anything unknown is not.
    pub fn is_active_maintainer(&self) -> bool {
        self.role == "maintainer" && self.state == "active"
    }

    /// The id of the team that the response is about, from `…/organizations/{id}/team/{id}/memberships/…` or
    /// `…/teams/{id}/memberships/…`. Below `/orgs/{org}/` stands the slug, which may be all digits.
    pub fn team_id(&self) -> Option<TeamId> {
        let (front, _) = self.url.rsplit_once("/memberships/")?;
        let mut parts = front.rsplit('/');
        let (id, kind, _, above) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let holds_id = match kind {
            "team" => above == "organizations",
            "teams" => above != "orgs",
            _ => false,
        };
        if holds_id { id.parse().ok() } else { None }
    }
}

/// A runner group of the organisation.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are GitHub's fields")]
pub struct RunnerGroup {
    /// Stays the same when the group is renamed.
    pub id: GroupId,
    /// Unique in the organisation, ignoring case.
    pub name: String,
    /// `selected`, `all` or `private`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub visibility: String,
    /// The organisation's Default group. What GitHub leaves open counts as protected.
    #[serde(deserialize_with = "lenient::or_true")]
    pub default: bool,
    /// Shared into the organisation by its enterprise. What GitHub leaves open counts as protected.
    #[serde(deserialize_with = "lenient::or_true")]
    pub inherited: bool,
    /// Whether jobs of public repositories may run in it.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub allows_public_repositories: bool,
    /// Whether only `selected_workflows` may use it. GHES before 3.5 has no such restriction.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub restricted_to_workflows: bool,
    /// The workflows that may use it, as `owner/repository/.github/workflows/file@ref`.
    #[serde(default)]
    pub selected_workflows: Option<Vec<String>>,
    /// Whether the enterprise set the restriction, so that the organisation can't change it.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub workflow_restrictions_read_only: bool,
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Repository {
    /// Stays the same when the repository is renamed.
    pub id: RepositoryId,
    /// Name without owner.
    pub name: String,
    /// `owner/name`.
    pub full_name: String,
    /// Whether only those with access see it; an internal one is private, too.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub private: bool,
    /// What the one on whose list it stands may do; GitHub says it of a team's repositories.
    #[serde(default)]
    pub permissions: Option<RepositoryPermissions>,
    /// The name of their role, which may be a custom one.
    #[serde(default)]
    pub role_name: Option<String>,
}

/// An environment of a repository. Only what says whether it is protected.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Environment {
    pub(super) name: String,
    #[serde(default)]
    protection_rules: Vec<ProtectionRule>,
    #[serde(default)]
    deployment_branch_policy: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Clone, Deserialize)]
struct ProtectionRule {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    reviewers: Vec<serde::de::IgnoredAny>,
}

impl Environment {
    /// Whether somebody has to review a job before it runs in it, or only some branches may.
    pub(super) fn is_protected(&self) -> bool {
        let is_reviewed =
            |rule: &ProtectionRule| rule.kind == "required_reviewers" && !rule.reviewers.is_empty();
        self.deployment_branch_policy.is_some() || self.protection_rules.iter().any(is_reviewed)
    }
}

/// What somebody may do with a repository. Only what is used here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RepositoryPermissions {
    /// Whether they may push to it.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub push: bool,
    /// Whether they manage it; older servers omit it.
    #[serde(default)]
    pub maintain: Option<bool>,
    /// Whether they administer it.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub admin: bool,
}

impl Repository {
    /// Whether the team on whose list it stands has at least this permission. To be on the list is to read it; for anything
    /// above, what GitHub doesn't say is not granted.
    pub fn grants(&self, permission: RepositoryPermission) -> bool {
        if permission == RepositoryPermission::Read {
            return true;
        }
        let Some(RepositoryPermissions { push, maintain, admin }) = self.permissions else { return false };
        // A custom role has any name, so a role's name only counts where the permission itself is omitted.
        let maintains = maintain.unwrap_or_else(|| self.role_name.as_deref() == Some("maintain"));
        // GitHub doesn't promise that a permission includes those below it.
        match permission {
            RepositoryPermission::Read => true,
            RepositoryPermission::Write => push || maintains || admin,
            RepositoryPermission::Maintain => maintains || admin,
            RepositoryPermission::Admin => admin,
        }
    }
}

/// A user's membership in the organisation.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct OrgMembership {
    /// `admin` for owners.
    pub(super) role: String,
    /// `active` or `pending`.
    pub(super) state: String,
    /// Whose it is.
    pub(super) user: Option<AnyUser>,
}

/// A user within another response.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct AnyUser {
    /// Stays the same when the user is renamed.
    pub(super) id: UserId,
}

/// A user's permission on a repository, the highest of all ways they have it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct CollaboratorPermission {
    /// `admin`, `write`, `read` or `none`.
    pub(super) permission: String,
    /// Who has it.
    pub(super) user: Option<AnyUser>,
}

/// A self-hosted runner. GitHub leaves `ephemeral` and `runner_group_id` out on older servers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Runner {
    /// Unique in the organisation.
    pub id: RunnerId,
    /// Unique in the organisation.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub name: String,
    /// `unknown` until the runner connected for the first time. Hosted runners have none.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub os: String,
    /// `online` or `offline`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub status: String,
    /// Whether a job runs on it.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub busy: bool,
    /// Whether it takes one job only.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub ephemeral: bool,
    /// The group that it is in.
    #[serde(default)]
    pub runner_group_id: Option<GroupId>,
    /// What jobs ask for.
    #[serde(default, deserialize_with = "lenient::labels")]
    pub labels: Vec<RunnerLabel>,
}

/// A runner's label. GitHub promises nothing but the name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RunnerLabel {
    /// In the letter case in which it was given, or folded.
    pub name: String,
}

impl Runner {
    /// Whether the runner is connected to GitHub.
    pub fn is_online(&self) -> bool {
        self.status == "online"
    }

    /// Whether it has the label; letter case is ignored.
    pub fn has_label(&self, label: &Label) -> bool {
        self.labels.iter().any(|own| own.name.to_lowercase() == label.as_str())
    }
}

/// A runner that may register once, and the secret that it registers with.
#[derive(Debug, Clone, Deserialize)]
pub struct JitRunner {
    /// The runner; it exists, offline, from this moment on.
    pub runner: Runner,
    /// What `run.sh --jitconfig` takes.
    pub encoded_jit_config: SecretString,
}

/// A registration or removal token: organisation-wide, usable for an hour.
#[derive(Debug, Clone, Deserialize)]
pub struct RunnerToken {
    /// The secret that the runner's `config.sh` takes.
    pub token: SecretString,
    /// RFC 3339, with whatever offset GitHub chose.
    pub expires_at: String,
}

/// An installation of the App.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Installation {
    /// What the installation token is minted for.
    pub(super) id: u64,
    /// Where the App is installed.
    pub(super) account: Option<Account>,
    /// Granted permissions by name: `read`, `write` or `admin`.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub(super) permissions: std::collections::BTreeMap<String, String>,
    /// Set while the installation is suspended.
    pub(super) suspended_at: Option<String>,
}

/// The account that an App is installed on. Enterprises have a `slug` instead of a login.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Account {
    /// The organisation's or user's login.
    pub(super) login: Option<String>,
}

/// A minted installation token.
#[derive(Debug, Deserialize)]
pub(super) struct InstallationToken {
    pub(super) token: SecretString,
    pub(super) expires_at: chrono::DateTime<chrono::Utc>,
}

/// GitHub's error body; without a message it is somebody else's.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) message: String,
    /// What exactly is wrong: objects or sentences, in a list or alone.
    #[serde(default)]
    pub(super) errors: serde_json::Value,
    #[serde(default)]
    pub(super) documentation_url: serde_json::Value,
}

/// A page of a list that states its total.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(super) struct Counted<T> {
    /// A hint: it may be missing or wrong.
    #[serde(default, deserialize_with = "lenient::count")]
    pub(super) total_count: Option<u64>,
    /// None if GitHub says `null`.
    #[serde(
        alias = "runner_groups",
        alias = "repositories",
        alias = "runners",
        deserialize_with = "Option::deserialize"
    )]
    pub(super) items: Option<Vec<Option<T>>>,
}

/// Reads what GitHub doesn't promise to be there.
mod lenient {
    use serde::{Deserialize, Deserializer};

    use super::RunnerLabel;

    /// `null` is as if it were left out.
    pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: Deserialize<'de> + Default,
    {
        Ok(Option::deserialize(deserializer)?.unwrap_or_default())
    }

    /// `null` is the answer that forbids more.
    pub(super) fn or_true<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(true))
    }

    /// A number that makes sense, or none.
    pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        Ok(serde_json::Value::deserialize(deserializer)?.as_u64())
    }

    /// Labels that have a name.
    pub(super) fn labels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<RunnerLabel>, D::Error> {
        #[derive(Deserialize)]
        struct Named {
            name: Option<String>,
        }
        let listed: Option<Vec<Option<Named>>> = Option::deserialize(deserializer)?;
        let names = listed.unwrap_or_default().into_iter().flatten().filter_map(|label| label.name);
        Ok(names.map(|name| RunnerLabel { name }).collect())
    }
}

#[cfg(test)]
mod tests;
