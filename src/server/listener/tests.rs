//! Connections in memory and on a clock that jumps ahead when nothing else is to be done.

mod bodies;
mod heads;
mod pipelining;

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use actix_http::Protocol;
use actix_service::Service;
use actix_web::{HttpRequest, HttpResponse, web};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::LocalSet;

use super::exchange::Exchange;
use super::*;
use crate::http;

/// An idle connection is kept this long here.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Longer than an idle connection is kept.
const FOR_EVER: Duration = Duration::from_hours(1);
/// The body of `/large`.
const LARGE: usize = 300 << 10;

/// What the application met with.
#[derive(Clone, Default)]
struct Seen(Rc<RefCell<Vec<String>>>);

impl Seen {
    fn paths(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

/// A handler that takes its time; says so if it is given up.
async fn slow(seen: web::Data<Seen>) -> HttpResponse {
    struct GivenUp(Option<web::Data<Seen>>);
    impl Drop for GivenUp {
        fn drop(&mut self) {
            if let Some(seen) = self.0.take() {
                seen.0.borrow_mut().push("given up".to_owned());
            }
        }
    }
    let mut given_up = GivenUp(Some(seen));
    tokio::time::sleep(Duration::from_secs(5)).await;
    given_up.0 = None;
    HttpResponse::Ok().body("slow")
}

async fn receive(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, http::ApiError> {
    let body = http::body::receive(&request, payload.into_inner()).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(HttpResponse::Ok().body(body.freeze()))
}

fn app(
    seen: Seen,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    use actix_web::dev::Service;
    App::new()
        .app_data(web::Data::new(seen.clone()))
        // Says what it read.
        .route("/echo", web::route().to(async |body: web::Bytes| HttpResponse::Ok().body(body)))
        // Reads as operations do.
        .route("/receive", web::route().to(receive))
        .route("/unread", web::route().to(async || HttpResponse::Ok().body("unread")))
        .route("/slow", web::route().to(slow))
        .route("/large", web::route().to(async || HttpResponse::Ok().body(vec![b'x'; LARGE])))
        .wrap_fn(move |request, service| {
            seen.0.borrow_mut().push(request.path().to_owned());
            service.call(request)
        })
}

/// A client of a connection that is served.
struct Client {
    stream: DuplexStream,
    seen: Seen,
    serving: JoinHandle<Result<(), DispatchError>>,
}

impl Client {
    /// Connects, with so much room between the two.
    async fn with_room(room: usize) -> Self {
        Self::of(Places::new(100, 100, Vec::new()), room).await
    }

    async fn of(places: Places, room: usize) -> Self {
        Self::within(places, Arc::default(), room).await
    }

    async fn within(places: Places, budget: Arc<Budget>, room: usize) -> Self {
        Self::kept(places, budget, room, KEEP_ALIVE).await
    }

    async fn kept(places: Places, budget: Arc<Budget>, room: usize, keep_alive: Duration) -> Self {
        let (stream, served) = tokio::io::duplex(room);
        let seen = Seen::default();
        let service =
            http(app(seen.clone()), places.clone(), std::future::pending::<()>).new_service(()).await;
        let admission = places.admit(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        let held = (admission, places.take().await.unwrap());
        let exchange = Exchange::new(keep_alive, ServiceConfig::default());
        let connection = Connection::new(Box::new(served), exchange, Intake::new(budget), held);
        let serving = service.unwrap().call((connection, Protocol::Http1, None));
        Self { stream, seen, serving: tokio::task::spawn_local(serving) }
    }

    async fn connect() -> Self {
        Self::with_room(1 << 20).await
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Status and body of the next response.
    async fn response(&mut self) -> (u16, String) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.stream.read_exact(&mut body).await.unwrap();
        (head[9..12].parse().unwrap(), String::from_utf8(body).unwrap())
    }

    /// What comes until the server closes the connection, and how long that took.
    async fn rest(&mut self) -> (String, Duration) {
        let since = tokio::time::Instant::now();
        let mut rest = Vec::new();
        let read = self.stream.read_to_end(&mut rest);
        tokio::time::timeout(FOR_EVER, read).await.expect("it is still open").unwrap();
        (String::from_utf8(rest).unwrap(), since.elapsed())
    }

    /// Asserts that a request is served now.
    async fn is_served(&mut self) {
        self.send("POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nping").await;
        assert_eq!(self.response().await, (200, "ping".to_owned()));
    }
}

/// Runs what needs tasks of the same thread.
async fn locally(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}

/// Asserts that something took as long as expected, as exactly as the library's clock goes.
#[track_caller]
fn took(actual: Duration, expected: u64) {
    let expected = Duration::from_secs(expected);
    assert!(actual.abs_diff(expected) <= Duration::from_millis(600), "{actual:?} instead of {expected:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_its_time_and_then_ended_in_order() {
    locally(async {
        let mut client = Client::connect().await;
        client.is_served().await;
        tokio::time::sleep(Duration::from_secs(74)).await;
        client.is_served().await;
        let (rest, after) = client.rest().await;
        assert_eq!(rest, "");
        took(after, 75);
        assert!(client.serving.await.unwrap().is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_may_be_kept_for_less_time_than_a_head_may_take() {
    locally(async {
        for pause in [0, 1, 5] {
            let places = Places::new(100, 100, Vec::new());
            let mut client = Client::kept(places, Arc::default(), 1 << 20, Duration::from_secs(2)).await;
            client.send("GET /slow HTTP/1.1\r\nhost:").await;
            tokio::time::sleep(Duration::from_secs(pause)).await;
            client.send(" h\r\n\r\n").await;
            assert_eq!(client.response().await, (200, "slow".to_owned()));
            let (rest, after) = client.rest().await;
            assert_eq!(rest, "");
            took(after, 2);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn whoever_hangs_up_is_not_worked_for_any_more() {
    locally(async {
        for request in [
            "GET /slow HTTP/1.1\r\nhost: h\r\n\r\n",
            "POST /slow HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello",
            "POST /slow HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "GET /slow HTTP/1.1\r\nhost: h\r\n\r\nGET /echo HTTP/1.1\r\nhost: h\r\n\r\n",
        ] {
            let mut client = Client::connect().await;
            client.send(request).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(client.seen.paths(), ["/slow"]);
            drop(client.stream);
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(client.seen.paths(), ["/slow", "given up"], "{request}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn where_places_are_scarce_each_response_ends_its_connection() {
    locally(async {
        for (others, is_last) in [(2, false), (3, true)] {
            let places = Places::new(4, 4, Vec::new());
            let mut taken = Vec::new();
            for _ in 0..others {
                taken.push(places.take().await);
            }
            for path in ["/echo", "/nothing"] {
                let mut client = Client::of(places.clone(), 1 << 20).await;
                client.send(format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n")).await;
                let (rest, after) = client.rest().await;
                assert_eq!(rest.contains("connection: close"), is_last, "{rest}");
                took(after, if is_last { 0 } else { 75 });
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_response_that_nobody_reads_waits_in_a_small_buffer() {
    locally(async {
        let mut client = Client::with_room(1 << 10).await;
        let request = "GET /large HTTP/1.1\r\nhost: h\r\n\r\n";
        client.send(request).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        // More requests are taken only as far as they fit between the two, and into what is read ahead.
        let sent = async {
            for sent in 0.. {
                let sending = client.stream.write_all(request.as_bytes());
                if tokio::time::timeout(Duration::from_secs(1), sending).await.is_err() {
                    return sent * request.len();
                }
            }
            unreachable!()
        };
        let sent = sent.await;
        assert!(sent < 8 << 10, "{sent} bytes were taken");
        assert_eq!(client.seen.paths(), ["/large"], "one at a time");
        let (status, body) = client.response().await;
        assert_eq!((status, body.len()), (200, LARGE));
    })
    .await;
}

#[actix_web::test]
async fn bodies_come_in_pieces() {
    let whole: Vec<u8> = (0..100_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let body = actix_http::body::BoxBody::new(whole.clone());
    let mut pieces = pieces::Pieces::new(body, None);
    assert_eq!(pieces.size(), actix_http::body::BodySize::Sized(100_000));
    let mut all = Vec::new();
    while let Some(piece) =
        std::future::poll_fn(|context| std::pin::Pin::new(&mut pieces).poll_next(context)).await
    {
        let piece = piece.unwrap();
        assert!(piece.len() <= 8 << 10);
        all.extend_from_slice(&piece);
    }
    assert_eq!(all, whole);
}
