//! Keeps in force what the processes that share the store tell each other.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::entry::configured::ConfiguredEntry;
use crate::domain::hash;
use crate::domain::issuer::Issuers;
use crate::domain::pattern::Rules;
use crate::domain::policy::Policy;
use crate::metrics;
use crate::state::{Check, Shared, State};

/// How often it is tried to find out whether the store is this organisation's.
const BOUND_EVERY: Duration = Duration::from_millis(500);

/// Tells the others what is new here, and puts in force what is new there. Never ends.
pub(super) async fn follow(state: Shared) {
    let organisation = &state.organisation;
    let replicas = &organisation.replicas;
    let Some(records) = organisation.records.as_ref().filter(|_| replicas.is_shared()) else { return };
    // In the store of another organisation, nothing may be said. GitHub is asked only when it is known to respond.
    loop {
        let responds = matches!(*state.check.borrow(), Check::Passed);
        if responds && records.bind().await.is_ok() {
            break;
        }
        tokio::time::sleep(BOUND_EVERY).await;
    }
    let mut digests = Digests::default();
    loop {
        replicas.next_pulse().await;
        match replicas.pulse(digests.of(&state)).await {
            Ok(pulse) => {
                organisation.github.hear_holds(&pulse.holds);
                if let Some(records) = organisation.groups.records()
                    && let Err(error) = records.follow(pulse.records).await
                {
                    tracing::debug!(%error, "records can't be read; those in memory stay in force");
                }
                if let Err(error) = organisation.entries.follow(pulse.access).await {
                    tracing::debug!(%error, "access entries can't be read; those in memory stay in force");
                }
            }
            Err(error) => tracing::debug!(%error, "what is new can't be told or heard"),
        }
        metrics::lease_held(replicas.hold_lease());
    }
}

/// The digest of the policy in force, made again when that changes.
#[derive(Default)]
struct Digests {
    of: Option<InForce>,
    digest: String,
}

/// What the administrator allows.
#[derive(Debug)]
struct InForce {
    policy: Arc<Policy>,
    scopes: Arc<Rules>,
    issuers: Arc<Issuers>,
    access: Vec<ConfiguredEntry>,
}

impl InForce {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.policy, &other.policy)
            && Arc::ptr_eq(&self.scopes, &other.scopes)
            && Arc::ptr_eq(&self.issuers, &other.issuers)
            && self.access == other.access
    }
}

impl Digests {
    fn of(&mut self, state: &State) -> &str {
        let organisation = &state.organisation;
        let now = InForce {
            policy: organisation.policy.load_full(),
            scopes: organisation.scopes.load_full(),
            issuers: organisation.issuers.load_full(),
            access: state.configured_access.borrow().clone(),
        };
        if !self.of.as_ref().is_some_and(|known| known.is(&now)) {
            // Made of how the values are shown, which may be another in another version: while one replaces the other, digests differ.
            self.digest = hash::hexadecimal(&hash::sha256(format!("{now:?}").as_bytes()));
            self.of = Some(now);
        }
        &self.digest
    }
}
