//! An issuer's keys, kept and renewed.
//!
//! Requests are served from the keys in memory. What fetches is a task of the runtime that lives longest, one at a time for each
//! issuer; those who need its outcome wait for it, and may go away.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::error::Refusal;
use super::key_set::KeySet;
use super::source::Source;
use crate::clock::Clock;
use crate::domain::issuer::{Algorithm, Issuer, KeySource};
use crate::metrics::{self, KeysFetched};

/// Keys are fetched anew when they are older.
const FRESH_FOR: Duration = Duration::from_hours(1);
/// A file is looked at again when it was read longer ago.
const FILE_FRESH_FOR: Duration = Duration::from_secs(30);
/// Keys are good for so long while the issuer is down.
const GOOD_FOR: Duration = Duration::from_hours(24);
/// The time between two fetches while there are keys, whatever asks for them: tokens can name keys that nobody has. A file is
/// looked at as often as ever.
const APART: Duration = Duration::from_mins(1);
/// The time between two fetches while there are no keys.
const APART_WITHOUT_KEYS: Duration = Duration::from_secs(10);

/// The keys of one issuer.
pub(super) struct Keys {
    pub(super) issuer: Arc<Issuer>,
    source: Source,
    clock: Clock,
    runtime: Handle,
    known: ArcSwapOption<Known>,
    fetches: Mutex<Fetches>,
}

/// Keys that were fetched.
struct Known {
    set: Arc<KeySet>,
    /// On the service's clock, when the fetch began.
    since: Duration,
}

#[derive(Default)]
struct Fetches {
    /// On the service's clock, when the last one began.
    last: Option<Duration>,
    /// The last one; it has ended when the other half is gone.
    latest: Option<watch::Receiver<()>>,
    is_failing: bool,
}

impl Keys {
    pub(super) fn new(issuer: Arc<Issuer>, source: Source, clock: Clock, runtime: Handle) -> Arc<Self> {
        let (known, fetches) = (ArcSwapOption::empty(), Mutex::default());
        Arc::new(Self { issuer, source, clock, runtime, known, fetches })
    }

    /// Asks the issuer for its keys, whatever is known. The error says why they can't be had.
    pub(super) async fn ask(&self) -> Result<(), String> {
        self.source.fetch().await.map(drop)
    }

    /// A set that has the key. It is fetched if need be.
    pub(super) async fn with(
        self: &Arc<Self>,
        kid: &str,
        algorithm: Algorithm,
    ) -> Result<Arc<KeySet>, Refusal> {
        let set = self.current().await?;
        if set.has(kid, algorithm) {
            return Ok(set);
        }
        // The issuer may have begun to use another key, or somebody made one up.
        self.wait(self.fetch(APART)).await;
        let set = self.known_now().map_or(set, |known| known.set.clone());
        let unknown = Refusal::Invalid("its key (kid) is none of the issuer's");
        if set.has(kid, algorithm) { Ok(set) } else { Err(unknown) }
    }

    /// The keys in force.
    async fn current(self: &Arc<Self>) -> Result<Arc<KeySet>, Refusal> {
        if let Some(known) = self.known_now() {
            let age = self.clock.now().saturating_sub(known.since);
            if age < self.fresh_for() {
                return Ok(known.set.clone());
            }
            let fetch = self.fetch(APART.min(self.fresh_for()));
            // After a quiet time they may be outdated by far. While the issuer is down nobody waits.
            if age < 2 * self.fresh_for() || self.lock().is_failing {
                return Ok(known.set.clone());
            }
            self.wait(fetch).await;
        } else {
            self.wait(self.fetch(APART_WITHOUT_KEYS)).await;
        }
        let known = self.known_now().ok_or_else(|| self.unavailable())?;
        Ok(known.set.clone())
    }

    /// The keys, unless they are too old. Those of a file are in force until another can be read.
    fn known_now(&self) -> Option<Arc<Known>> {
        let known = self.known.load_full()?;
        let is_good = self.is_file() || self.clock.now() < known.since + GOOD_FOR;
        is_good.then_some(known)
    }

    fn is_file(&self) -> bool {
        matches!(self.issuer.keys, KeySource::File(_))
    }

    fn fresh_for(&self) -> Duration {
        if self.is_file() { FILE_FRESH_FOR } else { FRESH_FOR }
    }

    fn unavailable(&self) -> Refusal {
        let next = self.lock().last.map_or(Duration::ZERO, |last| last + APART_WITHOUT_KEYS);
        let retry_after = next.saturating_sub(self.clock.now()).max(Duration::from_secs(1));
        Refusal::IssuerUnavailable { retry_after }
    }

    /// Whether a fetch is under way.
    #[cfg(test)]
    pub(super) fn is_fetching(&self) -> bool {
        self.lock().latest.as_ref().is_some_and(|latest| latest.has_changed().is_ok())
    }

    /// Begins to fetch the keys, unless that is under way, or the last time was less than `apart` ago. Returns what is under way.
    fn fetch(self: &Arc<Self>, apart: Duration) -> Option<watch::Receiver<()>> {
        let now = self.clock.now();
        let mut fetches = self.lock();
        let under_way = fetches.latest.as_ref().filter(|latest| latest.has_changed().is_ok());
        if let Some(under_way) = under_way {
            return Some(under_way.clone());
        }
        if fetches.last.is_some_and(|last| now < last + apart) {
            return None;
        }
        let (ended, latest) = watch::channel(());
        // Counted before it begins: a task that never ends must not let others begin.
        fetches.last = Some(now);
        fetches.latest = Some(latest.clone());
        let keys = self.clone();
        self.runtime.spawn(async move {
            let outcome = keys.source.fetch().await;
            keys.settle(outcome, now);
            drop(ended);
        });
        Some(latest)
    }

    /// Waits until a fetch has ended, however it ended.
    async fn wait(&self, fetch: Option<watch::Receiver<()>>) {
        if let Some(mut fetch) = fetch {
            // Nothing is ever sent: the error says that the other half is gone.
            let _ = fetch.changed().await;
        }
    }

    /// Puts fetched keys in force. A failure is logged when it begins and when it ends.
    fn settle(&self, outcome: Result<KeySet, String>, since: Duration) {
        let was_failing = std::mem::replace(&mut self.lock().is_failing, outcome.is_err());
        let issuer = self.issuer.name.as_str();
        match outcome {
            Ok(set) => {
                self.known.store(Some(Arc::new(Known { set: Arc::new(set), since })));
                metrics::keys_fetched(KeysFetched::Success);
                if was_failing {
                    tracing::info!(issuer, "the keys of an OIDC issuer can be read again");
                }
            }
            Err(problem) => {
                metrics::keys_fetched(KeysFetched::Failure);
                if !was_failing {
                    tracing::error!(issuer, error = problem, "{}", self.consequence());
                }
            }
        }
    }

    fn consequence(&self) -> &'static str {
        match self.known_now() {
            None => "the keys of an OIDC issuer can't be read; its tokens get a 503 until they can",
            Some(_) if self.is_file() => {
                "the file with the keys of an OIDC issuer can't be used; the old keys stay in force"
            }
            Some(_) => "the keys of an OIDC issuer can't be read; the old keys stay in force for 24 hours",
        }
    }

    fn lock(&self) -> MutexGuard<'_, Fetches> {
        self.fetches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
