//! Callers over their limit: one line a second for each of them, however many requests they send.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::AuditLine;
use crate::domain::outcome::Outcome;
use crate::domain::principal::Principal;
use crate::domain::reason::Cause;
use crate::request::Caller;

/// Refusals of one caller within this time leave one line.
const COUNTED_FOR: Duration = Duration::from_secs(1);

/// Refusals that are counted and not written yet.
pub struct LimitedCallers {
    by_caller: Arc<Mutex<HashMap<Principal, Window>>>,
    runtime: Handle,
}

/// What is counted for one caller.
struct Window {
    /// Of the first request, which has room for the line.
    line: AuditLine,
    cause: Cause,
    count: u64,
}

impl LimitedCallers {
    /// Writes on the current runtime.
    pub fn here() -> Self {
        Self { by_caller: Arc::default(), runtime: Handle::current() }
    }

    /// Counts a refused request of a known caller; its line is left to this.
    pub fn count(&self, line: &AuditLine, cause: Cause) {
        let caller = line.0.context.caller().map(Caller::principal);
        let Some(caller) = caller.filter(|_| line.claim()) else { return };
        let mut callers = locked(&self.by_caller);
        if let Some(window) = callers.get_mut(&caller) {
            window.count += 1;
            line.give_up();
            return;
        }
        callers.insert(caller, Window { line: line.clone(), cause, count: 1 });
        let by_caller = self.by_caller.clone();
        self.runtime.spawn(async move {
            tokio::time::sleep(COUNTED_FOR).await;
            let window = locked(&by_caller).remove(&caller);
            window.iter().for_each(Window::write);
        });
    }

    /// Writes what is counted so far, before the process ends.
    pub fn write_all(&self) {
        let windows = std::mem::take(&mut *locked(&self.by_caller));
        windows.values().for_each(Window::write);
    }
}

impl Window {
    fn write(&self) {
        self.line.note(|details| details.count = Some(self.count));
        self.line.write(Outcome::Refused, Some(self.cause));
    }
}

/// A panic elsewhere must not lose what was counted.
fn locked(callers: &Mutex<HashMap<Principal, Window>>) -> MutexGuard<'_, HashMap<Principal, Window>> {
    callers.lock().unwrap_or_else(PoisonError::into_inner)
}
