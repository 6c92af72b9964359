//! What is replaced or stopped while requests keep coming: none of them fails for it.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use actions_runner_manager::server::DRAIN;
use fake_github::AppKey;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;

use crate::harness::{client, send};
use crate::load::{Load, unlimited};
use crate::process::Service;
use crate::scene::{Cast, acme_with_groups};

const READ_AGAIN: &str = "the configuration was read again";

/// A service that may be asked as often as one likes, and whoever asks it.
async fn started() -> (Service, Cast) {
    let (mut world, cast, _) = acme_with_groups();
    world.set_rate_limit(1_000_000);
    let service = Service::with(world, unlimited()).await;
    service.binary.stdout.with("GitHub accepts the credential").await;
    (service, cast)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_key_and_configuration_are_replaced_and_not_one_request_fails() {
    let (service, cast) = started().await;
    let old = std::fs::read_to_string(service.path("tls.crt")).unwrap();
    let (new, new_key) = fake_github::self_signed(&["localhost"]).unwrap();
    let load = Load::on(service.port, &[&old, &new], &cast.ada);
    load.goes_on().await;

    std::fs::write(service.path("tls.key"), new_key).unwrap();
    std::fs::write(service.path("tls.crt"), &new).unwrap();
    service.binary.signal("HUP");
    service.binary.stdout.with("the TLS certificate was replaced").await;
    load.goes_on().await;
    let status = client(&new).get(format!("https://localhost:{}/api/v1/status", service.port));
    send(status.header("authorization", &cast.ada)).await.response();

    // As an administrator changes it: the new key is known to GitHub, then to the service, and the old one goes.
    let key = AppKey::generate().unwrap();
    service.fake.world(|world| world.set_app_key(&key));
    std::fs::write(service.path("key.pem"), key.private_pem()).unwrap();
    service.binary.signal("HUP");
    service.binary.stdout.with("the credential's file was read again").await;
    let minted = service.fake.world(|world| {
        world.revoke_installation_tokens();
        world.minted_tokens().len()
    });
    load.goes_on().await;
    assert!(service.fake.world(|world| world.minted_tokens().len()) > minted, "the new key was used");

    service.rewrite_configuration(&json!({ "server": { "rateBurst": 77_777 } }));
    std::fs::write(service.path("key.pem"), key.private_pem()).unwrap();
    service.binary.signal("HUP");
    service.binary.stdout.nth_with(3, READ_AGAIN).await;
    load.goes_on().await;
    let status = client(&new).get(format!("https://localhost:{}/api/v1/status", service.port));
    let answer = send(status.header("authorization", &cast.ada)).await;
    assert_eq!(answer.header("ratelimit-limit"), "77777");

    load.end().await.is_flawless();
    service.fake.clear_calls();
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_it_answers_completely_whatever_it_took_in() {
    let (service, cast) = started().await;
    let certificate = std::fs::read_to_string(service.path("tls.crt")).unwrap();
    let load = Load::on(service.port, &[&certificate], &cast.ada);
    load.goes_on().await;
    service.binary.signal("TERM");
    let told = Instant::now();
    let ended = service.binary.ended().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
    assert!(told.elapsed() < DRAIN, "{:?}", told.elapsed());
    let tally = load.end().await;
    assert!(tally.refused.is_empty(), "{tally:#?}");
    assert!(tally.last_on_their_connection > 0, "who keeps a connection is told that it ends: {tally:#?}");
    // What the service took in stands in its log, and what stands there has reached its caller.
    let lines = service.binary.stdout.json();
    let access = lines.iter().filter(|line| line["target"] == "access");
    let taken_in: BTreeSet<_> = access.map(|line| line["request_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(taken_in, tally.answered, "{:#?}", tally.unanswered);
    service.fake.clear_calls();
}

#[tokio::test]
async fn a_kept_connection_is_closed_properly_and_not_just_dropped() {
    let (service, cast) = started().await;
    let mut connection = connected(&service);
    let request =
        format!("GET /api/v1/status HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\n\r\n", cast.ada);
    connection.write_all(request.as_bytes()).unwrap();
    let mut start = [0; 12];
    connection.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    service.stop().await;
    let mut rest = String::new();
    // Without TLS's own farewell this is an error.
    connection.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("{\"Code\":200,\"Response\":\"Server ready\"}"), "{rest}");
}

fn connected(service: &Service) -> StreamOwned<ClientConnection, TcpStream> {
    let pem = std::fs::read(service.path("tls.crt")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", service.port)).unwrap())
}
