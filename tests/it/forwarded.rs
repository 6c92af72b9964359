//! `X-Forwarded-For`: whom the service takes a request to be from.

use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::harness::{Answer, App, log_lines, send};
use crate::scene::acme;

/// A service behind a proxy on the loopback, which forgives a refused token in a quarter of an hour.
async fn behind_a_proxy() -> App {
    let (world, _) = acme();
    let config = json!({ "server": { "unknownTokenRate": 0.001, "trustedProxies": ["127.0.0.0/8"] } });
    App::with(world, config).await
}

/// Asks with a token and these header lines.
async fn ask(app: &App, token: &str, lines: &[&[u8]]) -> Answer {
    let request = app.request("GET", "/api/v1/status", token);
    let add = |request: reqwest::RequestBuilder, line: &&[u8]| {
        request.header("x-forwarded-for", HeaderValue::from_bytes(line).unwrap())
    };
    send(lines.iter().fold(request, add)).await
}

fn access_line(answer: &Answer) -> Value {
    let lines = log_lines(answer.header("x-request-id"));
    lines.into_iter().find(|line| line["target"] == "access").unwrap()
}

#[tokio::test]
async fn a_forwarded_address_is_believed_from_trusted_proxies_only() {
    for (trusted, believed) in [(json!([]), false), (json!(["127.0.0.0/8"]), true)] {
        let (world, _) = acme();
        let config = json!({ "server": { "unknownTokenRate": 1, "trustedProxies": trusted } });
        let app = App::with(world, config).await;
        let mut refused = 0;
        for number in 0..30 {
            let request = app.request("GET", "/api/v1/status", &format!("ghp_bogus{number}"));
            let request = request.header("x-forwarded-for", format!("203.0.113.{number}"));
            refused += usize::from(send(request).await.status == 429);
        }
        assert_eq!(refused, if believed { 0 } else { 10 });
    }
}

#[tokio::test]
async fn what_cannot_be_read_hides_nobody_behind_an_address_of_their_choice() {
    let app = behind_a_proxy().await;
    let attacks: &[&[&[u8]]] = &[
        &[b"6.6.6.6", b"\xff, 203.0.113.9, \xff"],
        &[b"6.6.6.6", b"\xff"],
        &[b"6.6.6.6", b""],
        &[b"6.6.6.6, ,"],
        &[b"6.6.6.6, unknown"],
        &[b"6.6.6.6, \"203.0.113.9\""],
        &[b"6.6.6.6, fe80::1%eth0"],
        &[b"6.6.6.6, 203.0.113.9:99999"],
    ];
    for lines in attacks {
        let line = access_line(&ask(&app, "", lines).await);
        assert_eq!(line["client"], "127.0.0.1", "{lines:?}");
        assert_eq!(line["client_unreadable_hop"], true, "{lines:?}");
    }
}

#[tokio::test]
async fn what_the_proxy_wrote_counts_whatever_the_client_wrote_before_it() {
    let app = behind_a_proxy().await;
    let attacks: &[&[&[u8]]] = &[
        &[b"\xff, 203.0.113.9"],
        &[b"6.6.6.6", b"\xff, 203.0.113.9"],
        &[b"6.6.6.6", b"\xff", b"203.0.113.9:4711"],
        &[b"127.0.0.1", b"6.6.6.6, 203.0.113.9, 127.0.0.3"],
        &[b"6.6.6.6,\t203.0.113.9\t", b"[::ffff:127.0.0.2]:80"],
    ];
    for lines in attacks {
        let line = access_line(&ask(&app, "", lines).await);
        assert_eq!(line["client"], "203.0.113.9", "{lines:?}");
        assert!(line["client_unreadable_hop"].is_null(), "{lines:?}");
    }
}

#[tokio::test]
async fn no_header_line_of_the_clients_gets_it_another_limit() {
    let app = behind_a_proxy().await;
    let mut refused = 0;
    for number in 0..40 {
        let own = [format!("6.6.6.{number}").into_bytes(), b"\xff, 203.0.113.9".to_vec()];
        let own: Vec<_> = own.iter().map(Vec::as_slice).collect();
        let lines = if number % 2 == 0 { &own[..] } else { &own[1..] };
        refused += usize::from(ask(&app, &format!("ghp_guess{number}"), lines).await.status == 429);
    }
    assert_eq!(refused, 20, "all but the burst of 20");
    let unreadable: &[&[u8]] = &[b"6.6.6.6", b"\xff"];
    for number in 0..20 {
        let answer = ask(&app, &format!("ghp_hidden{number}"), unreadable).await;
        answer.is_refused(401, "invalid_token");
    }
    ask(&app, "ghp_hidden", unreadable).await.is_refused(429, "rate_limited");
}

/// How many of so many bad tokens are answered 401, each from the address that is made for its number.
async fn let_through(app: &App, count: u32, address: impl Fn(u32) -> String) -> usize {
    let mut looked_at = 0;
    for number in 0..count {
        let address = address(number);
        let answer = ask(app, &format!("ghp_{}", address.replace(':', "_")), &[address.as_bytes()]).await;
        looked_at += usize::from(answer.refusal() == (401, "invalid_token".to_owned()));
    }
    looked_at
}

#[tokio::test]
async fn a_home_and_a_site_of_ipv6_are_limited_as_a_whole() {
    let app = behind_a_proxy().await;
    assert_eq!(let_through(&app, 30, |host| format!("2001:db8:1:0::{host:x}")).await, 20, "a /64");
    assert_eq!(let_through(&app, 80, |subnet| format!("2001:db8:1:{:x}::1", subnet + 1)).await, 60, "a /56");
    let elsewhere = |subnet| format!("2001:db8:1:{:x}::1", 0x100 + subnet * 0x100);
    assert_eq!(let_through(&app, 250, elsewhere).await, 240, "a /48");
    assert_eq!(let_through(&app, 1, |_| "2001:db8:2::1".to_owned()).await, 1, "another site");
}
