//! Environments of repositories, and what protects them.

use std::collections::{BTreeMap, HashMap};

use super::{RepoId, TeamId, UserId, World};

/// Which branches may deploy to an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeploymentBranches {
    /// All; there is no policy.
    #[default]
    All,
    /// Those that rules protect.
    Protected,
    /// Those that fit a list of patterns.
    Selected,
}

/// What protects an environment; nothing unless it is added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Protection {
    /// The people of whom one has to agree.
    pub reviewers: Vec<UserId>,
    /// The teams of whom one has to agree.
    pub reviewing_teams: Vec<TeamId>,
    /// The minutes that each job waits.
    pub wait_minutes: u32,
    /// Which branches may deploy.
    pub branches: DeploymentBranches,
}

impl Protection {
    /// No protection at all, as an environment has it that a workflow named first.
    pub fn none() -> Self {
        Self::default()
    }

    /// This user is one of the reviewers.
    #[must_use]
    pub fn reviewed_by(mut self, user: UserId) -> Self {
        self.reviewers.push(user);
        self
    }

    /// This team is one of the reviewers.
    #[must_use]
    pub fn reviewed_by_team(mut self, team: TeamId) -> Self {
        self.reviewing_teams.push(team);
        self
    }

    /// Each job waits so many minutes.
    #[must_use]
    pub fn wait(mut self, minutes: u32) -> Self {
        self.wait_minutes = minutes;
        self
    }

    /// Only these branches may deploy.
    #[must_use]
    pub fn branches(mut self, branches: DeploymentBranches) -> Self {
        self.branches = branches;
        self
    }
}

/// An environment of a repository.
#[derive(Debug, Clone)]
pub struct Environment {
    /// GitHub's number.
    pub id: u64,
    /// The name as it was first written; names are compared without regard to case.
    pub name: String,
    /// What protects it.
    pub protection: Protection,
}

#[derive(Default)]
pub(crate) struct Environments {
    of: HashMap<RepoId, BTreeMap<String, Environment>>,
}

impl Environments {
    pub(super) fn forget_repository(&mut self, repository: RepoId) {
        self.of.remove(&repository);
    }
}

impl World {
    /// Makes an environment, or gives the one of this name another protection.
    pub fn add_environment(&mut self, repository: RepoId, name: &str, protection: Protection) {
        self.ensure_environment(repository, name);
        let known = self.environments.of.entry(repository).or_default();
        if let Some(environment) = known.get_mut(&name.to_lowercase()) {
            environment.protection = protection;
        }
    }

    /// Deletes an environment.
    pub fn delete_environment(&mut self, repository: RepoId, name: &str) {
        if let Some(known) = self.environments.of.get_mut(&repository) {
            known.remove(&name.to_lowercase());
        }
    }

    /// The environment with this name, in any letter case.
    pub fn environment(&self, repository: RepoId, name: &str) -> Option<&Environment> {
        self.environments.of.get(&repository)?.get(&name.to_lowercase())
    }

    /// The number of an environment, which is made without protection when it is missing: so does GitHub when a job
    /// names it.
    pub(crate) fn ensure_environment(&mut self, repository: RepoId, name: &str) -> u64 {
        if let Some(known) = self.environment(repository, name) {
            return known.id;
        }
        let id = self.next_number();
        let made = Environment { id, name: name.to_owned(), protection: Protection::none() };
        self.environments.of.entry(repository).or_default().insert(name.to_lowercase(), made);
        id
    }
}
