//! HTTP around the fake: actix on a loopback port, in a thread of its own.

mod broken;
mod visit;

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;

use crate::actor::{Actor, Credential};
use crate::answer::Answer;
use crate::faults::{Fault, Faults, Trouble};
use crate::log::CallLog;
use crate::oidc::{Document, Issuer};
use crate::request::Request;
use crate::routes::{self, Route};
use crate::serve::{finish, serve};
use crate::weather::Weather;
use crate::world::World;
use broken::{huge, reset, truncated};
use visit::Visit;

/// The largest request body that is read.
const LARGEST_BODY: usize = 4 * 1024 * 1024;
/// Shorter bodies are sent as they are.
const SMALLEST_COMPRESSED: usize = 1_000;

/// A second handle on a client's connection, by which it can be cut.
struct Connection {
    stream: TcpStream,
    /// Set when it was cut: what still arrives on it must have no effect, even if GitHub is back by then.
    cut: AtomicBool,
}

impl Connection {
    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// What the server's thread and the test share.
pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    pub(crate) log: CallLog,
    pub(crate) issuer: Issuer,
    /// What the issuer was asked, which is no part of the API.
    pub(crate) issuer_log: CallLog,
    pub(crate) faults: Faults,
    pub(crate) weather: Weather,
    pub(crate) latency: AtomicU64,
    pub(crate) down: AtomicBool,
    pub(crate) url: String,
    connections: Mutex<Vec<Weak<Connection>>>,
}

impl Shared {
    pub(crate) fn new(world: World, issuer: Issuer, logs: [CallLog; 2], url: String) -> Self {
        let [log, issuer_log] = logs;
        Self {
            world: Mutex::new(world),
            log,
            issuer,
            issuer_log,
            faults: Faults::default(),
            weather: Weather::default(),
            latency: AtomicU64::new(0),
            down: AtomicBool::new(false),
            url,
            connections: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, connection: &Arc<Connection>) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if connections.len() == connections.capacity() {
            connections.retain(|known| known.strong_count() > 0);
        }
        connections.push(Arc::downgrade(connection));
    }

    /// Cuts every open connection.
    pub(crate) fn cut_connections(&self) {
        let connections =
            std::mem::take(&mut *self.connections.lock().unwrap_or_else(PoisonError::into_inner));
        for connection in connections.iter().filter_map(Weak::upgrade) {
            connection.cut();
        }
    }
}

/// Runs the server in a new thread until its handle stops it.
pub(crate) fn start(
    listener: TcpListener,
    shared: Arc<Shared>,
    workers: usize,
) -> io::Result<(ServerHandle, std::thread::JoinHandle<()>)> {
    let (ready, started) = mpsc::channel();
    let body = move || {
        actix_web::rt::System::new().block_on(async move {
            match server(listener, shared, workers) {
                Ok(server) => {
                    let _ = ready.send(Ok(server.handle()));
                    let _ = server.await;
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        });
    };
    let thread = std::thread::Builder::new().name("fake-github".to_owned()).spawn(body)?;
    let handle = started.recv().map_err(io::Error::other)??;
    Ok((handle, thread))
}

fn server(listener: TcpListener, shared: Arc<Shared>, workers: usize) -> io::Result<actix_web::dev::Server> {
    let on_connect = Arc::clone(&shared);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::PayloadConfig::new(LARGEST_BODY))
            .app_data(web::Data::from(Arc::clone(&shared)))
            .default_service(web::to(exchange))
    })
    .on_connect(move |stream, data| {
        let Some(stream) = stream.downcast_ref::<actix_web::rt::net::TcpStream>() else { return };
        let Ok(copy) = stream.as_fd().try_clone_to_owned() else { return };
        let connection = Arc::new(Connection { stream: TcpStream::from(copy), cut: AtomicBool::new(false) });
        on_connect.remember(&connection);
        if on_connect.down.load(Ordering::SeqCst) {
            connection.cut();
        }
        data.insert(connection);
    })
    .workers(workers)
    .keep_alive(Duration::from_secs(75))
    .client_request_timeout(Duration::ZERO)
    .h1_allow_half_closed(false)
    .shutdown_timeout(0)
    .disable_signals()
    .listen(listener)?;
    Ok(server.run())
}

/// What a request is for: the API, with the operation if GitHub has it, or the issuer.
#[derive(Clone, Copy)]
enum Target {
    Api(Option<&'static Route>),
    Issuer(Document),
}

impl Target {
    /// Finds out what a request is for, and reads its path's parameters.
    fn of(shared: &Shared, request: &mut Request) -> Self {
        if let Some(document) = shared.issuer.document(&request.path) {
            return Self::Issuer(document);
        }
        let found = routes::find(&request.method, &request.path);
        Self::Api(found.map(|(route, params)| {
            request.params = params;
            route
        }))
    }

    fn template(self) -> Option<&'static str> {
        match self {
            Self::Api(route) => route.map(|route| route.template),
            Self::Issuer(document) => document.template(),
        }
    }
}

fn read(http: &HttpRequest, body: Bytes, shared: &Shared) -> Request {
    let path = http.uri().path();
    let (path, prefix) = match path.strip_prefix("/api/v3") {
        Some(rest) if rest.starts_with('/') => (rest, "/api/v3"),
        _ => (path, ""),
    };
    let text =
        |value: &actix_web::http::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Request {
        method: http.method().to_string(),
        path: path.to_owned(),
        query: http.uri().query().unwrap_or_default().to_owned(),
        headers: http.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body,
        base: format!("{}{prefix}", shared.url),
        params: Vec::new(),
        actor: Actor::Anonymous,
    }
}

async fn exchange(http: HttpRequest, body: Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let shared = shared.into_inner();
    let cut =
        http.conn_data::<Arc<Connection>>().is_some_and(|connection| connection.cut.load(Ordering::SeqCst));
    if cut || shared.down.load(Ordering::SeqCst) {
        return reset(&http);
    }
    let mut request = read(&http, body, &shared);
    let target = Target::of(&shared, &mut request);
    let mut visit = Visit::begin(Arc::clone(&shared), &request, target);
    // Half of the way there and half back, so that an answer takes so long with the work in between.
    let (arrived, latency) = (Instant::now(), Duration::from_nanos(shared.latency.load(Ordering::Relaxed)));
    on_the_way(arrived, latency / 2).await;
    let fault = shared.faults.next(&request.method, target.template(), &request.path);
    let fault = fault.or_else(|| shared.weather.next());
    if let Some(fault) = &fault
        && !fault.is_after_effect()
    {
        fault.wait().await;
    }
    let instead = fault.as_ref().is_some_and(replaces_operation);
    let answer = if instead {
        visit.note(|exchange| exchange.credential = credential(&shared, &request));
        Answer::no_content()
    } else {
        let (answer, credential) = answer(&shared, target, &mut request, fault.as_ref());
        visit.note(|exchange| exchange.credential = credential);
        answer
    };
    if let Some(fault) = &fault
        && fault.is_after_effect()
    {
        fault.wait().await;
    }
    let response = match fault.as_ref().map(Fault::trouble) {
        None | Some(Trouble::JustLate) => send(&mut visit, &answer, false),
        Some(Trouble::Changed(_)) => send(&mut visit, &answer, true),
        Some(trouble) => misbehave(&http, &mut visit, &shared, &request, trouble, &answer),
    };
    on_the_way(arrived, latency).await;
    response
}

/// The target's own answer, and whose credential came with the request.
fn answer(
    shared: &Shared,
    target: Target,
    request: &mut Request,
    fault: Option<&Fault>,
) -> (Answer, Credential) {
    match target {
        Target::Api(route) => serve(&mut shared.world(), route, request, fault),
        Target::Issuer(document) => {
            let mut answer = shared.issuer.answer(document, request, &shared.url);
            if let Some(fault) = fault {
                fault.trouble().change(&mut answer);
            }
            (answer, Credential::Nothing)
        }
    }
}

async fn on_the_way(arrived: Instant, latency: Duration) {
    if !latency.is_zero() {
        tokio::time::sleep_until((arrived + latency).into()).await;
    }
}

fn replaces_operation(fault: &Fault) -> bool {
    !fault.is_after_effect() && !fault.trouble().keeps_answer()
}

fn credential(shared: &Shared, request: &Request) -> Credential {
    let world = shared.world();
    crate::auth::identify(&world, request).map_or(Credential::Bad, |actor| actor.credential(&world))
}

fn misbehave(
    http: &HttpRequest,
    visit: &mut Visit,
    shared: &Shared,
    request: &Request,
    trouble: &Trouble,
    own: &Answer,
) -> HttpResponse {
    if let Some(answer) = trouble.answer() {
        let answer = finish(&mut shared.world(), request, answer);
        return send(visit, &answer, true);
    }
    visit.note(|exchange| {
        exchange.faulted = true;
        exchange.status = if matches!(trouble, Trouble::Reset) { None } else { Some(200) };
    });
    match trouble {
        Trouble::Truncated => truncated(own),
        Trouble::Huge(size) => huge(*size),
        _ => reset(http),
    }
}

fn send(visit: &mut Visit, answer: &Answer, faulted: bool) -> HttpResponse {
    let body = Bytes::from(answer.bytes());
    let mut headers = answer.headers.clone();
    if let Some(kind) = answer.content_type() {
        headers.push(("content-type".to_owned(), kind.to_owned()));
    }
    let mut response = HttpResponse::build(status(answer.status));
    for (name, value) in &headers {
        response.append_header((name.as_str(), value.as_str()));
    }
    visit.note(|exchange| {
        exchange.status = Some(answer.status);
        exchange.response_headers = headers;
        exchange.response_body = body.clone();
        exchange.faulted = faulted;
    });
    if answer.status == 304 {
        return response.body(actix_web::body::None::new());
    }
    let asked = visit.exchange.as_ref().and_then(|exchange| exchange.request_header("accept-encoding"));
    match asked {
        Some(asked) if asked.contains("gzip") && body.len() >= SMALLEST_COMPRESSED => {
            response.append_header(("content-encoding", "gzip")).body(compressed(&body))
        }
        _ => response.body(body),
    }
}

fn compressed(body: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing to memory doesn't fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

fn status(number: u16) -> actix_web::http::StatusCode {
    actix_web::http::StatusCode::from_u16(number)
        .unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR)
}
