//! Typed calls to GitHub's REST API. The only module that knows octocrab.

mod budget;
mod call;
mod checks;
mod circuit;
mod client;
mod credential;
mod environments;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod generations;
mod groups;
mod hold;
mod kept_pages;
mod lanes;
mod owners;
mod pace;
mod paging;
mod places;
mod recent;
mod reply;
mod runners;
mod sending;
mod settings;
mod shared_lists;
mod teams;
mod transport;
mod types;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use octocrab::Octocrab;
use secrecy::SecretString;
use tokio::sync::{Notify, OnceCell};

use self::budget::Budget;
pub use self::budget::Share;
use self::call::Call;
pub use self::checks::{check_private_key, read_authorities};
pub use self::circuit::CircuitState;
use self::client::with_token;
use self::credential::{Credential, Scope};
pub use self::credential::{StartupProblem, TokenState};
pub use self::error::{Class, Error, Shortage};
pub use self::generations::Generation;
use self::generations::Generations;
use self::kept_pages::KeptPages;
use self::lanes::Lane;
pub use self::paging::PAGE_SIZE;
use self::recent::Recent;
use self::reply::Reply;
pub use self::sending::MAX_ATTEMPTS;
pub use self::settings::{App, Settings, SetupError};
pub use self::shared_lists::SharedList;
use self::shared_lists::SharedLists;
use self::transport::Transport;
pub use self::types::{JitRunner, Membership, Repository, Runner, RunnerGroup, RunnerToken, Team, User};
pub use self::writes::WriteIds;
use crate::clock::Clock;
use crate::domain::ids::OrganisationId;
use crate::domain::names::OrgName;
use crate::metrics::CallKind;
use crate::replicas::Replicas;
use crate::store::ToldHold;

/// Waits before a group that this process just made is asked for again: usually GitHub shows it within a second.
const LAG_PAUSES: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// What is known about a caller's token before GitHub is asked whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenHistory {
    /// GitHub vouched for it lately.
    Good,
    /// Nothing; anybody could have made it up.
    Unknown,
}

/// The service's connection to GitHub. Cheap to share, expensive to build: one a process.
pub struct Github {
    org: OrgName,
    is_enterprise_server: bool,
    transport: Arc<Transport>,
    /// Carries no credential; clients for callers' tokens derive from it and share its connections.
    anonymous: Octocrab,
    credential: Credential,
    /// What the credential may do, shared by all callers.
    budget: Arc<Budget>,
    clock: Clock,
    recent: Recent,
    generations: Generations,
    shared_lists: SharedLists,
    kept_pages: KeptPages,
    /// The organisation's id, once it was asked for.
    organisation: OnceCell<OrganisationId>,
    /// Notified when something speaks against the credential.
    doubts: Notify,
}

impl Github {
    /// Builds the client. To be called on the runtime that lives longest: octocrab's worker stays there.
    pub fn new(settings: Settings, replicas: Arc<Replicas>, clock: Clock) -> Result<Self, SetupError> {
        let anonymous = client::anonymous(&settings)?;
        let transport =
            Transport::new(settings.timeout, settings.concurrency, replicas.clone(), clock.clone());
        let recent = Recent::new(&clock);
        let budget = Arc::new(Budget::of_all(settings.shares, replicas.clone(), clock.clone()));
        let credential =
            Credential::new(&settings, anonymous.clone(), transport.clone(), budget.clone(), clock.clone())?;
        let is_enterprise_server = settings.api_url.ends_with("/api/v3");
        Ok(Self {
            org: settings.org,
            is_enterprise_server,
            transport,
            anonymous,
            credential,
            budget,
            clock,
            recent,
            generations: Generations::new(replicas),
            shared_lists: SharedLists::new(),
            kept_pages: KeptPages::new(),
            organisation: OnceCell::new(),
            doubts: Notify::new(),
        })
    }

    /// Whether it is a GitHub Enterprise Server, which serves the API below this path.
    pub fn is_enterprise_server(&self) -> bool {
        self.is_enterprise_server
    }

    /// The organisation that is managed.
    pub fn org(&self) -> &OrgName {
        &self.org
    }

    /// Checks that the credential is accepted and may do what the service does.
    pub async fn check_credential(&self) -> Result<(), StartupProblem> {
        self.credential.check().await
    }

    /// Uses another private key or token from now on. If it can't be used, the old one stays.
    pub fn replace_secret(&self, secret: &SecretString) -> Result<(), SetupError> {
        self.credential.replace(secret)
    }

    /// Whether there is a token to send calls with. Asks nobody.
    pub fn token_state(&self) -> TokenState {
        self.credential.state()
    }

    /// Asks for the credential to be checked again soon.
    pub fn doubt_credential(&self) {
        self.doubts.notify_one();
    }

    /// Waits until somebody doubts the credential, or did since this was last waited for.
    pub async fn doubted(&self) {
        self.doubts.notified().await;
    }

    /// Calls under way, and those that wait, without look-ups of tokens.
    pub fn load(&self) -> (usize, usize) {
        self.transport.lanes().work()
    }

    /// Look-ups of tokens under way, and those that wait.
    pub fn look_ups(&self) -> (usize, usize) {
        self.transport.lanes().look_ups()
    }

    /// Refuses those who have nothing to do with the organisation once all of them together used their part of the hour. The
    /// error is when there are calls again.
    pub fn check_strangers(&self) -> Result<(), Duration> {
        self.budget.check_strangers()
    }

    /// So many calls were made for somebody who has nothing to do with the organisation.
    pub fn count_stranger(&self, calls: u64) {
        self.budget.count_stranger(calls);
    }

    /// Takes in what GitHub asked other processes to wait for.
    pub fn hear_holds(&self, told: &[ToldHold]) {
        self.budget.hear(told);
    }

    /// Shows in metrics what is scarce.
    pub fn report_scarcity(&self) {
        self.budget.report();
    }

    /// Whether GitHub seems to be up.
    pub fn circuit(&self) -> CircuitState {
        self.transport.circuit()
    }

    /// Finds out by calls of its own whether GitHub as a whole is down, when much fails, and when it is back. To be run
    /// all the time; never ends.
    pub async fn keep_circuit(&self) {
        self.transport.keep_circuit(|| self.credential.is_github_up()).await;
    }

    /// The user that a caller's token belongs to: the only call ever made with it.
    pub async fn user_of(&self, token: SecretString, history: TokenHistory) -> Result<User, Error> {
        let client = with_token(&self.anonymous, token)?;
        // Every token has a budget of its own at GitHub; a spent one must not hold back others.
        let budget = Budget::of_one(self.clock.clone());
        let lane = match history {
            TokenHistory::Good => Lane::Renewal,
            TokenHistory::Unknown => Lane::Stranger,
        };
        let call = Call::get(CallKind::User, "/user".to_owned()).in_lane(lane).for_caller();
        let outcome = self.transport.send(&client, &budget, &call).await;
        // What GitHub says of the caller's token says nothing about the service's credential.
        self.note(&outcome, |class| matches!(class, Class::ServiceRefused | Class::NotGithub));
        let reply = outcome?;
        let scopes = reply.header("x-oauth-scopes").unwrap_or_default();
        let scopes = scopes.split(',').map(|scope| scope.trim().to_owned()).collect();
        Ok(User { scopes, ..reply.parse()? })
    }

    /// Sends a call about one repository, if possible with a token that reaches nothing else.
    async fn send_for_repository(&self, call: Call, scope: Scope<'_>) -> Result<Reply, Error> {
        let outcome = Box::pin(self.credential.send(scope, &call)).await;
        // What it may not do in one repository says nothing about the organisation.
        self.note(&outcome, |class| *class == Class::ServiceRefused);
        outcome
    }

    /// Sends a call as the App's installation (or the configured token).
    async fn send(&self, call: Call) -> Result<Reply, Error> {
        let mut outcome = Box::pin(self.credential.send(Scope::Organisation, &call)).await;
        for pause in LAG_PAUSES {
            let may_lag = match (&outcome, call.group()) {
                (Err(error), Some(group)) if error.is_not_found() => self.recent.may_lag(group).await,
                _ => false,
            };
            if !may_lag {
                break;
            }
            tokio::time::sleep(pause).await;
            outcome = Box::pin(self.credential.send(Scope::Organisation, &call)).await;
        }
        let is_doubtful =
            |class: &Class| matches!(class, Class::ServiceRefused | Class::Forbidden(_) | Class::NotGithub);
        self.note(&outcome, is_doubtful);
        outcome
    }

    fn note(&self, outcome: &Result<Reply, Error>, is_doubtful: fn(&Class) -> bool) {
        if outcome.as_ref().is_err_and(|error| is_doubtful(error.class())) {
            self.doubt_credential();
        }
    }
}
