//! Who used how much of the hour, and what each may use while it runs short.

use std::collections::HashMap;

use super::window::Window;
use crate::account::{Account, Principal};
use crate::domain::ids::TeamId;
use crate::domain::shares::Shares;
use crate::metrics::Scarce;

/// Whose share is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// The caller's.
    Principal,
    /// The team's.
    Team,
    /// The service's own.
    System,
}

impl From<Share> for Scarce {
    fn from(share: Share) -> Self {
        match share {
            Share::Principal => Self::PrincipalShare,
            Share::Team => Self::TeamShare,
            Share::System => Self::SystemShare,
        }
    }
}

/// The calls of the current hour.
#[derive(Debug, Default)]
pub(super) struct Used {
    principals: HashMap<Principal, u64>,
    teams: HashMap<TeamId, u64>,
    system: u64,
    strangers: u64,
    all: u64,
}

impl Used {
    /// One call was sent.
    pub(super) fn count(&mut self, account: &Account) {
        self.change(account, |count| count.saturating_add(1));
    }

    /// One call that was counted cost nothing.
    pub(super) fn uncount(&mut self, account: &Account) {
        self.change(account, |count| count.saturating_sub(1));
    }

    fn change(&mut self, account: &Account, change: impl Fn(u64) -> u64) {
        match account.principal() {
            Principal::System => self.system = change(self.system),
            principal => {
                // Also for whoever let it act: entries are no way to more than one's share.
                let creator = account.creator().map(Principal::User);
                for who in [Some(principal), creator].into_iter().flatten() {
                    let used = self.principals.entry(who).or_default();
                    *used = change(*used);
                }
            }
        }
        self.all = change(self.all);
        if let Some(team) = account.team() {
            let of_team = self.teams.entry(team).or_default();
            *of_team = change(*of_team);
        }
    }

    /// Somebody who caused so many calls has nothing to do with the organisation.
    pub(super) fn count_stranger(&mut self, calls: u64) {
        self.strangers = self.strangers.saturating_add(calls);
    }

    /// Calls of all together.
    pub(super) fn all(&self) -> u64 {
        self.all
    }

    /// Whether strangers used this part of the hour.
    pub(super) fn strangers_used(&self, part: f64, window: &Window) -> bool {
        window.part(self.strangers) >= part
    }

    /// Whose share is used up.
    pub(super) fn used_up(&self, account: &Account, shares: Shares, window: &Window) -> Option<Share> {
        let (used, part, whose) = match account.principal() {
            Principal::System => (self.system, shares.system, Share::System),
            principal => {
                let creator = account.creator().map(Principal::User);
                let used_by = |who: Principal| self.principals.get(&who).copied().unwrap_or(0);
                let used = used_by(principal).max(creator.map_or(0, used_by));
                (used, shares.principal, Share::Principal)
            }
        };
        if window.part(used) >= part {
            return Some(whose);
        }
        let of_team = account.team().and_then(|team| self.teams.get(&team)).copied().unwrap_or(0);
        (window.part(of_team) >= shares.team && of_team > 0).then_some(Share::Team)
    }
}
