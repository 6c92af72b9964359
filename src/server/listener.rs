//! The listener: accepts connections, bounds how many there are, and serves HTTP on them. It stands between the
//! sockets and actix-http, since actix-web's own server bounds neither later requests of a connection nor what a
//! client makes it hold: `stream` lets one request through at a time.

mod accept;
mod app;
mod chunks;
mod exchange;
mod files;
mod pieces;
mod places;
mod socket;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::body::MessageBody;
use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, ServiceConfig};
use actix_server::Server;
use actix_service::{ServiceFactory, ServiceFactoryExt, fn_service};
use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::{App, Error};
use ipnet::IpNet;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use self::accept::{Accepted, Acceptor};
use self::exchange::{HEAD_TIMEOUT, SharedExchange};
use self::places::Places;
use self::stream::Connection;
use crate::http::body::{Budget, Intake};

/// How much of a response is buffered before it is written.
const WRITE_BUFFER_BYTES: usize = 16 << 10;
/// After the last response on a connection, a client has this long to take note.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The server takes no more.
const MAX_WORKERS: usize = 512;

/// A listener that serves: how to stop it, how it ended, and where it is.
pub(super) type Listening = (ServerHandle, JoinHandle<io::Result<()>>, SocketAddr);

/// What a listener is told.
pub(super) struct Settings {
    /// Where to listen.
    pub(super) address: SocketAddr,
    /// The certificate; without it plain HTTP is served.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// Threads that serve; as many as the process may use processors if not set.
    pub(super) workers: Option<usize>,
    /// Connections, all together.
    pub(super) max_connections: usize,
    /// Connections of one client address.
    pub(super) max_per_address: usize,
    /// The networks whose connections are not counted by address: many clients come through each of them.
    pub(super) proxies: Vec<IpNet>,
    /// An idle connection is kept this long.
    pub(super) keep_alive: Duration,
    /// How long connections may take to end when the server stops.
    pub(super) shutdown_timeout: Duration,
}

/// Listens, and serves the application.
pub(super) fn start<F, T, B>(settings: Settings, app: F) -> io::Result<Listening>
where
    F: Fn() -> App<T> + Clone + Send + 'static,
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    let socket = socket::listen(settings.address)?;
    let address = socket.local_addr()?;
    let available = || std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
    let workers = settings.workers.unwrap_or_else(available).min(settings.max_connections);
    files::allow_for(settings.max_connections);
    let places = Places::new(settings.max_connections, settings.max_per_address, settings.proxies);
    let budget = Arc::<Budget>::default();
    let (tls, keep_alive) = (settings.tls, settings.keep_alive);
    let builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(settings.max_connections.div_ceil(workers))
        .shutdown_timeout(settings.shutdown_timeout.as_secs())
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let server = builder.listen("http", socket, move || {
        let acceptor = Rc::new(Acceptor {
            tls: tls.clone().map(Into::into),
            places: places.clone(),
            budget: budget.clone(),
            keep_alive,
            stopping: stopping.clone(),
            chunks: ServiceConfig::default(),
        });
        let stopping = stopping.clone();
        let stops = move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        };
        fn_service(move |socket: TcpStream| acceptor.clone().accept(socket))
            .and_then(http(app(), places.clone(), stops).map_err(|_| ()))
    })?;
    let server = server.run();
    let handle = server.handle();
    Ok((handle, tokio::spawn(server), address))
}

/// HTTP on connections. `stops` makes what ends when the server is told to stop.
fn http<T, B, S>(
    app: App<T>,
    places: Places,
    stops: impl Fn() -> S + 'static,
) -> impl ServiceFactory<Accepted, Config = (), Response = (), Error = DispatchError, InitError = ()>
where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
    S: Future<Output = ()> + 'static,
{
    HttpService::build()
        .graceful_shutdown_signal(stops)
        // For the first head of a connection: only the library can answer it with 408. See `exchange` for later ones.
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        // `exchange` knows when a connection is idle; the library would also count the time of a half-sent head.
        .keep_alive(KeepAlive::Os)
        // Else a caller who hung up would be worked for until there is an answer that nobody reads.
        .h1_allow_half_closed(false)
        .h1_write_buffer_size(WRITE_BUFFER_BYTES)
        .on_connect_ext(|connection: &Connection, extensions| {
            extensions.insert::<SharedExchange>(connection.exchange());
            extensions.insert::<Intake>(connection.intake());
        })
        .finish(app::factory(app, places))
}

#[cfg(test)]
mod tests;
