//! The credential that operations are carried out with.

mod app;
mod installation;
mod minted;
mod problem;
mod token;

use std::sync::Arc;

use octocrab::Octocrab;
use secrecy::SecretString;

use self::app::AppCredential;
pub use self::problem::StartupProblem;
use self::token::TokenCredential;
use super::budget::Budget;
use super::call::Call;
use super::error::{Class, Error};
use super::reply::Reply;
use super::settings::{Settings, SetupError};
use super::transport::Transport;
use crate::clock::Clock;
use crate::domain::names::RepoName;

/// Who the service acts as.
pub(super) enum Credential {
    App(Box<AppCredential>),
    Token(Box<TokenCredential>),
}

/// What a token has to reach.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    /// The organisation, as the service needs it.
    Organisation,
    /// One repository, and its administration.
    Administration(&'a RepoName),
    /// One repository, and what its Actions are set to.
    Actions(&'a RepoName),
}

impl Scope<'_> {
    /// Whether it is everything that the service works with.
    pub(super) fn is_organisation(self) -> bool {
        matches!(self, Self::Organisation)
    }
}

/// The state of the token that calls are sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// There is one.
    Good,
    /// It still works, but it is time for a new one.
    Ageing,
    /// There is none.
    Missing,
}

impl Credential {
    /// `anonymous` carries no credential; the clients that do derive from it.
    pub(super) fn new(
        settings: &Settings,
        anonymous: Octocrab,
        transport: Arc<Transport>,
        budget: Arc<Budget>,
        clock: Clock,
    ) -> Result<Self, SetupError> {
        let (org, secret) = (settings.org.clone(), &settings.secret);
        Ok(match settings.app {
            Some(app) => Self::App(Box::new(AppCredential::new(
                app, secret, org, anonymous, transport, budget, clock,
            )?)),
            None => Self::Token(Box::new(TokenCredential::new(secret, org, anonymous, transport, budget)?)),
        })
    }

    /// Sends a call, if possible with a token that reaches its scope and nothing else. That GitHub doesn't accept the credential
    /// is nothing that a caller did.
    pub(super) async fn send(&self, scope: Scope<'_>, call: &Call) -> Result<Reply, Error> {
        let outcome = match self {
            Self::App(app) => app.send(scope, call).await,
            Self::Token(token) => token.send(call).await,
        };
        outcome.map_err(|error| match error.class() {
            Class::Unauthorized => error.reclassified(Class::ServiceRefused),
            _ => error,
        })
    }

    /// Tells the token that calls are sent with from those before it.
    pub(super) fn token_number(&self) -> u64 {
        match self {
            Self::App(app) => app.token_number(),
            Self::Token(token) => token.number(),
        }
    }

    /// Asks GitHub whether it accepts the credential and lets it do what the service does.
    pub(super) async fn check(&self) -> Result<(), StartupProblem> {
        match self {
            Self::App(app) => app.check().await,
            Self::Token(token) => token.check().await,
        }
    }

    /// Asks GitHub whether it is up, by a call that no caller is behind.
    pub(super) async fn is_github_up(&self) -> bool {
        match self {
            Self::App(app) => app.is_github_up().await,
            Self::Token(token) => token.is_github_up().await,
        }
    }

    /// Uses another private key or token from now on. If it can't be one, the old one stays.
    pub(super) fn replace(&self, secret: &SecretString) -> Result<(), SetupError> {
        match self {
            Self::App(app) => app.replace(secret),
            Self::Token(token) => token.replace(secret),
        }
    }

    /// Whether there is a token to send calls with. Asks nobody.
    pub(super) fn state(&self) -> TokenState {
        match self {
            Self::App(app) => app.state(),
            Self::Token(token) => token.state(),
        }
    }
}
