//! Load: many connections that each send the next request when the last one is answered.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Outcome;
use crate::client::{Connection, HERE, Target};
use crate::figures::{Latencies, number, rate};

/// Writes the request of a number.
pub(crate) type Requests = Arc<dyn Fn(u64, &mut Vec<u8>) + Send + Sync>;

/// When a load ends.
#[derive(Clone)]
pub(crate) enum Until {
    /// After a time.
    Over(Duration),
    /// After so many requests.
    Sent(u64),
    /// When somebody says so.
    Told(Arc<AtomicBool>),
}

/// A load to be put on a server.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) target: Target,
    pub(crate) from: IpAddr,
    pub(crate) connections: usize,
    pub(crate) until: Until,
    /// A pause before each request.
    pub(crate) pause: Option<Duration>,
    pub(crate) requests: Requests,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) latencies: Latencies,
    /// 0 stands for a connection that ended without a response.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// The `Reason` of each refusal.
    pub(crate) reasons: BTreeMap<String, u64>,
    pub(crate) elapsed: Duration,
}

impl Answers {
    pub(crate) fn count(&self) -> u64 {
        self.statuses.values().sum()
    }

    pub(crate) fn rate(&self) -> f64 {
        rate(self.count(), self.elapsed)
    }

    /// Adds what came of another load at the same time.
    pub(crate) fn add(&mut self, other: Self) {
        self.latencies.add(other.latencies);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
        self.elapsed = self.elapsed.max(other.elapsed);
    }

    /// How many answers weren't 200.
    pub(crate) fn refused(&self) -> u64 {
        self.count() - self.statuses.get(&200).copied().unwrap_or(0)
    }

    /// The statuses and how often each came, and the reasons of refusals.
    pub(crate) fn summary(&self) -> String {
        let statuses = self.statuses.iter().map(|(status, count)| format!("{} × {status}", number(*count)));
        let reasons = self.reasons.iter().map(|(reason, count)| format!("{} × {reason}", number(*count)));
        let parts: Vec<_> = statuses.chain(reasons).collect();
        parts.join(", ")
    }

    /// Fails unless every answer had this status.
    pub(crate) fn all(self, status: u16) -> Outcome<Self> {
        if self.statuses.keys().all(|seen| *seen == status) && !self.statuses.is_empty() {
            Ok(self)
        } else {
            Err(format!("expected {status} only, got {:?}", self.statuses).into())
        }
    }
}

/// The same request again and again.
pub(crate) fn always(request: Vec<u8>) -> Requests {
    Arc::new(move |_, buffer: &mut Vec<u8>| buffer.extend_from_slice(&request))
}

impl Load {
    /// One connection that sends the same request a number of times.
    pub(crate) fn one_by_one(target: &Target, request: Vec<u8>, times: u64) -> Self {
        let (target, requests) = (target.clone(), always(request));
        Self { target, from: HERE, connections: 1, until: Until::Sent(times), pause: None, requests }
    }

    /// Puts the load on.
    pub(crate) async fn run(self) -> Outcome<Answers> {
        let next = Arc::new(AtomicU64::new(0));
        let mut connections = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            connections.push(Connection::open(&self.target, self.from).await?);
        }
        let (mut tasks, started) = (JoinSet::new(), Instant::now());
        for connection in connections {
            tasks.spawn(self.clone().keep_sending(connection, next.clone(), started));
        }
        let (mut latencies, mut answers) = (Vec::new(), Answers::default());
        while let Some(ended) = tasks.join_next().await {
            let own = ended??;
            for (status, took) in own.answers {
                latencies.push(took);
                *answers.statuses.entry(status).or_default() += 1;
            }
            for (reason, count) in own.reasons {
                *answers.reasons.entry(reason).or_default() += count;
            }
        }
        Ok(Answers { latencies: latencies.into(), elapsed: started.elapsed(), ..answers })
    }

    async fn keep_sending(
        self,
        mut connection: Connection,
        next: Arc<AtomicU64>,
        started: Instant,
    ) -> Outcome<Own> {
        let (mut own, mut buffer) = (Own::default(), Vec::new());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let is_over = match &self.until {
                Until::Over(time) => started.elapsed() >= *time,
                Until::Sent(most) => number >= *most,
                Until::Told(told) => told.load(Ordering::Relaxed),
            };
            if is_over {
                return Ok(own);
            }
            if let Some(pause) = self.pause {
                tokio::time::sleep(pause).await;
            }
            buffer.clear();
            (self.requests)(number, &mut buffer);
            let sent = Instant::now();
            if let Ok(status) = connection.exchange(&buffer).await {
                own.answers.push((status, sent.elapsed()));
                own.note(connection.reason());
            } else {
                own.answers.push((0, sent.elapsed()));
                connection = Connection::open(&self.target, self.from).await?;
            }
        }
    }
}

/// What came of one connection.
#[derive(Default)]
struct Own {
    answers: Vec<(u16, Duration)>,
    reasons: BTreeMap<String, u64>,
}

impl Own {
    fn note(&mut self, reason: Option<&str>) {
        let Some(reason) = reason else { return };
        if let Some(count) = self.reasons.get_mut(reason) {
            *count += 1;
        } else {
            self.reasons.insert(reason.to_owned(), 1);
        }
    }
}
