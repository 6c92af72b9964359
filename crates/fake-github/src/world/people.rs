//! User accounts, their place in the organisation, and the tokens they hold.

use std::collections::{BTreeMap, HashMap};

use super::level::Level;
use super::{InstallationId, RepoId, UserId, World};
use chrono::{DateTime, Utc};

/// What kind of token a user holds; the prefix tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A classic personal access token, `ghp_…`; limited by scopes.
    Classic,
    /// A fine-grained personal access token, `github_pat_…`; limited by permissions.
    FineGrained,
    /// A token of an OAuth app, `gho_…`; limited by scopes.
    OAuth,
    /// A user's token made by a GitHub App, `ghu_…`; limited by the App's permissions.
    AppUser,
}

/// A user's role in the organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrgRole {
    /// An owner; GitHub's word in the API is `admin`.
    Owner,
    /// An ordinary member.
    Member,
}

/// A user account.
#[derive(Debug, Clone)]
pub struct User {
    /// GitHub's number, which stays when the login changes.
    pub id: UserId,
    /// The name in URLs, compared without regard to case.
    pub login: String,
    /// The role in the organisation; `None` for a stranger.
    pub role: Option<OrgRole>,
    /// A suspended account can't use the API.
    pub suspended: bool,
}

#[derive(Clone)]
pub(crate) enum Holder {
    User { user: UserId, kind: TokenKind, scopes: Vec<String>, permissions: BTreeMap<String, Level> },
    Installation(InstallationToken),
    Actions { repository: Option<RepoId> },
}

#[derive(Clone)]
pub(crate) struct InstallationToken {
    pub(crate) installation: InstallationId,
    pub(crate) permissions: BTreeMap<String, Level>,
    pub(crate) repositories: Option<std::collections::BTreeSet<RepoId>>,
    pub(crate) expires_at: DateTime<Utc>,
    /// Set when GitHub doesn't know the token everywhere yet.
    pub(crate) works_from: Option<DateTime<Utc>>,
}

#[derive(Default)]
pub(crate) struct People {
    pub(crate) users: BTreeMap<UserId, User>,
    logins: HashMap<String, UserId>,
    pub(crate) tokens: HashMap<String, Holder>,
}

impl People {
    pub(crate) fn by_login(&self, login: &str) -> Option<&User> {
        self.users.get(self.logins.get(&login.to_lowercase())?)
    }
}

impl World {
    fn add_account(&mut self, login: &str, role: Option<OrgRole>) -> UserId {
        let id = UserId(self.next_number());
        self.people.logins.insert(login.to_lowercase(), id);
        self.people.users.insert(id, User { id, login: login.to_owned(), role, suspended: false });
        id
    }

    /// An account outside the organisation; joining a team makes it a member.
    pub fn add_user(&mut self, login: &str) -> UserId {
        self.add_account(login, None)
    }

    /// An ordinary member of the organisation.
    pub fn add_member(&mut self, login: &str) -> UserId {
        self.add_account(login, Some(OrgRole::Member))
    }

    /// An owner of the organisation.
    pub fn add_owner(&mut self, login: &str) -> UserId {
        self.add_account(login, Some(OrgRole::Owner))
    }

    /// Makes an account an owner, a member, or a stranger (`None`, which also leaves every team).
    pub fn set_org_role(&mut self, user: UserId, role: Option<OrgRole>) {
        if let Some(account) = self.people.users.get_mut(&user) {
            account.role = role;
        }
        if role.is_none() {
            self.teams.forget_user(user);
        }
    }

    /// Suspends an account: its tokens are refused with 403.
    pub fn suspend_user(&mut self, user: UserId) {
        self.set_suspended(user, true);
    }

    /// Takes a suspension back.
    pub fn reinstate_user(&mut self, user: UserId) {
        self.set_suspended(user, false);
    }

    fn set_suspended(&mut self, user: UserId, suspended: bool) {
        if let Some(account) = self.people.users.get_mut(&user) {
            account.suspended = suspended;
        }
    }

    /// Gives an account another login; its number stays, and the old login is free.
    pub fn rename_user(&mut self, user: UserId, login: &str) {
        if let Some(account) = self.people.users.get_mut(&user) {
            self.people.logins.remove(&account.login.to_lowercase());
            login.clone_into(&mut account.login);
            self.people.logins.insert(login.to_lowercase(), user);
        }
    }

    /// Deletes an account, with its tokens and its places in teams.
    pub fn delete_user(&mut self, user: UserId) {
        if let Some(gone) = self.people.users.remove(&user) {
            self.people.logins.remove(&gone.login.to_lowercase());
        }
        self.people
            .tokens
            .retain(|_, holder| !matches!(holder, Holder::User { user: held, .. } if *held == user));
        self.teams.forget_user(user);
    }

    /// The account with this number.
    pub fn user(&self, user: UserId) -> Option<&User> {
        self.people.users.get(&user)
    }

    /// The account with this login, in any letter case.
    pub fn user_by_login(&self, login: &str) -> Option<&User> {
        self.people.by_login(login)
    }

    /// A new token of a user. Classic and OAuth tokens get the scopes `repo`, `admin:org` and `user`; a
    /// fine-grained one gets no permission (it still proves who the user is).
    pub fn add_token(&mut self, user: UserId, kind: TokenKind) -> String {
        self.add_token_with_scopes(user, kind, &["repo", "admin:org", "user"])
    }

    /// A new classic or OAuth token with just these scopes.
    pub fn add_token_with_scopes(&mut self, user: UserId, kind: TokenKind, scopes: &[&str]) -> String {
        let scopes = scopes.iter().map(ToString::to_string).collect();
        self.store_token(user, kind, scopes, BTreeMap::new())
    }

    /// A new fine-grained token with just these permissions.
    pub fn add_token_with_permissions(&mut self, user: UserId, permissions: &[(&str, Level)]) -> String {
        let permissions = permissions.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        self.store_token(user, TokenKind::FineGrained, Vec::new(), permissions)
    }

    fn store_token(
        &mut self,
        user: UserId,
        kind: TokenKind,
        scopes: Vec<String>,
        permissions: BTreeMap<String, Level>,
    ) -> String {
        let token = match kind {
            TokenKind::Classic => self.secrets.checked("ghp_"),
            TokenKind::FineGrained => self.secrets.fine_grained(),
            TokenKind::OAuth => self.secrets.checked("gho_"),
            TokenKind::AppUser => self.secrets.checked("ghu_"),
        };
        self.people.tokens.insert(token.clone(), Holder::User { user, kind, scopes, permissions });
        token
    }

    /// A token as a workflow gets it (`GITHUB_TOKEN`, `ghs_…`): it belongs to no user.
    pub fn add_actions_token(&mut self, repository: Option<RepoId>) -> String {
        let token = self.secrets.checked("ghs_");
        self.people.tokens.insert(token.clone(), Holder::Actions { repository });
        token
    }

    /// Revokes any token: from now on it is "Bad credentials".
    pub fn revoke_token(&mut self, token: &str) {
        self.people.tokens.remove(token);
    }
}
