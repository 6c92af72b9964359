//! Lists that are shown: those who ask for one at once share one fetch. What feeds a write is read by each for itself.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;

use super::generations::Generation;
use super::types::{Repository, Runner};
use super::{Error, Github};
use crate::account::Account;
use crate::domain::ids::GroupId;
use crate::metrics;
use crate::single_flight::SingleFlight;

/// A list that several hold.
pub type SharedList<T> = Arc<Vec<Arc<T>>>;

type Key = (GroupId, Generation);
type Fetched<T> = Result<SharedList<T>, Error>;

/// The fetches under way.
pub(super) struct SharedLists {
    runners: SingleFlight<Key, Fetched<Runner>>,
    repositories: SingleFlight<Key, Fetched<Repository>>,
    /// Where a fetch goes on when whoever began it is gone: others may wait for it.
    runtime: Handle,
}

impl SharedLists {
    /// To be called on the runtime that lives longest.
    pub(super) fn new() -> Self {
        Self { runners: SingleFlight::new(), repositories: SingleFlight::new(), runtime: Handle::current() }
    }
}

impl Github {
    /// The time between the ends of two writes to the group: what was read in one must not be shown in a later one.
    pub async fn generation(&self, group: GroupId) -> Generation {
        self.generations.of(group).await
    }

    /// How many wait for lists of runners that are being read.
    pub fn waiting_for_runners(&self) -> usize {
        self.shared_lists.runners.waiting()
    }

    /// The self-hosted runners in the group, to be shown.
    pub async fn shown_runners(self: &Arc<Self>, group: GroupId) -> Fetched<Runner> {
        let (own, key) = (self.clone(), (group, self.generation(group).await));
        let fetch = async move {
            let read = async { Ok(Arc::new(own.read_group_runners(group).await?)) };
            joined(&own.shared_lists.runners, key, Box::pin(read)).await
        };
        self.to_the_end(fetch).await
    }

    /// The repositories that may use the group, to be shown.
    pub async fn shown_repositories(self: &Arc<Self>, group: GroupId) -> Fetched<Repository> {
        let (own, key) = (self.clone(), (group, self.generation(group).await));
        let fetch = async move {
            let read = async { Ok(Arc::new(own.read_group_repositories(group).await?)) };
            joined(&own.shared_lists.repositories, key, Box::pin(read)).await
        };
        self.to_the_end(fetch).await
    }

    /// Runs a fetch for the account of this task, also when whoever waits for it goes away.
    async fn to_the_end<T: Send + 'static>(
        &self,
        fetch: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let ended = self.shared_lists.runtime.spawn(Account::carried(fetch)).await;
        ended.unwrap_or_else(|_| Err(Error::unexpected("the list was cut off")))
    }
}

/// What is read, or what somebody else is reading.
async fn joined<K: Hash + Eq + Clone, T>(
    under_way: &SingleFlight<K, Result<Arc<T>, Error>>,
    key: K,
    read: impl Future<Output = Result<Arc<T>, Error>>,
) -> Result<Arc<T>, Error> {
    let is_own = AtomicBool::new(false);
    let read = async {
        is_own.store(true, Ordering::Relaxed);
        read.await
    };
    let outcome = under_way.run(key, read).await;
    if !is_own.into_inner() {
        metrics::list_was_shared();
    }
    outcome
}
