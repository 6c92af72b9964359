//! Whose turn it is on a connection: one request and its response at a time. The HTTP library is given a head only
//! when all of it is there, then the request's body, and nothing of the next request before the response is complete.
//! So what a client sends ahead stays in the kernel's buffers, and heads are bounded in size and time, later ones of
//! a connection included, which the library itself does not do.
//!
//! Nothing is decided here about HTTP that the library could see otherwise. A head ends with its first empty line;
//! how long the body is says the request that the library made of exactly that head; chunks are counted by the
//! library's own decoder. Should the two disagree nevertheless, a request begins where none was given: that is
//! noticed, and the connection ends.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use actix_http::header::{self, HeaderMap};
use actix_http::{HttpMessage, Method, Payload, Request, ServiceConfig};
use bytes::{Buf, BytesMut};
use tokio::time::Instant;

use super::chunks::Chunks;
use crate::http::body::Intake;
use crate::metrics::CutOff;

/// The largest head of a request, its empty line included.
pub(super) const MAX_HEAD_BYTES: usize = 32 << 10;
/// A head has this long from its first byte, the first one of a connection from the connection's start.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// What is left of a body when its request was answered has this long to pass by.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// What is read ahead, save heads, which must be there as a whole.
const READ_AHEAD_BYTES: usize = 4 << 10;

/// The state of a connection.
pub(super) struct Exchange {
    phase: Phase,
    /// What was received and not handed on.
    received: BytesMut,
    /// So much of it was searched for the end of a head.
    searched: usize,
    keep_alive: Duration,
    chunks: ServiceConfig,
}

enum Phase {
    /// Between two requests. Before the first one, the library counts the time.
    Idle { until: Option<Instant> },
    /// Some of a head was received.
    PartOfHead { until: Instant },
    /// A complete head was received; so many bytes of it are not handed on.
    Head { left: usize, until: Instant },
    /// The head was handed on, and the library is to call the application.
    HeadGiven { until: Instant },
    /// The application works on the request.
    Request(Body),
    /// It has answered, and there is more of the body.
    Draining { body: Body, until: Instant },
    /// No request is taken any more.
    Over,
}

enum Body {
    Complete,
    Length(u64),
    Chunked(Box<Chunks>),
    /// The whole rest of the connection.
    ToEnd,
}

/// How the end of a request's body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Length(u64),
    Chunked,
    ToEnd,
}

impl Framing {
    /// What the library made of the head.
    pub(super) fn of(request: &mut Request) -> Self {
        if matches!(request.payload(), Payload::None) {
            return Self::None;
        }
        let headers = request.headers();
        if headers.contains_key(header::TRANSFER_ENCODING) {
            // It accepts no other coding than this one.
            return Self::Chunked;
        }
        match length(headers) {
            Some(length) if length > 0 && request.method() != Method::CONNECT && !is_upgrade(headers) => {
                Self::Length(length)
            }
            _ => Self::ToEnd,
        }
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// The library takes all that follows for the new protocol's.
fn is_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::UPGRADE)
        .any(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

/// What is to be done when the library wants to read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Hand on so many bytes of a head.
    Head(usize),
    /// Hand on so many bytes of a body.
    Body(usize),
    /// Receive at most so many bytes first.
    Receive(usize),
    /// Wait: something has to happen here first.
    Wait,
    /// Say that the connection has ended.
    End,
    /// Close it without an answer.
    Close(CutOff),
}

impl Exchange {
    pub(super) fn new(keep_alive: Duration, chunks: ServiceConfig) -> Self {
        let phase = Phase::Idle { until: None };
        Self { phase, received: BytesMut::new(), searched: 0, keep_alive, chunks }
    }

    /// What is to be done now.
    pub(super) fn next(&mut self) -> Next {
        match &mut self.phase {
            Phase::Idle { .. } | Phase::PartOfHead { .. } => self.look_for_head(),
            Phase::Head { left, .. } => Next::Head(*left),
            Phase::HeadGiven { .. } | Phase::Request(Body::Complete) => self.watch(),
            Phase::Request(body) | Phase::Draining { body, .. } => match body.part_of(&self.received) {
                0 => Next::Receive(READ_AHEAD_BYTES),
                bytes => Next::Body(bytes),
            },
            Phase::Over => Next::End,
        }
    }

    fn look_for_head(&mut self) -> Next {
        self.skip_empty_lines();
        if let Some(left) = end_of_head(&self.received, self.searched) {
            self.phase = Phase::Head { left, until: self.until_head() };
            return Next::Head(left);
        }
        // A carriage return alone may be the first half of another empty line.
        self.searched = if *self.received == *b"\r" { 0 } else { self.received.len() };
        if self.searched >= MAX_HEAD_BYTES {
            return Next::Close(CutOff::HeadSize);
        }
        if self.searched > 0 {
            self.phase = Phase::PartOfHead { until: self.until_head() };
        }
        // The buffer grows with what comes: who sends little holds little.
        Next::Receive(self.searched.max(READ_AHEAD_BYTES).min(MAX_HEAD_BYTES - self.searched))
    }

    /// Some clients send one behind a body, and it begins no head.
    fn skip_empty_lines(&mut self) {
        if self.searched > 0 {
            return;
        }
        loop {
            match *self.received {
                [b'\n', ..] => self.received.advance(1),
                [b'\r', b'\n', ..] => self.received.advance(2),
                _ => return,
            }
        }
    }

    fn until_head(&self) -> Instant {
        match self.phase {
            Phase::PartOfHead { until } => until,
            _ => Instant::now() + HEAD_TIMEOUT,
        }
    }

    /// Looks whether the client is still there while its request is worked on.
    fn watch(&self) -> Next {
        match READ_AHEAD_BYTES.saturating_sub(self.received.len()) {
            0 => Next::Wait,
            room => Next::Receive(room),
        }
    }

    /// Where to put what is received.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.received
    }

    /// How long an idle connection is kept.
    pub(super) fn keep_alive(&self) -> Duration {
        self.keep_alive
    }

    /// What was received and not handed on.
    pub(super) fn received(&self) -> &[u8] {
        &self.received
    }

    /// So many bytes were handed on.
    pub(super) fn handed_on(&mut self, bytes: usize) {
        self.received.advance(bytes);
        if self.received.is_empty() && self.received.capacity() > READ_AHEAD_BYTES {
            self.received = BytesMut::new();
        }
        match &mut self.phase {
            Phase::Head { left, until } if *left == bytes => self.phase = Phase::HeadGiven { until: *until },
            Phase::Head { left, .. } => *left -= bytes,
            Phase::Request(body) => body.handed_on(bytes),
            Phase::Draining { body, .. } => {
                body.handed_on(bytes);
                if matches!(body, Body::Complete) {
                    self.be_idle();
                }
            }
            _ => {}
        }
    }

    /// The client will send no more.
    pub(super) fn ended(&mut self) {
        self.phase = Phase::Over;
    }

    /// When something is overdue.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Idle { until } => until,
            Phase::PartOfHead { until }
            | Phase::Head { until, .. }
            | Phase::HeadGiven { until }
            | Phase::Draining { until, .. } => Some(until),
            Phase::Request(_) | Phase::Over => None,
        }
    }

    /// What is to be done when it is overdue.
    pub(super) fn overdue(&mut self) -> Next {
        match self.phase {
            Phase::Idle { .. } | Phase::Request(_) | Phase::Over => {
                self.ended();
                Next::End
            }
            Phase::PartOfHead { .. } | Phase::Head { .. } | Phase::HeadGiven { .. } => {
                Next::Close(CutOff::HeadTime)
            }
            Phase::Draining { .. } => Next::Close(CutOff::BodyTime),
        }
    }

    /// The application was called. Gives whether there is something to hand on.
    fn begin(&mut self, framing: Framing) -> bool {
        if !matches!(self.phase, Phase::HeadGiven { .. }) {
            // Made of bytes that were not handed on as a head: never trust this connection again.
            self.ended();
            return true;
        }
        let body = match framing {
            Framing::None => Body::Complete,
            Framing::Length(length) => Body::Length(length),
            Framing::Chunked => Body::Chunked(Box::new(Chunks::new(&self.chunks))),
            Framing::ToEnd => Body::ToEnd,
        };
        self.phase = Phase::Request(body);
        framing != Framing::None && !self.received.is_empty()
    }

    /// Its response is complete. Gives whether there is something to do.
    fn answered(&mut self) -> bool {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Request(Body::Complete) => {
                self.be_idle();
                !self.received.is_empty()
            }
            Phase::Request(body) => {
                self.phase = Phase::Draining { body, until: Instant::now() + DRAIN_TIMEOUT };
                true
            }
            _ => true,
        }
    }

    fn be_idle(&mut self) {
        self.phase = Phase::Idle { until: Some(Instant::now() + self.keep_alive) };
        self.searched = 0;
    }
}

impl Body {
    /// How many of the bytes received are known to be of this body.
    fn part_of(&mut self, received: &[u8]) -> usize {
        match self {
            Self::Complete => 0,
            Self::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX).min(received.len()),
            Self::Chunked(chunks) => chunks.part_of(received),
            Self::ToEnd => received.len(),
        }
    }

    fn handed_on(&mut self, bytes: usize) {
        let is_complete = match self {
            Self::Length(left) => {
                *left = left.saturating_sub(bytes as u64);
                *left == 0
            }
            Self::Chunked(chunks) => chunks.handed_on(bytes),
            Self::Complete | Self::ToEnd => false,
        };
        if is_complete {
            *self = Self::Complete;
        }
    }
}

/// Where the first head ends, if all of it is there: behind its first empty line, as the library sees it, which takes
/// a bare line feed for the end of a line, too. So many bytes were searched before.
fn end_of_head(received: &[u8], searched: usize) -> Option<usize> {
    // The empty line may have begun in what was searched.
    let mut at = searched.saturating_sub(2);
    loop {
        at += received.get(at..)?.iter().position(|byte| *byte == b'\n')? + 1;
        match received.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

/// The state of a connection, as its stream and the requests on it share it. Cloning gives the same.
#[derive(Clone)]
pub(super) struct SharedExchange(Rc<Shared>);

struct Shared {
    state: RefCell<Exchange>,
    /// The task that reads the stream.
    reader: RefCell<Option<Waker>>,
    intake: Intake,
}

impl SharedExchange {
    pub(super) fn new(exchange: Exchange, intake: Intake) -> Self {
        let (state, reader) = (RefCell::new(exchange), RefCell::new(None));
        Self(Rc::new(Shared { state, reader, intake }))
    }

    /// The state, for the stream.
    pub(super) fn state(&self) -> &RefCell<Exchange> {
        &self.0.state
    }

    /// How much of bodies may be taken.
    pub(super) fn intake(&self) -> &Intake {
        &self.0.intake
    }

    /// Who reads the stream.
    pub(super) fn read_by(&self, task: &Waker) {
        let mut known = self.0.reader.borrow_mut();
        if known.as_ref().is_none_or(|known| !known.will_wake(task)) {
            *known = Some(task.clone());
        }
    }

    /// The application was called with a request.
    pub(super) fn begin(&self, framing: Framing) {
        self.0.intake.begin();
        let is_needed = self.0.state.borrow_mut().begin(framing);
        self.wake_if(is_needed);
    }

    /// The response is complete.
    pub(super) fn answered(&self) {
        self.0.intake.end();
        let is_needed = self.0.state.borrow_mut().answered();
        self.wake_if(is_needed);
    }

    fn wake_if(&self, is_needed: bool) {
        if is_needed && let Some(task) = &*self.0.reader.borrow() {
            task.wake_by_ref();
        }
    }
}
