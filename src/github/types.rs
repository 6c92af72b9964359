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
    #[serde(default)]
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
    #[serde(default)]
    pub url: String,
}

impl Membership {
    /// Whether this is an accepted maintainer role. Anything unknown is not.
    pub fn is_active_maintainer(&self) -> bool {
        self.role == "maintainer" && self.state == "active"
    }

    /// The id of the team that the response is about, from `…/team/{id}/memberships/…` or `…/teams/{id}/…`.
    pub fn team_id(&self) -> Option<TeamId> {
        let (front, _) = self.url.rsplit_once("/memberships/")?;
        let (front, id) = front.rsplit_once('/')?;
        let is_team = front.ends_with("/team") || front.ends_with("/teams");
        if is_team { id.parse().ok() } else { None }
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
    pub visibility: String,
    /// The organisation's Default group.
    pub default: bool,
    /// Shared into the organisation by its enterprise.
    pub inherited: bool,
    /// Whether jobs of public repositories may run in it.
    #[serde(default)]
    pub allows_public_repositories: bool,
    /// Whether only `selected_workflows` may use it. GHES before 3.5 has no such restriction.
    #[serde(default)]
    pub restricted_to_workflows: bool,
    /// The workflows that may use it, as `owner/repository/.github/workflows/file@ref`.
    #[serde(default)]
    pub selected_workflows: Option<Vec<String>>,
    /// Whether the enterprise set the restriction, so that the organisation can't change it.
    #[serde(default)]
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
    #[serde(default)]
    pub private: bool,
    /// What the one on whose list it stands may do; GitHub says it of a team's repositories.
    #[serde(default)]
    pub permissions: Option<RepositoryPermissions>,
    /// The name of their role, which may be a custom one.
    #[serde(default)]
    pub role_name: Option<String>,
}

/// What somebody may do with a repository. Only what is used here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RepositoryPermissions {
    /// Whether they may push to it.
    #[serde(default)]
    pub push: bool,
    /// Whether they manage it; older servers omit it.
    #[serde(default)]
    pub maintain: Option<bool>,
    /// Whether they administer it.
    #[serde(default)]
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
    pub name: String,
    /// `unknown` until the runner connected for the first time. Hosted runners have none.
    #[serde(default)]
    pub os: String,
    /// `online` or `offline`.
    #[serde(default)]
    pub status: String,
    /// Whether a job runs on it.
    #[serde(default)]
    pub busy: bool,
    /// Whether it takes one job only.
    #[serde(default)]
    pub ephemeral: bool,
    /// The group that it is in.
    #[serde(default)]
    pub runner_group_id: Option<GroupId>,
    /// What jobs ask for.
    #[serde(default)]
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
    #[serde(default)]
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

/// GitHub's error body.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorBody {
    #[serde(default)]
    pub(super) message: String,
}

/// A page of a list that states its total.
#[derive(Debug, Deserialize)]
pub(super) struct Counted<T> {
    pub(super) total_count: u64,
    #[serde(alias = "runner_groups", alias = "repositories", alias = "runners")]
    pub(super) items: Vec<T>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(url: &str) -> Membership {
        Membership { role: "maintainer".into(), state: "active".into(), url: url.into() }
    }

    #[test]
    fn a_membership_tells_which_team_it_is_of() {
        for (url, id) in [
            ("https://api.github.com/organizations/1/team/42/memberships/ada", Some(42)),
            ("https://api.github.com/teams/7/memberships/ada", Some(7)),
            ("https://api.github.com/orgs/o/teams/payments/memberships/ada", None),
            ("https://api.github.com/orgs/9/memberships/ada", None),
            ("", None),
        ] {
            assert_eq!(membership(url).team_id(), id.map(TeamId), "{url}");
        }
    }

    #[test]
    fn a_team_has_a_permission_if_github_says_so_and_otherwise_only_reads() {
        let repository = |extra: serde_json::Value| -> Repository {
            let mut all = serde_json::json!({ "id": 1, "name": "web", "full_name": "acme/web" });
            all.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            serde_json::from_value(all).unwrap()
        };
        let of = |push, maintain, admin| serde_json::json!({ "permissions": { "pull": true, "push": push, "maintain": maintain, "admin": admin } });
        for (said, granted) in [
            (serde_json::json!({}), 1),
            (serde_json::json!({ "permissions": null, "role_name": "admin" }), 1),
            (serde_json::json!({ "permissions": {}, "role_name": "admin" }), 1),
            (of(false, false, false), 1),
            (of(true, false, false), 2),
            (of(true, true, false), 3),
            (of(true, true, true), 4),
            // Custom roles; and permissions that don't include those below.
            (
                serde_json::json!({ "permissions": { "pull": true, "push": true }, "role_name": "deployer" }),
                2,
            ),
            (of(false, true, false), 3),
            (of(false, false, true), 4),
            // An older server, and a custom role that only bears the name.
            (serde_json::json!({ "permissions": { "push": true }, "role_name": "maintain" }), 3),
            (
                serde_json::json!({ "permissions": { "push": true, "maintain": false }, "role_name": "maintain" }),
                2,
            ),
        ] {
            let repository = repository(said);
            for (index, permission) in RepositoryPermission::ALL.iter().enumerate() {
                assert_eq!(repository.grants(*permission), index < granted, "{permission} of {repository:?}");
            }
        }
    }

    #[test]
    fn a_pending_or_unknown_membership_is_no_maintainership() {
        for (role, state, expected) in [
            ("maintainer", "active", true),
            ("maintainer", "pending", false),
            ("member", "active", false),
            ("Maintainer", "active", false),
            ("owner", "active", false),
        ] {
            let membership = Membership { role: role.into(), state: state.into(), url: String::new() };
            assert_eq!(membership.is_active_maintainer(), expected, "{role} {state}");
        }
    }
}
