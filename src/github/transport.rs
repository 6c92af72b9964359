//! Sends one call to GitHub, bounded in number, time and size, and reads the response. Only reads are retried; a write
//! is never repeated.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http_body_util::{BodyExt, Limited};
use octocrab::Octocrab;
use tokio::time::Instant;

use super::budget::Budget;
use super::call::Call;
use super::circuit::{Circuit, CircuitState};
use super::error::{Class, Error};
use super::lanes::{Lane, Lanes, Turn};
use super::reply::{Reply, request_id};
use super::writes;
use crate::clock::Clock;
use crate::metrics::{self, CallKind, CallOutcome};

/// A page of 100 repositories is about 600 KiB; nothing that this service asks for is larger than this.
const MAX_RESPONSE_BYTES: usize = 8 << 20;
/// A read is sent at most this often.
pub const MAX_ATTEMPTS: u32 = 3;
/// The first wait before a read is sent again; doubles, and varies by half.
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);

/// Sends calls; shared by all credentials.
pub(super) struct Transport {
    timeout: Duration,
    lanes: Lanes,
    circuit: Circuit,
    clock: Clock,
}

impl Transport {
    pub(super) fn new(timeout: Duration, concurrency: usize, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            timeout,
            lanes: Lanes::new(concurrency),
            circuit: Circuit::new(clock.clone()),
            clock,
        })
    }

    pub(super) fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    pub(super) fn circuit(&self) -> CircuitState {
        self.circuit.state()
    }

    /// Sends a call with a client that carries the credential, and keeps to what GitHub said about waiting.
    pub(super) async fn send(&self, client: &Octocrab, budget: &Budget, call: &Call) -> Result<Reply, Error> {
        self.check_hold(budget, call)?;
        let deadline = Instant::now() + self.timeout;
        self.circuit.check().map_err(|wait| {
            let class = Class::Unreachable { retry_after: Some(wait) };
            call.fails(class, "not sent: GitHub seems to be down")
        })?;
        // Boxed: octocrab's future takes kilobytes, which every future above would carry along.
        let attempts = Box::pin(self.attempts(client, budget, call, deadline));
        let outcome = tokio::time::timeout_at(deadline, attempts).await.unwrap_or_else(|_| {
            Err(call.fails(Class::Timeout, format_args!("no answer within {:?}", self.timeout)))
        });
        self.record(call, outcome.as_ref().err());
        outcome
    }

    /// Asks GitHub whether it is up: any response but a server error says so. Waits for no turn, and is held back by
    /// nothing, so that nobody's calls decide when it is known.
    pub(super) async fn is_up(&self, client: &Octocrab, call: &Call) -> bool {
        let deadline = Instant::now() + self.timeout;
        let budget = Budget::default();
        let mut counted = Attempt::start(call, 1, deadline);
        let attempt = Box::pin(self.attempt(client, &budget, call));
        let outcome = tokio::time::timeout_at(deadline, attempt)
            .await
            .unwrap_or_else(|_| Err(call.fails(Class::Timeout, "no answer in time")));
        counted.end(outcome.as_ref().map_or_else(|error| error.class().outcome(), |_| CallOutcome::Success));
        if let Err(error) = &outcome {
            tracing::debug!(%error, "probing GitHub");
        }
        let is_down = |error: Error| {
            matches!(error.class(), Class::Unreachable { .. } | Class::Timeout | Class::Faulty)
        };
        !outcome.is_err_and(is_down)
    }

    /// Keeps the circuit as `is_up` says. Never ends.
    pub(super) async fn keep_circuit<Asked: Future<Output = bool>>(&self, is_up: impl Fn() -> Asked) {
        self.circuit.keep(is_up).await;
    }

    /// Tells the circuit how a call ended.
    fn record(&self, call: &Call, failure: Option<&Error>) {
        // Nobody vouches for a stranger's token, so what comes of it says nothing about GitHub.
        if call.lane != Lane::Stranger {
            self.circuit.record(call.kind, None, failure.map(Error::class));
        }
    }

    fn check_hold(&self, budget: &Budget, call: &Call) -> Result<(), Error> {
        match budget.must_wait(&self.clock) {
            None => Ok(()),
            Some(retry_after) => {
                Err(call.fails(Class::RateLimited { retry_after }, "not sent: GitHub asked to wait"))
            }
        }
    }

    async fn attempts(
        &self,
        client: &Octocrab,
        budget: &Budget,
        call: &Call,
        deadline: Instant,
    ) -> Result<Reply, Error> {
        let mut attempt = 1;
        loop {
            let _turn = self.turn(call, deadline).await?;
            let mut counted = Attempt::start(call, attempt, deadline);
            let outcome = self.attempt(client, budget, call).await;
            counted
                .end(outcome.as_ref().map_or_else(|error| error.class().outcome(), |_| CallOutcome::Success));
            drop(counted);
            match outcome {
                Err(error)
                    if attempt < MAX_ATTEMPTS && call.method == Method::GET && is_transient(&error) =>
                {
                    tracing::debug!(%error, attempt, "reading from GitHub again");
                    if matches!(error.class(), Class::Unreachable { .. }) {
                        // At once: attempts to connect may last until the deadline, which then hides them.
                        self.record(call, Some(&error));
                    }
                    tokio::time::sleep(back_off(attempt)).await;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt(&self, client: &Octocrab, budget: &Budget, call: &Call) -> Result<Reply, Error> {
        // Once more: GitHub may have asked to wait while this call stood in the queue.
        self.check_hold(budget, call)?;
        let response =
            client.execute(call.request(client)?).await.map_err(|cause| unreachable(call, &cause))?;
        let (head, body) = response.into_parts();
        budget.report(&head.headers);
        let request_id = request_id(&head.headers);
        // A token that had to be renewed on the way is no change.
        let is_change = call.method != Method::GET && !call.path.starts_with("/app/");
        if let (true, Some(request_id)) = (is_change, &request_id) {
            writes::note(request_id);
        }
        let body = match Limited::new(body, MAX_RESPONSE_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(cause) => {
                let error =
                    call.fails(Class::Faulty, format_args!("the answer broke off: {}", chain(&*cause)));
                return Err(error.with_request_id(request_id));
            }
        };
        let (outcome, hold) = call.interpret(head.status, head.headers, body, self.clock.unix_seconds());
        budget.note(hold, &self.clock);
        outcome
    }

    /// Waits until one more call may be under way. Running out of time here says nothing about GitHub.
    async fn turn(&self, call: &Call, deadline: Instant) -> Result<Turn<'_>, Error> {
        // A little earlier than the call's own deadline, so that it is this that ends the wait.
        let turn = self.lanes.turn(call.lane, deadline - self.timeout / 10).await;
        turn.map_err(|why| call.fails(Class::Overloaded, format_args!("not sent: {why}")))
    }
}

/// Counts an attempt when it ends, also when it is cut off by its deadline or with its caller.
struct Attempt {
    kind: CallKind,
    number: u32,
    started: Instant,
    deadline: Instant,
    outcome: Option<CallOutcome>,
}

impl Attempt {
    fn start(call: &Call, number: u32, deadline: Instant) -> Self {
        Self { kind: call.kind, number, started: Instant::now(), deadline, outcome: None }
    }

    fn end(&mut self, outcome: CallOutcome) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let is_late = Instant::now() >= self.deadline;
        let outcome =
            self.outcome.unwrap_or(if is_late { CallOutcome::Timeout } else { CallOutcome::GivenUp });
        metrics::github_call(self.kind, outcome, self.number, self.started.elapsed());
    }
}

/// Whether it may help to send a read again.
fn is_transient(error: &Error) -> bool {
    matches!(error.class(), Class::Unreachable { .. } | Class::Faulty)
}

fn back_off(attempt: u32) -> Duration {
    let whole = FIRST_BACK_OFF * 2_u32.pow(attempt - 1);
    whole / 2 + (whole / 2).mul_f64(fastrand::f64())
}

fn unreachable(call: &Call, cause: &octocrab::Error) -> Error {
    let class = if is_connecting(cause) { Class::Unreachable { retry_after: None } } else { Class::Faulty };
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

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |cause| cause.source())
}

/// An error with its causes in one line; the outermost alone says too little. Of those that end with what their cause
/// says, only the cause is repeated.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let first_line = |cause: &(dyn std::error::Error + 'static)| {
        cause.to_string().lines().next().unwrap_or_default().to_owned()
    };
    let texts: Vec<String> = causes(error).map(first_line).collect();
    let adds_something =
        |at: &usize| !texts[at + 1..].iter().any(|later| texts[*at].ends_with(later.as_str()));
    (0..texts.len()).filter(adds_something).map(|at| texts[at].as_str()).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error with a text of its own and a cause.
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn each_cause_is_named_once() {
        let texts = [
            "Service Error: Reqwest Error: sending failed",
            "Reqwest Error: sending failed",
            "sending failed",
            "client error (Connect)",
            "invalid peer certificate: UnknownIssuer\nand more lines",
            "invalid peer certificate: UnknownIssuer",
        ];
        let layers = texts.into_iter().rev().fold(None, |cause, text| Some(Box::new(Layer(text, cause))));
        let expected = "sending failed: client error (Connect): invalid peer certificate: UnknownIssuer";
        assert_eq!(chain(&*layers.unwrap()), expected);
        assert_eq!(chain(&Layer("alone", None)), "alone");
    }

    #[test]
    fn back_off_grows_and_stays_within_bounds() {
        for (attempt, max) in [(1, 100), (2, 200)] {
            let wait = back_off(attempt).as_millis();
            assert!((max / 2..=max).contains(&wait), "{wait} ms after attempt {attempt}");
        }
    }
}
