//! What was asked and answered, for tests to look at afterwards. Secrets are in the bodies, so `Debug` leaves
//! those out.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::watch;

use crate::actor::Credential;

/// One request and its answer.
#[derive(Clone)]
pub struct Exchange {
    /// The place in the order of arrival, from 1.
    pub sequence: u64,
    /// The method, in capitals.
    pub method: String,
    /// The path as sent, without the query and without `/api/v3`.
    pub path: String,
    /// The query as sent.
    pub query: String,
    /// The path template of the operation; `None` when GitHub has no such path.
    pub template: Option<&'static str>,
    /// Whose credential came with it.
    pub credential: Credential,
    /// The request headers without `authorization`, names in lower case.
    pub request_headers: Vec<(String, String)>,
    /// The request body.
    pub request_body: Bytes,
    /// The answer's status; `None` when the connection ended without one.
    pub status: Option<u16>,
    /// The answer's headers, names in lower case.
    pub response_headers: Vec<(String, String)>,
    /// The answer's body.
    pub response_body: Bytes,
    /// Whether a scripted fault made the answer, so that it says nothing about GitHub.
    pub faulted: bool,
    /// Whether bodies were recorded at all.
    pub recorded: bool,
    /// When it arrived.
    pub at: Instant,
    /// How long the answer took.
    pub took: Duration,
    /// How many calls were under way when it arrived, this one included.
    pub in_flight: usize,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let query = if self.query.is_empty() { "" } else { "?" };
        let (method, path) = (&self.method, &self.path);
        write!(
            f,
            "#{} {method} {path}{query}{} by {} -> {status}",
            self.sequence, self.query, self.credential
        )
    }
}

impl Exchange {
    /// The value of a request header.
    pub fn request_header(&self, name: &str) -> Option<&str> {
        value_of(&self.request_headers, name)
    }

    /// The value of a header of the answer.
    pub fn response_header(&self, name: &str) -> Option<&str> {
        value_of(&self.response_headers, name)
    }

    /// The request body as JSON; null when it isn't.
    pub fn request_json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.request_body).unwrap_or_default()
    }

    /// The answer's body as JSON; null when it isn't.
    pub fn response_json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.response_body).unwrap_or_default()
    }
}

fn value_of<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[derive(Default)]
struct State {
    calls: VecDeque<Exchange>,
    counts: HashMap<(String, Option<&'static str>), usize>,
    total: usize,
    sequence: u64,
    most_in_flight: usize,
    record_bodies: bool,
}

/// The calls made so far; the oldest are dropped when there are too many, the counts stay right.
pub(crate) struct CallLog {
    state: Mutex<State>,
    in_flight: watch::Sender<usize>,
    capacity: usize,
}

impl CallLog {
    pub(crate) fn new(capacity: usize, record_bodies: bool) -> Self {
        let state = Mutex::new(State { record_bodies, ..State::default() });
        Self { state, in_flight: watch::Sender::new(0), capacity }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an arrival; gives its sequence number and how many calls are under way.
    pub(crate) fn arrive(&self) -> (u64, usize, bool) {
        let mut state = self.state();
        state.sequence += 1;
        self.in_flight.send_modify(|count| *count += 1);
        let in_flight = *self.in_flight.borrow();
        state.most_in_flight = state.most_in_flight.max(in_flight);
        (state.sequence, in_flight, state.record_bodies)
    }

    pub(crate) fn leave(&self, mut exchange: Exchange) {
        let mut state = self.state();
        state.total += 1;
        *state.counts.entry((exchange.method.clone(), exchange.template)).or_default() += 1;
        if !exchange.recorded {
            exchange.request_body = Bytes::new();
            exchange.response_body = Bytes::new();
        }
        if state.calls.len() >= self.capacity {
            state.calls.pop_front();
        }
        if self.capacity > 0 {
            state.calls.push_back(exchange);
        }
        self.in_flight.send_modify(|count| *count = count.saturating_sub(1));
    }

    /// Resolves when no call is under way.
    pub(crate) async fn settled(&self) {
        let mut in_flight = self.in_flight.subscribe();
        // The sender lives in `self`, so this can only end by reaching zero.
        let _ = in_flight.wait_for(|count| *count == 0).await;
    }

    pub(crate) fn calls(&self) -> Vec<Exchange> {
        let mut calls: Vec<Exchange> = self.state().calls.iter().cloned().collect();
        calls.sort_by_key(|call| call.sequence);
        calls
    }

    pub(crate) fn count(&self, method: &str, template: &str) -> usize {
        let state = self.state();
        let fits =
            |(known, path): &(String, Option<&'static str>)| known == method && *path == Some(template);
        state.counts.iter().filter(|(key, _)| fits(key)).map(|(_, count)| count).sum()
    }

    pub(crate) fn total(&self) -> usize {
        self.state().total
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.state().most_in_flight
    }

    pub(crate) fn clear(&self) {
        let mut state = self.state();
        state.calls.clear();
        state.counts.clear();
        state.total = 0;
        state.most_in_flight = *self.in_flight.borrow();
    }

    pub(crate) fn set_record_bodies(&self, yes: bool) {
        self.state().record_bodies = yes;
    }
}
