//! Writes to GitHub, which are seen to their end also when the caller who asked for them hangs up.

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Runs what must be seen to its end, on the runtime that lives longest. Cloning gives the same writes.
#[derive(Clone)]
pub struct Writes {
    runtime: Handle,
    tasks: TaskTracker,
    given_up: CancellationToken,
}

impl Writes {
    /// Runs on the current runtime.
    pub fn here() -> Self {
        Self { runtime: Handle::current(), tasks: TaskTracker::new(), given_up: CancellationToken::new() }
    }

    /// Runs a write to its end, also when whoever waits for it goes away. Nothing when it panicked or was
    /// given up.
    pub async fn see_to_the_end<T: Send + 'static>(
        &self,
        write: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let given_up = self.given_up.clone();
        let write = async move { given_up.run_until_cancelled(write).await };
        self.tasks.spawn_on(write, &self.runtime).await.ok().flatten()
    }

    /// Whether no write is seen to its end any more.
    pub fn are_given_up(&self) -> bool {
        self.given_up.is_cancelled()
    }

    /// Waits until no write is seen to its end any more.
    pub async fn until_given_up(&self) {
        self.given_up.cancelled().await;
    }

    /// Waits until no write is under way any more.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Gives up the writes under way; nobody can tell how they end.
    pub async fn give_up(&self) {
        self.given_up.cancel();
        self.ended().await;
    }
}
