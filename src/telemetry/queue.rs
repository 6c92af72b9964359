//! Queues between those who log and the thread that writes, and what they share.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines that wait in the lossy queue, about 16 MB of them.
const ORDINARY_LINES: usize = 32_768;
/// Audit lines that wait before those who write them have to wait.
const AUDIT_LINES: usize = 8_192;

/// Where lines end up in the end; two queues may share it.
#[derive(Clone)]
pub(super) struct Output(Arc<Mutex<Box<dyn Write + Send>>>);

/// A queue of lines, and the thread that writes them.
pub(super) struct Queue {
    writer: NonBlocking,
    dropped: ErrorCounter,
    sent: AtomicU64,
    progress: Arc<Progress>,
}

/// How far the writing thread has come.
#[derive(Default)]
struct Progress {
    done: Mutex<u64>,
    moved: Condvar,
    failed: AtomicU64,
}

/// What the writing thread owns.
struct Worker {
    output: Output,
    progress: Arc<Progress>,
    /// Lines since the last flush, and how many of them the output took.
    pending: (u64, u64),
}

impl Output {
    pub(super) fn new(writer: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(writer))))
    }

    pub(super) fn write_line(&self, line: &[u8]) -> io::Result<()> {
        locked(&self.0).write_all(line)
    }
}

impl Queue {
    /// A queue that drops lines when it is full: a slow disk must not stop the service.
    pub(super) fn lossy(output: Output) -> (Arc<Self>, WorkerGuard) {
        Self::start(
            output,
            NonBlockingBuilder::default().buffered_lines_limit(ORDINARY_LINES).thread_name("log"),
        )
    }

    /// A queue that makes its callers wait when it is full: an audit line must not be lost.
    pub(super) fn lossless(output: Output) -> (Arc<Self>, WorkerGuard) {
        let builder = NonBlockingBuilder::default().lossy(false).buffered_lines_limit(AUDIT_LINES);
        Self::start(output, builder.thread_name("audit-log"))
    }

    fn start(output: Output, builder: NonBlockingBuilder) -> (Arc<Self>, WorkerGuard) {
        let progress = Arc::new(Progress::default());
        let (writer, guard) = builder.finish(Worker { output, progress: progress.clone(), pending: (0, 0) });
        let dropped = writer.error_counter();
        (Arc::new(Self { writer, dropped, sent: AtomicU64::new(0), progress }), guard)
    }

    pub(super) fn push(&self, line: &[u8]) {
        self.sent.fetch_add(1, Ordering::SeqCst);
        // Fails only when the thread is gone, at the very end of the process.
        let _ = self.writer.clone().write_all(line);
    }

    /// Waits until what was pushed so far is written.
    pub(super) fn flush(&self, at_most: Duration) {
        let sent = self.sent.load(Ordering::SeqCst);
        let behind = |done: &mut u64| *done + self.dropped_lines() < sent;
        let done = locked(&self.progress.done);
        let _ = self.progress.moved.wait_timeout_while(done, at_most, behind);
    }

    /// Lines that were dropped or could not be written.
    pub(super) fn lost(&self) -> u64 {
        self.dropped_lines() + self.progress.failed.load(Ordering::Relaxed)
    }

    fn dropped_lines(&self) -> u64 {
        self.dropped.dropped_lines() as u64
    }
}

impl Write for Worker {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // There is nobody to tell: the count shows it, and the next line is tried again.
        match self.output.write_line(line) {
            Ok(()) => self.pending.1 += 1,
            Err(_) => drop(self.progress.failed.fetch_add(1, Ordering::Relaxed)),
        }
        self.pending.0 += 1;
        Ok(line.len())
    }

    /// Called when the queue is empty.
    fn flush(&mut self) -> io::Result<()> {
        let flushed = locked(&self.output.0).flush();
        let (lines, taken) = std::mem::take(&mut self.pending);
        if flushed.is_err() {
            self.progress.failed.fetch_add(taken, Ordering::Relaxed);
        }
        *locked(&self.progress.done) += lines;
        self.progress.moved.notify_all();
        // An error here would make the thread skip the end of a flush, for nobody's good.
        flushed.or(Ok(()))
    }
}

/// A panic elsewhere doesn't stop the log.
pub(super) fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
