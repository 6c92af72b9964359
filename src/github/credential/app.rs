//! The App's credential: a JWT for the App itself, and one installation token, narrowed to what is required,
//! minted once for all who wait for it, renewed ahead of its expiry and when GitHub refuses it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use octocrab::Octocrab;
use octocrab::auth::AppAuth;
use octocrab::models::AppId;
use secrecy::SecretString;
use serde_json::json;
use tokio::time::Instant;

use super::installation::Place;
use super::minted::{Minted, YOUNG};
use super::{Scope, StartupProblem, TokenState};
use crate::account::Account;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::domain::names::{OrgName, RepoName};
use crate::github::budget::Budget;
use crate::github::call::Call;
use crate::github::checks::app_auth;
use crate::github::client::with_token;
use crate::github::error::{Class, Error};
use crate::github::reply::Reply;
use crate::github::settings::{App, SetupError};
use crate::github::transport::Transport;
use crate::github::types::{Installation, InstallationToken};
use crate::metrics::{self, CallKind};

/// A token is renewed when it has less than this left.
const RENEWED_BEFORE_EXPIRY: Duration = Duration::from_mins(5);

/// How long a token that is about to expire still serves before GitHub is asked for a new one again.
const STOPGAP: Duration = Duration::from_secs(10);

/// At most so many young tokens are replaced in the time that one is young.
const MAX_YOUNG_REPLACED: usize = 2;
/// How long to wait before a call is sent again that was refused with a 403 because of a young token; it may as well be a permission
/// that is missing.
const PAUSE_AFTER_403: Duration = Duration::from_secs(1);

/// The maximum number of tokens that are kept at once: one for everything, the others for a repository each.
const MAX_TOKENS: u64 = 1_000;

/// What the service needs, and the maximum that its installation token can do.
const PERMISSIONS: [(&str, Access, &str); 3] = [
    ("metadata", Access::Read, "Metadata: read"),
    ("members", Access::Read, "Members: read"),
    ("organization_self_hosted_runners", Access::Write, "Self-hosted runners: read and write"),
];

/// A level of access, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Access {
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

/// Tells the tokens of different scopes apart. Nothing in a repository's name is a colon.
fn key(scope: Scope<'_>) -> String {
    match scope {
        Scope::Organisation => String::new(),
        Scope::Administration(name) => format!("administration:{}", name.as_str().to_ascii_lowercase()),
        Scope::Actions(name) => format!("actions:{}", name.as_str().to_ascii_lowercase()),
    }
}

/// The App, its installation, and the current token.
pub(in crate::github) struct AppCredential {
    org: OrgName,
    anonymous: Octocrab,
    auth: ArcSwap<AppAuth>,
    place: Place,
    transport: Arc<Transport>,
    clock: Clock,
    /// The token for everything, and those for one repository each.
    tokens: Cache<String, Result<Arc<Minted>, Error>>,
    last_minted: ArcSwapOption<Minted>,
    /// How many tokens were minted.
    minted: AtomicU64,
    /// When young tokens were replaced lately.
    replaced: Mutex<Vec<Duration>>,
    app_budget: Budget,
    installation_budget: Arc<Budget>,
}

impl AppCredential {
    pub(super) fn new(
        app: App,
        key: &SecretString,
        org: OrgName,
        anonymous: Octocrab,
        transport: Arc<Transport>,
        budget: Arc<Budget>,
        clock: Clock,
    ) -> Result<Self, SetupError> {
        Ok(Self {
            org,
            anonymous,
            auth: ArcSwap::from_pointee(app_auth(AppId(app.id), key)?),
            place: Place::new(app.installation_id, clock.clone()),
            transport,
            tokens: Cache::counted(metrics::Cache::InstallationToken, MAX_TOKENS, clock.clone()),
            app_budget: Budget::of_one(clock.clone()),
            clock,
            last_minted: ArcSwapOption::empty(),
            minted: AtomicU64::new(0),
            replaced: Mutex::default(),
            installation_budget: budget,
        })
    }

    /// Signs with another key from now on; the current token stays good.
    pub(super) fn replace(&self, key: &SecretString) -> Result<(), SetupError> {
        let app_id = self.auth.load().app_id;
        self.auth.store(Arc::new(app_auth(app_id, key)?));
        Ok(())
    }

    /// The state of the current token.
    pub(super) fn state(&self) -> TokenState {
        let left = self.last_minted.load().as_ref().map(|token| token.left(&self.clock));
        match left {
            Some(left) if left > RENEWED_BEFORE_EXPIRY => TokenState::Good,
            Some(left) if !left.is_zero() => TokenState::Ageing,
            _ => TokenState::Missing,
        }
    }

    /// Tells the current token from all before it.
    pub(super) fn token_number(&self) -> u64 {
        self.last_minted.load().as_ref().map_or(0, |token| token.number)
    }

    /// Sends a call as the installation, with a token that reaches its scope and nothing else. After a 401 the token is
    /// renewed and the call sent once more; if it was just minted, the same is first tried again after pauses. GitHub did
    /// nothing with what it refused, so this repeats no write.
    pub(super) async fn send(&self, scope: Scope<'_>, call: &Call) -> Result<Reply, Error> {
        let deadline = Instant::now() + self.transport.timeout();
        let mut minted = self.token(scope).await?;
        let (mut refusals, mut is_renewed, mut pause_after_403) = (0, false, Some(PAUSE_AFTER_403));
        loop {
            let call = call.with_token_of(minted.number);
            let outcome = self.transport.send(&minted.client, &self.installation_budget, &call).await;
            let error = match outcome {
                Err(error) => error,
                Ok(reply) => {
                    minted.was_accepted.store(true, Ordering::Relaxed);
                    return Ok(reply);
                }
            };
            let is_refused = *error.class() == Class::Unauthorized;
            let pause = match error.class() {
                Class::Unauthorized => {
                    refusals += 1;
                    minted.pause_after_401(refusals, &self.clock)
                }
                Class::Forbidden(_) if minted.is_young(&self.clock) => pause_after_403.take(),
                _ => None,
            };
            if let Some(pause) = pause.filter(|pause| Instant::now() + *pause < deadline) {
                tokio::time::sleep(pause).await;
            } else if is_refused && !is_renewed && self.may_replace(&minted) {
                self.forget(scope, &minted).await;
                minted = self.token(scope).await?;
                (refusals, is_renewed) = (0, true);
            } else {
                return Err(error);
            }
        }
    }

    /// Whether there may be another token in place of this one, which minting too many would not help.
    fn may_replace(&self, refused: &Minted) -> bool {
        if !refused.is_young(&self.clock) {
            return true;
        }
        let now = self.clock.now();
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        replaced.retain(|at| now < *at + YOUNG);
        // All who were refused with it replace it together.
        if refused.is_given_up.load(Ordering::Relaxed) {
            return true;
        }
        if replaced.len() >= MAX_YOUNG_REPLACED {
            return false;
        }
        replaced.push(now);
        refused.is_given_up.store(true, Ordering::Relaxed);
        true
    }

    /// The current token, or a new one; all who ask while it is minted get the same.
    async fn token(&self, scope: Scope<'_>) -> Result<Arc<Minted>, Error> {
        let load = async {
            match self.mint(scope).await {
                Ok(minted) => {
                    let minted = Arc::new(minted);
                    if scope.is_organisation() {
                        self.last_minted.store(Some(minted.clone()));
                    }
                    let keep = minted.left(&self.clock).saturating_sub(RENEWED_BEFORE_EXPIRY);
                    (Ok(minted), keep)
                }
                // A token that is about to expire still serves while GitHub gives no new one.
                Err(error) => match self.last_minted.load_full().filter(|_| scope.is_organisation()) {
                    Some(last) if last.left(&self.clock) > STOPGAP => (Ok(last), STOPGAP),
                    _ => (Err(error), Duration::ZERO),
                },
            }
        };
        self.tokens.get_or_load(key(scope), load).await
    }

    /// Forgets a token that GitHub refused, unless it has been replaced already.
    async fn forget(&self, scope: Scope<'_>, refused: &Arc<Minted>) {
        let is_refused = |token: &Arc<Minted>| Arc::ptr_eq(token, refused);
        if self.last_minted.load().as_ref().is_some_and(is_refused) {
            self.last_minted.store(None);
        }
        self.tokens.forget_if(key(scope), |token| token.as_ref().is_ok_and(is_refused)).await;
    }

    /// A new token. Whatever goes wrong here is nothing that GitHub said to a caller.
    async fn mint(&self, scope: Scope<'_>) -> Result<Minted, Error> {
        self.mint_where_it_is(scope).await.map_err(|error| match error.class() {
            // The App lacks something in this one repository, which says nothing about the organisation.
            Class::Rejected(_) if !scope.is_organisation() => error,
            Class::NotFound => error
                .of_the_service()
                .adding(&format!("; is the App still installed in the organisation \"{}\"?", self.org)),
            _ => error.of_the_service(),
        })
    }

    async fn mint_where_it_is(&self, scope: Scope<'_>) -> Result<Minted, Error> {
        let installation = match self.place.id() {
            Some(id) => id,
            None => self.look_up().await?.id,
        };
        match self.mint_for(installation, scope).await {
            Err(error) if error.is_not_found() && self.place.is_gone(installation) => {
                self.mint_for(self.look_up().await?.id, scope).await
            }
            outcome => outcome,
        }
    }

    async fn mint_for(&self, installation: u64, scope: Scope<'_>) -> Result<Minted, Error> {
        let of_one = |name: &RepoName, permission: &str, access: Access| {
            json!({
                "permissions": { "metadata": "read", permission: access.as_str() },
                "repositories": [name.as_str()],
            })
        };
        let wanted = match scope {
            Scope::Organisation => {
                let permissions: serde_json::Map<_, _> = PERMISSIONS
                    .iter()
                    .map(|(name, access, _)| ((*name).to_owned(), access.as_str().into()))
                    .collect();
                json!({ "permissions": permissions })
            }
            Scope::Administration(name) => of_one(name, "administration", Access::Write),
            Scope::Actions(name) => of_one(name, "actions", Access::Read),
        };
        let path = format!("/app/installations/{installation}/access_tokens");
        let call = Call::post(CallKind::InstallationToken, path).with_body(wanted);
        let token: InstallationToken = self.send_as_app(&call).await?.parse()?;
        let client = with_token(&self.anonymous, token.token)?;
        let expires = u64::try_from(token.expires_at.timestamp()).unwrap_or(0);
        Ok(Minted {
            client,
            number: self.minted.fetch_add(1, Ordering::Relaxed) + 1,
            since: self.clock.now(),
            was_accepted: false.into(),
            is_given_up: false.into(),
            expires,
        })
    }

    /// The configured installation, or where GitHub doesn't know that one, the organisation's.
    async fn installation(&self) -> Result<Installation, Error> {
        if let Some(id) = self.place.configured() {
            let call = Call::get(CallKind::Installation, format!("/app/installations/{id}"));
            match self.send_as_app(&call).await {
                Err(error) if error.is_not_found() => _ = self.place.is_gone(id),
                outcome => return outcome?.parse(),
            }
        }
        self.look_up().await
    }

    /// The App's installation on the organisation.
    async fn look_up(&self) -> Result<Installation, Error> {
        let call = Call::get(CallKind::Installation, format!("/orgs/{}/installation", self.org));
        let found: Installation = self.send_as_app(&call).await?.parse()?;
        self.place.found(found.id);
        Ok(found)
    }

    async fn send_as_app(&self, call: &Call) -> Result<Reply, Error> {
        let client = self.client_as_app()?;
        // For everybody, whoever is behind the request that needs it.
        Account::default().scope(self.transport.send(&client, &self.app_budget, call)).await
    }

    fn client_as_app(&self) -> Result<Octocrab, Error> {
        let jwt = self
            .auth
            .load()
            .generate_bearer_token()
            .map_err(|cause| Error::new(Class::Unauthorized, format!("no JWT can be signed: {cause}")))?;
        with_token(&self.anonymous, SecretString::from(jwt))
    }

    /// Asks for the App itself, which needs no token that GitHub would have to make first.
    pub(super) async fn is_github_up(&self) -> bool {
        match self.client_as_app() {
            Ok(client) => self.transport.is_up(&client, &Call::get(CallKind::Probe, "/app".to_owned())).await,
            // Nobody can be asked, and so nothing speaks against GitHub.
            Err(_) => true,
        }
    }

    /// Asks GitHub whether the App is installed where it should be and may do what it must.
    pub(super) async fn check(&self) -> Result<(), StartupProblem> {
        let found = self.installation().await.map_err(|error| match error.class() {
            Class::NotFound => StartupProblem::NotInstalled { org: self.org.clone(), detail: error },
            _ => StartupProblem::from_app(error),
        })?;
        let account = found.account.and_then(|account| account.login).unwrap_or_default();
        if !self.org.is(&account) {
            return Err(StartupProblem::OtherAccount {
                installation: found.id,
                account,
                org: self.org.clone(),
            });
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
        self.token(Scope::Organisation).await.map(drop).map_err(StartupProblem::from_app)
    }
}
