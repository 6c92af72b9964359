//! From an accepted socket to a connection that requests can be read from: counted, and with TLS.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{Protocol, ServiceConfig};
use actix_server::GracefulShutdownSignal;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::exchange::Exchange;
use super::places::{Place, Places};
use super::socket;
use super::stream::{Connection, Transport};
use crate::http::body::{Budget, Intake};
use crate::metrics::{self, CutOff};

/// A client has this long for its TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// What TLS buffers of a response that the client doesn't read.
const TLS_BUFFER_BYTES: usize = 16 << 10;

/// What the HTTP library takes.
pub(super) type Accepted = (Connection, Protocol, Option<SocketAddr>);

/// Accepts the connections of one worker.
pub(super) struct Acceptor {
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) places: Places,
    pub(super) budget: Arc<Budget>,
    pub(super) keep_alive: Duration,
    pub(super) stopping: GracefulShutdownSignal,
    /// For the library's decoder of chunks.
    pub(super) chunks: ServiceConfig,
}

impl Acceptor {
    /// What the HTTP library serves, unless the client is refused, leaves, or is too slow. Each connection waits for
    /// itself alone.
    pub(super) async fn accept(self: Rc<Self>, socket: TcpStream) -> Result<Accepted, ()> {
        let peer = socket.peer_addr().map_err(drop)?;
        let Some(admission) = self.places.admit(peer.ip()) else {
            cut_off(CutOff::Address, peer);
            return Err(());
        };
        let (transport, place) = tokio::select! {
            transport = self.prepare(socket, peer) => transport?,
            // Nobody has asked for anything yet.
            () = self.stopping.notified() => return Err(()),
        };
        let exchange = Exchange::new(self.keep_alive, self.chunks.clone());
        let intake = Intake::new(self.budget.clone());
        let connection = Connection::new(transport, exchange, intake, (admission, place));
        Ok((connection, Protocol::Http1, Some(peer)))
    }

    async fn prepare(&self, socket: TcpStream, peer: SocketAddr) -> Result<(Box<dyn Transport>, Place), ()> {
        // The workers together may accept a few more, since each has the same number.
        let place = self.places.take().await.ok_or(())?;
        socket::prepare(&socket).map_err(drop)?;
        let Some(tls) = &self.tls else { return Ok((Box::new(socket), place)) };
        let handshake = tls.accept_with(socket, |tls| tls.set_buffer_limit(Some(TLS_BUFFER_BYTES)));
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
            Ok(Ok(stream)) => Ok((Box::new(stream), place)),
            Ok(Err(error)) => {
                tracing::debug!(%error, client = %peer.ip(), "a TLS handshake failed");
                Err(())
            }
            Err(_) => {
                cut_off(CutOff::Handshake, peer);
                Err(())
            }
        }
    }
}

fn cut_off(cause: CutOff, peer: SocketAddr) {
    metrics::connection_cut_off(cause);
    tracing::debug!(cause = cause.as_str(), client = %peer.ip(), "a connection is closed");
}
