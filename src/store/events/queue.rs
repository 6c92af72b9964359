//! Events that wait to be written.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Event;
use crate::metrics;

/// How many events wait at most, and how many bytes they may have together.
pub(in crate::store) const MAX_WAITING: usize = 10_000;
const MAX_BYTES: usize = 32 << 20;
/// What an event takes in addition to its texts.
const OVERHEAD: usize = size_of::<Event>();

/// The queue. Those who put something in never wait; one task takes it out.
#[derive(Default)]
pub(in crate::store) struct Queue {
    waiting: Mutex<Waiting>,
    /// Tells those who wait when it changes.
    progress: watch::Sender<Progress>,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Event>,
    bytes: usize,
}

/// What became of the events.
#[derive(Debug, Default, Clone, Copy)]
struct Progress {
    /// How many were ever put in.
    pushed: u64,
    /// How many of them are done with.
    done: u64,
    /// How often writing failed.
    failures: u64,
}

impl Queue {
    /// Puts an event in, or counts it as lost.
    pub(in crate::store) fn push(&self, event: Event) {
        let size = size(&event);
        let mut waiting = self.lock();
        if waiting.events.len() >= MAX_WAITING || waiting.bytes + size > MAX_BYTES {
            drop(waiting);
            metrics::store_events_lost(1);
            return;
        }
        waiting.bytes += size;
        waiting.events.push_back(event);
        metrics::store_events_waiting(waiting.events.len());
        self.progress.send_modify(|progress| progress.pushed += 1);
    }

    /// Waits until there is something, and returns copies of the first few: they stay until they are done with.
    pub(in crate::store) async fn first(&self, max: usize) -> Vec<Event> {
        let mut progress = self.progress.subscribe();
        // The sender lives as long as this borrow of it, so this can't fail.
        let _ = progress.wait_for(|progress| progress.pushed > progress.done).await;
        self.lock().events.iter().take(max).cloned().collect()
    }

    /// The first few are done with.
    pub(in crate::store) fn done(&self, count: usize) {
        let mut waiting = self.lock();
        let bytes: usize = waiting.events.drain(..count).map(|event| size(&event)).sum();
        waiting.bytes -= bytes;
        metrics::store_events_waiting(waiting.events.len());
        self.progress.send_modify(|progress| progress.done += count as u64);
    }

    /// Writing failed, and will be tried again.
    pub(in crate::store) fn failed(&self) {
        self.progress.send_modify(|progress| progress.failures += 1);
    }

    /// Waits until what waits now is done with, or writing fails. Returns how many wait then.
    pub(in crate::store) async fn flushed(&self) -> usize {
        let mut progress = self.progress.subscribe();
        let Progress { pushed, failures, .. } = *progress.borrow();
        let is_over = |progress: &Progress| progress.done >= pushed || progress.failures > failures;
        let _ = progress.wait_for(is_over).await;
        self.lock().events.len()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(event: &Event) -> usize {
    let caller = event.caller.as_ref().map_or(0, String::len);
    OVERHEAD + caller + event.request_id.len() + event.record.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outcome::Outcome;

    fn event(record: &str) -> Event {
        let (caller, team) = (None, None);
        let (operation, request_id) = ("status", "a".to_owned());
        let record = record.to_owned();
        Event {
            at_ms: 1,
            operation,
            outcome: Outcome::Success,
            reason: None,
            team,
            caller,
            request_id,
            record,
        }
    }

    fn lost() -> u64 {
        let text = metrics::handle().unwrap().render();
        let line = text.lines().find_map(|line| line.strip_prefix("arm_store_events_lost_total "));
        line.map_or(0, |count| count.parse().unwrap())
    }

    // One test, since what is lost is counted for the whole process.
    #[tokio::test]
    async fn more_events_than_may_wait_are_counted_as_lost_and_those_before_stay() {
        let before = lost();
        let queue = Queue::default();
        for number in 0..MAX_WAITING + 3 {
            queue.push(event(&number.to_string()));
        }
        assert_eq!(lost() - before, 3);
        let first = queue.first(2).await;
        assert_eq!(first, [event("0"), event("1")]);
        queue.done(2);
        queue.push(event("later"));
        assert_eq!(lost() - before, 3);
        let all = queue.first(usize::MAX).await;
        assert_eq!((all.len(), &all[0], all.last()), (MAX_WAITING - 1, &event("2"), Some(&event("later"))));
        // Nor may they be large together.
        let queue = Queue::default();
        let large = event(&"x".repeat(MAX_BYTES / 4));
        for _ in 0..5 {
            queue.push(large.clone());
        }
        assert_eq!((lost() - before, queue.first(10).await.len()), (5, 3));
    }
}
