//! A lean HTTP client: one kept connection over TLS, one request at a time, and of the answer only the status.
//! What a client costs is taken from the service, since both share the machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Outcome;

/// The address that floods come from.
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Another one, which only the legitimate user has.
pub(crate) const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// More than any answer's head and most bodies.
const ROOM: usize = 16 << 10;

/// Where requests go.
#[derive(Clone)]
pub(crate) struct Target {
    address: SocketAddr,
    tls: TlsConnector,
}

impl Target {
    /// A server that shows the certificate in a PEM file.
    pub(crate) fn new(address: SocketAddr, certificate: &Path) -> Outcome<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate)?)?;
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self { address, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    received: Vec<u8>,
}

impl Connection {
    /// Connects from an address of this machine.
    pub(crate) async fn open(target: &Target, from: IpAddr) -> Outcome<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let stream = socket.connect(target.address).await?;
        stream.set_nodelay(true)?;
        let stream = target.tls.connect(ServerName::try_from("localhost")?, stream).await?;
        Ok(Self { stream, received: Vec::with_capacity(ROOM) })
    }

    /// Sends bytes, and reads nothing.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    /// Sends a request and reads the whole answer; gives its status.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Outcome<u16> {
        self.stream.write_all(request).await?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err("the connection was closed instead of an answer".into());
            }
            if let Some((status, length)) = head(&self.received)
                && self.received.len() >= length
            {
                return Ok(status);
            }
        }
    }

    /// The `Reason` of the last answer, if it was a refusal.
    pub(crate) fn reason(&self) -> Option<&str> {
        const NAME: &[u8] = br#""Reason":""#;
        // No success is looked through: some are megabytes.
        if self.received.starts_with(b"HTTP/1.1 200") {
            return None;
        }
        let start = self.received.windows(NAME.len()).position(|bytes| bytes == NAME)? + NAME.len();
        let rest = self.received.get(start..)?;
        let end = rest.iter().position(|byte| *byte == b'"')?;
        std::str::from_utf8(rest.get(..end)?).ok()
    }

    /// The body of the last answer.
    pub(crate) fn body(&self) -> String {
        let text = String::from_utf8_lossy(&self.received);
        text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }
}

/// The status of an answer and its length with head and body, once its head is there.
fn head(received: &[u8]) -> Option<(u16, usize)> {
    let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let mut lines = std::str::from_utf8(received.get(..end)?).ok()?.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        if name.eq_ignore_ascii_case("content-length") { value.parse::<usize>().ok() } else { None }
    });
    Some((status, end + 4 + length.unwrap_or(0)))
}

/// A request as it goes over the wire.
pub(crate) fn request(method: &str, path: &str, token: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n")
        .into_bytes()
}
