//! Sends calls to GitHub, bounded in number and time.

use std::sync::Arc;
use std::time::Duration;

use octocrab::Octocrab;
use tokio::time::Instant;

use super::budget::Budget;
use super::call::Call;
use super::circuit::{Circuit, CircuitState};
use super::error::{Class, Error};
use super::lanes::{Lane, Lanes, Turn};
use super::reply::Reply;
use super::sending::Sending;
use crate::account::{Account, Principal};
use crate::clock::Clock;
use crate::metrics::{self, Scarce};
use crate::outbound::{causes, chain};
use crate::replicas::Replicas;

/// Sends calls; shared by all credentials.
pub(super) struct Transport {
    timeout: Duration,
    lanes: Lanes,
    circuit: Circuit,
    pub(super) clock: Clock,
}

impl Transport {
    pub(super) fn new(
        timeout: Duration,
        concurrency: usize,
        replicas: Arc<Replicas>,
        clock: Clock,
    ) -> Arc<Self> {
        Arc::new(Self {
            timeout,
            lanes: Lanes::new(concurrency, replicas),
            circuit: Circuit::new(clock.clone()),
            clock,
        })
    }

    /// How long a call may take as a whole.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    pub(super) fn circuit(&self) -> CircuitState {
        self.circuit.state()
    }

    /// Sends a call with a client that carries the credential, as soon as GitHub's limits and the caller's share of them allow it.
    pub(super) async fn send(&self, client: &Octocrab, budget: &Budget, call: &Call) -> Result<Reply, Error> {
        let sending = Sending { transport: self, client, budget, call, account: Account::current() };
        self.check_circuit(call)?;
        // Boxed: hardly anybody has to wait, and the future of waiting is large.
        Box::pin(sending.wait_for_limits()).await?;
        // Once more, since that may have taken a while.
        self.check_circuit(call)?;
        let deadline = Instant::now() + self.timeout;
        // Boxed: octocrab's future takes kilobytes, which every future above would carry along.
        let attempts = Box::pin(sending.attempts(deadline));
        let outcome = tokio::time::timeout_at(deadline, attempts).await.unwrap_or_else(|_| {
            Err(call.fails(Class::Timeout, format_args!("no answer within {:?}", self.timeout)))
        });
        self.record(call, sending.account.principal(), outcome.as_ref().err());
        outcome
    }

    fn check_circuit(&self, call: &Call) -> Result<(), Error> {
        self.circuit.check().map_err(|wait| {
            let class = Class::Unreachable { retry_after: Some(wait) };
            call.fails(class, "not sent: GitHub seems to be down")
        })
    }

    /// Asks GitHub whether it is up: any response but a server error says so. Waits for no turn, and is held back by
    /// nothing, so that nobody's calls decide when it is known.
    pub(super) async fn is_up(&self, client: &Octocrab, call: &Call) -> bool {
        let deadline = Instant::now() + self.timeout;
        let budget = Budget::of_one(self.clock.clone());
        let sending = Sending { transport: self, client, budget: &budget, call, account: Account::default() };
        let attempt = Box::pin(sending.counted_attempt(1, deadline));
        let outcome = tokio::time::timeout_at(deadline, attempt)
            .await
            .unwrap_or_else(|_| Err(call.fails(Class::Timeout, "no answer in time")));
        if let Err(error) = &outcome {
            tracing::debug!(%error, "probing GitHub");
        }
        let is_down = |error: Error| {
            matches!(error.class(), Class::Unreachable { .. } | Class::Timeout | Class::Faulty { .. })
        };
        !outcome.is_err_and(is_down)
    }

    /// Keeps the circuit as `is_up` says. Never ends.
    pub(super) async fn keep_circuit<Asked: Future<Output = bool>>(&self, is_up: impl Fn() -> Asked) {
        self.circuit.keep(is_up).await;
    }

    /// Tells the circuit how a call ended.
    pub(super) fn record(&self, call: &Call, principal: Principal, failure: Option<&Error>) {
        // Nobody vouches for a stranger's token, so what comes of it says nothing about GitHub.
        if call.lane != Lane::Stranger {
            self.circuit.record(call.kind, principal, failure.map(Error::class));
        }
    }

    /// Waits until one more call may be under way. Running out of time here says nothing about GitHub.
    pub(super) async fn turn(
        &self,
        call: &Call,
        principal: Principal,
        deadline: Instant,
    ) -> Result<Turn<'_>, Error> {
        // A little earlier than the call's own deadline, so that it is this that ends the wait.
        let turn = self.lanes.turn(call.lane, principal, deadline - self.timeout / 10).await;
        turn.map_err(|why| {
            metrics::scarce(Scarce::Places);
            call.fails(Class::Overloaded, format_args!("not sent: {why}"))
        })
    }
}

pub(super) fn unreachable(call: &Call, cause: &octocrab::Error) -> Error {
    // octocrab wraps it once or twice.
    let found = causes(cause).find_map(|cause| cause.downcast_ref::<reqwest::Error>());
    let class = match found {
        Some(error) if error.is_connect() => Class::Unreachable { retry_after: None },
        Some(error) if error.is_timeout() => Class::Timeout,
        _ => Class::Faulty { retry_after: None },
    };
    call.fails(class, explain(cause))
}

/// An error with its causes, and what to look at if no connection was made.
fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let reason = chain(error);
    let hint = if !is_connecting(error) {
        ""
    } else if reason.contains("certificate") {
        "; if a private authority signed it, name that authority's certificate in github.caFile"
    } else {
        "; check github.apiURL, and if a proxy leads there, HTTPS_PROXY and NO_PROXY"
    };
    reason + hint
}

/// Whether no connection was made. octocrab wraps the error that says so.
fn is_connecting(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(|cause| cause.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_connect))
}
