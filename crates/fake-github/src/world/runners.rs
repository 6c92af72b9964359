//! Self-hosted runners of the organisation (each in one group) and of single repositories.

use std::collections::{BTreeMap, HashMap};

use super::groups::DEFAULT_GROUP;
use super::{GroupId, RepoId, RunnerId, World};
use chrono::{DateTime, Utc};

/// The labels that GitHub itself gives to runners; they can't be removed.
const READ_ONLY_LABELS: [&str; 7] = ["self-hosted", "linux", "windows", "macos", "x64", "arm", "arm64"];

/// How many JIT configurations are kept; they are large.
const MOST_JIT_CONFIGS: usize = 10_000;

/// Whether a runner is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunnerStatus {
    /// Connected.
    Online,
    /// Not connected.
    Offline,
}

impl RunnerStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
        }
    }
}

/// A label of a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// GitHub's number; a runner that never connected may have labels without one.
    pub id: Option<u64>,
    /// The text, compared without regard to case.
    pub name: String,
}

impl Label {
    /// Whether GitHub gave this label, so that it can't be removed.
    pub fn read_only(&self) -> bool {
        READ_ONLY_LABELS.contains(&self.name.to_lowercase().as_str())
    }
}

/// A self-hosted runner.
#[derive(Debug, Clone)]
pub struct Runner {
    /// GitHub's number.
    pub id: RunnerId,
    /// The name, unique in the organisation or repository.
    pub name: String,
    /// The operating system; `unknown` before the first connection.
    pub os: String,
    /// Connected or not.
    pub status: RunnerStatus,
    /// Whether it is running a job.
    pub busy: bool,
    /// Whether it goes away after one job.
    pub ephemeral: bool,
    /// Its labels.
    pub labels: Vec<Label>,
    /// The group it is in.
    pub group: GroupId,
    /// The repository it belongs to, if not to the organisation.
    pub repository: Option<RepoId>,
}

/// A registration or removal token that the fake gave out.
#[derive(Clone)]
pub struct RunnerToken {
    /// The secret itself.
    pub token: String,
    /// True for a removal token.
    pub removal: bool,
    /// The repository it is for, if not the organisation.
    pub repository: Option<RepoId>,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
}

#[derive(Default)]
pub(crate) struct Runners {
    pub(crate) all: BTreeMap<RunnerId, Runner>,
    names: HashMap<(Option<RepoId>, String), RunnerId>,
    pub(crate) tokens: Vec<RunnerToken>,
    pub(crate) jit_configs: Vec<String>,
    next: u64,
    next_label: u64,
}

impl Runners {
    pub(crate) fn by_name(&self, repository: Option<RepoId>, name: &str) -> Option<&Runner> {
        self.all.get(self.names.get(&(repository, name.to_lowercase()))?)
    }

    pub(crate) fn label(&mut self, name: &str) -> Label {
        self.next_label += 1;
        Label { id: Some(self.next_label), name: name.to_owned() }
    }

    /// A label that has no number yet.
    pub(crate) fn bare_label(name: &str) -> Label {
        Label { id: None, name: name.to_lowercase() }
    }

    fn add(
        &mut self,
        name: &str,
        group: GroupId,
        repository: Option<RepoId>,
        labels: Vec<Label>,
    ) -> RunnerId {
        self.next += 1;
        let id = RunnerId(self.next);
        self.names.insert((repository, name.to_lowercase()), id);
        let (name, os, status) = (name.to_owned(), "linux".to_owned(), RunnerStatus::Offline);
        let runner =
            Runner { id, name, os, status, busy: false, ephemeral: false, labels, group, repository };
        self.all.insert(id, runner);
        id
    }

    fn remove(&mut self, runner: RunnerId) -> Option<Runner> {
        let gone = self.all.remove(&runner)?;
        self.names.remove(&(gone.repository, gone.name.to_lowercase()));
        Some(gone)
    }
}

impl World {
    /// A new runner in a group, with exactly these labels.
    pub fn add_runner(
        &mut self,
        group: GroupId,
        name: &str,
        labels: &[&str],
        status: RunnerStatus,
    ) -> RunnerId {
        let labels = labels.iter().map(|label| self.runners.label(label)).collect();
        let id = self.insert_runner(name, group, None, labels);
        self.set_runner_status(id, status);
        id
    }

    /// A new runner of one repository.
    pub fn add_repository_runner(
        &mut self,
        repository: RepoId,
        name: &str,
        status: RunnerStatus,
    ) -> RunnerId {
        let labels = ["self-hosted", "linux", "x64"].iter().map(|label| self.runners.label(label)).collect();
        let id = self.insert_runner(name, DEFAULT_GROUP, Some(repository), labels);
        self.set_runner_status(id, status);
        id
    }

    pub(crate) fn insert_runner(
        &mut self,
        name: &str,
        group: GroupId,
        repository: Option<RepoId>,
        labels: Vec<Label>,
    ) -> RunnerId {
        let id = self.runners.add(name, group, repository, labels);
        if repository.is_none() {
            self.change_group(group, |group| {
                group.runners.insert(id);
            });
        }
        id
    }

    /// What `config.sh` does with a registration token: adds a runner to any group of the organisation, or
    /// to the Default group. `None` when the token is unknown, expired or for removal.
    pub fn register_runner(&mut self, token: &str, name: &str, group: Option<GroupId>) -> Option<RunnerId> {
        let now = self.now();
        let valid = |known: &&RunnerToken| known.token == token && !known.removal && known.expires_at > now;
        let repository = self.runners.tokens.iter().find(valid)?.repository;
        if let Some(repository) = repository {
            return Some(self.add_repository_runner(repository, name, RunnerStatus::Online));
        }
        let group = group.unwrap_or(DEFAULT_GROUP);
        Some(self.add_runner(group, name, &["self-hosted", "Linux", "X64"], RunnerStatus::Online))
    }

    /// Connects or disconnects a runner.
    pub fn set_runner_status(&mut self, runner: RunnerId, status: RunnerStatus) {
        self.change_runner(runner, |runner| runner.status = status);
    }

    /// Gives a runner a job, or ends it.
    pub fn set_runner_busy(&mut self, runner: RunnerId, busy: bool) {
        self.change_runner(runner, |runner| runner.busy = busy);
    }

    /// Makes a runner ephemeral, or not.
    pub fn set_runner_ephemeral(&mut self, runner: RunnerId, ephemeral: bool) {
        self.change_runner(runner, |runner| runner.ephemeral = ephemeral);
    }

    /// Makes a runner one for a single job that has never connected, as a new JIT config does.
    pub fn set_runner_unconnected(&mut self, runner: RunnerId) {
        self.change_runner(runner, |runner| {
            "unknown".clone_into(&mut runner.os);
            runner.ephemeral = true;
        });
    }

    pub(crate) fn remember_jit_config(&mut self, config: &str) {
        if self.runners.jit_configs.len() < MOST_JIT_CONFIGS {
            self.runners.jit_configs.push(config.to_owned());
        }
    }

    pub(crate) fn change_runner(&mut self, runner: RunnerId, change: impl FnOnce(&mut Runner)) {
        if let Some(runner) = self.runners.all.get_mut(&runner) {
            change(runner);
        }
    }

    /// Removes a runner, busy or not.
    pub fn delete_runner(&mut self, runner: RunnerId) {
        if let Some(gone) = self.runners.remove(runner) {
            self.change_group(gone.group, |group| {
                group.runners.remove(&runner);
            });
        }
    }

    /// Moves a runner of the organisation to another group.
    pub fn move_runner(&mut self, runner: RunnerId, group: GroupId) {
        let Some(moved) = self.runners.all.get_mut(&runner) else { return };
        let from = std::mem::replace(&mut moved.group, group);
        self.change_group(from, |group| {
            group.runners.remove(&runner);
        });
        self.change_group(group, |group| {
            group.runners.insert(runner);
        });
    }

    /// The runner with this number.
    pub fn runner(&self, runner: RunnerId) -> Option<&Runner> {
        self.runners.all.get(&runner)
    }

    /// The organisation's runner with this name, in any letter case.
    pub fn runner_by_name(&self, name: &str) -> Option<&Runner> {
        self.runners.by_name(None, name)
    }

    /// All runners, by number, those of repositories included.
    pub fn runners(&self) -> impl Iterator<Item = &Runner> {
        self.runners.all.values()
    }

    /// The registration and removal tokens given out so far.
    pub fn runner_tokens(&self) -> &[RunnerToken] {
        &self.runners.tokens
    }

    /// The JIT configurations given out so far, the first 10,000 of them.
    pub fn jit_configs(&self) -> &[String] {
        &self.runners.jit_configs
    }
}
