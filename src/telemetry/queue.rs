//! Queues between those who log and the threads that write. Nobody who logs ever waits for a disk or a reader: a line
//! that doesn't fit is dropped and counted, and whoever must not lose one makes sure of room beforehand.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::output::Output;

/// How much waits in a queue, at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) lines: usize,
    pub(super) bytes: usize,
}

/// Ordinary lines: a few seconds of a busy service.
pub(super) const ORDINARY: Bounds = Bounds { lines: 32_768, bytes: 16 << 20 };
/// Audit lines, and room that was promised for some.
pub(super) const AUDIT: Bounds = Bounds { lines: 8_192, bytes: 16 << 20 };
/// For the few audit lines that nobody asked room for, such as that of a changed policy.
const UNPROMISED: Bounds = Bounds { lines: 1_024, bytes: 1 << 20 };
/// Lines are handed to the thread in portions of about this size, so that progress shows.
const PORTION: usize = 64 << 10;
/// After a portion the thread waits so long for more, unless that much is there already: under load it would otherwise have
/// to be woken for each line, which costs whoever logs more than the line itself.
const GATHERED_FOR: Duration = Duration::from_millis(1);
/// An output that failed is tried again after this long.
const TRIED_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// The same of a pipe that takes nothing just now: who starts the service may have made it one that doesn't block.
const FULL_PIPE: Duration = Duration::from_millis(5);

/// What becomes of a line that the output doesn't take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// It is dropped and counted.
    Drops,
    /// It is tried again until it is taken, and all behind it wait.
    Waits,
}

/// A queue of lines, and what its thread has come to.
pub(super) struct Queue {
    bounds: Bounds,
    failure: Failure,
    inner: Mutex<Inner>,
    /// Told to the thread: a line came while it was idle, or the end.
    work: Condvar,
    /// Told to those who wait for what they pushed.
    progress: Condvar,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Vec<u8>>,
    /// Lines and bytes that wait or that the thread has in hand.
    lines: usize,
    bytes: usize,
    /// Lines and bytes that somebody was promised room for.
    promised: usize,
    promised_bytes: usize,
    pushed: u64,
    done: u64,
    lost: u64,
    /// Since when the thread has been busy with the portion that it has in hand.
    busy_since: Option<Instant>,
    /// Whether the thread waits to be told of the next line.
    is_idle: bool,
    ended: bool,
}

/// Room for one audit line, whatever happens until it is written. Dropped when the line is written, or isn't needed.
pub(super) struct Promise {
    queue: Arc<Queue>,
    bytes: usize,
}

impl Queue {
    /// Starts the thread that writes.
    pub(super) fn start(
        output: Output,
        bounds: Bounds,
        failure: Failure,
        thread: &str,
    ) -> io::Result<Arc<Self>> {
        let queue = Arc::new(Self {
            bounds,
            failure,
            inner: Mutex::default(),
            work: Condvar::new(),
            progress: Condvar::new(),
        });
        let worker = queue.clone();
        // Not joined: it may hang in a write that nobody takes for as long as the process lives.
        thread::Builder::new().name(thread.to_owned()).spawn(move || worker.write_all(&output))?;
        Ok(queue)
    }

    /// Adds a line if there is room; never waits.
    pub(super) fn push(&self, line: Vec<u8>) {
        let mut inner = self.lock();
        let beyond = if self.failure == Failure::Waits { UNPROMISED } else { Bounds { lines: 0, bytes: 0 } };
        let lines = inner.lines + inner.promised + 1;
        let bytes = inner.bytes + inner.promised_bytes + line.len();
        if lines > self.bounds.lines + beyond.lines || bytes > self.bounds.bytes + beyond.bytes {
            inner.lost += 1;
        } else {
            self.add(&mut inner, line);
        }
    }

    /// Adds a line that room was promised for.
    pub(super) fn push_promised(&self, line: Vec<u8>) {
        self.add(&mut self.lock(), line);
    }

    fn add(&self, inner: &mut Inner, line: Vec<u8>) {
        inner.pushed += 1;
        inner.lines += 1;
        inner.bytes += line.len();
        inner.waiting.push_back(line);
        if std::mem::take(&mut inner.is_idle) {
            self.work.notify_one();
        }
    }

    /// Promises room for a line of at most so many bytes. A line larger than the whole queue has it to itself.
    pub(super) fn promise(self: &Arc<Self>, bytes: usize) -> Option<Promise> {
        let mut inner = self.lock();
        if !self.has_room(&inner, 1, bytes) {
            return None;
        }
        inner.promised += 1;
        inner.promised_bytes += bytes;
        Some(Promise { queue: self.clone(), bytes })
    }

    fn has_room(&self, inner: &Inner, lines: usize, bytes: usize) -> bool {
        let (taken_lines, taken) = (inner.lines + inner.promised, inner.bytes + inner.promised_bytes);
        taken == 0 || (taken_lines + lines <= self.bounds.lines && taken + bytes <= self.bounds.bytes)
    }

    /// Whether nobody would be promised room for a usual line.
    pub(super) fn is_full(&self, bytes: usize) -> bool {
        !self.has_room(&self.lock(), 1, bytes)
    }

    /// How long the output has not taken what it should.
    pub(super) fn stands_still_for(&self) -> Duration {
        self.lock().busy_since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Waits until what was pushed so far is written; says how many lines are not.
    pub(super) fn flush(&self, at_most: Duration) -> u64 {
        let inner = self.lock();
        let pushed = inner.pushed;
        let waited = self.progress.wait_timeout_while(inner, at_most, |inner| inner.done < pushed);
        let inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        pushed.saturating_sub(inner.done)
    }

    /// Lines that were dropped.
    pub(super) fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// Has the thread end as soon as nothing waits.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.work.notify_one();
    }

    /// The thread.
    fn write_all(&self, output: &Output) {
        let mut unflushed = 0;
        while let Some(portion) = self.next(unflushed > 0) {
            let (mut lost, bytes) = (0, portion.iter().map(Vec::len).sum::<usize>());
            for line in &portion {
                lost += u64::from(!self.write(output, line));
            }
            let lines = portion.len() as u64;
            unflushed += lines;
            let flushed = self.flushed(output);
            let mut inner = self.lock();
            inner.lines -= portion.len();
            inner.bytes -= bytes;
            inner.lost += lost;
            if flushed {
                inner.done += std::mem::take(&mut unflushed);
                inner.busy_since = None;
            }
            self.progress.notify_all();
            if inner.bytes < PORTION {
                drop(self.pause(inner, GATHERED_FOR));
            }
        }
    }

    /// Waits for lines, and gives some of them; none at the end. What is taken but not flushed doesn't wait for more.
    fn next(&self, unflushed: bool) -> Option<Vec<Vec<u8>>> {
        let mut inner = self.lock();
        while inner.waiting.is_empty() {
            if inner.ended {
                return None;
            }
            if unflushed {
                inner = self.pause(inner, TRIED_AGAIN_AFTER);
                break;
            }
            inner.is_idle = true;
            inner = self.work.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let (mut portion, mut bytes) = (Vec::new(), 0);
        while bytes < PORTION
            && let Some(line) = inner.waiting.pop_front()
        {
            bytes += line.len();
            portion.push(line);
        }
        inner.busy_since.get_or_insert_with(Instant::now);
        Some(portion)
    }

    /// Whether the output took the line.
    fn write(&self, output: &Output, line: &[u8]) -> bool {
        while let Err(cause) = output.take(line) {
            if self.failure == Failure::Drops || self.gives_up(&cause) {
                return false;
            }
        }
        true
    }

    /// Whether all that was taken is written.
    fn flushed(&self, output: &Output) -> bool {
        while let Err(cause) = output.flush() {
            if self.failure == Failure::Drops || self.gives_up(&cause) {
                return false;
            }
        }
        true
    }

    /// Waits a little before another try; not at the end, when nobody would see it through.
    fn gives_up(&self, cause: &io::Error) -> bool {
        let inner = self.lock();
        let wait = if cause.kind() == ErrorKind::WouldBlock { FULL_PIPE } else { TRIED_AGAIN_AFTER };
        inner.ended || self.pause(inner, wait).ended
    }

    fn pause<'a>(&self, inner: MutexGuard<'a, Inner>, wait: Duration) -> MutexGuard<'a, Inner> {
        let waited = self.work.wait_timeout_while(inner, wait, |inner| !inner.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// A panic elsewhere doesn't stop the log.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Promise {
    /// Promises more for the same line; what was promised stays when there isn't.
    pub(super) fn grow_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return true;
        }
        let mut inner = self.queue.lock();
        // Its own part stands in nobody's way: a line larger than the queue is alone in it.
        let is_alone = inner.bytes == 0 && inner.promised == 1;
        if !is_alone && !self.queue.has_room(&inner, 0, more) {
            return false;
        }
        inner.promised_bytes += more;
        self.bytes += more;
        true
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let mut inner = self.queue.lock();
        inner.promised -= 1;
        inner.promised_bytes -= self.bytes;
    }
}

#[cfg(test)]
mod tests;
