//! Where a chunked body ends: counted by the decoder of the HTTP library, so that the two can't differ.

use actix_http::ServiceConfig;
use actix_http::h1::{Codec, Message};
use bytes::BytesMut;
use tokio_util::codec::Decoder;

/// Makes the decoder expect a chunked body.
const HEAD: &[u8] = b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";

/// A chunked body on its way through.
pub(super) struct Chunks {
    decoder: Codec,
    /// Bytes at the front of what was received that are known to be of this body.
    known: usize,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Ahead,
    Seen,
    /// The library will refuse the body; nothing behind it is a request.
    Never,
}

impl Chunks {
    pub(super) fn new(config: &ServiceConfig) -> Self {
        let mut decoder = Codec::new(config.clone());
        let expects_chunks = matches!(decoder.decode(&mut BytesMut::from(HEAD)), Ok(Some(Message::Item(_))));
        Self { decoder, known: 0, end: if expects_chunks { End::Ahead } else { End::Never } }
    }

    /// How many of the bytes received are known to be of this body.
    pub(super) fn part_of(&mut self, received: &[u8]) -> usize {
        let new = received.get(self.known..).unwrap_or_default();
        match self.end {
            End::Seen => {}
            End::Never => self.known = received.len(),
            End::Ahead => self.known += self.decode(new),
        }
        self.known
    }

    fn decode(&mut self, new: &[u8]) -> usize {
        let mut rest = BytesMut::from(new);
        loop {
            match self.decoder.decode(&mut rest) {
                Ok(Some(Message::Chunk(Some(_)))) => {}
                Ok(Some(Message::Chunk(None))) => {
                    self.end = End::Seen;
                    return new.len() - rest.len();
                }
                // It keeps nothing back: what is left out of a chunk is in its state.
                Ok(None) => return new.len() - rest.len(),
                Ok(Some(Message::Item(_))) | Err(_) => {
                    self.end = End::Never;
                    return new.len();
                }
            }
        }
    }

    /// So many bytes were handed on. Gives whether these were the last ones.
    pub(super) fn handed_on(&mut self, bytes: usize) -> bool {
        self.known -= bytes;
        self.known == 0 && self.end == End::Seen
    }
}
