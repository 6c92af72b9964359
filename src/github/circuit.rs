//! Spares callers the wait while GitHub is down: after several failures in a row nothing is sent for a while,
//! then one call probes whether GitHub is back.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::error::Class;
use crate::clock::Clock;

/// Failures in a row after which GitHub counts as down.
const FAILURES_TO_OPEN: u32 = 5;
/// How long nothing is sent at first; doubles with each probe that fails.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Whether GitHub seems to be up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// Calls are sent.
    Closed,
    /// GitHub is down; nothing is sent.
    Open,
    /// One call is sent to find out whether GitHub is back.
    HalfOpen,
}

#[derive(Debug)]
pub(super) struct Circuit {
    clock: Clock,
    inner: Mutex<Inner>,
    /// Notified when a probe has ended.
    probed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    failures: u32,
    pause: Duration,
    /// When a probe may be sent; none while the circuit is closed.
    open_until: Option<Duration>,
    probing: bool,
}

/// The permission to send one call. Dropped without an outcome, it lets the next caller probe.
pub(super) struct Pass<'a> {
    circuit: &'a Circuit,
    is_probe: bool,
}

impl Circuit {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, inner: Mutex::default(), probed: Notify::new() }
    }

    /// Lets a call through, or returns how long to wait. While another call probes, this waits for its outcome.
    pub(super) async fn enter(&self) -> Result<Pass<'_>, Duration> {
        loop {
            let mut probed = std::pin::pin!(self.probed.notified());
            // Listening starts before the look, so that no ending in between is missed.
            probed.as_mut().enable();
            if let Some(decision) = self.decide() {
                return decision;
            }
            probed.await;
        }
    }

    /// Nothing while another call probes.
    fn decide(&self) -> Option<Result<Pass<'_>, Duration>> {
        let mut inner = self.lock();
        let Some(open_until) = inner.open_until else {
            return Some(Ok(Pass { circuit: self, is_probe: false }));
        };
        let left = open_until.saturating_sub(self.clock.now());
        if !left.is_zero() {
            return Some(Err(left));
        }
        if inner.probing {
            return None;
        }
        inner.probing = true;
        Some(Ok(Pass { circuit: self, is_probe: true }))
    }

    /// Returns how long to wait while nothing is sent. For calls whose outcome says nothing about GitHub: they neither
    /// probe nor count.
    pub(super) fn look(&self) -> Result<(), Duration> {
        let open_until = self.lock().open_until.unwrap_or_default();
        let left = open_until.saturating_sub(self.clock.now());
        if left.is_zero() { Ok(()) } else { Err(left) }
    }

    pub(super) fn state(&self) -> CircuitState {
        match self.lock().open_until {
            None => CircuitState::Closed,
            Some(until) if until > self.clock.now() => CircuitState::Open,
            Some(_) => CircuitState::HalfOpen,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Records how the call ended. GitHub counts as down if it can't be reached, doesn't respond in time or responds
    /// with a server error; any other response shows that it is up.
    pub(super) fn record(self, failure: Option<&Class>) {
        let is_down =
            matches!(failure, Some(Class::Unreachable { .. } | Class::Timeout | Class::Faulty { .. }));
        // Held back here: that says nothing about GitHub.
        if matches!(failure, Some(Class::Overloaded)) {
            return;
        }
        let mut inner = self.circuit.lock();
        if !is_down {
            if inner.open_until.is_some() {
                tracing::info!("GitHub is back");
            }
            *inner = Inner::default();
            return;
        }
        inner.failures = inner.failures.saturating_add(1);
        if self.is_probe || (inner.open_until.is_none() && inner.failures >= FAILURES_TO_OPEN) {
            inner.pause = (inner.pause * 2).clamp(FIRST_PAUSE, MAX_PAUSE);
            inner.open_until = Some(self.circuit.clock.now() + inner.pause);
            tracing::warn!(pause = ?inner.pause, failures = inner.failures, "GitHub seems to be down");
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.circuit.lock().probing = false;
            self.circuit.probed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pass(circuit: &Circuit) -> Pass<'_> {
        circuit.enter().await.ok().unwrap()
    }

    async fn fail(circuit: &Circuit) {
        pass(circuit).await.record(Some(&Class::Timeout));
    }

    async fn opened(clock: &Clock) -> Circuit {
        let circuit = Circuit::new(clock.clone());
        for _ in 0..FAILURES_TO_OPEN {
            fail(&circuit).await;
        }
        circuit
    }

    #[tokio::test]
    async fn it_opens_after_failures_in_a_row_only() {
        let circuit = Circuit::new(Clock::manual());
        for _ in 0..3 {
            for _ in 1..FAILURES_TO_OPEN {
                fail(&circuit).await;
            }
            pass(&circuit).await.record(Some(&Class::NotFound));
        }
        assert_eq!(circuit.state(), CircuitState::Closed);
        assert_eq!(opened(&Clock::manual()).await.state(), CircuitState::Open);
    }

    #[tokio::test]
    async fn one_call_probes_and_those_who_wait_go_through_when_it_succeeds() {
        let clock = Clock::manual();
        let circuit = opened(&clock).await;
        assert_eq!(circuit.enter().await.err(), Some(FIRST_PAUSE));
        clock.advance(FIRST_PAUSE);
        assert_eq!(circuit.state(), CircuitState::HalfOpen);
        let probe = pass(&circuit).await;
        let ended = async {
            tokio::task::yield_now().await;
            probe.record(None);
        };
        let (waiting, ()) = tokio::join!(circuit.enter(), ended);
        assert!(waiting.is_ok());
        assert_eq!(circuit.state(), CircuitState::Closed);
    }

    #[tokio::test]
    async fn who_only_looks_is_held_back_while_it_is_open_and_is_no_probe() {
        let clock = Clock::manual();
        let circuit = opened(&clock).await;
        assert_eq!(circuit.look(), Err(FIRST_PAUSE));
        clock.advance(FIRST_PAUSE);
        assert_eq!(circuit.look(), Ok(()));
        assert!(pass(&circuit).await.is_probe);
    }

    #[tokio::test]
    async fn those_who_wait_for_a_probe_that_fails_are_told_how_long_it_will_be() {
        let clock = Clock::manual();
        let circuit = opened(&clock).await;
        clock.advance(FIRST_PAUSE);
        let probe = pass(&circuit).await;
        let ended = async {
            tokio::task::yield_now().await;
            probe.record(Some(&Class::Faulty { retry_after: None }));
        };
        let (waiting, ()) = tokio::join!(circuit.enter(), ended);
        assert_eq!(waiting.err(), Some(FIRST_PAUSE * 2));
    }

    #[tokio::test]
    async fn a_failed_probe_doubles_the_pause_up_to_a_bound() {
        let clock = Clock::manual();
        let circuit = opened(&clock).await;
        for expected in [4, 8, 16, 30, 30] {
            clock.advance(MAX_PAUSE);
            fail(&circuit).await;
            assert_eq!(circuit.enter().await.err(), Some(Duration::from_secs(expected)));
        }
    }

    #[tokio::test]
    async fn a_probe_whose_caller_went_away_frees_the_place() {
        let clock = Clock::manual();
        let circuit = opened(&clock).await;
        clock.advance(FIRST_PAUSE);
        drop(circuit.enter().await);
        assert!(circuit.enter().await.is_ok());
    }
}
