//! What load balancers, uptime monitors and people with a bare address ask.

use serde_json::json;

use crate::harness::{App, log_lines, send};
use crate::scene::{Cast, acme, acme_with_groups};

#[tokio::test]
async fn a_probe_of_the_public_port_is_answered_without_content_and_leaves_no_trace() {
    let (world, _) = acme();
    let admin = json!({ "server": { "admin": { "address": "127.0.0.1", "port": 0 } } });
    let app = App::with(world, admin).await.settled().await;
    for method in ["GET", "HEAD"] {
        for path in ["/livez", "/livez?from=balancer"] {
            let answer = send(app.request(method, path, "")).await;
            assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{method} {path}");
            assert_eq!(answer.header("cache-control"), "no-store");
            let id = answer.header("x-request-id");
            assert_eq!((id.len(), log_lines(id).len()), (32, 0));
        }
    }
    assert_eq!(app.calls(), Vec::<String>::new());
    let other = send(app.request("POST", "/livez", "")).await;
    other.is_refused(405, "method_not_allowed");
    assert_eq!(other.header("allow"), "GET, HEAD");
    assert!(!log_lines(other.header("x-request-id")).is_empty(), "this is none");
}

#[tokio::test]
async fn the_bare_address_leads_to_the_page_while_there_is_one() {
    let app = App::start(acme().0).await;
    for method in ["GET", "HEAD"] {
        let answer = send(app.request(method, "/", "")).await;
        assert_eq!((answer.status, answer.header("location")), (302, "/docs"));
        assert!(!answer.header("x-request-id").is_empty());
    }
    send(app.request("POST", "/", "")).await.is_refused(405, "method_not_allowed");
    let app = App::with(acme().0, json!({ "server": { "docs": false } })).await;
    send(app.request("GET", "/", "")).await.is_refused(404, "not_found");
    assert_eq!(send(app.request("GET", "/livez", "")).await.status, 200);
}

/// Headers that differ from one answer to the next, however alike they are.
const OF_THE_MOMENT: [&str; 3] = ["x-request-id", "date", "ratelimit-remaining"];

/// Asserts that HEAD is answered as GET is, without the body, by clients' own means.
async fn is_head_of_get(app: &App, url: &str, token: &str) {
    let ask = |method: reqwest::Method| {
        let request = app.http.request(method, url);
        if token.is_empty() { request.send() } else { request.header("authorization", token).send() }
    };
    let get = ask(reqwest::Method::GET).await.unwrap();
    let head = ask(reqwest::Method::HEAD).await.unwrap();
    assert_eq!(head.status(), get.status(), "{url}");
    let (mut expected, mut headers) = (get.headers().clone(), head.headers().clone());
    for name in OF_THE_MOMENT {
        assert_eq!(expected.remove(name).is_some(), headers.remove(name).is_some(), "{url}: {name}");
    }
    // An answer's length, and ids of requests, are as long as the other's.
    assert_eq!(headers, expected, "{url}");
    assert_eq!(head.text().await.unwrap(), "", "{url}");
}

#[tokio::test]
async fn head_is_served_wherever_get_only_reads() {
    let (world, cast, _) = acme_with_groups();
    let admin = json!({ "server": { "admin": { "address": "127.0.0.1", "port": 0 } } });
    let app = App::with(world, admin).await.settled().await;
    for path in ["/", "/livez", "/docs", "/docs/docs.css", "/docs/docs.js", "/openapi.json", "/nothing"] {
        is_head_of_get(&app, &app.url(path), "").await;
    }
    for operation in ["status", "group-list?team=payments", "runners-list?team=payments", "runners-list"] {
        for token in [cast.ada.as_str(), &cast.bob, ""] {
            is_head_of_get(&app, &app.url(&format!("/api/v1/{operation}")), token).await;
        }
    }
    let address = app.server.admin_address().unwrap();
    for path in ["/livez", "/readyz", "/nothing"] {
        is_head_of_get(&app, &format!("http://{address}{path}"), "").await;
    }
    // What it counts changes all the time.
    let metrics = app.http.head(format!("http://{address}/metrics")).send().await.unwrap();
    assert_eq!((metrics.status().as_u16(), metrics.text().await.unwrap().len()), (200, 0));
    let wrong = app.http.post(format!("http://{address}/readyz")).send().await.unwrap();
    assert_eq!((wrong.status().as_u16(), &wrong.headers()["allow"]), (405, &"GET, HEAD".parse().unwrap()));
}

#[tokio::test]
async fn head_changes_nothing_and_hands_out_nothing() {
    let (world, cast, group) = acme_with_groups();
    let Cast { ada, .. } = cast;
    let app = App::start(world).await.settled().await;
    for path in [
        "/api/v1/group-add?team=payments",
        "/api/v1/group-delete?team=payments",
        "/api/v1/repos-add?team=payments&repos=api",
        "/api/v1/repos-set?team=payments&repos=api",
        "/api/v1/repos-remove?team=payments&repos=web",
        "/api/v1/token-register?team=payments",
        "/api/v1/token-remove?team=payments",
        "/api/v1/jitconfig-generate?team=payments&labels=linux",
        "/api/v1/runners-remove?team=payments&offline=true",
        "/register",
    ] {
        let answer = send(app.request("HEAD", path, &ada)).await;
        assert_eq!((answer.status, answer.text.as_str()), (405, ""), "{path}");
        let allow = answer.header("allow");
        assert!(!allow.is_empty() && !allow.contains("HEAD"), "{path}: {allow}");
    }
    assert_eq!(app.calls(), Vec::<String>::new());
    assert!(app.fake.world(|world| world.group(group).is_some()));
}
