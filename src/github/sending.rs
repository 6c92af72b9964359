//! One call on its way: it waits until the limits allow it, is sent, and sent again where that helps and repeats no write.

use std::time::Duration;

use http::StatusCode;
use http_body_util::{BodyExt, Limited};
use octocrab::Octocrab;
use tokio::time::Instant;

use super::budget::Budget;
use super::call::Call;
use super::error::{Class, Error, Shortage};
use super::reply::{Reply, request_id};
use super::transport::{Transport, unreachable};
use super::writes;
use crate::account::Account;
use crate::metrics::{self, CallKind, CallOutcome};
use crate::outbound::chain;

/// A page of 100 repositories is about 600 KiB; nothing that this service asks for is larger than this.
const MAX_RESPONSE_BYTES: usize = 8 << 20;
/// A read is sent at most this often.
pub const MAX_ATTEMPTS: u32 = 3;
/// A wait that GitHub asks for is waited for if it is no longer than this.
const MAX_SHORT_WAIT: Duration = Duration::from_secs(3);
/// The first wait before a read is sent again; doubles, and varies by half.
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);

/// One call on its way.
pub(super) struct Sending<'a> {
    pub(super) transport: &'a Transport,
    pub(super) client: &'a Octocrab,
    pub(super) budget: &'a Budget,
    pub(super) call: &'a Call,
    pub(super) account: Account,
}

impl Sending<'_> {
    /// Waits for what is over soon, and refuses the call for what isn't.
    pub(super) async fn wait_for_limits(&self) -> Result<(), Error> {
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

    pub(super) async fn attempts(&self, deadline: Instant) -> Result<Reply, Error> {
        let call = self.call;
        let mut attempt = 1;
        loop {
            let turn = self.transport.turn(call, self.account.principal(), deadline).await?;
            self.spend_token().await?;
            let outcome = self.counted_attempt(attempt, deadline).await;
            drop(turn);
            let error = match outcome {
                Err(error) if attempt < MAX_ATTEMPTS => error,
                outcome => return outcome,
            };
            match self.pause_after(&error, attempt) {
                Some(pause) if Instant::now() + pause < deadline => {
                    tracing::debug!(%error, attempt, "sending to GitHub again");
                    // Each, since the call's time may be over before the last of them.
                    if matches!(error.class(), Class::Unreachable { .. }) {
                        self.transport.record(call, self.account.principal(), Some(&error));
                    }
                    tokio::time::sleep(pause).await;
                }
                _ => return Err(error),
            }
            // What takes too long here says nothing about GitHub.
            match tokio::time::timeout_at(deadline, self.wait_for_limits()).await {
                Ok(allowed) => allowed?,
                Err(_) => return Err(error),
            }
            attempt += 1;
        }
    }

    /// What changes something is sent only if the caller's token may still make a change. What is held back spends nothing.
    async fn spend_token(&self) -> Result<(), Error> {
        if self.call.is_repeatable() {
            return Ok(());
        }
        if let Some(retry_after) = self.budget.hold(self.call) {
            return Err(self.not_sent(Class::RateLimited { retry_after, why: Shortage::Hold }));
        }
        if self.account.may_change().await {
            return Ok(());
        }
        Err(self.call.fails(Class::TokenUsed, "not sent: the caller's token made its one change"))
    }

    /// How long to wait before the call is sent again; none if that is in vain, or not allowed, or if GitHub asks for more
    /// patience than a call has. What GitHub asks to wait for as a limit is waited for elsewhere.
    fn pause_after(&self, error: &Error, attempt: u32) -> Option<Duration> {
        match error.class() {
            // GitHub did nothing with what it refused, so this repeats no write.
            Class::RateLimited { retry_after, why: Shortage::Hold } if self.can_wait(*retry_after) => {
                Some(Duration::ZERO)
            }
            _ if !self.call.is_repeatable() => None,
            Class::Unreachable { .. } | Class::Faulty { retry_after: None } => Some(back_off(attempt)),
            Class::Faulty { retry_after: Some(stated) } => {
                Some(*stated).filter(|pause| *pause <= MAX_SHORT_WAIT)
            }
            _ => None,
        }
    }

    pub(super) async fn counted_attempt(&self, number: u32, deadline: Instant) -> Result<Reply, Error> {
        let mut counted = Attempt::start(self.call, number, deadline);
        let outcome = self.attempt().await;
        counted.end(outcome.as_ref().map_or_else(|error| error.class().outcome(), |_| CallOutcome::Success));
        outcome
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
        budget.learn(call, &head.headers);
        let request_id = request_id(&head.headers);
        // A token that had to be renewed on the way is no change.
        let is_change = !call.is_repeatable();
        if let (true, Some(request_id)) = (is_change, &request_id) {
            writes::note(request_id);
        }
        let body = match Limited::new(body, MAX_RESPONSE_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(cause) => {
                let error = call.fails(
                    Class::Faulty { retry_after: None },
                    format_args!("the answer broke off: {}", chain(&*cause)),
                );
                return Err(error.with_request_id(request_id));
            }
        };
        let (outcome, hold) = call.interpret(head.status, head.headers, body, transport.clock.unix_seconds());
        if head.status == StatusCode::NOT_MODIFIED {
            budget.uncount(account);
        }
        if let Some(hold) = hold {
            budget.note(call, hold, sent_at);
        }
        outcome
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_grows_and_stays_within_bounds() {
        for (attempt, max) in [(1, 100), (2, 200)] {
            let wait = back_off(attempt).as_millis();
            assert!((max / 2..=max).contains(&wait), "{wait} ms after attempt {attempt}");
        }
    }
}
