//! Response bodies, handed to the connection in small pieces: what is written to a client that doesn't read waits in
//! a buffer of the connection, which would otherwise hold the whole body.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_http::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;

use super::exchange::SharedExchange;

/// The size of a piece. A connection buffers less than [`super::WRITE_BUFFER_BYTES`] and one piece.
const PIECE_BYTES: usize = 8 << 10;

/// A body whose end is the end of its exchange, however it comes to it.
pub(super) struct Pieces {
    size: BodySize,
    rest: Rest,
    _answer: Option<Answer>,
}

enum Rest {
    /// Known as a whole.
    Whole(Bytes),
    /// Made while it is sent.
    Stream(BoxBody),
}

impl Pieces {
    pub(super) fn new(body: BoxBody, answer: Option<Answer>) -> Self {
        let size = body.size();
        let rest = body.try_into_bytes().map_or_else(Rest::Stream, Rest::Whole);
        Self { size, rest, _answer: answer }
    }
}

impl MessageBody for Pieces {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        match &mut self.rest {
            Rest::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Rest::Whole(bytes) => Poll::Ready(Some(Ok(bytes.split_to(PIECE_BYTES.min(bytes.len()))))),
            Rest::Stream(body) => Pin::new(body).poll_next(context),
        }
    }
}

/// The response of an exchange; dropping it says that the response is complete, or given up.
pub(super) struct Answer(SharedExchange);

impl Answer {
    pub(super) fn of(exchange: SharedExchange) -> Self {
        Self(exchange)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.answered();
    }
}
