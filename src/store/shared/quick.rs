//! Statements that a request waits for. They have connections of their own and little time, and a database that is slow is left
//! alone for a while: whoever asks decides without it.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::error::StoreError;

/// How long a request waits for the store.
const LIMIT: Duration = Duration::from_millis(50);
/// After so many failures in a row, the store is left alone.
const MAX_FAILURES: u32 = 3;
/// For so long.
const PAUSE: Duration = Duration::from_secs(1);

/// How the latest quick statements ended.
#[derive(Default)]
pub(in crate::store) struct Quick(Mutex<Latest>);

#[derive(Default)]
struct Latest {
    failures: u32,
    paused_until: Option<Instant>,
}

impl Quick {
    /// Does something with the database in little time, or not at all.
    pub(super) async fn run<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.lock().paused_until.is_some_and(|until| Instant::now() < until) {
            return Err(StoreError::Unavailable("it was slow a moment ago".to_owned()));
        }
        let outcome = match tokio::time::timeout(LIMIT, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(StoreError::Unavailable(format!("it took longer than {LIMIT:?}"))),
        };
        self.note(outcome.is_ok(), Instant::now());
        outcome
    }

    fn note(&self, is_good: bool, now: Instant) {
        let mut latest = self.lock();
        if is_good {
            *latest = Latest::default();
            return;
        }
        latest.failures += 1;
        if latest.failures >= MAX_FAILURES {
            // The next one tries again, and one failure is then enough.
            latest.paused_until = Some(now + PAUSE);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_database_is_left_alone_after_three_failures() {
        let quick = Quick::default();
        for _ in 0..MAX_FAILURES {
            let error = quick.run(pending::<Result<(), _>>()).await.unwrap_err();
            assert!(error.to_string().contains("longer than 50ms"), "{error}");
        }
        let asked = quick.run(async { Ok(()) }).await;
        assert!(asked.unwrap_err().to_string().contains("a moment ago"));
        quick.lock().paused_until = Some(Instant::now());
        assert_eq!(quick.run(async { Ok(1) }).await, Ok(1));
        assert_eq!(quick.lock().failures, 0);
    }
}
