//! GitHub's ids of the calls with which an operation changed something, for its audit line.

use std::sync::{Arc, Mutex, PoisonError};

/// The maximum number of ids in one audit line.
const MAX_NOTED: usize = 100;

tokio::task_local! {
    static CURRENT: WriteIds;
}

/// The ids so far. A clone shares them, so that they outlive an operation that is cut off.
#[derive(Debug, Clone, Default)]
pub struct WriteIds(Arc<Mutex<Vec<String>>>);

impl WriteIds {
    /// Runs an operation whose writes are noted here.
    pub async fn noting<T>(&self, operation: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), operation).await
    }

    /// What was noted so far.
    pub fn so_far(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Notes a write of the current operation. Outside one, such as at start, there is nothing to note it in.
pub(super) fn note(request_id: &str) {
    let _ = CURRENT.try_with(|ids| {
        let mut ids = ids.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.len() < MAX_NOTED {
            ids.push(request_id.to_owned());
        }
    });
}
