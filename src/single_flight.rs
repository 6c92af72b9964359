//! Joins those who load the same thing at once.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

/// Who gets an outcome, of those who wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Everybody.
    All,
    /// The first of those who wait that has one like it, alone: it may have been chance. The second time everybody.
    SecondTime,
    /// Only whoever loaded it: it says something about them. The others load anew.
    Owner,
}

/// An outcome that others may wait for.
pub trait Shareable: Sized {
    /// Who gets it.
    fn sharing(&self) -> Sharing;

    /// The same as the outcome of a second load, which nobody tries again.
    #[must_use]
    fn repeated(self) -> Self {
        self
    }
}

/// A success is everybody's.
impl<T, E: Shareable> Shareable for Result<T, E> {
    fn sharing(&self) -> Sharing {
        self.as_ref().err().map_or(Sharing::All, Shareable::sharing)
    }

    fn repeated(self) -> Self {
        self.map_err(Shareable::repeated)
    }
}

/// Runs one load at a time for each key and gives its outcome to all who wait for it, unless it is of one alone. Keeps
/// nothing: those who come later load again.
pub struct SingleFlight<K, V> {
    under_way: Mutex<Loads<K, V>>,
}

type Loads<K, V> = HashMap<K, Arc<Flight<V>>>;

/// What some wait for, and how often it failed by what may have been chance.
struct Flight<V> {
    outcome: OnceCell<V>,
    failures: AtomicUsize,
}

impl<V> Default for Flight<V> {
    fn default() -> Self {
        Self { outcome: OnceCell::new(), failures: AtomicUsize::new(0) }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> SingleFlight<K, V> {
    /// With nothing under way.
    pub fn new() -> Self {
        Self { under_way: Mutex::default() }
    }

    /// How many wait for what is under way, whoever runs it included.
    pub fn waiting(&self) -> usize {
        self.lock().values().map(|flight| Arc::strong_count(flight) - 1).sum()
    }

    /// Lets nobody join what is under way from now on. Those who wait already still get it.
    pub fn forget_all(&self) {
        self.lock().clear();
    }

    fn join(&self, key: K) -> Joined<'_, K, V> {
        let mut under_way = self.lock();
        let flight = match under_way.get(&key) {
            Some(flight) if !flight.outcome.initialized() => flight.clone(),
            _ => {
                let flight = Arc::default();
                under_way.insert(key.clone(), Arc::clone(&flight));
                flight
            }
        };
        Joined { loads: self, key, flight }
    }
}

impl<K: Hash + Eq + Clone, V: Clone + Shareable> SingleFlight<K, V> {
    /// What `load` gives, or the load for the same key that is under way. When the one who runs it goes away, or its
    /// outcome is nobody else's, another of those who wait runs their own.
    pub async fn run(&self, key: K, load: impl Future<Output = V>) -> V {
        let joined = self.join(key);
        let Flight { outcome, failures } = &*joined.flight;
        let load = async {
            let own = load.await;
            match own.sharing() {
                Sharing::All => Ok(own),
                Sharing::SecondTime if failures.fetch_add(1, Ordering::Relaxed) > 0 => Ok(own.repeated()),
                Sharing::SecondTime | Sharing::Owner => Err(own),
            }
        };
        match outcome.get_or_try_init(|| load).await {
            Ok(of_all) => of_all.clone(),
            Err(own) => own,
        }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> SingleFlight<K, V> {
    fn lock(&self) -> MutexGuard<'_, Loads<K, V>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those who wait for a load.
struct Joined<'a, K: Hash + Eq, V> {
    loads: &'a SingleFlight<K, V>,
    key: K,
    flight: Arc<Flight<V>>,
}

/// A load that ended, or that nobody waits for any more, is no longer there to be joined.
impl<K: Hash + Eq, V> Drop for Joined<'_, K, V> {
    fn drop(&mut self) {
        let mut under_way = self.loads.lock();
        let is_there = under_way.get(&self.key).is_some_and(|there| Arc::ptr_eq(there, &self.flight));
        // Joining takes the lock, too, so a count of two means the map and this one.
        if is_there && (self.flight.outcome.initialized() || Arc::strong_count(&self.flight) == 2) {
            under_way.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::{join_all, pending};
    use tokio::sync::oneshot;

    use super::*;

    impl Shareable for i32 {
        fn sharing(&self) -> Sharing {
            match self {
                ..-1 => Sharing::Owner,
                -1 => Sharing::SecondTime,
                0.. => Sharing::All,
            }
        }
    }

    impl Shareable for usize {
        fn sharing(&self) -> Sharing {
            Sharing::All
        }
    }

    /// Counts its loads; each gives the next of these outcomes, and the last again and again.
    async fn outcomes_of_ten(given: &[i32]) -> (Vec<i32>, usize) {
        let (loads, count) = (SingleFlight::new(), AtomicUsize::new(0));
        let load = async || {
            tokio::task::yield_now().await;
            let number = count.fetch_add(1, Ordering::SeqCst);
            given[number.min(given.len() - 1)]
        };
        let outcomes = join_all((0..10).map(|_| loads.run("a", load()))).await;
        (outcomes, count.into_inner())
    }

    #[tokio::test]
    async fn what_is_about_one_reaches_nobody_else() {
        let (outcomes, loads) = outcomes_of_ten(&[-2, -2, 7]).await;
        assert_eq!((outcomes.iter().filter(|outcome| **outcome == -2).count(), loads), (2, 3));
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == 7).count(), 8);
    }

    #[tokio::test]
    async fn what_may_have_been_chance_is_tried_by_another_and_then_is_everybodys() {
        let (outcomes, loads) = outcomes_of_ten(&[-1, 7]).await;
        assert_eq!((outcomes[0], loads), (-1, 2));
        assert_eq!(outcomes[1..], [7; 9]);
        assert_eq!(outcomes_of_ten(&[-1]).await, (vec![-1; 10], 2));
    }

    /// What may have been chance, and whether it came twice.
    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Chance(bool);

    impl Shareable for Chance {
        fn sharing(&self) -> Sharing {
            if self.0 { Sharing::All } else { Sharing::SecondTime }
        }

        fn repeated(self) -> Self {
            Self(true)
        }
    }

    #[tokio::test]
    async fn a_load_that_several_others_need_is_tried_twice_for_all_of_them() {
        let (outer, inner, count) = (SingleFlight::new(), SingleFlight::new(), AtomicUsize::new(0));
        let load = async || {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            count.fetch_add(1, Ordering::SeqCst);
            Chance(false)
        };
        let outcomes = join_all((0..30).map(|number| outer.run(number % 3, inner.run("a", load())))).await;
        assert_eq!(
            outcomes.iter().filter(|outcome| !outcome.0).count(),
            1,
            "that of the first: {outcomes:?}"
        );
        assert_eq!(count.into_inner(), 2);
    }

    #[tokio::test]
    async fn those_who_come_while_a_load_is_under_way_get_its_outcome_and_those_who_come_later_load_again() {
        let loads = SingleFlight::new();
        let count = AtomicUsize::new(0);
        let load = async || {
            tokio::task::yield_now().await;
            count.fetch_add(1, Ordering::SeqCst)
        };
        let outcomes = join_all((0..50).map(|_| loads.run("a", load()))).await;
        assert_eq!(outcomes, [0; 50]);
        assert_eq!(loads.run("a", load()).await, 1);
        assert!(loads.lock().is_empty(), "nothing is kept");
    }

    #[tokio::test]
    async fn loads_of_different_keys_do_not_wait_for_each_other() {
        let loads = SingleFlight::new();
        let mut stuck = Box::pin(loads.run("a", pending()));
        assert!((&mut stuck).now_or_never().is_none());
        assert_eq!(loads.run("b", async { 1 }).await, 1);
    }

    #[tokio::test]
    async fn when_the_one_who_loads_goes_away_another_takes_over() {
        let loads = SingleFlight::new();
        let mut first = Box::pin(loads.run("a", pending()));
        assert!((&mut first).now_or_never().is_none());
        let mut second = Box::pin(loads.run("a", async { 2 }));
        assert!((&mut second).now_or_never().is_none(), "it waits for the first");
        drop(first);
        assert_eq!(second.await, 2);
    }

    #[test]
    fn a_load_that_everybody_left_is_not_there_any_more() {
        let loads = SingleFlight::<_, usize>::new();
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(loads.run("a", pending()))).collect();
        for one in &mut waiting {
            assert!(one.now_or_never().is_none());
        }
        waiting.pop();
        assert_eq!(loads.lock().len(), 1);
        assert_eq!(loads.waiting(), 2);
        drop(waiting);
        assert!(loads.lock().is_empty());
    }

    #[tokio::test]
    async fn nobody_joins_a_load_from_before_everything_was_forgotten() {
        let loads = SingleFlight::new();
        let (end, ended) = oneshot::channel();
        let mut old = Box::pin(loads.run("a", async { ended.await.unwrap() }));
        assert!((&mut old).now_or_never().is_none());
        loads.forget_all();
        let mut new = Box::pin(loads.run("a", pending()));
        assert!((&mut new).now_or_never().is_none());
        end.send(1).unwrap();
        assert_eq!(old.await, 1, "who came before gets what was asked for");
        assert_eq!(loads.lock().len(), 1, "its end does not end the new one");
    }
}
