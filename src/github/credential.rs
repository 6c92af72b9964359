//! The App's credential: a JWT for the App itself, and one installation token, narrowed to what is needed,
//! minted once for all who wait for it, renewed ahead of its expiry and when GitHub refuses it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use octocrab::Octocrab;
use octocrab::auth::AppAuth;
use secrecy::SecretString;
use serde_json::json;
use tokio::sync::OnceCell;

use super::answer::Reply;
use super::budget::Budget;
use super::error::{Class, Error};
use super::transport::{Call, Transport};
use super::types::{Installation, InstallationToken};
use super::with_token;
use crate::clock::Clock;
use crate::domain::names::{OrgName, RepoName};
use crate::metrics::{self, CallKind};
use crate::timed_cache::TimedCache;

/// A token is renewed when it has less than this left.
const RENEWED_BEFORE_EXPIRY: Duration = Duration::from_mins(5);

/// How long a token that is about to expire still serves before GitHub is asked for a new one again.
const STOPGAP: Duration = Duration::from_secs(10);

/// Tokens that are kept at once: one for everything, the others for a repository each.
const MOST_TOKENS: u64 = 1_000;

/// What the service needs, and with it the most that its installation token can do.
pub(super) const PERMISSIONS: [(&str, Access, &str); 3] = [
    ("metadata", Access::Read, "Metadata: read"),
    ("members", Access::Read, "Members: read"),
    ("organization_self_hosted_runners", Access::Write, "Self-hosted runners: read and write"),
];

/// A level of access, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    Read,
    Write,
    Admin,
}

impl Access {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// How it stands with the token that calls are sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// There is one.
    Good,
    /// It still works, but it is time for a new one.
    Ageing,
    /// There is none.
    Missing,
}

/// What stops the service from doing its work, found at start. Says what to do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StartupProblem {
    /// GitHub couldn't be asked; it may come back.
    #[error("GitHub can't be asked whether the credential works: {0}")]
    NotAnswering(Error),
    /// The JWT was refused.
    #[error(
        "GitHub refused the App's key: check that appID is the App's numeric id, that the private key is one \
         of this App's keys and has not been deleted, and that this machine's clock is right ({0})"
    )]
    KeyRefused(Error),
    /// The configured token was refused.
    #[error(
        "GitHub refused the configured token: check that it is a user's personal access token, and that it has \
         not expired or been revoked ({0})"
    )]
    TokenRefused(Error),
    /// The configured token may not reach runner groups.
    #[error(
        "the configured token may not manage the organisation's runner groups: it has to be an organisation \
         owner's, with the scope admin:org or, if fine-grained, the organisation permission Self-hosted runners \
         (read and write) ({0})"
    )]
    TokenWithoutRunners(Error),
    /// The configured token may not see teams.
    #[error(
        "the configured token may not see the organisation's teams: it needs the scope admin:org or, if \
         fine-grained, the organisation permission Members (read) ({0})"
    )]
    TokenWithoutMembers(Error),
    /// No such installation.
    #[error(
        "the App has no such installation: install it in the organisation \"{org}\", or correct \
         installationID or leave it out to have it looked up ({detail})"
    )]
    NotInstalled {
        /// The configured organisation.
        org: OrgName,
        /// What GitHub said.
        detail: Error,
    },
    /// The configured installation belongs to another account.
    #[error(
        "installation {installation} is on the account \"{account}\", not on the organisation \"{org}\": \
         correct installationID or org"
    )]
    OtherAccount {
        /// The installation's id.
        installation: u64,
        /// Where it is installed.
        account: String,
        /// The configured organisation.
        org: OrgName,
    },
    /// The organisation's owners suspended the App.
    #[error(
        "the App's installation {0} is suspended: an organisation owner can unsuspend it in GitHub's settings"
    )]
    Suspended(u64),
    /// The App was not granted what it needs.
    #[error("the App's installation lacks permissions: grant it {}, then accept the change in the organisation", .0.join(", "))]
    PermissionsMissing(Vec<&'static str>),
}

impl StartupProblem {
    /// Whether trying again may help without anybody changing anything.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::NotAnswering(_))
    }

    /// Which of these it is, in a word that names nobody.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotAnswering(_) => "not_answering",
            Self::KeyRefused(_) => "key_refused",
            Self::TokenRefused(_) => "token_refused",
            Self::TokenWithoutRunners(_) => "token_without_runners",
            Self::TokenWithoutMembers(_) => "token_without_members",
            Self::NotInstalled { .. } => "not_installed",
            Self::OtherAccount { .. } => "other_account",
            Self::Suspended(_) => "suspended",
            Self::PermissionsMissing(_) => "permissions_missing",
        }
    }

    fn of_app(error: Error) -> Self {
        match error.class() {
            Class::Unauthorized => Self::KeyRefused(error),
            _ => Self::NotAnswering(error),
        }
    }

    pub(super) fn of_token(error: Error) -> Self {
        match error.class() {
            Class::Unauthorized | Class::Forbidden(_) => Self::TokenRefused(error),
            _ => Self::NotAnswering(error),
        }
    }
}

fn key(repository: Option<&RepoName>) -> Option<String> {
    repository.map(|name| name.as_str().to_ascii_lowercase())
}

/// The App, its installation, and the token of the moment.
pub(super) struct AppCredential {
    anonymous: Octocrab,
    auth: ArcSwap<AppAuth>,
    configured_installation: Option<u64>,
    found_installation: OnceCell<u64>,
    transport: Arc<Transport>,
    clock: Clock,
    /// The token for everything, and those for one repository each, by its name in lower case.
    tokens: TimedCache<Option<String>, Result<Arc<Minted>, Error>>,
    last_minted: ArcSwapOption<Minted>,
    app_budget: Budget,
    installation_budget: Budget,
}

/// An installation token inside the client that carries it.
struct Minted {
    client: Octocrab,
    /// Seconds since 1970.
    expires: u64,
}

impl Minted {
    fn left(&self, clock: &Clock) -> Duration {
        Duration::from_secs(self.expires.saturating_sub(clock.unix_seconds()))
    }
}

impl AppCredential {
    pub(super) fn new(
        anonymous: Octocrab,
        auth: AppAuth,
        configured_installation: Option<u64>,
        transport: Arc<Transport>,
        clock: Clock,
    ) -> Self {
        Self {
            anonymous,
            auth: ArcSwap::from_pointee(auth),
            configured_installation,
            found_installation: OnceCell::new(),
            transport,
            tokens: TimedCache::counted(metrics::Cache::InstallationToken, MOST_TOKENS, clock.clone()),
            clock,
            last_minted: ArcSwapOption::empty(),
            app_budget: Budget::default(),
            installation_budget: Budget::reported(),
        }
    }

    pub(super) fn app_id(&self) -> octocrab::models::AppId {
        self.auth.load().app_id
    }

    /// Signs with another key from now on; the token of the moment stays good.
    pub(super) fn replace_key(&self, auth: AppAuth) {
        self.auth.store(Arc::new(auth));
    }

    /// How it stands with the token of the moment.
    pub(super) fn token_state(&self) -> TokenState {
        let left = self.last_minted.load().as_ref().map(|token| token.left(&self.clock));
        match left {
            Some(left) if left > RENEWED_BEFORE_EXPIRY => TokenState::Good,
            Some(left) if !left.is_zero() => TokenState::Ageing,
            _ => TokenState::Missing,
        }
    }

    /// Sends a call as the installation; for a repository with a token that reaches nothing else. After a 401
    /// the token is renewed and the call sent once more: GitHub did nothing with what it refused, so this
    /// repeats no write.
    pub(super) async fn send_for(
        &self,
        org: &OrgName,
        repository: Option<&RepoName>,
        call: &Call,
    ) -> Result<Reply, Error> {
        let minted = self.token(org, repository).await?;
        let outcome = self.transport.send(&minted.client, &self.installation_budget, call).await;
        match outcome {
            Err(error) if *error.class() == Class::Unauthorized => {
                self.forget(repository, &minted).await;
                let minted = self.token(org, repository).await?;
                self.transport.send(&minted.client, &self.installation_budget, call).await
            }
            outcome => outcome,
        }
    }

    /// The token of the moment, or a new one; all who ask while it is minted get the same.
    async fn token(&self, org: &OrgName, repository: Option<&RepoName>) -> Result<Arc<Minted>, Error> {
        let load = async {
            match self.mint(org, repository).await {
                Ok(minted) => {
                    let minted = Arc::new(minted);
                    if repository.is_none() {
                        self.last_minted.store(Some(minted.clone()));
                    }
                    let keep = minted.left(&self.clock).saturating_sub(RENEWED_BEFORE_EXPIRY);
                    (Ok(minted), keep)
                }
                // A token that is about to expire still serves while GitHub gives no new one.
                Err(error) => match self.last_minted.load_full().filter(|_| repository.is_none()) {
                    Some(last) if last.left(&self.clock) > STOPGAP => (Ok(last), STOPGAP),
                    _ => (Err(error), Duration::ZERO),
                },
            }
        };
        self.tokens.get_or_load(key(repository), load).await
    }

    /// Forgets a token that GitHub refused, unless it has been replaced already.
    async fn forget(&self, repository: Option<&RepoName>, refused: &Arc<Minted>) {
        let is_refused = |token: &Arc<Minted>| Arc::ptr_eq(token, refused);
        if self.last_minted.load().as_ref().is_some_and(is_refused) {
            self.last_minted.store(None);
        }
        self.tokens.forget_if(key(repository), |token| token.as_ref().is_ok_and(is_refused)).await;
    }

    async fn mint(&self, org: &OrgName, repository: Option<&RepoName>) -> Result<Minted, Error> {
        let installation = match self.configured_installation {
            Some(id) => id,
            None => {
                *self
                    .found_installation
                    .get_or_try_init(async || Ok(self.installation(org).await?.id))
                    .await?
            }
        };
        let wanted = match repository {
            None => {
                let permissions: serde_json::Map<_, _> = PERMISSIONS
                    .iter()
                    .map(|(name, access, _)| ((*name).to_owned(), access.as_str().into()))
                    .collect();
                json!({ "permissions": permissions })
            }
            Some(name) => json!({
                "permissions": { "metadata": "read", "administration": "write" },
                "repositories": [name.as_str()],
            }),
        };
        let path = format!("/app/installations/{installation}/access_tokens");
        let call = Call::post(CallKind::InstallationToken, path).with_body(wanted);
        let token: InstallationToken = self.send_as_app(&call).await?.parse()?;
        let client = with_token(&self.anonymous, token.token)?;
        Ok(Minted { client, expires: u64::try_from(token.expires_at.timestamp()).unwrap_or(0) })
    }

    async fn installation(&self, org: &OrgName) -> Result<Installation, Error> {
        let path = match self.configured_installation {
            Some(id) => format!("/app/installations/{id}"),
            None => format!("/orgs/{org}/installation"),
        };
        self.send_as_app(&Call::get(CallKind::Installation, path)).await?.parse()
    }

    async fn send_as_app(&self, call: &Call) -> Result<Reply, Error> {
        let jwt = self
            .auth
            .load()
            .generate_bearer_token()
            .map_err(|cause| Error::new(Class::Unauthorized, format!("no JWT can be signed: {cause}")))?;
        let client = with_token(&self.anonymous, SecretString::from(jwt))?;
        self.transport.send(&client, &self.app_budget, call).await
    }

    /// Asks GitHub whether the App is installed where it should be and may do what it must.
    pub(super) async fn check(&self, org: &OrgName) -> Result<(), StartupProblem> {
        let found = self.installation(org).await.map_err(|error| match error.class() {
            Class::NotFound => StartupProblem::NotInstalled { org: org.clone(), detail: error },
            _ => StartupProblem::of_app(error),
        })?;
        let account = found.account.and_then(|account| account.login).unwrap_or_default();
        if !org.is(&account) {
            return Err(StartupProblem::OtherAccount { installation: found.id, account, org: org.clone() });
        }
        if found.suspended_at.is_some() {
            return Err(StartupProblem::Suspended(found.id));
        }
        let granted = |name: &str| found.permissions.get(name).and_then(|access| Access::parse(access));
        let missing: Vec<_> = PERMISSIONS
            .iter()
            // Metadata is granted with any repository permission, and GitHub doesn't always list it.
            .filter(|(name, needed, _)| *name != "metadata" && granted(name) < Some(*needed))
            .map(|(_, _, label)| *label)
            .collect();
        if !missing.is_empty() {
            return Err(StartupProblem::PermissionsMissing(missing));
        }
        self.token(org, None).await.map(drop).map_err(StartupProblem::of_app)
    }
}
