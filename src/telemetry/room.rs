//! Room for audit lines. Whoever is about to do what leaves a line reserves room for it first, so that nothing is done
//! that can't be written down, and nobody waits for a log that nobody takes.

use std::sync::Arc;
use std::time::Duration;

use super::queue::{Promise, Queue};

/// Bytes that are reserved for a line, unless it is an unusually long one.
const USUAL_LINE: usize = 16 << 10;
/// An output that takes nothing for this long is said to stand still: longer than a slow disk pauses.
const STANDS_STILL_AFTER: Duration = Duration::from_secs(5);

/// There is no room for another audit line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

/// Knows whether audit lines can be written.
#[derive(Clone)]
pub struct AuditRoom(Option<Queues>);

#[derive(Clone)]
struct Queues {
    audit: Arc<Queue>,
    ordinary: Arc<Queue>,
    /// Whether both write to one output.
    share: bool,
    patience: Duration,
}

impl Queues {
    fn stands_still(&self, queue: &Queue) -> bool {
        queue.stands_still_for() >= self.patience
    }
}

/// Room for one line, until this is dropped.
pub struct Reserved(Option<Promise>);

impl AuditRoom {
    /// Lines are written as they come, so that there is always room.
    pub fn unbounded() -> Self {
        Self(None)
    }

    pub(super) fn of(audit: Arc<Queue>, ordinary: Arc<Queue>, share: bool) -> Self {
        Self(Some(Queues { audit, ordinary, share, patience: STANDS_STILL_AFTER }))
    }

    /// Reserves room for a line of at most so many bytes.
    pub fn reserve(&self, bytes: usize) -> Result<Reserved, NoRoom> {
        match &self.0 {
            None => Ok(Reserved(None)),
            Some(queues) => queues.audit.promise(bytes).map(|promise| Reserved(Some(promise))).ok_or(NoRoom),
        }
    }

    /// What keeps audit lines from being written, in a word.
    pub fn audit_problem(&self) -> Option<&'static str> {
        let queues = self.0.as_ref()?;
        if queues.audit.is_full(USUAL_LINE) {
            return Some("full");
        }
        let stands_still =
            queues.stands_still(&queues.audit) || (queues.share && queues.stands_still(&queues.ordinary));
        stands_still.then_some("stalled")
    }

    /// What keeps other lines from being written, in a word. They are dropped then, and counted.
    pub fn log_problem(&self) -> Option<&'static str> {
        self.0.as_ref().filter(|queues| queues.stands_still(&queues.ordinary)).map(|_| "stalled")
    }
}

#[cfg(test)]
impl AuditRoom {
    /// In a log of the usual size, whose lines go nowhere.
    pub(crate) fn bounded() -> Self {
        use super::output::Output;
        use super::queue::{AUDIT, Failure, ORDINARY};
        let start =
            |bounds| Queue::start(Output::stream(std::io::sink()), bounds, Failure::Drops, "log").unwrap();
        Self::of(start(AUDIT), start(ORDINARY), false)
    }
}

impl Reserved {
    /// Reserves room for a longer line. Without it, the room there was stays.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let grew = self.0.as_mut().is_none_or(|promise| promise.grow_to(bytes));
        if grew { Ok(()) } else { Err(NoRoom) }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::output::Output;
    use super::super::queue::{AUDIT, Failure, ORDINARY};
    use super::*;

    /// Takes nothing, as a full disk.
    struct Full;

    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn room(audit: Output, ordinary: Output, share: bool) -> (AuditRoom, Arc<Queue>, Arc<Queue>) {
        let audit = Queue::start(audit, AUDIT, Failure::Waits, "audit").unwrap();
        let ordinary = Queue::start(ordinary, ORDINARY, Failure::Drops, "log").unwrap();
        let (patience, queues) = (Duration::from_millis(1), (audit.clone(), ordinary.clone()));
        (AuditRoom(Some(Queues { audit, ordinary, share, patience })), queues.0, queues.1)
    }

    #[test]
    fn an_output_that_both_share_stands_still_for_both() {
        for share in [true, false] {
            let (room, _audit, ordinary) = room(Output::stream(Full), Output::stream(Full), share);
            assert_eq!((room.audit_problem(), room.log_problem()), (None, None));
            ordinary.push(b"line\n".to_vec());
            while room.log_problem().is_none() {
                std::thread::yield_now();
            }
            assert_eq!(room.audit_problem(), share.then_some("stalled"));
        }
    }

    #[test]
    fn audit_lines_that_nobody_takes_are_their_own_problem() {
        let (room, audit, _ordinary) = room(Output::stream(Full), Output::stream(io::sink()), false);
        audit.push(b"line\n".to_vec());
        while room.audit_problem().is_none() {
            std::thread::yield_now();
        }
        assert_eq!((room.audit_problem(), room.log_problem()), (Some("stalled"), None));
        let _all = room.reserve(AUDIT.bytes - 1_000).unwrap();
        assert_eq!(room.audit_problem(), Some("full"));
        assert!(room.reserve(1_000).is_err());
    }
}
