//! Connections, as clients without a token see them: how many there may be, and what each may hold for how long.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::binary::within;
use crate::harness::{App, send};
use crate::scene::acme;

/// A request that is refused, since it has no token; its connection is kept.
const REFUSED: &str = "GET /api/v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Another client's address, on this machine.
pub fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// Connects from an address of this machine.
pub async fn connect(from: IpAddr, port: u16) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// A client that sends bytes rather than requests.
pub struct Client(TlsStream<TcpStream>);

impl Client {
    /// Connects, and trusts this certificate.
    pub async fn connect(from: IpAddr, port: u16, certificate: &str) -> std::io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let stream = connect(from, port).await?;
        let tls = TlsConnector::from(Arc::new(config));
        Ok(Self(tls.connect("localhost".try_into().unwrap(), stream).await?))
    }

    async fn of(app: &App, last: u8) -> std::io::Result<Self> {
        Self::connect(address(last), app.server.address().port(), &app.certificate).await
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.0.write_all(bytes.as_ref()).await?;
        self.0.flush().await
    }

    /// The next response with a body whose length is known.
    pub async fn response(&mut self) -> std::io::Result<String> {
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\n") {
            response.push(self.0.read_u8().await?);
        }
        let mut head = String::from_utf8(response).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).await?;
        head.push_str(&String::from_utf8(body).unwrap());
        Ok(head)
    }

    /// What comes until the service closes the connection, in whatever way.
    async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let _ = within("the end of the connection", self.0.read_to_end(&mut rest)).await;
        String::from_utf8(rest).unwrap()
    }

    /// Asserts that requests on this connection are served.
    async fn is_served(&mut self) {
        self.send(REFUSED).await.unwrap();
        let response = within("a response", self.response()).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 401 "), "{response}");
    }
}

async fn with(server: Value) -> App {
    let (world, _) = acme();
    App::with(world, json!({ "server": server })).await
}

#[tokio::test]
async fn an_address_has_a_bound_of_its_own() {
    let app = with(json!({ "connectionsPerAddress": 3 })).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut client = Client::of(&app, 7).await.unwrap();
        client.is_served().await;
        kept.push(client);
    }
    assert!(Client::of(&app, 7).await.is_err(), "a fourth connection");
    // Those that wait for their handshake count as well.
    let silent = connect(address(8), app.server.address().port()).await.unwrap();
    for _ in 0..2 {
        kept.push(Client::of(&app, 8).await.unwrap());
    }
    assert!(Client::of(&app, 8).await.is_err());
    for client in &mut kept {
        client.is_served().await;
    }
    drop((kept, silent));
    let again = async {
        while Client::of(&app, 7).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    within("a connection in place of one that ended", again).await;
}

#[tokio::test]
async fn a_trusted_proxy_may_have_more() {
    let app = with(json!({ "connectionsPerAddress": 3, "trustedProxies": ["127.0.0.9/32"] })).await;
    let mut kept = Vec::new();
    for _ in 0..10 {
        let mut client = Client::of(&app, 9).await.unwrap();
        client.is_served().await;
        kept.push(client);
    }
}

#[tokio::test]
async fn over_the_bound_of_all_connections_a_client_waits_until_one_ends() {
    for most in [1, 2, 3, 5] {
        let app = with(json!({ "maxConnections": most })).await;
        let mut kept = Vec::new();
        for number in 0..most {
            let mut client = Client::of(&app, 10 + number).await.unwrap();
            client.send(REFUSED.replace("\r\n\r\n", "\r\nx: ")).await.unwrap();
            kept.push(client);
        }
        let mut waiting = Box::pin(Client::of(&app, 20));
        let early = tokio::time::timeout(Duration::from_millis(200), &mut waiting).await;
        assert!(early.is_err(), "{most} connections are {most}");
        kept.pop();
        let mut served = within("its turn", waiting).await.unwrap();
        served.send(REFUSED).await.unwrap();
        let response = served.response().await.unwrap();
        assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
    }
}

#[tokio::test]
async fn requests_in_one_piece_are_answered_in_order_over_tls() {
    let app = with(json!({})).await;
    let mut client = Client::of(&app, 1).await.unwrap();
    let body = "{\"team\": \"payments\"}";
    let post = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let large = app.request("GET", "/openapi.json", "").send().await.unwrap().text().await.unwrap();
    client
        .send([get("/openapi.json"), get("/api/v1/status"), get("/nothing"), get("/openapi.json")].concat())
        .await
        .unwrap();
    for (status, end) in [("200", large.as_str()), ("401", ""), ("404", ""), ("200", &large)] {
        let response = within("a response", client.response()).await.unwrap();
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")) && response.ends_with(end),
            "{response}"
        );
    }
    // A body that nobody reads ends its connection, with the response.
    client.send(post("/api/v1/group-add")).await.unwrap();
    let response = client.rest().await;
    assert!(
        response.starts_with("HTTP/1.1 401 ") && response.contains("\r\nconnection: close\r\n"),
        "{response}"
    );
}

#[tokio::test]
async fn the_deadlines_hold_over_tls_and_for_the_admin_listener_too() {
    let app = with(json!({ "admin": { "address": "127.0.0.1", "port": 0 } })).await;
    let port = app.server.address().port();
    let since = Instant::now();
    let handshake = async {
        let mut silent = connect(address(1), port).await.unwrap();
        let ended = within("the end", silent.read(&mut [0; 9])).await;
        (ended.unwrap_or(0), since.elapsed())
    };
    let first_head = async {
        let mut client = Client::of(&app, 2).await.unwrap();
        client.send("GET / HT").await.unwrap();
        (client.rest().await, since.elapsed())
    };
    let second_head = async {
        let mut client = Client::of(&app, 3).await.unwrap();
        client.is_served().await;
        client.send("GET / HTTP/1.1\r\nx: ").await.unwrap();
        (client.rest().await, since.elapsed())
    };
    let admin = async {
        let mut stream = TcpStream::connect(app.server.admin_address().unwrap()).await.unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: h\r\n\r\nGET /liv").await.unwrap();
        let mut all = Vec::new();
        let _ = within("the end", stream.read_to_end(&mut all)).await;
        (String::from_utf8(all).unwrap(), since.elapsed())
    };
    let (handshake, first_head, second_head, admin) = tokio::join!(handshake, first_head, second_head, admin);
    let took = |time: Duration, seconds: u64| {
        assert!(
            (seconds.saturating_sub(1)..seconds + 2).contains(&time.as_secs()),
            "{time:?} instead of {seconds} s"
        );
    };
    assert_eq!(handshake.0, 0);
    took(handshake.1, 5);
    assert!(first_head.0.starts_with("HTTP/1.1 408 "), "{first_head:?}");
    took(first_head.1, 10);
    assert_eq!(second_head.0, "");
    took(second_head.1, 10);
    assert!(admin.0.starts_with("HTTP/1.1 200 ") && admin.0.ends_with("ok\n"), "{admin:?}");
    took(admin.1, 10);
    send(app.request("GET", "/api/v1/status", "")).await.is_refused(401, "missing_token");
}

#[tokio::test]
async fn an_idle_connection_is_kept_as_long_as_it_is_set() {
    let app = with(json!({ "keepAlive": "1s" })).await;
    let mut client = Client::of(&app, 1).await.unwrap();
    client.is_served().await;
    let since = Instant::now();
    assert_eq!(client.rest().await, "");
    assert!(since.elapsed() >= Duration::from_millis(900), "{:?}", since.elapsed());
}
