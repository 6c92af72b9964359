//! Repositories of the organisation and of others, and who may do what with them.

use std::collections::{BTreeMap, HashMap};

use super::people::OrgRole;
use super::permission::Permission;
use super::teams::MembershipState;
use super::{RepoId, UserId, World};

/// Who can see a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepoVisibility {
    /// Everybody.
    Public,
    /// Those with access.
    Private,
    /// The members of the enterprise.
    Internal,
}

/// A repository.
#[derive(Debug, Clone)]
pub struct Repository {
    /// GitHub's number, which stays when the repository is renamed.
    pub id: RepoId,
    /// The login of the organisation or user it belongs to.
    pub owner: String,
    /// The name without the owner.
    pub name: String,
    /// Who can see it.
    pub visibility: RepoVisibility,
    /// Archived repositories are read-only.
    pub archived: bool,
    pub(crate) collaborators: BTreeMap<UserId, Permission>,
}

impl Repository {
    /// `owner/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

#[derive(Default)]
pub(crate) struct Repositories {
    pub(crate) all: BTreeMap<RepoId, Repository>,
    names: HashMap<String, RepoId>,
    old_names: HashMap<String, RepoId>,
}

fn key(owner: &str, name: &str) -> String {
    format!("{owner}/{name}").to_lowercase()
}

impl Repositories {
    pub(crate) fn by_name(&self, owner: &str, name: &str) -> Option<&Repository> {
        self.all.get(self.names.get(&key(owner, name))?)
    }

    /// The repository that once had this name.
    pub(crate) fn by_old_name(&self, owner: &str, name: &str) -> Option<&Repository> {
        self.all.get(self.old_names.get(&key(owner, name))?)
    }
}

impl World {
    /// A new repository of the organisation.
    pub fn add_repository(&mut self, name: &str, visibility: RepoVisibility) -> RepoId {
        let owner = self.org.login.clone();
        self.add_repository_of(&owner, name, visibility)
    }

    /// A new repository of another organisation, which comes into being with it.
    pub fn add_repository_of(&mut self, owner: &str, name: &str, visibility: RepoVisibility) -> RepoId {
        self.ensure_organization(owner);
        let id = RepoId(self.next_number());
        let (owner, name) = (owner.to_owned(), name.to_owned());
        self.repositories.old_names.remove(&key(&owner, &name));
        self.repositories.names.insert(key(&owner, &name), id);
        let collaborators = BTreeMap::new();
        let repository = Repository { id, owner, name, visibility, archived: false, collaborators };
        self.repositories.all.insert(id, repository);
        id
    }

    /// Gives a repository another name; the old one redirects.
    pub fn rename_repository(&mut self, repository: RepoId, name: &str) {
        let Some(renamed) = self.repositories.all.get(&repository) else { return };
        let owner = renamed.owner.clone();
        self.call_repository(repository, &owner, name);
    }

    /// Moves a repository to another organisation, which comes into being with it: teams and groups of this one lose it,
    /// its number stays, and its old name redirects.
    pub fn transfer_repository(&mut self, repository: RepoId, owner: &str) {
        let Some(moved) = self.repositories.all.get(&repository) else { return };
        let name = moved.name.clone();
        self.ensure_organization(owner);
        self.call_repository(repository, owner, &name);
        self.teams.forget_repository(repository);
        self.groups.forget_repository(repository);
    }

    fn call_repository(&mut self, repository: RepoId, owner: &str, name: &str) {
        let Some(renamed) = self.repositories.all.get_mut(&repository) else { return };
        let (old, new) = (key(&renamed.owner, &renamed.name), key(owner, name));
        owner.clone_into(&mut renamed.owner);
        name.clone_into(&mut renamed.name);
        self.repositories.names.remove(&old);
        self.repositories.old_names.insert(old, repository);
        self.repositories.old_names.remove(&new);
        self.repositories.names.insert(new, repository);
    }

    /// Deletes a repository, from groups and teams as well.
    pub fn delete_repository(&mut self, repository: RepoId) {
        let Some(gone) = self.repositories.all.remove(&repository) else { return };
        self.repositories.names.remove(&key(&gone.owner, &gone.name));
        self.teams.forget_repository(repository);
        self.groups.forget_repository(repository);
        self.environments.forget_repository(repository);
    }

    /// Changes who can see a repository.
    pub fn set_repository_visibility(&mut self, repository: RepoId, visibility: RepoVisibility) {
        if let Some(changed) = self.repositories.all.get_mut(&repository) {
            changed.visibility = visibility;
        }
    }

    /// The repository with this number.
    pub fn repository(&self, repository: RepoId) -> Option<&Repository> {
        self.repositories.all.get(&repository)
    }

    /// The organisation's repository with this name, in any letter case.
    pub fn repository_by_name(&self, name: &str) -> Option<&Repository> {
        self.repositories.by_name(&self.org.login, name)
    }

    /// Gives one user a permission on a repository, without a team.
    pub fn add_collaborator(&mut self, repository: RepoId, user: UserId, permission: Permission) {
        if let Some(repository) = self.repositories.all.get_mut(&repository) {
            repository.collaborators.insert(user, permission);
        }
    }

    /// The highest permission of a user on a repository; a public one can be read by everybody.
    pub fn permission_of(&self, user: UserId, repository: RepoId) -> Option<Permission> {
        let repository = self.repositories.all.get(&repository)?;
        let ours = repository.owner.eq_ignore_ascii_case(&self.org.login);
        if ours && self.user(user)?.role == Some(OrgRole::Owner) {
            return Some(Permission::Admin);
        }
        let direct = repository.collaborators.get(&user).copied();
        let public = (repository.visibility == RepoVisibility::Public).then_some(Permission::Pull);
        let is_in = |team: &&super::teams::Team| {
            team.members.get(&user).is_some_and(|place| place.state == MembershipState::Active)
        };
        let through_teams = self
            .teams
            .all
            .values()
            .filter(is_in)
            .filter_map(|team| self.teams.permission_on(team.id, repository.id))
            .max();
        direct.max(public).max(through_teams)
    }
}
