//! The primary rate limit: so many requests an hour for each user, installation or App.

use std::collections::HashMap;

use super::{InstallationId, UserId, World};
use chrono::{DateTime, TimeDelta, Utc};

/// Whose requests are counted together. All tokens of one user share a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A user, with any token.
    User(UserId),
    /// An installation of the App.
    Installation(InstallationId),
    /// The App itself, by JWT.
    App,
    /// A workflow's token.
    Actions,
}

/// How much of an hour's budget is left.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Requests an hour.
    pub limit: u64,
    /// Requests made in this window.
    pub used: u64,
    /// When the window ends.
    pub reset: DateTime<Utc>,
}

impl Budget {
    /// Requests that can still be made in this window.
    pub fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

pub(crate) struct Budgets {
    pub(crate) default_limit: u64,
    pub(crate) exhausted_status: u16,
    known: HashMap<Subject, Budget>,
}

impl Budgets {
    pub(super) fn new() -> Self {
        Self { default_limit: 5000, exhausted_status: 403, known: HashMap::new() }
    }

    pub(crate) fn at(&mut self, subject: Subject, now: DateTime<Utc>) -> &mut Budget {
        let fresh = Budget { limit: self.default_limit, used: 0, reset: now + TimeDelta::hours(1) };
        let budget = self.known.entry(subject).or_insert(fresh);
        if budget.reset <= now {
            budget.used = 0;
            budget.reset = now + TimeDelta::hours(1);
        }
        budget
    }

    /// Counts one request; false when none was left.
    pub(crate) fn spend(&mut self, subject: Subject, now: DateTime<Utc>) -> (Budget, bool) {
        let budget = self.at(subject, now);
        let allowed = budget.remaining() > 0;
        if allowed {
            budget.used += 1;
        }
        (*budget, allowed)
    }

    /// Takes back what `spend` counted.
    pub(crate) fn give_back(&mut self, subject: Subject, now: DateTime<Utc>) -> Budget {
        let budget = self.at(subject, now);
        budget.used = budget.used.saturating_sub(1);
        *budget
    }
}

impl World {
    /// Requests an hour for everybody not seen yet. More than 15,000, which no installation of GitHub's has, switches
    /// the secondary limit off as well (see `set_endpoint_points`).
    pub fn set_rate_limit(&mut self, limit: u64) {
        self.budgets.default_limit = limit;
    }

    /// Leaves somebody just so many requests in this window.
    pub fn set_remaining(&mut self, subject: Subject, remaining: u64) {
        let now = self.now();
        let budget = self.budgets.at(subject, now);
        budget.limit = budget.limit.max(remaining);
        budget.used = budget.limit - remaining;
    }

    /// The status when a budget is used up: GitHub answers 403 or 429.
    pub fn set_exhausted_status(&mut self, status: u16) {
        self.budgets.exhausted_status = status;
    }

    /// How much somebody has left.
    pub fn budget(&mut self, subject: Subject) -> Budget {
        let now = self.now();
        *self.budgets.at(subject, now)
    }
}
