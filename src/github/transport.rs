//! Sends one call to GitHub, bounded in number, time and size, and reads the response. Only reads are retried; a write
//! is never repeated.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use octocrab::Octocrab;
use tokio::time::Instant;

use super::budget::Budget;
use super::call::Call;
use super::circuit::{Circuit, CircuitState};
use super::error::{Class, Error, Shortage};
use super::lanes::{Lane, Lanes, Turn};
use super::reply::{Reply, request_id};
use super::writes;
use crate::account::{Account, Principal};
use crate::clock::Clock;
use crate::metrics::{self, CallKind, CallOutcome, Scarce};

/// A page of 100 repositories is about 600 KiB; nothing that this service asks for is larger than this.
const MAX_RESPONSE_BYTES: usize = 8 << 20;
/// A read is sent at most this often.
pub const MAX_ATTEMPTS: u32 = 3;
/// A wait that GitHub asks for is waited for if it is no longer than this.
const MAX_SHORT_WAIT: Duration = Duration::from_secs(3);
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

    /// Sends a call with a client that carries the credential, as soon as GitHub's limits and the caller's share of them allow it.
    pub(super) async fn send(&self, client: &Octocrab, budget: &Budget, call: &Call) -> Result<Reply, Error> {
        let sending = Sending { transport: self, client, budget, call, account: Account::current() };
        // Boxed: hardly anybody has to wait, and the future of waiting is large.
        Box::pin(sending.wait_for_limits()).await?;
        let deadline = Instant::now() + self.timeout;
        let seems_down =
            |retry_after| call.fails(Class::Unreachable { retry_after }, "not sent: GitHub seems to be down");
        let pass = if call.lane == Lane::Stranger {
            // Nobody vouches for the token, so what comes of it says nothing about GitHub.
            self.circuit.look().map_err(|wait| seems_down(Some(wait)))?;
            None
        } else {
            let entered = tokio::time::timeout_at(deadline, self.circuit.enter()).await;
            Some(entered.map_err(|_| seems_down(None))?.map_err(|wait| seems_down(Some(wait)))?)
        };
        // Boxed: octocrab's future takes kilobytes, which every future above would carry along.
        let attempts = Box::pin(sending.attempts(deadline));
        let outcome = tokio::time::timeout_at(deadline, attempts).await.unwrap_or_else(|_| {
            Err(call.fails(Class::Timeout, format_args!("no answer within {:?}", self.timeout)))
        });
        if let Some(pass) = pass {
            pass.record(outcome.as_ref().err().map(Error::class));
        }
        outcome
    }
}

/// One call on its way.
struct Sending<'a> {
    transport: &'a Transport,
    client: &'a Octocrab,
    budget: &'a Budget,
    call: &'a Call,
    account: Account,
}

impl Sending<'_> {
    /// Waits for what is over soon, and refuses the call for what isn't.
    async fn wait_for_limits(&self) -> Result<(), Error> {
        loop {
            if let Some(wait) = self.budget.hold(self.call) {
                self.wait_out(wait).await?;
            }
            self.budget.check(&self.account).map_err(|class| self.not_sent(class))?;
            self.budget.pace(self.call, &self.account).await.map_err(|class| self.not_sent(class))?;
            // GitHub may have asked to wait meanwhile.
            if self.budget.hold(self.call).is_none() {
                return Ok(());
            }
        }
    }

    async fn wait_out(&self, wait: Duration) -> Result<(), Error> {
        let refused = || self.not_sent(Class::RateLimited { retry_after: wait, why: Shortage::Hold });
        if !self.can_wait(wait) {
            return Err(refused());
        }
        let slept = self.transport.clock.sleep(wait);
        tokio::time::timeout(MAX_SHORT_WAIT, slept).await.map_err(|_| refused())
    }

    /// Whether a wait that GitHub asks for is short enough to be waited for.
    fn can_wait(&self, wait: Duration) -> bool {
        let fits = |deadline: Instant| Instant::now() + wait < deadline;
        wait <= MAX_SHORT_WAIT && self.account.deadline().is_none_or(fits)
    }

    fn not_sent(&self, class: Class) -> Error {
        let why = match &class {
            Class::ShareSpent { .. } => "not sent: the share of the hour's calls is used up",
            Class::RateLimited { why: Shortage::Pace, .. } => "not sent: the endpoint is called too often",
            Class::RateLimited { why: Shortage::Reserve, .. } => {
                "not sent: the rest of the hour is kept for changes"
            }
            _ => "not sent: GitHub asked to wait",
        };
        self.call.fails(class, why)
    }

    async fn attempts(&self, deadline: Instant) -> Result<Reply, Error> {
        let call = self.call;
        let mut attempt = 1;
        loop {
            let turn = self.transport.turn(call, self.account.principal(), deadline).await?;
            let mut counted = Attempt::start(call, attempt, deadline);
            let outcome = self.attempt().await;
            counted
                .end(outcome.as_ref().map_or_else(|error| error.class().outcome(), |_| CallOutcome::Success));
            drop(counted);
            let Err(error) = outcome else { return outcome };
            if attempt >= MAX_ATTEMPTS {
                return Err(error);
            }
            drop(turn);
            match error.class() {
                Class::Unreachable { .. } | Class::Faulty if call.method == Method::GET => {
                    tracing::debug!(%error, attempt, "reading from GitHub again");
                    tokio::time::sleep(back_off(attempt)).await;
                }
                // GitHub did nothing with what it refused, so this repeats no write.
                Class::RateLimited { retry_after, why: Shortage::Hold } if self.can_wait(*retry_after) => {}
                _ => return Err(error),
            }
            self.wait_for_limits().await?;
            attempt += 1;
        }
    }

    async fn attempt(&self) -> Result<Reply, Error> {
        let Self { transport, client, budget, call, account } = self;
        // Once more: GitHub may have asked to wait while this call stood in the queue.
        if let Some(retry_after) = budget.hold(call) {
            return Err(self.not_sent(Class::RateLimited { retry_after, why: Shortage::Hold }));
        }
        budget.count(account);
        let sent_at = budget.now();
        let response =
            client.execute(call.request(client)?).await.map_err(|cause| unreachable(call, &cause))?;
        let (head, body) = response.into_parts();
        let request_id = request_id(&head.headers);
        // A token that had to be renewed on the way is no change.
        let is_change = call.method != Method::GET && !call.path.starts_with("/app/");
        if let (true, Some(request_id)) = (is_change, &request_id) {
            writes::note(request_id);
        }
        let body = match Limited::new(body, MAX_RESPONSE_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(cause) => {
                budget.note(call, &head.headers, None, sent_at);
                let error =
                    call.fails(Class::Faulty, format_args!("the answer broke off: {}", chain(&*cause)));
                return Err(error.with_request_id(request_id));
            }
        };
        let headers = head.headers.clone();
        let (outcome, hold) = call.interpret(head.status, head.headers, body, transport.clock.unix_seconds());
        if head.status == StatusCode::NOT_MODIFIED {
            budget.uncount(account);
        }
        budget.note(call, &headers, hold, sent_at);
        outcome
    }
}

impl Transport {
    /// Waits until one more call may be under way. Running out of time here says nothing about GitHub.
    async fn turn(&self, call: &Call, principal: Principal, deadline: Instant) -> Result<Turn<'_>, Error> {
        // A little earlier than the call's own deadline, so that it is this that ends the wait.
        let turn = self.lanes.turn(call.lane, principal, deadline - self.timeout / 10).await;
        turn.map_err(|why| {
            metrics::scarce(Scarce::Places);
            call.fails(Class::Overloaded, format_args!("not sent: {why}"))
        })
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

fn back_off(attempt: u32) -> Duration {
    let whole = FIRST_BACK_OFF * 2_u32.pow(attempt - 1);
    whole / 2 + (whole / 2).mul_f64(fastrand::f64())
}

fn unreachable(call: &Call, cause: &octocrab::Error) -> Error {
    let connecting = matches!(cause, octocrab::Error::Reqwest { source, .. } if source.is_connect());
    let class = if connecting { Class::Unreachable { retry_after: None } } else { Class::Faulty };
    call.fails(class, explain(cause))
}

/// An error with its causes, and what to look at if no connection was made.
fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let reason = chain(error);
    let connecting = causes(error)
        .any(|cause| cause.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_connect));
    let hint = if !connecting {
        ""
    } else if reason.contains("certificate") {
        "; if a private authority signed it, name that authority's certificate in github.caFile"
    } else {
        "; check github.apiURL, and if a proxy leads there, HTTPS_PROXY and NO_PROXY"
    };
    reason + hint
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
