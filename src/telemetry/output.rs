//! Where lines end up: a stream, such as standard output, or a file that is rotated.

use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::roller::Roller;

/// Bytes of a stream that are written at once, at most; what a pipe holds on Linux.
const BUFFERED: usize = 64 << 10;

/// Something that takes whole lines. Two queues may share it.
#[derive(Clone)]
pub(super) struct Output(Arc<Mutex<Target>>);

enum Target {
    Stream(Stream<Box<dyn Write + Send>>),
    File(Roller),
}

impl Output {
    /// Lines that are taken before a flush are written together.
    pub(super) fn stream(writer: impl Write + Send + 'static) -> Self {
        Self::of(Target::Stream(Stream::new(Box::new(writer))))
    }

    pub(super) fn file(roller: Roller) -> Self {
        Self::of(Target::File(roller))
    }

    fn of(target: Target) -> Self {
        Self(Arc::new(Mutex::new(target)))
    }

    /// Takes a line, or none of it. A line that was taken stays until it is written, whatever fails meanwhile.
    pub(super) fn take(&self, line: &[u8]) -> io::Result<()> {
        match &mut *self.lock() {
            Target::Stream(stream) => stream.take(line),
            Target::File(file) => file.append(line),
        }
    }

    /// Writes what was taken.
    pub(super) fn flush(&self) -> io::Result<()> {
        match &mut *self.lock() {
            Target::Stream(stream) => stream.flush(),
            Target::File(_) => Ok(()),
        }
    }

    /// A panic elsewhere doesn't stop the log.
    fn lock(&self) -> MutexGuard<'_, Target> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream of lines. Unlike a `BufWriter`, it knows how much of a line was written when an error came in between,
/// so that no line is torn or written twice.
struct Stream<W> {
    writer: W,
    taken: Vec<u8>,
    /// Bytes of `taken` that are written.
    written: usize,
}

impl<W: Write> Stream<W> {
    fn new(writer: W) -> Self {
        Self { writer, taken: Vec::new(), written: 0 }
    }

    fn take(&mut self, line: &[u8]) -> io::Result<()> {
        if !self.taken.is_empty() && self.taken.len() + line.len() > BUFFERED {
            self.flush()?;
        }
        self.taken.extend_from_slice(line);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        while let Some(left @ [_, ..]) = self.taken.get(self.written..) {
            match self.writer.write(left) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        }
        self.written = 0;
        self.taken.clear();
        self.taken.shrink_to(BUFFERED);
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a few bytes, then fails once, and so on.
    #[derive(Default)]
    struct Faltering {
        seen: Arc<Mutex<Vec<u8>>>,
        calls: usize,
    }

    impl Write for Faltering {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            match self.calls % 3 {
                0 => Err(ErrorKind::WouldBlock.into()),
                1 => Err(ErrorKind::Interrupted.into()),
                _ => {
                    let count = bytes.len().min(3);
                    self.seen.lock().unwrap().extend_from_slice(&bytes[..count]);
                    Ok(count)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_was_half_written_goes_on_where_it_stopped() {
        let writer = Faltering::default();
        let seen = writer.seen.clone();
        let output = Output::stream(writer);
        output.take(b"the first line\n").unwrap();
        assert!(output.flush().is_err());
        output.take(b"the second\n").unwrap();
        while output.flush().is_err() {}
        assert_eq!(*seen.lock().unwrap(), b"the first line\nthe second\n");
    }

    #[test]
    fn a_stream_that_takes_nothing_holds_one_buffer_of_lines_and_refuses_more() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let output = Output::stream(Full);
        let line = [b'x'; 1_000];
        let taken = (0..1_000).filter(|_| output.take(&line).is_ok()).count();
        assert_eq!(taken, BUFFERED / line.len());
    }
}
