//! The ways to break a connection or an answer.

use std::io;
use std::sync::Arc;

use actix_web::body::{BodyStream, SizedStream};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::stream;

use super::Connection;
use crate::answer::Answer;

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "cut as the script says")
}

/// Ends the connection with RST and without a byte of an answer: the body fails before the head is sent.
pub(super) fn reset(http: &HttpRequest) -> HttpResponse {
    if let Some(connection) = http.conn_data::<Arc<Connection>>() {
        let copy = connection.stream.try_clone().and_then(tokio::net::TcpStream::from_std);
        let _ = copy.and_then(|copy| copy.set_zero_linger());
    }
    let body = stream::once(async { Err::<Bytes, _>(cut()) });
    HttpResponse::Ok().force_close().body(BodyStream::new(body))
}

/// Half of the body, then the end, though the length of the whole was announced.
pub(super) fn truncated(own: &Answer) -> HttpResponse {
    let mut whole = own.bytes();
    if whole.is_empty() {
        whole = br#"{"total_count": 1, "message": "this is only half of what there is to say"}"#.to_vec();
    }
    let length = u64::try_from(whole.len()).unwrap_or(u64::MAX);
    whole.truncate(whole.len() / 2);
    let parts = stream::unfold(Some(Bytes::from(whole)), |half| async {
        match half {
            Some(half) if !half.is_empty() => Some((Ok(half), Some(Bytes::new()))),
            _ => {
                // What was written so far goes out while this waits.
                tokio::task::yield_now().await;
                Some((Err(cut()), None))
            }
        }
    });
    HttpResponse::Ok().content_type("application/json; charset=utf-8").body(SizedStream::new(length, parts))
}

pub(super) fn huge(size: usize) -> HttpResponse {
    const PIECE: usize = 64 * 1024;
    let head = Bytes::from_static(br#"{"message": ""#);
    let tail = Bytes::from_static(br#""}"#);
    let filling = Bytes::from(vec![b'x'; PIECE]);
    let pieces = std::iter::repeat_n(filling, size.div_ceil(PIECE));
    let parts = std::iter::once(head).chain(pieces).chain(std::iter::once(tail)).map(Ok::<_, io::Error>);
    HttpResponse::Ok()
        .content_type("application/json; charset=utf-8")
        .body(BodyStream::new(stream::iter(parts)))
}
