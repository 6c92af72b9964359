//! A bounded cache whose entries expire one by one, on the clock that tests move.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;

use crate::clock::Clock;
use crate::metrics;
use crate::single_flight::{Shareable, SingleFlight};

/// Keeps values for as long as whoever put them in said.
pub struct Cache<K, V> {
    era: ArcSwap<Contents<K, V>>,
    max_entries: u64,
    clock: Clock,
    /// Its label in metrics; none where look-ups aren't counted.
    counted_as: Option<metrics::Cache>,
}

/// The time between two times that everything was forgotten. What was asked for in one era is never seen in a later one.
pub struct Era<K, V>(Arc<Contents<K, V>>);

/// What is kept, and what is being loaded to be kept.
struct Contents<K, V> {
    entries: moka::future::Cache<K, Entry<V>>,
    loads: SingleFlight<K, V>,
}

#[derive(Clone)]
struct Entry<V> {
    value: V,
    expires: Duration,
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A cache of at most `max_entries`.
    pub fn new(max_entries: u64, clock: Clock) -> Self {
        Self { era: ArcSwap::from_pointee(Contents::new(max_entries)), max_entries, clock, counted_as: None }
    }

    /// The same, with its look-ups counted in metrics.
    pub fn counted(label: metrics::Cache, max_entries: u64, clock: Clock) -> Self {
        Self { counted_as: Some(label), ..Self::new(max_entries, clock) }
    }

    /// What is kept for the key and has not expired.
    pub async fn get(&self, key: &K) -> Option<V> {
        let value = self.era.load_full().get(key, &self.clock).await;
        if let Some(label) = self.counted_as {
            metrics::cache(label, value.is_some());
        }
        value
    }

    /// Keeps a value for a while.
    pub async fn insert(&self, key: K, value: V, ttl: Duration) {
        self.insert_in(&self.era(), key, value, ttl).await;
    }

    /// The current era, for [`Cache::insert_in`]: to be taken before the value is asked for.
    pub fn era(&self) -> Era<K, V> {
        Era(self.era.load_full())
    }

    /// Keeps a value for a while, unless everything was forgotten since `era` was taken.
    pub async fn insert_in(&self, era: &Era<K, V>, key: K, value: V, ttl: Duration) {
        era.0.insert(key, value, self.clock.now() + ttl).await;
    }

    /// Forgets everything, and what loads that are under way will give: nobody joins those from now on.
    pub fn forget_all(&self) {
        self.era.store(Arc::new(Contents::new(self.max_entries)));
    }

    /// Forgets what is kept for the key if it is `unwanted`.
    pub async fn forget_if(&self, key: K, unwanted: impl FnOnce(&V) -> bool) {
        let era = self.era.load_full();
        era.entries
            .entry(key)
            .and_compute_with(async |entry| match entry {
                Some(entry) if unwanted(&entry.value().value) => Op::Remove,
                _ => Op::Nop,
            })
            .await;
    }

    /// Forgets what is kept for the key.
    pub async fn forget(&self, key: &K) {
        self.era.load_full().entries.invalidate(key).await;
    }
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Shareable + Send + Sync + 'static,
{
    /// What is kept for the key, or what `load` gives, along with how long to keep it. Failures are values too, usually
    /// kept for no time at all. Callers with the same key share one load, unless it fails for a reason of one alone.
    pub async fn get_or_load(&self, key: K, load: impl Future<Output = (V, Duration)>) -> V {
        match self.get(&key).await {
            Some(value) => value,
            // Boxed, so that the future of the usual case, a hit, stays small.
            None => Box::pin(self.load(key, load)).await,
        }
    }

    async fn load(&self, key: K, load: impl Future<Output = (V, Duration)>) -> V {
        let era = self.era.load_full();
        let load = async {
            // Another load may have ended since.
            if let Some(value) = era.get(&key, &self.clock).await {
                return value;
            }
            let (value, ttl) = load.await;
            if !ttl.is_zero() {
                era.insert(key.clone(), value.clone(), self.clock.now() + ttl).await;
            }
            value
        };
        era.loads.run(key.clone(), load).await
    }
}

impl<K, V> Contents<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn new(max_entries: u64) -> Self {
        // LRU: the default policy refuses newcomers when full, and a refused entry would be asked for again at every
        // request.
        let entries = moka::future::Cache::builder()
            .max_capacity(max_entries)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { entries, loads: SingleFlight::new() }
    }

    async fn get(&self, key: &K, clock: &Clock) -> Option<V> {
        let entry = self.entries.get(key).await;
        entry.filter(|entry| entry.expires > clock.now()).map(|entry| entry.value)
    }

    async fn insert(&self, key: K, value: V, expires: Duration) {
        self.entries.insert(key, Entry { value, expires }).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::single_flight::Sharing;

    impl Shareable for () {
        fn sharing(&self) -> Sharing {
            Sharing::All
        }
    }

    const MINUTE: Duration = Duration::from_mins(1);

    fn cache(clock: &Clock) -> Arc<Cache<u8, Result<usize, ()>>> {
        Arc::new(Cache::new(10, clock.clone()))
    }

    #[tokio::test]
    async fn an_entry_is_loaded_again_once_its_time_is_over() {
        let clock = Clock::manual();
        let cache = cache(&clock);
        let loads = AtomicUsize::new(0);
        let ask = async || {
            let load = async { (Ok(loads.fetch_add(1, Ordering::SeqCst)), MINUTE) };
            cache.get_or_load(1, load).await
        };
        assert_eq!(ask().await, Ok(0));
        clock.advance(Duration::from_millis(59_999));
        assert_eq!(ask().await, Ok(0));
        clock.advance(Duration::from_millis(1));
        assert_eq!(ask().await, Ok(1));
    }

    #[tokio::test]
    async fn those_who_wait_for_a_failing_load_share_the_failure_and_later_ones_load_again() {
        let cache = cache(&Clock::manual());
        let loads = Arc::new(AtomicUsize::new(0));
        let (release, released) = tokio::sync::watch::channel(false);
        let ask = |outcome: Result<usize, ()>| {
            let (cache, loads, mut released) = (cache.clone(), loads.clone(), released.clone());
            async move {
                let load = async {
                    loads.fetch_add(1, Ordering::SeqCst);
                    released.wait_for(|released| *released).await.unwrap();
                    (outcome, Duration::ZERO)
                };
                cache.get_or_load(1, load).await
            }
        };
        let all = futures_util::future::join_all((0..50).map(|_| ask(Err(()))));
        let releasing = async { release.send(true).unwrap() };
        let (outcomes, ()) = tokio::join!(all, releasing);
        assert!(outcomes.iter().all(Result::is_err));
        assert_eq!(loads.load(Ordering::SeqCst), 1);
        assert_eq!(ask(Ok(7)).await, Ok(7));
        assert_eq!(loads.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn what_was_asked_for_before_everything_was_forgotten_is_neither_kept_nor_joined_after() {
        let cache = cache(&Clock::manual());
        let era = cache.era();
        cache.insert(1, Ok(1), MINUTE).await;
        let (release, mut released) = tokio::sync::watch::channel(false);
        let (begun, begins) = tokio::sync::oneshot::channel();
        let old = tokio::spawn({
            let cache = cache.clone();
            let load = async move {
                begun.send(()).unwrap();
                released.wait_for(|released| *released).await.unwrap();
                (Ok(2), MINUTE)
            };
            async move { cache.get_or_load(2, load).await }
        });
        begins.await.unwrap();
        cache.forget_all();
        assert_eq!((cache.get(&1).await, cache.get(&2).await), (None, None));
        // Not even while the load of before is under way, does somebody who comes now wait for it.
        assert_eq!(cache.get_or_load(2, async { (Ok(3), MINUTE) }).await, Ok(3));
        release.send(true).unwrap();
        assert_eq!(old.await.unwrap(), Ok(2), "who asked before gets what was asked for");
        cache.insert_in(&era, 1, Ok(1), MINUTE).await;
        assert_eq!((cache.get(&1).await, cache.get(&2).await), (None, Some(Ok(3))));
        cache.insert(1, Ok(4), MINUTE).await;
        assert_eq!(cache.get(&1).await, Some(Ok(4)));
    }

    #[tokio::test]
    async fn only_the_unwanted_value_is_forgotten() {
        let cache = cache(&Clock::manual());
        cache.insert(1, Ok(5), MINUTE).await;
        cache.forget_if(1, |value| *value == Ok(4)).await;
        assert_eq!(cache.get(&1).await, Some(Ok(5)));
        cache.forget_if(1, |value| *value == Ok(5)).await;
        assert_eq!(cache.get(&1).await, None);
    }
}
