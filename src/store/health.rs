//! Whether the store works, as its statements show it.

use std::time::Duration;

use tokio::sync::watch;

use super::error::StoreError;
use crate::clock::Clock;
use crate::metrics;

/// Whether the store works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It does, as far as is known.
    Good,
    /// It doesn't.
    Failing {
        /// Since when, on the service's clock ([`Clock::now`]).
        since: Duration,
    },
}

/// Notes how statements end, and tells those who watch.
pub(super) struct Monitor {
    health: watch::Sender<Health>,
    clock: Clock,
    /// Whether how statements end says anything about the store: those with little time often end without.
    listens: bool,
}

impl Monitor {
    pub(super) fn new(clock: Clock) -> Self {
        metrics::store_up(true);
        Self { health: watch::Sender::new(Health::Good), clock, listens: true }
    }

    /// Of statements that say nothing about the store.
    pub(super) fn deaf(clock: Clock) -> Self {
        Self { health: watch::Sender::new(Health::Good), clock, listens: false }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Something was written: only that shows that all works, since a full disk or a standby can still be read.
    pub(super) fn works(&self) {
        if !self.listens {
            return;
        }
        let recovered = self.health.send_if_modified(|health| {
            let failed = *health != Health::Good;
            *health = Health::Good;
            failed
        });
        if recovered {
            metrics::store_up(true);
            tracing::info!("the store works again");
        }
    }

    /// A statement failed.
    pub(super) fn failed(&self, error: &StoreError) {
        if !matches!(error, StoreError::Unavailable(_)) {
            tracing::error!(%error, "the store gave or got something that does not fit");
            return;
        }
        if !self.listens {
            return;
        }
        let since = self.clock.now();
        let begins = self.health.send_if_modified(|health| {
            let worked = *health == Health::Good;
            if worked {
                *health = Health::Failing { since };
            }
            worked
        });
        if begins {
            metrics::store_up(false);
            tracing::error!(%error, "the store fails");
        }
    }
}
