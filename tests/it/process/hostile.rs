//! Clients without a token that make the process hold as much as they can. `benches/load/hostile.rs` does the same in
//! full; here are as many as any machine has files for, and each may take its part of what all together may.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::binary::{until, within};
use crate::connections::{Client, address, connect};
use crate::process::{Service, with_admin};
use crate::scene::acme;

/// Connections of each kind.
const CONNECTIONS: u64 = 200;
/// What one may take, in KiB: 2,000 make 200 MiB, and 56 are left for everything else.
const MAX_OF_EACH: u64 = 102;
/// A client from elsewhere is served within this time.
const SERVED_WITHIN: Duration = Duration::from_secs(1);
/// Where that one comes from.
const ELSEWHERE: u8 = 99;

/// The memory of the process, in KiB.
fn memory(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.binary.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn started() -> (Service, String) {
    let (world, _) = acme();
    let mut settings = with_admin();
    crate::harness::merge(&mut settings, &json!({ "logging": { "level": "info" } }));
    let service = Service::with(world, settings).await;
    let certificate = std::fs::read_to_string(service.path("tls.crt")).unwrap();
    (service, certificate)
}

async fn somebody_else_is_served(service: &Service, certificate: &str) {
    let since = Instant::now();
    let mut client = Client::connect(address(ELSEWHERE), service.port, certificate).await.unwrap();
    client.send("GET /api/v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let response = within("a response", client.response()).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 401 "), "{response}");
    assert!(since.elapsed() < SERVED_WITHIN, "{:?}", since.elapsed());
}

fn from(number: u64) -> IpAddr {
    address(u8::try_from(1 + number % 3).unwrap())
}

#[tokio::test]
async fn neither_unread_responses_nor_unfinished_heads_hold_more_than_their_part() {
    let padding = "x".repeat(126 << 10);
    let unread = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(20);
    let first_head = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {padding}");
    let small_head = &first_head[..31 << 10];
    let second_head = format!("GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n{small_head}");
    for bytes in [&unread[..], &first_head, small_head, &second_head] {
        let (service, certificate) = started().await;
        // It is made when it is first asked for.
        let document = format!("https://localhost:{}/openapi.json", service.port);
        assert_eq!(service.http.get(document).send().await.unwrap().status().as_u16(), 200);
        let before = memory(&service);
        let mut kept = Vec::new();
        for number in 0..CONNECTIONS {
            let mut client = Client::connect(from(number), service.port, &certificate).await.unwrap();
            // It may be cut off before it has sent everything.
            let _ = client.send(bytes).await;
            kept.push(client);
        }
        let taken = memory(&service).saturating_sub(before);
        assert!(taken < CONNECTIONS * MAX_OF_EACH, "{taken} KiB beyond {before} for {:?}…", &bytes[..60]);
        somebody_else_is_served(&service, &certificate).await;
        drop(kept);
        until("the memory back", || memory(&service) < before + (8 << 10)).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn silent_handshakes_hold_nobody_up() {
    let (service, certificate) = started().await;
    let mut silent = Vec::new();
    for number in 0..700 {
        silent.push(connect(from(number), service.port).await.unwrap());
        if number % 100 == 0 {
            somebody_else_is_served(&service, &certificate).await;
        }
    }
    somebody_else_is_served(&service, &certificate).await;
    let metrics = service.admin("/metrics").await.text;
    let open = metrics.lines().find_map(|line| line.strip_prefix("arm_connections ")).unwrap();
    assert!(open.parse::<u32>().unwrap() > 0, "{open}");
    let refused = |cause: &str| {
        let name = format!("arm_connections_cut_off_total{{cause=\"{cause}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(refused("address"), 0);
    service.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_handshakes() {
    let (service, _) = started().await;
    let silent = connect(address(1), service.port).await.unwrap();
    // Accepted in order: this one is behind the other.
    let certificate = std::fs::read_to_string(service.path("tls.crt")).unwrap();
    somebody_else_is_served(&service, &certificate).await;
    let since = Instant::now();
    service.stop().await;
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    drop(silent);
}
