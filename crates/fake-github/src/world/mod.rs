//! What exists in the fake GitHub. Tests arrange it with plain calls and look at it afterwards; the routes
//! change it as GitHub would.

mod app;
mod budget;
mod environments;
mod groups;
mod ids;
mod lag;
mod level;
mod people;
mod permission;
mod points;
mod repositories;
mod runners;
mod secrets;
mod teams;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::oidc::Issued;

pub use app::{Installation, MintedToken, TokenStyle};
pub use budget::{Budget, Subject};
pub use environments::{DeploymentBranches, Environment, Protection};
pub use groups::{DEFAULT_GROUP, DeletionOfUsedGroups, Group, Visibility};
pub use ids::{GroupId, InstallationId, RepoId, RunnerId, TeamId, UserId};
pub use level::Level;
pub(crate) use people::Holder;
pub use people::{OrgRole, TokenKind, User};
pub use permission::Permission;
pub use repositories::{RepoVisibility, Repository};
pub(crate) use runners::Runners;
pub use runners::{Label, Runner, RunnerStatus, RunnerToken};
pub use teams::{Membership, MembershipState, Role, Team};

pub(crate) struct Organization {
    pub(crate) id: u64,
    pub(crate) login: String,
}

/// Where GitHub's documentation is silent, or behaviour can be chosen.
pub(crate) struct Rules {
    pub(crate) deletion_of_used_groups: DeletionOfUsedGroups,
    pub(crate) owners_are_in_every_team: bool,
    pub(crate) most_runners_in_a_group: usize,
    pub(crate) enterprise_version: Option<(u32, u32)>,
}

/// One organisation with everything around it.
pub struct World {
    pub(crate) org: Organization,
    pub(crate) other_orgs: HashMap<String, Organization>,
    pub(crate) people: people::People,
    pub(crate) teams: teams::Teams,
    pub(crate) repositories: repositories::Repositories,
    pub(crate) environments: environments::Environments,
    pub(crate) groups: groups::Groups,
    pub(crate) runners: Runners,
    pub(crate) app: app::App,
    pub(crate) budgets: budget::Budgets,
    points: points::Points,
    lag: lag::Lag,
    pub(crate) secrets: secrets::Secrets,
    /// The OIDC tokens that were signed.
    pub(crate) issued: Issued,
    pub(crate) rules: Rules,
    ahead: TimeDelta,
    last_number: u64,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("org", &self.org.login).finish_non_exhaustive()
    }
}

impl World {
    /// An organisation with its Default group, the App installed on it, and nobody in it.
    pub fn new(org: &str) -> Self {
        let mut world = Self {
            org: Organization { id: 9001, login: org.to_owned() },
            other_orgs: HashMap::new(),
            people: people::People::default(),
            teams: teams::Teams::default(),
            repositories: repositories::Repositories::default(),
            environments: environments::Environments::default(),
            groups: groups::Groups::new(),
            runners: Runners::default(),
            app: app::App::new(),
            budgets: budget::Budgets::new(),
            points: points::Points::new(),
            lag: lag::Lag::new(),
            secrets: secrets::Secrets::new(org),
            issued: Issued::default(),
            rules: Rules {
                deletion_of_used_groups: DeletionOfUsedGroups::Refused,
                owners_are_in_every_team: false,
                most_runners_in_a_group: 10_000,
                enterprise_version: None,
            },
            ahead: TimeDelta::zero(),
            last_number: 10_000,
        };
        world.install_app_on(org);
        world
    }

    pub(crate) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// The organisation's login.
    pub fn org_login(&self) -> &str {
        &self.org.login
    }

    /// The organisation's number.
    pub fn org_id(&self) -> u64 {
        self.org.id
    }

    /// The time on this GitHub's clock.
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.ahead
    }

    /// Moves this GitHub's clock on: tokens expire, rate-limit windows end.
    pub fn advance(&mut self, by: Duration) {
        self.ahead += TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    }

    /// Chooses what happens when a group with runners is deleted.
    pub fn set_deletion_of_used_groups(&mut self, what: DeletionOfUsedGroups) {
        self.rules.deletion_of_used_groups = what;
    }

    /// Chooses whether owners count as maintainers of teams they are not in (unknown of the real GitHub; off).
    pub fn set_owners_are_in_every_team(&mut self, yes: bool) {
        self.rules.owners_are_in_every_team = yes;
    }

    /// Lowers the number of runners that fit into one group (GitHub's is 10,000).
    pub fn set_most_runners_in_a_group(&mut self, most: usize) {
        self.rules.most_runners_in_a_group = most;
    }

    /// Makes this a GitHub Enterprise Server of this version; what came later is missing.
    pub fn set_enterprise_version(&mut self, major: u32, minor: u32) {
        self.rules.enterprise_version = Some((major, minor));
    }

    /// True on github.com and on Enterprise Servers from this version on.
    pub(crate) fn since(&self, major: u32, minor: u32) -> bool {
        self.rules.enterprise_version.is_none_or(|version| version >= (major, minor))
    }

    fn ensure_organization(&mut self, login: &str) {
        if login.eq_ignore_ascii_case(&self.org.login) || self.other_orgs.contains_key(&login.to_lowercase())
        {
            return;
        }
        let organization = Organization { id: self.next_number(), login: login.to_owned() };
        self.other_orgs.insert(login.to_lowercase(), organization);
    }

    pub(crate) fn organization(&self, login: &str) -> Option<&Organization> {
        if login.eq_ignore_ascii_case(&self.org.login) {
            return Some(&self.org);
        }
        self.other_orgs.get(&login.to_lowercase())
    }
}
