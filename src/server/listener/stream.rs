//! A connection as the HTTP library reads and writes it: [`Exchange`] says what it gets to read, and until when.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::exchange::{Exchange, HEAD_TIMEOUT, Next, SharedExchange};
use super::places::{Admission, Place};
use crate::http::body::Intake;
use crate::metrics::{self, CutOff};

/// What the bytes come from: a socket, or TLS on one.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Transport for T {}

/// See the module.
pub(super) struct Connection {
    transport: Box<dyn Transport>,
    exchange: SharedExchange,
    /// Ends when something may be overdue, or earlier: it is set anew only where a deadline comes nearer.
    timer: Pin<Box<Sleep>>,
    _held: Held,
}

/// What a connection takes as long as it is open.
pub(super) type Held = (Admission, Place);

impl Connection {
    pub(super) fn new(transport: Box<dyn Transport>, exchange: Exchange, intake: Intake, held: Held) -> Self {
        let timer = Box::pin(sleep_until(Instant::now() + exchange.keep_alive().min(HEAD_TIMEOUT)));
        let exchange = SharedExchange::new(exchange, intake);
        Self { transport, exchange, timer, _held: held }
    }

    /// Whose turn it is, for the requests on this connection.
    pub(super) fn exchange(&self) -> SharedExchange {
        self.exchange.clone()
    }

    /// How much of bodies may be taken, for the requests on this connection.
    pub(super) fn intake(&self) -> Intake {
        self.exchange.intake().clone()
    }

    /// Hands on what there is, or receives more. Pending when something has to happen first.
    fn poll_next(&mut self, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut exchange = self.exchange.state().borrow_mut();
        loop {
            let bytes = match exchange.next() {
                Next::Head(bytes) => bytes.min(into.remaining()),
                Next::Body(bytes) => self.exchange.intake().poll_take(bytes.min(into.remaining()), context),
                Next::Receive(most) => {
                    let buffer = exchange.buffer();
                    buffer.reserve(most);
                    let received =
                        ready!(pin!(self.transport.read_buf(&mut buffer.limit(most))).poll(context))?;
                    if received == 0 {
                        exchange.ended();
                    }
                    continue;
                }
                Next::Wait => 0,
                Next::End => return Poll::Ready(Ok(())),
                Next::Close(cause) => return Poll::Ready(Err(closed(cause))),
            };
            if bytes == 0 {
                return Poll::Pending;
            }
            into.put_slice(&exchange.received()[..bytes]);
            exchange.handed_on(bytes);
            return Poll::Ready(Ok(()));
        }
    }

    /// Sees to it that the task looks again when something is overdue. Ready when it is.
    fn poll_overdue(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut exchange = self.exchange.state().borrow_mut();
        loop {
            let deadline = exchange.deadline();
            if let Some(deadline) = deadline.filter(|deadline| *deadline < self.timer.deadline()) {
                self.timer.as_mut().reset(deadline);
            }
            ready!(self.timer.as_mut().poll(context));
            let now = Instant::now();
            match deadline {
                Some(deadline) if deadline <= now => {
                    return Poll::Ready(match exchange.overdue() {
                        Next::Close(cause) => Err(closed(cause)),
                        _ => Ok(()),
                    });
                }
                _ => {}
            }
            // Never later than the deadline of an idle connection, as which this one may begin at any time from now on
            // without its task being woken.
            let latest = now + exchange.keep_alive();
            self.timer.as_mut().reset(deadline.map_or(latest, |deadline| deadline.min(latest)));
        }
    }
}

fn closed(cause: CutOff) -> io::Error {
    metrics::connection_cut_off(cause);
    tracing::debug!(cause = cause.as_str(), "a connection is closed");
    io::Error::new(io::ErrorKind::TimedOut, cause.as_str())
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.exchange.read_by(context.waker());
        match self.poll_next(context, into) {
            Poll::Pending => self.poll_overdue(context),
            ready @ Poll::Ready(_) => ready,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(context)
    }
}
