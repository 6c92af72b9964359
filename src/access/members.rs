//! Who belongs to the organisation. Strangers are free to send requests, but each call that they cause is taken from the hour
//! that all share: so GitHub is asked about them once, and they have a small part of the hour for all of them together.

use std::sync::Arc;
use std::time::Duration;

use super::{AccessError, Caller};
use crate::account::Account;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::domain::ids::UserId;
use crate::github::{Class, Error, Github, Shortage};
use crate::single_flight::{Shareable, Sharing, SingleFlight};

/// Users that are remembered at once.
const MAX_USERS: u64 = 100_000;
/// For so long a user who was found to belong to the organisation isn't asked about again.
const MEMBER_FOR: Duration = Duration::from_hours(1);
/// For so long a stranger isn't asked about again.
const STRANGER_FOR: Duration = Duration::from_mins(1);
/// For so long it is remembered what somebody was, although they are asked about again.
const REMEMBERED_FOR: Duration = Duration::from_hours(24);

/// What is known of a user.
#[derive(Debug, Clone, Copy)]
struct Known {
    belongs: bool,
    /// Until when it is used without asking GitHub again.
    fresh_until: Duration,
}

/// Whether somebody belongs to the organisation, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belonging {
    /// They do.
    Member,
    /// Nobody asked yet.
    Unknown,
}

/// A request of somebody of whom nothing was known came to its end, whatever the outcome.
#[derive(Clone)]
struct Ended;

impl Shareable for Ended {
    fn sharing(&self) -> Sharing {
        Sharing::All
    }
}

/// Who belongs to the organisation, remembered for a while.
pub struct Members {
    known: Cache<UserId, Known>,
    /// Requests of users of whom nothing is known: the first of each user is worked on, others wait for its end.
    first: SingleFlight<UserId, Ended>,
    github: Arc<Github>,
    clock: Clock,
}

impl Members {
    /// Knows nobody yet.
    pub fn new(github: Arc<Github>, clock: Clock) -> Self {
        Self { known: Cache::new(MAX_USERS, clock.clone()), first: SingleFlight::new(), github, clock }
    }

    /// Whether it is known of the caller that they belong to the organisation, or that they don't.
    pub(super) async fn is_known(&self, caller: &Caller) -> bool {
        self.known.get(&caller.id).await.is_some_and(|known| known.fresh_until > self.clock.now())
    }

    /// Works on the first request of a caller of whom that isn't known. What they ask for at the same time waits until
    /// then: otherwise each of a stranger's first requests would cost what one does.
    pub(super) async fn first_alone<T>(&self, caller: &Caller, request: impl Future<Output = T>) -> T {
        let (mut request, mut outcome) = (std::pin::pin!(request), None);
        let own = async {
            outcome = Some(request.as_mut().await);
            Ended
        };
        self.first.run(caller.id, own).await;
        match outcome {
            Some(outcome) => outcome,
            None => request.await,
        }
    }

    /// Forgets who belongs to the organisation: somebody may have left it.
    pub fn forget_all(&self) {
        self.known.forget_all();
        self.first.forget_all();
    }

    /// To be called before GitHub is asked anything about what the caller named. Refuses strangers.
    ///
    /// # Errors
    /// The caller is a stranger, or it can't be found out whether they are one.
    pub(super) async fn admit(&self, caller: &Caller) -> Result<Belonging, AccessError> {
        let known = self.known.get(&caller.id).await;
        match known {
            Some(Known { belongs: true, fresh_until }) => {
                Account::current().set_has_standing();
                let is_fresh = fresh_until > self.clock.now();
                Ok(if is_fresh { Belonging::Member } else { Belonging::Unknown })
            }
            Some(Known { belongs: false, fresh_until }) if fresh_until > self.clock.now() => {
                Err(AccessError::NotAMaintainer)
            }
            // A stranger a minute ago, and most probably still: nothing else is asked than that.
            Some(Known { belongs: false, .. }) => {
                let belongs = self.github.check_strangers().is_ok() && self.ask(caller).await?;
                if belongs { Ok(Belonging::Member) } else { Err(AccessError::NotAMaintainer) }
            }
            None => match self.github.check_strangers() {
                Err(retry_after) => Err(used_up(retry_after).into()),
                Ok(()) => Ok(Belonging::Unknown),
            },
        }
    }

    /// The caller was found to have a right here.
    pub(super) async fn proved(&self, caller: &Caller) {
        Account::current().set_has_standing();
        self.remember(caller, true).await;
    }

    /// The caller was refused. If nobody knows whether they belong to the organisation, GitHub is asked.
    pub(super) async fn refused(&self, caller: &Caller) {
        if self.is_known(caller).await || self.github.check_strangers().is_err() {
            return;
        }
        if let Err(error) = self.ask(caller).await {
            // They are refused all the same, and asked about when they come again.
            tracing::debug!(%error, user = caller.id.0, "whether a user belongs to the organisation can't be found out");
        }
    }

    async fn ask(&self, caller: &Caller) -> Result<bool, AccessError> {
        let account = Account::current();
        let asked = self.github.is_member(&caller.login, caller.id).await;
        // Also while that can't be found out, such calls are bounded.
        if !matches!(asked, Ok(true)) {
            self.github.count_stranger(account.calls());
        }
        let belongs = asked?;
        if belongs {
            account.set_has_standing();
        } else {
            // Whoever was renamed is asked about by their new login when they come again.
            if !caller.still_has_login().await? {
                return Ok(false);
            }
        }
        self.remember(caller, belongs).await;
        Ok(belongs)
    }

    async fn remember(&self, caller: &Caller, belongs: bool) {
        let fresh_for = if belongs { MEMBER_FOR } else { STRANGER_FOR };
        let known = Known { belongs, fresh_until: self.clock.now() + fresh_for };
        self.known.insert(caller.id, known, REMEMBERED_FOR).await;
    }
}

fn used_up(retry_after: Duration) -> Error {
    let class = Class::RateLimited { retry_after, why: Shortage::Strangers };
    Error::new(class, "not asked: strangers used up their part of the hour")
}
