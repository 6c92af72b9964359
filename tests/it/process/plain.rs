//! Without TLS: on the loopback only, unless something in front is said to do it.

use std::net::TcpStream;

use serde_json::{Value, json};

use crate::process::Service;
use crate::scene::acme;

fn without_tls(terminated_elsewhere: bool) -> Value {
    let tls = json!({ "enabled": false, "terminatedElsewhere": terminated_elsewhere });
    json!({ "server": { "address": "0.0.0.0", "tls": tls } })
}

async fn status(service: &Service, token: &str) -> u16 {
    let url = format!("http://127.0.0.1:{}/api/v1/status", service.port);
    service.http.get(url).header("authorization", token).send().await.unwrap().status().as_u16()
}

/// Whether it listens on more than 127.0.0.1: 127.0.0.2 is this host as well, but another address.
fn is_wide_open(service: &Service) -> bool {
    TcpStream::connect(("127.0.0.2", service.port)).is_ok()
}

#[tokio::test]
async fn it_listens_on_the_loopback_only_and_says_so_loudly() {
    let (world, cast) = acme();
    let service = Service::with(world, without_tls(false)).await;
    let warning = service.binary.stdout.with("TLS is off").await;
    for words in
        ["\"warn\"", "listening on 127.0.0.1:0 only, not on 0.0.0.0", "server.tls.terminatedElsewhere"]
    {
        assert!(warning.contains(words), "{warning}");
    }
    assert_eq!(status(&service, &cast.ada).await, 200);
    assert!(!is_wide_open(&service));
    service.stop().await;
}

#[tokio::test]
async fn it_listens_where_it_is_told_when_tls_is_terminated_elsewhere() {
    let (world, cast) = acme();
    let service = Service::with(world, without_tls(true)).await;
    let warning = service.binary.stdout.with("TLS is off").await;
    assert!(warning.contains("\"warn\"") && warning.contains("plain text"), "{warning}");
    assert_eq!(status(&service, &cast.ada).await, 200);
    assert!(is_wide_open(&service));
    service.stop().await;
}
