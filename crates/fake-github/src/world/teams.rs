//! Teams, who is in them, and which repositories they may use.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::people::OrgRole;
use super::permission::Permission;
use super::{RepoId, TeamId, UserId, World};

/// A user's role in a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An ordinary team member.
    Member,
    /// A team maintainer.
    Maintainer,
}

/// Whether an invitation to a team has been accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembershipState {
    /// In the team.
    Active,
    /// Invited, not yet in.
    Pending,
}

/// A user's place in a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// The role as GitHub reports it.
    pub role: Role,
    /// Active or invited.
    pub state: MembershipState,
}

/// A team of the organisation.
#[derive(Debug, Clone)]
pub struct Team {
    /// GitHub's number, which stays when the team is renamed.
    pub id: TeamId,
    /// The name as typed by people.
    pub name: String,
    /// The name in URLs, made from the name.
    pub slug: String,
    /// A secret team is seen by its members and the owners only.
    pub secret: bool,
    /// The team above, whose repositories this one shares.
    pub parent: Option<TeamId>,
    pub(crate) children: BTreeSet<TeamId>,
    pub(crate) members: BTreeMap<UserId, Membership>,
    pub(crate) repositories: BTreeMap<RepoId, Permission>,
}

#[derive(Default)]
pub(crate) struct Teams {
    pub(crate) all: BTreeMap<TeamId, Team>,
    slugs: HashMap<String, TeamId>,
}

impl Teams {
    pub(crate) fn by_slug(&self, slug: &str) -> Option<&Team> {
        self.all.get(self.slugs.get(&slug.to_lowercase())?)
    }

    pub(super) fn forget_user(&mut self, user: UserId) {
        for team in self.all.values_mut() {
            team.members.remove(&user);
        }
    }

    pub(super) fn forget_repository(&mut self, repository: RepoId) {
        for team in self.all.values_mut() {
            team.repositories.remove(&repository);
        }
    }

    fn free_slug(&self, name: &str) -> String {
        let wanted = slug_of(name);
        let mut slug = wanted.clone();
        let mut suffix = 1;
        while self.slugs.contains_key(&slug) {
            slug = format!("{wanted}-{suffix}");
            suffix += 1;
        }
        slug
    }

    /// The team and every team below it.
    fn with_children(&self, team: TeamId) -> Vec<&Team> {
        let mut found = Vec::new();
        let mut open = vec![team];
        while let Some(next) = open.pop().and_then(|id| self.all.get(&id)) {
            open.extend(&next.children);
            found.push(next);
        }
        found
    }

    /// The team and every team above it.
    fn with_parents(&self, team: TeamId) -> Vec<&Team> {
        let mut found: Vec<&Team> = Vec::new();
        let mut next = self.all.get(&team);
        while let Some(team) = next {
            found.push(team);
            next = team.parent.and_then(|parent| self.all.get(&parent));
        }
        found
    }

    /// The repositories of a team, those of its parents included, with the highest permission.
    pub(crate) fn repositories_of(&self, team: TeamId) -> BTreeMap<RepoId, Permission> {
        let mut all: BTreeMap<RepoId, Permission> = BTreeMap::new();
        for team in self.with_parents(team) {
            for (repository, permission) in &team.repositories {
                let highest = all.entry(*repository).or_insert(*permission);
                *highest = (*highest).max(*permission);
            }
        }
        all
    }

    pub(crate) fn permission_on(&self, team: TeamId, repository: RepoId) -> Option<Permission> {
        self.with_parents(team).iter().filter_map(|team| team.repositories.get(&repository)).max().copied()
    }
}

/// How GitHub makes a slug: lower case, accents dropped, anything else a hyphen.
fn slug_of(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for letter in name.to_lowercase().chars() {
        let plain = match letter {
            'à'..='å' => 'a',
            'ç' => 'c',
            'è'..='ë' => 'e',
            'ì'..='ï' => 'i',
            'ñ' => 'n',
            'ò'..='ö' => 'o',
            'ù'..='ü' => 'u',
            'a'..='z' | '0'..='9' | '_' => letter,
            _ => '-',
        };
        if plain != '-' || !slug.ends_with('-') {
            slug.push(plain);
        }
    }
    slug.trim_matches('-').to_owned()
}

impl World {
    /// A new team that all members of the organisation can see.
    pub fn add_team(&mut self, name: &str) -> TeamId {
        let id = TeamId(self.next_number());
        let slug = self.teams.free_slug(name);
        self.teams.slugs.insert(slug.clone(), id);
        let team = Team {
            id,
            name: name.to_owned(),
            slug,
            secret: false,
            parent: None,
            children: BTreeSet::new(),
            members: BTreeMap::new(),
            repositories: BTreeMap::new(),
        };
        self.teams.all.insert(id, team);
        id
    }

    /// A new team that only its members and the owners can see.
    pub fn add_secret_team(&mut self, name: &str) -> TeamId {
        let id = self.add_team(name);
        if let Some(team) = self.teams.all.get_mut(&id) {
            team.secret = true;
        }
        id
    }

    /// A new team below another: its members count as members of the parent.
    pub fn add_child_team(&mut self, name: &str, parent: TeamId) -> TeamId {
        let id = self.add_team(name);
        if let Some(team) = self.teams.all.get_mut(&id) {
            team.parent = Some(parent);
        }
        if let Some(team) = self.teams.all.get_mut(&parent) {
            team.children.insert(id);
        }
        id
    }

    /// Gives a team another name and slug; its number stays and the old slug is free.
    pub fn rename_team(&mut self, team: TeamId, name: &str) {
        if let Some(old) = self.teams.all.get(&team) {
            self.teams.slugs.remove(&old.slug);
        }
        let slug = self.teams.free_slug(name);
        if let Some(renamed) = self.teams.all.get_mut(&team) {
            name.clone_into(&mut renamed.name);
            slug.clone_into(&mut renamed.slug);
            self.teams.slugs.insert(slug, team);
        }
    }

    /// Deletes a team; its children lose their parent.
    pub fn delete_team(&mut self, team: TeamId) {
        let Some(gone) = self.teams.all.remove(&team) else { return };
        self.teams.slugs.remove(&gone.slug);
        for other in self.teams.all.values_mut() {
            other.children.remove(&team);
            if other.parent == Some(team) {
                other.parent = None;
            }
        }
    }

    /// The team with this number.
    pub fn team(&self, team: TeamId) -> Option<&Team> {
        self.teams.all.get(&team)
    }

    /// All teams, by number.
    pub fn teams(&self) -> impl Iterator<Item = &Team> {
        self.teams.all.values()
    }

    /// The team with this slug, in any letter case.
    pub fn team_by_slug(&self, slug: &str) -> Option<&Team> {
        self.teams.by_slug(slug)
    }

    /// Puts a user into a team, or changes the place there; an active one joins the organisation too.
    pub fn add_membership(&mut self, team: TeamId, user: UserId, role: Role, state: MembershipState) {
        if let Some(team) = self.teams.all.get_mut(&team) {
            team.members.insert(user, Membership { role, state });
        }
        if state == MembershipState::Active
            && let Some(account) = self.people.users.get_mut(&user)
        {
            account.role.get_or_insert(OrgRole::Member);
        }
    }

    /// Puts a user into a team as an active maintainer.
    pub fn add_maintainer(&mut self, team: TeamId, user: UserId) {
        self.add_membership(team, user, Role::Maintainer, MembershipState::Active);
    }

    /// Changes a team member's role.
    pub fn set_role(&mut self, team: TeamId, user: UserId, role: Role) {
        if let Some(place) = self.teams.all.get_mut(&team).and_then(|team| team.members.get_mut(&user)) {
            place.role = role;
        }
    }

    /// Takes a user out of a team.
    pub fn remove_membership(&mut self, team: TeamId, user: UserId) {
        if let Some(team) = self.teams.all.get_mut(&team) {
            team.members.remove(&user);
        }
    }

    /// A user's place in a team as GitHub reports it (owners are maintainers, child teams' members are
    /// members), and whether it comes only from a child team.
    pub fn membership(&self, team: TeamId, user: UserId) -> Option<(Membership, bool)> {
        let owner = self.user(user)?.role == Some(OrgRole::Owner);
        let team = self.teams.all.get(&team)?;
        let direct = team.members.get(&user).copied();
        let active = |team: &&Team| {
            team.members.get(&user).is_some_and(|place| place.state == MembershipState::Active)
        };
        let inherited = direct.is_none() && self.teams.with_children(team.id).iter().any(active);
        let everywhere = owner && self.rules.owners_are_in_every_team;
        let member = Membership { role: Role::Member, state: MembershipState::Active };
        let mut found = direct.or((inherited || everywhere).then_some(member))?;
        if owner {
            found.role = Role::Maintainer;
        }
        Some((found, inherited))
    }

    /// Everybody in a team or below it, by number, invited ones left out.
    pub(crate) fn members_of(&self, team: TeamId) -> Vec<(UserId, Membership, bool)> {
        let below = self.teams.with_children(team);
        let everybody: BTreeSet<UserId> =
            below.iter().flat_map(|team| team.members.keys().copied()).collect();
        let place = |user| self.membership(team, user).map(|(place, inherited)| (user, place, inherited));
        everybody
            .into_iter()
            .filter_map(place)
            .filter(|(_, place, _)| place.state == MembershipState::Active)
            .collect()
    }

    /// Gives a team a permission on a repository.
    pub fn grant(&mut self, team: TeamId, repository: RepoId, permission: Permission) {
        if let Some(team) = self.teams.all.get_mut(&team) {
            team.repositories.insert(repository, permission);
        }
    }

    /// Takes a team's permission on a repository away.
    pub fn revoke_grant(&mut self, team: TeamId, repository: RepoId) {
        if let Some(team) = self.teams.all.get_mut(&team) {
            team.repositories.remove(&repository);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::slug_of;

    #[test]
    fn slugs_are_made_as_github_makes_them() {
        assert_eq!(slug_of("My TEam Näme"), "my-team-name");
        assert_eq!(slug_of("Data & ML (2)"), "data-ml-2");
        assert_eq!(slug_of("snake_case"), "snake_case");
    }
}
