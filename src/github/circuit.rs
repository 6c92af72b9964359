//! Spares callers the wait while GitHub as a whole is down. One caller's failures, or one resource's, say nothing about the
//! whole: only failures that speak of all of GitHub raise a suspicion. Then a call of the service's own decides, never a
//! caller's.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::error::Class;
use crate::account::Principal;
use crate::clock::Clock;
use crate::metrics::CallKind;

/// Failures without a success meanwhile that raise a suspicion.
const MIN_FAILURES: usize = 5;
/// Of server errors, broken responses and time-outs, so many kinds of call and so many callers have to be concerned.
const MIN_DIFFERENT: usize = 2;
/// How long nothing is sent at first; doubles with each probe that fails. Probes that succeed are at least as far apart.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// What callers are told to wait while a probe is under way.
const PROBE_WAIT: Duration = Duration::from_secs(1);

/// Whether GitHub seems to be up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// Calls are sent.
    Closed,
    /// GitHub is down; nothing is sent but probes.
    Open,
}

#[derive(Debug)]
pub(super) struct Circuit {
    clock: Clock,
    inner: Mutex<Inner>,
    /// Notified when there is reason to ask GitHub whether it is up.
    suspected: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    evidence: Evidence,
    pause: Duration,
    /// When GitHub is probed next; none while the circuit is closed.
    open_until: Option<Duration>,
}

/// What failed since GitHub last responded well.
#[derive(Debug, Default)]
struct Evidence {
    /// Attempts that made no connection.
    unreachable: usize,
    /// Calls with a server error, a broken response, or none in time.
    faulty: usize,
    /// The kinds of those calls.
    kinds: HashSet<CallKind>,
    /// Who they were made for, as far as it matters how many that were.
    principals: HashSet<Principal>,
}

impl Evidence {
    fn is_suspicious(&self) -> bool {
        let concerns_several = self.kinds.len() >= MIN_DIFFERENT && self.principals.len() >= MIN_DIFFERENT;
        self.unreachable >= MIN_FAILURES || (self.faulty >= MIN_FAILURES && concerns_several)
    }

    fn add_faulty(&mut self, kind: CallKind, principal: Principal) {
        self.faulty += 1;
        self.kinds.insert(kind);
        if self.principals.len() < MIN_DIFFERENT {
            self.principals.insert(principal);
        }
    }
}

impl Circuit {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, inner: Mutex::default(), suspected: Notify::new() }
    }

    /// Whether calls may be sent; otherwise how long to wait.
    pub(super) fn check(&self) -> Result<(), Duration> {
        match self.lock().open_until {
            None => Ok(()),
            Some(until) => Err(until.saturating_sub(self.clock.now()).max(PROBE_WAIT)),
        }
    }

    pub(super) fn state(&self) -> CircuitState {
        if self.lock().open_until.is_some() { CircuitState::Open } else { CircuitState::Closed }
    }

    /// Records how a call for somebody ended.
    pub(super) fn record(&self, kind: CallKind, principal: Principal, failure: Option<&Class>) {
        let mut inner = self.lock();
        if inner.open_until.is_some() {
            // Sent before it opened; from now on probes decide.
            return;
        }
        let was_suspicious = inner.evidence.is_suspicious();
        match failure {
            Some(Class::Unreachable { .. }) => inner.evidence.unreachable += 1,
            Some(Class::Timeout | Class::Faulty { .. }) => inner.evidence.add_faulty(kind, principal),
            // Perhaps held back here, which says nothing about GitHub.
            Some(
                Class::Overloaded | Class::RateLimited { .. } | Class::ShareSpent { .. } | Class::TokenUsed,
            ) => {}
            Some(
                Class::NotFound
                | Class::Unauthorized
                | Class::ServiceRefused
                | Class::NotGithub
                | Class::Forbidden(_)
                | Class::Conflict
                | Class::Rejected(_)
                | Class::Unexpected,
            )
            | None => inner.evidence = Evidence::default(),
        }
        if !was_suspicious && inner.evidence.is_suspicious() {
            self.suspected.notify_one();
        }
    }

    /// Waits for suspicions, and opens and closes the circuit as `is_up` says, which asks GitHub. Never ends.
    pub(super) async fn keep<Asked: Future<Output = bool>>(&self, is_up: impl Fn() -> Asked) {
        loop {
            self.suspected.notified().await;
            while !is_up().await {
                let Some(pause) = self.open() else { break };
                self.clock.sleep(pause).await;
            }
            self.close();
            // So that failures of single resources cause few probes.
            self.clock.sleep(FIRST_PAUSE).await;
        }
    }

    /// Opens it after a probe that failed; gives the time until the next. None if a call succeeded during the first probe:
    /// then it is the probed resource alone that fails.
    fn open(&self) -> Option<Duration> {
        let mut inner = self.lock();
        if inner.open_until.is_none() && !inner.evidence.is_suspicious() {
            return None;
        }
        inner.pause = (inner.pause * 2).clamp(FIRST_PAUSE, MAX_PAUSE);
        inner.open_until = Some(self.clock.now() + inner.pause);
        tracing::warn!(pause = ?inner.pause, "GitHub seems to be down");
        Some(inner.pause)
    }

    fn close(&self) {
        let mut inner = self.lock();
        if inner.open_until.is_some() {
            tracing::info!("GitHub is back");
        }
        *inner = Inner::default();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::FutureExt;

    use super::*;
    use crate::domain::ids::UserId;
    use crate::github::error::Shortage;

    const FAULTY: Class = Class::Faulty { retry_after: None };
    const ADA: Principal = Principal::User(UserId(1));
    const BOB: Principal = Principal::User(UserId(2));
    const UNREACHABLE: Class = Class::Unreachable { retry_after: None };

    fn circuit() -> Circuit {
        Circuit::new(Clock::manual())
    }

    /// Whether somebody asked for a probe.
    fn is_suspected(circuit: &Circuit) -> bool {
        circuit.suspected.notified().now_or_never().is_some()
    }

    /// Calls of two kinds fail for two callers, until it is suspicious.
    fn fail(circuit: &Circuit, class: &Class) {
        for number in 0..MIN_FAILURES {
            let (kind, who) = if number % 2 == 0 { (CallKind::Group, ADA) } else { (CallKind::Team, BOB) };
            circuit.record(kind, who, Some(class));
        }
    }

    #[test]
    fn one_callers_failures_or_one_kind_of_call_raise_no_suspicion() {
        let circuit = circuit();
        for _ in 0..100 {
            for class in [FAULTY, Class::Timeout] {
                circuit.record(CallKind::GroupRunners, ADA, Some(&class));
                circuit.record(CallKind::TeamRepositories, ADA, Some(&class));
            }
        }
        circuit.record(CallKind::Group, ADA, None);
        for number in 0..100 {
            circuit.record(CallKind::GroupRunners, Principal::User(UserId(number)), Some(&FAULTY));
        }
        assert!(!is_suspected(&circuit));
        circuit.record(CallKind::Group, ADA, Some(&FAULTY));
        assert!(is_suspected(&circuit));
    }

    #[test]
    fn several_kinds_of_call_for_several_callers_do_and_so_do_connections_that_fail() {
        for class in [FAULTY, Class::Timeout, UNREACHABLE] {
            let circuit = circuit();
            fail(&circuit, &class);
            assert!(is_suspected(&circuit), "{class:?}");
            circuit.record(CallKind::Group, ADA, Some(&class));
            assert!(!is_suspected(&circuit), "once is enough");
            assert_eq!(circuit.state(), CircuitState::Closed, "a probe decides");
        }
        let circuit = circuit();
        for _ in 0..MIN_FAILURES {
            circuit.record(CallKind::Group, ADA, Some(&UNREACHABLE));
        }
        assert!(is_suspected(&circuit), "whoever it was for");
    }

    #[test]
    fn any_response_below_500_takes_the_suspicion_away_and_what_was_held_back_here_says_nothing() {
        let held = Class::RateLimited { retry_after: Duration::ZERO, why: Shortage::Hold };
        for (class, is_response) in [
            (Some(Class::NotFound), true),
            (None, true),
            (Some(Class::Overloaded), false),
            (Some(held), false),
        ] {
            let circuit = circuit();
            for _ in 1..MIN_FAILURES {
                circuit.record(CallKind::Group, ADA, Some(&UNREACHABLE));
            }
            circuit.record(CallKind::Team, BOB, class.as_ref());
            circuit.record(CallKind::Group, ADA, Some(&UNREACHABLE));
            assert_eq!(is_suspected(&circuit), !is_response, "{class:?}");
        }
    }

    #[tokio::test]
    async fn probes_open_it_with_growing_pauses_and_the_first_that_succeeds_closes_it() {
        let circuit = circuit();
        let (is_up, probes) = (Cell::new(false), Cell::new(0));
        let ask = || {
            probes.set(probes.get() + 1);
            std::future::ready(is_up.get())
        };
        let mut keeper = Box::pin(circuit.keep(ask));
        assert!((&mut keeper).now_or_never().is_none());
        assert_eq!(probes.get(), 0, "nothing speaks for a probe");
        fail(&circuit, &FAULTY);
        for (number, pause) in (1..).zip([2, 4, 8, 16, 30, 30].map(Duration::from_secs)) {
            assert!((&mut keeper).now_or_never().is_none());
            assert_eq!((probes.get(), circuit.check()), (number, Err(pause)));
            circuit.record(CallKind::Group, ADA, None);
            assert_eq!(circuit.state(), CircuitState::Open, "no caller's call closes it");
            circuit.clock.advance(pause);
            assert_eq!(circuit.check(), Err(PROBE_WAIT), "until the probe has ended");
        }
        is_up.set(true);
        assert!((&mut keeper).now_or_never().is_none());
        assert_eq!((circuit.check(), circuit.state()), (Ok(()), CircuitState::Closed));
        is_up.set(false);
        fail(&circuit, &Class::Timeout);
        circuit.clock.advance(FIRST_PAUSE);
        assert!((&mut keeper).now_or_never().is_none());
        assert_eq!(circuit.check(), Err(FIRST_PAUSE), "it begins anew");
    }

    #[tokio::test]
    async fn a_probe_that_succeeds_leaves_it_closed_and_the_next_is_not_at_once() {
        let circuit = circuit();
        let probes = Cell::new(0);
        let ask = || {
            probes.set(probes.get() + 1);
            std::future::ready(true)
        };
        let mut keeper = Box::pin(circuit.keep(ask));
        for expected in [1, 1] {
            fail(&circuit, &FAULTY);
            assert!((&mut keeper).now_or_never().is_none());
            assert_eq!((probes.get(), circuit.check()), (expected, Ok(())));
        }
        circuit.clock.advance(FIRST_PAUSE);
        assert!((&mut keeper).now_or_never().is_none());
        assert_eq!(probes.get(), 2);
    }

    #[tokio::test]
    async fn a_call_that_succeeds_during_the_first_probe_speaks_against_it() {
        let circuit = circuit();
        fail(&circuit, &FAULTY);
        let ask = || {
            circuit.record(CallKind::Group, ADA, None);
            std::future::ready(false)
        };
        assert!(circuit.keep(ask).now_or_never().is_none());
        assert_eq!(circuit.state(), CircuitState::Closed);
    }
}
