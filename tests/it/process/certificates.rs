//! TLS as clients see it: its versions, and a certificate that is replaced while the service runs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, Stream, SupportedProtocolVersion,
};

use crate::harness::{client, write_certificate};
use crate::process::Service;
use crate::scene::acme;

const REFUSED: &str = "the old certificate stays in force";

/// Whether somebody who trusts this certificate alone gets an answer, over a connection of its own.
async fn serves_with(certificate: &str, service: &Service) -> bool {
    let url = format!("https://localhost:{}/api/v1/status", service.port);
    client(certificate).get(url).send().await.is_ok_and(|answer| answer.status() == 401)
}

#[tokio::test]
async fn a_new_certificate_serves_new_connections_and_leaves_the_old_ones_alone() {
    let (world, cast) = acme();
    let service = Service::start(world).await;
    let old = std::fs::read_to_string(service.path("tls.crt")).unwrap();
    service.call("GET", "status", &cast.ada).await.response();
    let new = write_certificate(service.folder.path());
    service.binary.signal("HUP");
    service.binary.stdout.with("the TLS certificate was replaced").await;
    assert!(serves_with(&new, &service).await);
    assert!(!serves_with(&old, &service).await);
    // This client trusts the old one only, so it is answered over its old connection.
    service.call("GET", "status", &cast.ada).await.response();
    service.stop().await;
}

#[tokio::test]
async fn a_half_written_pair_is_refused_and_the_old_one_stays() {
    let (world, _) = acme();
    let service = Service::start(world).await;
    let old = std::fs::read_to_string(service.path("tls.crt")).unwrap();
    let (certificate, key) = fake_github::self_signed(&["localhost"]).unwrap();
    let half = &certificate[..certificate.len() / 2];
    for (number, (name, text)) in [("tls.crt", half), ("tls.key", "nonsense")].into_iter().enumerate() {
        std::fs::write(service.path(name), text).unwrap();
        service.binary.signal("HUP");
        let line = service.binary.stdout.nth_with(number + 1, REFUSED).await;
        assert!(line.contains("\"error\"") && line.contains("tls."), "{line}");
        assert!(serves_with(&old, &service).await, "{name}: {text}");
    }
    std::fs::write(service.path("tls.crt"), &certificate).unwrap();
    std::fs::write(service.path("tls.key"), &key).unwrap();
    service.binary.signal("HUP");
    service.binary.stdout.with("the TLS certificate was replaced").await;
    assert!(serves_with(&certificate, &service).await);
    service.stop().await;
}

/// Shakes hands with one version only; gives the version that came of it and how an answer begins.
fn answer_over(
    version: &'static SupportedProtocolVersion,
    service: &Service,
) -> (Option<ProtocolVersion>, String) {
    let pem = std::fs::read(service.path("tls.crt")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let config = ClientConfig::builder_with_protocol_versions(&[version]).with_root_certificates(roots);
    let config = Arc::new(config.with_no_client_auth());
    let mut connection = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", service.port)).unwrap();
    let mut stream = Stream::new(&mut connection, &mut socket);
    stream.write_all(b"GET /api/v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    (connection.protocol_version(), String::from_utf8_lossy(&start).into_owned())
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken() {
    let service = Service::start(acme().0).await;
    for (version, expected) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        assert_eq!(answer_over(version, &service), (Some(expected), "HTTP/1.1 401".to_owned()));
    }
    service.stop().await;
}

/// How these answers begin: the kind of the record, and the first byte inside.
const FATAL_ALERT: (u8, u8) = (21, 2);
const SERVER_HELLO: (u8, u8) = (22, 2);

/// A greeting that offers this version at most, with suites of its time and one of TLS 1.2.
fn client_hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![3, minor];
    hello.extend([7; 32]);
    hello.push(0);
    // AES in CBC mode with ECDHE or RSA, and in GCM with ECDHE.
    hello.extend([0, 8, 0xc0, 0x0a, 0xc0, 0x14, 0x00, 0x2f, 0xc0, 0x2b]);
    hello.extend([1, 0]);
    // Extensions: secp256r1, uncompressed points, signatures by ECDSA with SHA-256.
    hello.extend([0, 22, 0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    record
}

#[tokio::test]
async fn older_versions_are_refused() {
    let service = Service::start(acme().0).await;
    let kind_of_answer = |minor| {
        let mut socket = TcpStream::connect(("127.0.0.1", service.port)).unwrap();
        socket.write_all(&client_hello(minor)).unwrap();
        let mut start = [0; 6];
        socket.read_exact(&mut start).unwrap();
        (start[0], start[5])
    };
    assert_eq!(kind_of_answer(1), FATAL_ALERT, "TLS 1.0");
    assert_eq!(kind_of_answer(2), FATAL_ALERT, "TLS 1.1");
    assert_eq!(kind_of_answer(3), SERVER_HELLO, "the same greeting, but for its version");
    service.stop().await;
}

#[tokio::test]
async fn plain_http_on_the_tls_port_gets_no_answer_of_the_api() {
    let service = Service::start(acme().0).await;
    let mut socket = TcpStream::connect(("127.0.0.1", service.port)).unwrap();
    socket.write_all(b"GET /api/v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // Reset or closed: both are a refusal.
    let _ = socket.read_to_end(&mut answer);
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1"), "{answer:?}");
    service.stop().await;
}
