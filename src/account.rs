//! Whom a call to GitHub is made for. Each request has an account; work that no request is behind is the service's own.

use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tracing::Instrument;

use crate::domain::ids::{TeamId, UserId};
pub use crate::domain::principal::Principal;

tokio::task_local! {
    static CURRENT: Account;
}

/// Whom the calls of one request are made for, as far as is known yet. Cloning gives the same account.
#[derive(Debug, Clone, Default)]
pub struct Account(Arc<Facts>);

#[derive(Debug, Default)]
struct Facts {
    principal: OnceLock<Principal>,
    creator: OnceLock<UserId>,
    team: OnceLock<TeamId>,
    has_standing: AtomicBool,
    is_urgent: AtomicBool,
    deadline: Option<Instant>,
    calls: AtomicU64,
    one_change: OnceLock<OneChange>,
}

/// What a token that makes one change is asked before it makes it.
pub trait Spend: fmt::Debug + Send + Sync {
    /// Spends it; false if that was done before.
    fn spend(&self) -> BoxFuture<'_, bool>;
}

/// The one change of a request's token.
#[derive(Debug)]
struct OneChange {
    token: Box<dyn Spend>,
    /// Set by the first call of the request that changes something.
    may: OnceCell<bool>,
}

impl Account {
    /// Of a request that has to be answered by `deadline`.
    pub fn of_request(deadline: Instant) -> Self {
        Self(Arc::new(Facts { deadline: Some(deadline), ..Facts::default() }))
    }

    /// The account of the current task; the service's own if it has none.
    pub fn current() -> Self {
        CURRENT.try_with(Self::clone).unwrap_or_default()
    }

    /// Runs something whose calls are made for this account. A task that it spawns has to be given the account anew.
    pub async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self, work).await
    }

    /// Work for a task of its own, with the account and the span of this one.
    pub fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
        Self::current().scope(work).in_current_span()
    }

    /// Who acts.
    pub fn principal(&self) -> Principal {
        self.0.principal.get().copied().unwrap_or(Principal::System)
    }

    /// The user who let the principal act, if it is no user itself.
    pub fn creator(&self) -> Option<UserId> {
        self.0.creator.get().copied()
    }

    /// The team that it is about, once it is known.
    pub fn team(&self) -> Option<TeamId> {
        self.0.team.get().copied()
    }

    /// Whether the principal was found to have something to do with the organisation.
    pub fn has_standing(&self) -> bool {
        self.0.has_standing.load(Ordering::Relaxed)
    }

    /// Whether it is served also while few calls are left: the request changes something.
    pub fn is_urgent(&self) -> bool {
        self.0.is_urgent.load(Ordering::Relaxed)
    }

    /// When the request has to be answered; none for the service's own work.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// How many calls were made for it that count for the hour.
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// The caller's token makes one change, and is spent by the first call that changes something.
    pub fn set_one_change(&self, token: Box<dyn Spend>) {
        let _ = self.0.one_change.set(OneChange { token, may: OnceCell::new() });
    }

    /// Whether a call that changes something may be sent. The first one of a request spends its token, if that makes one change
    /// only.
    pub async fn may_change(&self) -> bool {
        match self.0.one_change.get() {
            Some(OneChange { token, may }) => *may.get_or_init(|| token.spend()).await,
            None => true,
        }
    }

    /// The caller is known.
    pub fn set_principal(&self, principal: Principal) {
        let _ = self.0.principal.set(principal);
    }

    /// The maker of the access entry by which the caller acts is known.
    pub fn set_creator(&self, user: UserId) {
        let _ = self.0.creator.set(user);
    }

    /// The team is known.
    pub fn set_team(&self, team: TeamId) {
        let _ = self.0.team.set(team);
    }

    /// The principal has something to do with the organisation.
    pub fn set_has_standing(&self) {
        self.0.has_standing.store(true, Ordering::Relaxed);
    }

    /// The request changes something.
    pub fn set_urgent(&self) {
        self.0.is_urgent.store(true, Ordering::Relaxed);
    }

    /// A call was made for it.
    pub fn count_call(&self) {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// A call turned out to cost nothing.
    pub fn uncount_call(&self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_are_made_for_whoever_is_behind_the_task_and_otherwise_for_the_service() {
        assert_eq!(Account::current().principal(), Principal::System);
        let account = Account::of_request(Instant::now());
        account.set_principal(Principal::User(UserId(7)));
        let within = account.clone().scope(async { Account::current() }).await;
        assert_eq!(within.principal(), Principal::User(UserId(7)));
        within.count_call();
        assert_eq!(account.calls(), 1, "it is the same account");
        assert_eq!(Account::current().calls(), 0);
    }
}
