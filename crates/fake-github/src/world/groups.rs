//! Runner groups: what they are called, which repositories may use them, which runners are in them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{GroupId, RepoId, RunnerId, World};

/// The number of the organisation's Default group.
pub const DEFAULT_GROUP: GroupId = GroupId(1);

/// Which repositories may use a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Every repository.
    All,
    /// Every private repository.
    Private,
    /// The repositories chosen for the group.
    Selected,
}

impl Visibility {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Private => "private",
            Self::Selected => "selected",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::All, Self::Private, Self::Selected].into_iter().find(|known| known.name() == name)
    }
}

/// A runner group.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "GitHub's group has these flags, independent of each other"
)]
pub struct Group {
    /// GitHub's number.
    pub id: GroupId,
    /// The name, unique in the organisation in any letter case.
    pub name: String,
    /// Which repositories may use it.
    pub visibility: Visibility,
    /// True for the one group that always exists.
    pub default: bool,
    /// True for a group of the enterprise that is shared with the organisation.
    pub inherited: bool,
    /// True for a group of runners that GitHub hosts; no runner of ours can be in it.
    pub hosted: bool,
    /// Whether public repositories may use it.
    pub allows_public_repositories: bool,
    /// Whether only `selected_workflows` may use it.
    pub restricted_to_workflows: bool,
    /// The workflows that may use it.
    pub selected_workflows: Vec<String>,
    /// The repositories chosen for it.
    pub repositories: BTreeSet<RepoId>,
    /// The self-hosted runners in it.
    pub runners: BTreeSet<RunnerId>,
    /// The names of the runners that GitHub hosts for it.
    pub hosted_runners: Vec<String>,
}

impl Group {
    pub(crate) fn new(id: GroupId, name: &str, visibility: Visibility) -> Self {
        Self {
            id,
            name: name.to_owned(),
            visibility,
            default: false,
            inherited: false,
            hosted: false,
            allows_public_repositories: false,
            restricted_to_workflows: false,
            selected_workflows: Vec::new(),
            repositories: BTreeSet::new(),
            runners: BTreeSet::new(),
            hosted_runners: Vec::new(),
        }
    }
}

/// What happens when a group with runners is deleted; GitHub's documentation says both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionOfUsedGroups {
    /// Refused with 409.
    Refused,
    /// Done, and the runners land in the Default group.
    MovesRunnersToDefault,
}

pub(crate) struct Groups {
    pub(crate) all: BTreeMap<GroupId, Group>,
    names: HashMap<String, GroupId>,
    next: u64,
}

impl Groups {
    pub(super) fn new() -> Self {
        let mut groups = Self { all: BTreeMap::new(), names: HashMap::new(), next: 1 };
        let id = groups.add("Default", Visibility::All);
        if let Some(group) = groups.all.get_mut(&id) {
            group.default = true;
        }
        groups
    }

    pub(crate) fn add(&mut self, name: &str, visibility: Visibility) -> GroupId {
        let id = GroupId(self.next);
        self.next += 1;
        self.names.insert(name.to_lowercase(), id);
        self.all.insert(id, Group::new(id, name, visibility));
        id
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<&Group> {
        self.all.get(self.names.get(&name.to_lowercase())?)
    }

    pub(crate) fn rename(&mut self, group: GroupId, name: &str) {
        if let Some(renamed) = self.all.get_mut(&group) {
            self.names.remove(&renamed.name.to_lowercase());
            name.clone_into(&mut renamed.name);
            self.names.insert(name.to_lowercase(), group);
        }
    }

    pub(crate) fn remove(&mut self, group: GroupId) -> Option<Group> {
        let gone = self.all.remove(&group)?;
        self.names.remove(&gone.name.to_lowercase());
        Some(gone)
    }

    pub(super) fn forget_repository(&mut self, repository: RepoId) {
        for group in self.all.values_mut() {
            group.repositories.remove(&repository);
        }
    }
}

impl World {
    /// A new group of the organisation.
    pub fn add_group(&mut self, name: &str, visibility: Visibility) -> GroupId {
        self.groups.add(name, visibility)
    }

    /// A group of the enterprise that is shared with the organisation.
    pub fn add_inherited_group(&mut self, name: &str) -> GroupId {
        let id = self.groups.add(name, Visibility::All);
        self.change_group(id, |group| group.inherited = true);
        id
    }

    /// A group of runners that GitHub hosts, with these runners.
    pub fn add_hosted_group(&mut self, name: &str, runners: &[&str]) -> GroupId {
        let id = self.groups.add(name, Visibility::All);
        let names = runners.iter().map(ToString::to_string).collect();
        self.change_group(id, |group| {
            group.hosted = true;
            group.hosted_runners = names;
        });
        id
    }

    /// Changes anything about a group but its name.
    pub fn change_group(&mut self, group: GroupId, change: impl FnOnce(&mut Group)) {
        if let Some(group) = self.groups.all.get_mut(&group) {
            change(group);
        }
    }

    /// Gives a group another name.
    pub fn rename_group(&mut self, group: GroupId, name: &str) {
        self.groups.rename(group, name);
    }

    /// Deletes a group; its runners land in the Default group.
    pub fn delete_group(&mut self, group: GroupId) {
        let Some(gone) = self.groups.remove(group) else { return };
        for runner in gone.runners {
            self.move_runner(runner, DEFAULT_GROUP);
        }
    }

    /// Changes which repositories may use a group.
    pub fn set_group_visibility(&mut self, group: GroupId, visibility: Visibility) {
        self.change_group(group, |group| group.visibility = visibility);
    }

    /// Adds a repository to those chosen for a group.
    pub fn add_repository_to_group(&mut self, group: GroupId, repository: RepoId) {
        self.change_group(group, |group| {
            group.repositories.insert(repository);
        });
    }

    /// Brings a deleted group back under its number, empty.
    pub fn restore_group(&mut self, group: GroupId, name: &str) {
        self.groups.all.insert(group, Group::new(group, name, Visibility::Selected));
    }

    /// All groups, by number; the first is Default.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.all.values()
    }

    /// The group with this number.
    pub fn group(&self, group: GroupId) -> Option<&Group> {
        self.groups.all.get(&group)
    }

    /// The group with this name, in any letter case.
    pub fn group_by_name(&self, name: &str) -> Option<&Group> {
        self.groups.by_name(name)
    }

    /// The names of the repositories chosen for a group, by number of the repository.
    pub fn repositories_of(&self, group: GroupId) -> Vec<String> {
        let repositories = self.group(group).into_iter().flat_map(|group| &group.repositories);
        repositories.filter_map(|id| Some(self.repository(*id)?.name.clone())).collect()
    }

    /// The names of the runners in a group, by number of the runner.
    pub fn runners_of(&self, group: GroupId) -> Vec<String> {
        let runners = self.group(group).into_iter().flat_map(|group| &group.runners);
        runners.filter_map(|id| Some(self.runner(*id)?.name.clone())).collect()
    }
}
