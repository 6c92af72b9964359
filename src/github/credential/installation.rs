//! Which installation of the App is worked with: the configured one, or the organisation's. Owners may remove the App and
//! install it anew, and then its number is another.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

/// So soon after the organisation's installation was looked up, it is not looked up again for one that GitHub doesn't know.
const LOOKED_UP_LATELY: Duration = Duration::from_secs(10);

/// The number of the installation, as far as it is known.
pub(super) struct Place {
    configured: Option<u64>,
    known: Mutex<Known>,
    clock: Clock,
}

#[derive(Default)]
struct Known {
    id: Option<u64>,
    looked_up_at: Option<Duration>,
    /// Whether it was said that the configured one is gone.
    is_warned_of: bool,
}

impl Place {
    pub(super) fn new(configured: Option<u64>, clock: Clock) -> Self {
        let known = Mutex::new(Known { id: configured, ..Known::default() });
        Self { configured, known, clock }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number, unless it has to be looked up.
    pub(super) fn id(&self) -> Option<u64> {
        self.known().id
    }

    /// The configured number, while GitHub knows it.
    pub(super) fn configured(&self) -> Option<u64> {
        self.configured.filter(|configured| self.id() == Some(*configured))
    }

    /// GitHub doesn't know this installation: another is looked up. Whether that is worth doing at once.
    pub(super) fn is_gone(&self, id: u64) -> bool {
        let now = self.clock.now();
        let mut known = self.known();
        if known.id == Some(id) {
            known.id = None;
        }
        known.looked_up_at.is_none_or(|at| now >= at + LOOKED_UP_LATELY)
    }

    /// The organisation's installation was looked up.
    pub(super) fn found(&self, id: u64) {
        let now = self.clock.now();
        let mut known = self.known();
        known.id = Some(id);
        known.looked_up_at = Some(now);
        if let Some(configured) = self.configured.filter(|configured| *configured != id)
            && !known.is_warned_of
        {
            known.is_warned_of = true;
            tracing::warn!(
                configured,
                installation = id,
                "GitHub doesn't know the configured installation, so the organisation's is used: correct installationID"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_that_is_gone_is_looked_up_but_not_again_and_again() {
        let clock = Clock::manual();
        let place = Place::new(Some(1), clock.clone());
        assert_eq!((place.id(), place.configured()), (Some(1), Some(1)));
        assert!(place.is_gone(1));
        assert_eq!(place.id(), None);
        place.found(2);
        assert_eq!((place.id(), place.configured()), (Some(2), None));
        assert!(!place.is_gone(1), "somebody else found out, too");
        assert_eq!(place.id(), Some(2));
        assert!(!place.is_gone(2));
        place.found(3);
        clock.advance(LOOKED_UP_LATELY);
        assert!(place.is_gone(3));
    }
}
