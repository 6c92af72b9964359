//! Bodies of requests: read within a bound of size and time. What clients send before anybody knows who they are
//! holds a bounded amount of memory, for all of them together.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::web::BytesMut;
use futures_util::StreamExt;

use super::error::ApiError;
use super::parameters::Parameters;
use crate::audit::AuditLine;
use crate::ops;

/// The largest body that is read.
const MAX_BODY_BYTES: usize = 256 << 10;
/// A client has this long to send a body; slow ones must not hold on to memory.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// What bodies whose senders are not authenticated hold together.
const MAX_UNAUTHENTICATED_BYTES: usize = 16 << 20;
/// What is taken of a body that nobody reads yet: all of a usual one, since only behind it the end of the connection
/// can be seen when the client hangs up.
const MAX_UNREAD_BYTES: usize = 16 << 10;

/// The memory for bodies whose senders are not authenticated, one for all connections.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    max: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { used: AtomicUsize::new(0), max: MAX_UNAUTHENTICATED_BYTES }
    }
}

impl Budget {
    /// Another size, for tests.
    #[cfg(test)]
    pub(crate) fn of(max: usize) -> Self {
        Self { used: AtomicUsize::new(0), max }
    }

    fn try_take(&self, bytes: usize) -> bool {
        let enough = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.max);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enough).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        // Most requests took nothing, and all workers share the number.
        if bytes > 0 {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

/// How much of a request's body may be taken from its connection: the listener asks, and who handles the request says
/// how far it got. One for each connection, since requests follow one another there. Cloning gives the same intake.
#[derive(Debug, Clone)]
pub struct Intake(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    budget: Arc<Budget>,
    stage: Cell<Stage>,
    /// Bytes of this body so far.
    taken: Cell<usize>,
    /// Those of them that count in the budget.
    charged: Cell<usize>,
    /// Whether the budget did not suffice for somebody who reads.
    exhausted: Cell<bool>,
    /// The connection's task, if it waits until more may be taken.
    waiting: RefCell<Option<Waker>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nobody reads it yet.
    Unread,
    /// It is read, though its sender is not known.
    Read,
    /// Its sender is known, and limited as a user.
    Authenticated,
    /// The response is complete: what still comes is thrown away.
    Discarded,
}

impl Intake {
    /// For a new connection.
    pub fn new(budget: Arc<Budget>) -> Self {
        Self(Rc::new(Inner {
            budget,
            stage: Cell::new(Stage::Discarded),
            taken: Cell::new(0),
            charged: Cell::new(0),
            exhausted: Cell::new(false),
            waiting: RefCell::new(None),
        }))
    }

    /// A request begins.
    pub fn begin(&self) {
        self.enter(Stage::Unread);
        self.0.taken.set(0);
        self.0.exhausted.set(false);
    }

    /// Its response is complete.
    pub fn end(&self) {
        self.enter(Stage::Discarded);
    }

    /// How many of `wanted` bytes may be taken now. If none may, the task is woken when that changes.
    pub fn poll_take(&self, wanted: usize, context: &Context<'_>) -> usize {
        let inner = &*self.0;
        let granted = match inner.stage.get() {
            Stage::Authenticated | Stage::Discarded => wanted,
            Stage::Unread => self.charge(wanted.min(MAX_UNREAD_BYTES.saturating_sub(inner.taken.get()))),
            Stage::Read => {
                let granted = self.charge(wanted);
                if granted == 0 && !inner.exhausted.replace(true) {
                    // Its reader is of the same task.
                    context.waker().wake_by_ref();
                }
                granted
            }
        };
        inner.taken.set(inner.taken.get().saturating_add(granted));
        if granted == 0 {
            *inner.waiting.borrow_mut() = Some(context.waker().clone());
        }
        granted
    }

    /// The sender is known.
    pub(super) fn authenticated(&self) {
        self.enter(Stage::Authenticated);
    }

    /// The body is read from now on.
    fn reading(&self) {
        if self.0.stage.get() == Stage::Unread {
            self.enter(Stage::Read);
        }
    }

    fn charge(&self, bytes: usize) -> usize {
        let inner = &*self.0;
        if bytes == 0 || !inner.budget.try_take(bytes) {
            return 0;
        }
        inner.charged.set(inner.charged.get() + bytes);
        bytes
    }

    fn enter(&self, stage: Stage) {
        let inner = &*self.0;
        inner.stage.set(stage);
        if stage != Stage::Read {
            inner.budget.give_back(inner.charged.take());
        }
        if let Some(task) = inner.waiting.take() {
            task.wake();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.budget.give_back(self.charged.get());
    }
}

/// The sender of this request is known.
pub(super) fn authenticated(request: &HttpRequest) {
    if let Some(intake) = request.conn_data::<Intake>() {
        intake.authenticated();
    }
}

/// The parameters of a request. A GET has no body to speak of.
pub(super) async fn read(
    request: &HttpRequest,
    payload: Payload,
    line: &AuditLine,
) -> Result<Parameters, ApiError> {
    let has_none = matches!(*request.method(), Method::GET | Method::HEAD);
    let body = if has_none { BytesMut::new() } else { receive(request, payload).await? };
    // The audit line may repeat names from there.
    let sent = request.query_string().len() + body.len();
    line.reserve(sent).map_err(ops::Error::from)?;
    Parameters::read(request.query_string(), request.headers(), &body)
}

/// The whole body of a request, of however little one knows whom.
pub(crate) async fn receive(request: &HttpRequest, payload: Payload) -> Result<BytesMut, ApiError> {
    let intake = request.conn_data::<Intake>();
    if let Some(intake) = intake {
        intake.reading();
    }
    tokio::time::timeout(BODY_TIMEOUT, collect(payload, intake))
        .await
        .map_err(|_| ApiError::InvalidBody("it came too slowly".to_owned()))?
}

async fn collect(mut payload: Payload, intake: Option<&Intake>) -> Result<BytesMut, ApiError> {
    let is_exhausted = || intake.is_some_and(|intake| intake.0.exhausted.get());
    let mut body = BytesMut::new();
    loop {
        let next = poll_fn(|context| {
            if is_exhausted() {
                return Poll::Ready(Err(ApiError::TooManyBodies));
            }
            payload.poll_next_unpin(context).map(Ok)
        });
        let Some(chunk) = next.await? else { return Ok(body) };
        let chunk = chunk.map_err(|_| ApiError::InvalidBody("it broke off".to_owned()))?;
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(ApiError::PayloadTooLarge);
        }
        body.extend_from_slice(&chunk);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::task::noop_waker_ref;

    use super::*;

    fn take(intake: &Intake, wanted: usize) -> usize {
        intake.poll_take(wanted, &Context::from_waker(noop_waker_ref()))
    }

    fn begun(budget: &Arc<Budget>) -> Intake {
        let intake = Intake::new(budget.clone());
        intake.begin();
        intake
    }

    #[test]
    fn little_is_taken_until_somebody_reads_or_the_sender_is_known() {
        let budget = Arc::new(Budget::of(1 << 20));
        let intake = begun(&budget);
        assert_eq!(take(&intake, 10_000), 10_000);
        assert_eq!(take(&intake, 10_000), MAX_UNREAD_BYTES - 10_000);
        assert_eq!(take(&intake, 1), 0);
        intake.reading();
        assert_eq!(take(&intake, 10_000), 10_000);
        intake.begin();
        assert_eq!(take(&intake, 20_000), MAX_UNREAD_BYTES, "each request anew");
        intake.authenticated();
        assert_eq!(take(&intake, 1 << 30), 1 << 30, "users have limits of their own");
    }

    #[test]
    fn what_was_taken_counts_until_its_sender_is_known_or_it_was_answered_or_is_gone() {
        let budget = Arc::new(Budget::of(100));
        let ways: [fn(Intake); 3] = [|intake| intake.authenticated(), |intake| intake.end(), drop];
        for settle in ways {
            let intake = begun(&budget);
            assert_eq!(take(&intake, 100), 100);
            let other = begun(&budget);
            assert_eq!(take(&other, 1), 0, "it is all taken");
            settle(intake);
            assert_eq!(take(&other, 100), 100);
            drop(other);
            assert_eq!(budget.used.load(Ordering::Relaxed), 0, "given back once");
        }
    }
}
