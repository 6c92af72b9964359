//! One call to GitHub: sent with the right credential, bounded in number, time and size, its answer
//! classified. Only reads are retried; a write is never repeated.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use octocrab::Octocrab;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::budget::{Budget, Hold};
use super::circuit::{Circuit, CircuitState};
use super::error::{Class, Error};
use super::types::ErrorBody;
use super::writes;
use crate::domain::clock::Clock;
use crate::metrics;

/// A page of 100 repositories is about 600 KiB; nothing that this service asks for is larger than this.
const MOST_ANSWER_BYTES: usize = 8 << 20;
/// A read is sent at most this often.
const MOST_ATTEMPTS: u32 = 3;
/// The first wait before a read is sent again; doubles, and varies by half.
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
/// Callers that may wait for each call under way before others are turned away.
const QUEUE_PER_CALL: usize = 4;
/// Characters of GitHub's own message that are repeated; its longest ones are a few sentences.
const MOST_SAID: usize = 1_000;
/// Characters of one header that says what a call takes.
const MOST_NEEDED: usize = 200;
/// Characters of GitHub's id of a request, which has about 40.
const MOST_ID: usize = 100;
/// How metrics call an attempt that nobody waits for any more.
const GIVEN_UP: &str = "given_up";

/// What is sent to GitHub. Paths are built from typed names and numbers only.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// What it is for, in metrics.
    kind: &'static str,
    method: Method,
    path: String,
    accept: &'static str,
    body: Option<serde_json::Value>,
}

impl Call {
    pub(super) fn get(kind: &'static str, path: String) -> Self {
        Self { kind, method: Method::GET, path, accept: "application/vnd.github+json", body: None }
    }

    pub(super) fn post(kind: &'static str, path: String) -> Self {
        Self { method: Method::POST, ..Self::get(kind, path) }
    }

    pub(super) fn put(kind: &'static str, path: String) -> Self {
        Self { method: Method::PUT, ..Self::get(kind, path) }
    }

    pub(super) fn delete(kind: &'static str, path: String) -> Self {
        Self { method: Method::DELETE, ..Self::get(kind, path) }
    }

    pub(super) fn accepting(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    pub(super) fn with_body(self, body: serde_json::Value) -> Self {
        Self { body: Some(body), ..self }
    }

    fn request(&self, client: &Octocrab) -> Result<http::Request<octocrab::OctoBody>, Error> {
        let builder = http::Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header(header::ACCEPT, self.accept);
        client.build_request(builder, self.body.as_ref()).map_err(|cause| {
            Error::new(Class::Unexpected, format!("{} {} can't be sent: {cause}", self.method, self.path))
        })
    }

    /// What an answer to this call means, and how long it asks to wait. `now` is in seconds since 1970.
    pub(super) fn answered(
        &self,
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
        now: u64,
    ) -> (Result<Reply, Error>, Option<Hold>) {
        let hold = Hold::read(status, &headers, now);
        if status.is_success() {
            let what = format!("{} {}", self.method, self.path);
            return (Ok(Reply { body, headers, what }), hold);
        }
        let message = said(&body);
        let class = classify(status, &message, hold);
        let hold = match class {
            Class::RateLimited { retry_after } => Some(Hold::for_the_next(retry_after)),
            _ => None,
        };
        let why = format!("GitHub answered {} \"{message}\"{}", status.as_u16(), needed(&headers));
        let error = self.fails(class, why).with_request_id(request_id(&headers));
        (Err(error.with_enterprise_version(enterprise_version(&headers))), hold)
    }

    fn fails(&self, class: Class, why: impl std::fmt::Display) -> Error {
        Error::new(class, format!("{} {}: {why}", self.method, self.path))
    }
}

/// A successful answer.
#[derive(Debug)]
pub(super) struct Reply {
    body: Bytes,
    headers: HeaderMap,
    what: String,
}

impl Reply {
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|cause| {
            // A value of a wrong type is quoted, be it as long as the answer.
            let cause = repeatable(&cause.to_string(), MOST_SAID);
            let detail = format!("{}: the answer is not what GitHub documents: {cause}", self.what);
            Error::new(Class::Unexpected, detail).with_request_id(self.request_id())
        })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn request_id(&self) -> Option<String> {
        request_id(&self.headers)
    }
}

/// Sends calls; shared by all credentials.
pub(super) struct Transport {
    timeout: Duration,
    concurrency: usize,
    places: Semaphore,
    queued: AtomicUsize,
    most_queued: usize,
    circuit: Circuit,
    clock: Clock,
}

impl Transport {
    pub(super) fn new(timeout: Duration, concurrency: usize, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            timeout,
            concurrency,
            places: Semaphore::new(concurrency),
            queued: AtomicUsize::new(0),
            most_queued: concurrency.saturating_mul(QUEUE_PER_CALL),
            circuit: Circuit::new(clock.clone()),
            clock,
        })
    }

    /// Calls under way, and callers that wait for a place.
    pub(super) fn load(&self) -> (usize, usize) {
        (
            self.concurrency - self.places.available_permits().min(self.concurrency),
            self.queued.load(Ordering::SeqCst),
        )
    }

    pub(super) fn circuit(&self) -> CircuitState {
        self.circuit.state()
    }

    /// How many more calls could be under way right now.
    pub(super) fn free_places(&self) -> usize {
        self.places.available_permits()
    }

    /// Sends a call with a client that carries the credential, and keeps to what GitHub said about waiting.
    pub(super) async fn send(&self, client: &Octocrab, budget: &Budget, call: &Call) -> Result<Reply, Error> {
        self.not_held(budget, call)?;
        let deadline = Instant::now() + self.timeout;
        let seems_down =
            |retry_after| call.fails(Class::Unreachable { retry_after }, "not sent: GitHub seems to be down");
        let entered = tokio::time::timeout_at(deadline, self.circuit.enter()).await;
        let pass = entered.map_err(|_| seems_down(None))?.map_err(|wait| seems_down(Some(wait)))?;
        // Boxed: octocrab's future takes kilobytes, which every future above would carry along.
        let attempts = Box::pin(self.attempts(client, budget, call, deadline));
        let outcome = tokio::time::timeout_at(deadline, attempts).await.unwrap_or_else(|_| {
            Err(call.fails(Class::Timeout, format_args!("no answer within {:?}", self.timeout)))
        });
        pass.ended(outcome.as_ref().err().map(Error::class));
        outcome
    }

    fn not_held(&self, budget: &Budget, call: &Call) -> Result<(), Error> {
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
            let _place = self.place(call, deadline).await?;
            let mut counted = Attempt::starts(call, attempt, deadline);
            let outcome = self.attempt(client, budget, call).await;
            counted.ends(outcome.as_ref().map_or_else(|error| error.class().label(), |_| "success"));
            drop(counted);
            match outcome {
                Err(error) if attempt < MOST_ATTEMPTS && call.method == Method::GET && passing(&error) => {
                    tracing::debug!(%error, attempt, "reading from GitHub again");
                    tokio::time::sleep(back_off(attempt)).await;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt(&self, client: &Octocrab, budget: &Budget, call: &Call) -> Result<Reply, Error> {
        // Once more: GitHub may have asked to wait while this call stood in the queue.
        self.not_held(budget, call)?;
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
        let body = match Limited::new(body, MOST_ANSWER_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(cause) => {
                let error =
                    call.fails(Class::Faulty, format_args!("the answer broke off: {}", chain(&*cause)));
                return Err(error.with_request_id(request_id));
            }
        };
        let (outcome, hold) = call.answered(head.status, head.headers, body, self.clock.unix_seconds());
        budget.note(hold, &self.clock);
        outcome
    }

    /// Waits for one of the places for calls under way. Running out of time here says nothing about GitHub.
    async fn place(&self, call: &Call, deadline: Instant) -> Result<SemaphorePermit<'_>, Error> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        let overloaded = |why| call.fails(Class::Overloaded, why);
        let Some(_queued) = Queued::enter(&self.queued, self.most_queued) else {
            return Err(overloaded("not sent: too many calls are waiting"));
        };
        // A little earlier than the call's own deadline, so that it is this that ends the wait.
        let waited = tokio::time::timeout_at(deadline - self.timeout / 10, self.places.acquire()).await;
        waited
            .map_err(|_| overloaded("not sent: it waited too long"))?
            .map_err(|_| overloaded("shutting down"))
    }
}

/// Counts an attempt when it ends, also when it is cut off by its deadline or with its caller.
struct Attempt {
    kind: &'static str,
    number: u32,
    started: Instant,
    deadline: Instant,
    outcome: Option<&'static str>,
}

impl Attempt {
    fn starts(call: &Call, number: u32, deadline: Instant) -> Self {
        Self { kind: call.kind, number, started: Instant::now(), deadline, outcome: None }
    }

    fn ends(&mut self, outcome: &'static str) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let is_late = Instant::now() >= self.deadline;
        let outcome = self.outcome.unwrap_or(if is_late { Class::Timeout.label() } else { GIVEN_UP });
        metrics::github_call(self.kind, outcome, self.number, self.started.elapsed());
    }
}

/// Counts one waiting caller for as long as it lives, also when the caller gives up.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn enter(count: &'a AtomicUsize, most: usize) -> Option<Self> {
        let entered = Self(count);
        if count.fetch_add(1, Ordering::SeqCst) < most { Some(entered) } else { None }
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether sending a read once more may help.
fn passing(error: &Error) -> bool {
    matches!(error.class(), Class::Unreachable { .. } | Class::Faulty)
}

fn back_off(attempt: u32) -> Duration {
    let whole = FIRST_BACK_OFF * 2_u32.pow(attempt - 1);
    // A random UUID's last bits are as good a jitter as any, and need no other dependency.
    let jitter = uuid::Uuid::now_v7().as_u128() & 0xff;
    whole / 2 + whole / 2 * u32::try_from(jitter).unwrap_or(0) / 0xff
}

fn classify(status: StatusCode, message: &str, hold: Option<Hold>) -> Class {
    let secondary = message.to_ascii_lowercase().contains("secondary rate limit");
    match status.as_u16() {
        429 => Class::RateLimited { retry_after: Hold::wait_of(hold) },
        503 if hold.is_some() => Class::RateLimited { retry_after: Hold::wait_of(hold) },
        403 if hold.is_some() || secondary => Class::RateLimited { retry_after: Hold::wait_of(hold) },
        300..=399 | 404 | 410 => Class::NotFound,
        401 => Class::Unauthorized,
        403 => Class::Forbidden(message.to_owned()),
        409 => Class::Conflict,
        400 | 422 => Class::Rejected(message.to_owned()),
        500 | 502 | 503 | 504 => Class::Faulty,
        _ => Class::Unexpected,
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    Some(repeatable(headers.get("x-github-request-id")?.to_str().ok()?, MOST_ID))
}

/// GitHub's own words in a refusal, in a form that a log line and an answer can repeat: short, one line.
fn said(body: &[u8]) -> String {
    repeatable(&serde_json::from_slice::<ErrorBody>(body).unwrap_or_default().message, MOST_SAID)
}

/// At most so many characters, in one line.
fn repeatable(text: &str, most: usize) -> String {
    let shown = |character: char| if character.is_control() { ' ' } else { character };
    text.chars().take(most).map(shown).collect()
}

/// What GitHub's headers say that the refused call takes, for the log.
fn needed(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut said = String::new();
    for name in ["X-Accepted-GitHub-Permissions", "X-Accepted-OAuth-Scopes", "X-OAuth-Scopes", "X-GitHub-SSO"]
    {
        // Behind the semicolon is an address that lets its bearer go on.
        let value = repeatable(text(name).split("; url=").next().unwrap_or_default(), MOST_NEEDED);
        if !value.is_empty() {
            let _ = write!(said, ", {name}: {value}");
        }
    }
    said
}

/// The major and minor version of an Enterprise Server.
fn enterprise_version(headers: &HeaderMap) -> Option<(u32, u32)> {
    let version = headers.get("x-github-enterprise-version")?.to_str().ok()?;
    let mut parts = version.trim().split('.').map(str::parse::<u32>);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

fn unreachable(call: &Call, cause: &octocrab::Error) -> Error {
    let connecting = matches!(cause, octocrab::Error::Reqwest { source, .. } if source.is_connect());
    let class = if connecting { Class::Unreachable { retry_after: None } } else { Class::Faulty };
    call.fails(class, chain(cause))
}

/// An error with its causes in one line; the outermost alone says too little.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |cause| cause.source())
        .map(|cause| cause.to_string().lines().next().unwrap_or_default().to_owned())
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_403_is_a_rate_limit_only_when_it_says_so() {
        let minute = Some(Hold::for_the_next(Duration::from_mins(1)));
        let class = |status, message, hold| classify(StatusCode::from_u16(status).unwrap(), message, hold);
        let limited = Class::RateLimited { retry_after: Duration::from_mins(1) };
        assert_eq!(class(403, "", minute), limited);
        assert_eq!(class(403, "You have exceeded a secondary rate limit.", None), limited);
        assert_eq!(class(429, "", None), limited);
        assert_eq!(
            class(403, "Must have admin rights", None),
            Class::Forbidden("Must have admin rights".into())
        );
        assert_eq!(class(301, "Moved Permanently", None), Class::NotFound);
        assert_eq!(class(418, "", None), Class::Unexpected);
        assert_eq!(class(503, "", None), Class::Faulty);
        assert_eq!(class(503, "", minute), limited);
    }

    fn answered(status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<Reply, Error> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let call = Call::get("team", "/a/path".to_owned());
        call.answered(StatusCode::from_u16(status).unwrap(), map, Bytes::copy_from_slice(body.as_bytes()), 0)
            .0
    }

    #[test]
    fn what_github_says_is_repeated_in_one_line_and_not_without_end() {
        let body = serde_json::json!({ "message": format!("no\r\n{}", "x".repeat(100_000)) }).to_string();
        let headers = [("x-accepted-oauth-scopes", "admin:org\tx"), ("x-github-request-id", "A:1")];
        let error = answered(422, &headers, &body).unwrap_err();
        let Class::Rejected(message) = error.class() else { panic!("{:?}", error.class()) };
        assert!(message.starts_with("no  xxx") && message.len() == MOST_SAID, "{message}");
        assert!(error.to_string().contains("X-Accepted-OAuth-Scopes: admin:org x"), "{error}");
        assert_eq!(error.request_id(), Some("A:1"));

        let body = serde_json::json!({ "id": "y".repeat(100_000), "slug": "a" }).to_string();
        let error = answered(200, &[], &body).unwrap().parse::<super::super::Team>().unwrap_err();
        assert!(error.to_string().len() < MOST_SAID + 100, "{} bytes", error.to_string().len());
    }

    #[test]
    fn back_off_grows_and_stays_within_bounds() {
        for (attempt, most) in [(1, 100), (2, 200)] {
            let wait = back_off(attempt).as_millis();
            assert!((most / 2..=most).contains(&wait), "{wait} ms after attempt {attempt}");
        }
    }
}
