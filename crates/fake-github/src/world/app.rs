//! The GitHub App: its key, where it is installed, what it was granted, and the tokens minted for it.

use std::collections::{BTreeMap, BTreeSet};

use super::level::Level;
use super::people::{Holder, InstallationToken};
use super::{InstallationId, RepoId, World};
use crate::key::AppKey;
use chrono::{DateTime, TimeDelta, Utc};

/// What new installation tokens look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStyle {
    /// 40 characters.
    Short,
    /// About 520 characters, with dots, as GitHub rolls out since 2026.
    Stateless,
}

/// One place where the App is installed.
#[derive(Debug, Clone)]
pub struct Installation {
    /// GitHub's number.
    pub id: InstallationId,
    /// The login of the organisation.
    pub account: String,
    /// What the owners granted.
    pub permissions: BTreeMap<String, Level>,
    /// The repositories it was given; `None` for all.
    pub repositories: Option<BTreeSet<RepoId>>,
    /// Since when it is suspended.
    pub suspended_at: Option<DateTime<Utc>>,
}

/// An installation token that the fake minted.
#[derive(Clone)]
pub struct MintedToken {
    /// The secret itself.
    pub token: String,
    /// The installation it acts for.
    pub installation: InstallationId,
    /// What it may do.
    pub permissions: BTreeMap<String, Level>,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
}

pub(crate) struct App {
    pub(crate) id: u64,
    pub(crate) slug: &'static str,
    pub(crate) public_key: Vec<u8>,
    pub(crate) installations: BTreeMap<InstallationId, Installation>,
    pub(crate) minted: Vec<MintedToken>,
    pub(crate) style: TokenStyle,
    pub(crate) clock_skew: TimeDelta,
}

impl App {
    pub(super) fn new() -> Self {
        Self {
            id: 271_828,
            slug: "runner-manager",
            public_key: AppKey::shared().public_der().to_vec(),
            installations: BTreeMap::new(),
            minted: Vec::new(),
            style: TokenStyle::Short,
            clock_skew: TimeDelta::zero(),
        }
    }

    pub(crate) fn on(&self, account: &str) -> Option<&Installation> {
        self.installations.values().find(|installation| installation.account.eq_ignore_ascii_case(account))
    }
}

impl World {
    /// The App's number.
    pub fn app_id(&self) -> u64 {
        self.app.id
    }

    /// The number of the App's installation on the organisation; a number that is unknown to GitHub when the
    /// App isn't installed there.
    pub fn installation_id(&self) -> InstallationId {
        self.app.on(&self.org.login).map_or(InstallationId(u64::from(u32::MAX)), |found| found.id)
    }

    /// All installations of the App, by number.
    pub fn installations(&self) -> impl Iterator<Item = &Installation> {
        self.app.installations.values()
    }

    /// Gives the App another key; JWTs signed with the old one are refused.
    pub fn set_app_key(&mut self, key: &AppKey) {
        self.app.public_key = key.public_der().to_vec();
    }

    /// Installs the App on another organisation, with the usual permissions.
    pub fn install_app_on(&mut self, account: &str) -> InstallationId {
        self.ensure_organization(account);
        let id = InstallationId(self.next_number());
        let permissions = [
            ("actions", Level::Read),
            ("members", Level::Read),
            ("metadata", Level::Read),
            ("organization_self_hosted_runners", Level::Write),
        ];
        let installation = Installation {
            id,
            account: account.to_owned(),
            permissions: permissions.into_iter().map(|(name, level)| (name.to_owned(), level)).collect(),
            repositories: None,
            suspended_at: None,
        };
        self.app.installations.insert(id, installation);
        id
    }

    /// Takes the App off the organisation; its tokens stop working.
    pub fn uninstall_app(&mut self) {
        let id = self.installation_id();
        self.app.installations.remove(&id);
    }

    /// Takes the App off the organisation and installs it anew with the same permissions: the installation has another
    /// number, and the old one's tokens are dead.
    pub fn reinstall_app(&mut self) -> InstallationId {
        let granted = self.app.on(&self.org.login).map(|found| found.permissions.clone());
        self.uninstall_app();
        let account = self.org.login.clone();
        let id = self.install_app_on(&account);
        if let Some(granted) = granted {
            self.change_installation(|installation| installation.permissions = granted);
        }
        id
    }

    /// Suspends the installation on the organisation.
    pub fn suspend_app(&mut self) {
        let now = self.now();
        self.change_installation(|installation| installation.suspended_at = Some(now));
    }

    /// Takes the suspension back.
    pub fn resume_app(&mut self) {
        self.change_installation(|installation| installation.suspended_at = None);
    }

    /// Grants the installation on the organisation exactly these permissions.
    pub fn set_app_permissions(&mut self, permissions: &[(&str, Level)]) {
        let granted = permissions.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        self.change_installation(|installation| installation.permissions = granted);
    }

    /// Gives the installation on the organisation one more permission.
    pub fn grant_app_permission(&mut self, name: &str, level: Level) {
        self.change_installation(|installation| {
            installation.permissions.insert(name.to_owned(), level);
        });
    }

    /// Takes one permission from the installation on the organisation.
    pub fn revoke_app_permission(&mut self, name: &str) {
        self.change_installation(|installation| {
            installation.permissions.remove(name);
        });
    }

    /// Limits the installation on the organisation to these repositories.
    pub fn limit_app_to(&mut self, repositories: &[RepoId]) {
        let chosen = repositories.iter().copied().collect();
        self.change_installation(|installation| installation.repositories = Some(chosen));
    }

    fn change_installation(&mut self, change: impl FnOnce(&mut Installation)) {
        let id = self.installation_id();
        if let Some(installation) = self.app.installations.get_mut(&id) {
            change(installation);
        }
    }

    /// Chooses what new installation tokens look like.
    pub fn set_token_style(&mut self, style: TokenStyle) {
        self.app.style = style;
    }

    /// Sets how far GitHub's clock is ahead of this machine's when it judges an App's JWT.
    pub fn set_clock_skew(&mut self, skew: TimeDelta) {
        self.app.clock_skew = skew;
    }

    /// The installation tokens minted so far.
    pub fn minted_tokens(&self) -> &[MintedToken] {
        &self.app.minted
    }

    /// Revokes every installation token minted so far.
    pub fn revoke_installation_tokens(&mut self) {
        self.people.tokens.retain(|_, holder| !matches!(holder, Holder::Installation(_)));
    }

    /// Mints an installation token without asking for a JWT, good for an hour.
    pub fn mint_installation_token(
        &mut self,
        installation: InstallationId,
        permissions: BTreeMap<String, Level>,
        repositories: Option<BTreeSet<RepoId>>,
    ) -> MintedToken {
        let token = match self.app.style {
            TokenStyle::Short => self.secrets.checked("ghs_"),
            TokenStyle::Stateless => self.secrets.stateless(self.app.id),
        };
        let expires_at = self.now() + TimeDelta::hours(1);
        let minted = MintedToken { token: token.clone(), installation, permissions, expires_at };
        let permissions = minted.permissions.clone();
        let held =
            InstallationToken { installation, permissions, repositories, expires_at, works_from: None };
        self.people.tokens.insert(token, Holder::Installation(held));
        self.app.minted.push(minted.clone());
        minted
    }

    /// A token of the installation on the organisation with all it was granted.
    pub fn installation_token(&mut self) -> String {
        let id = self.installation_id();
        let granted = self.app.installations.get(&id).map(|found| found.permissions.clone());
        self.mint_installation_token(id, granted.unwrap_or_default(), None).token
    }
}
