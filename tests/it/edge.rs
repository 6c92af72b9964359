//! What holds for every answer: envelope, headers, methods, parameter sources, framework errors.

use std::time::Duration;

use fake_github::Fault;
use serde_json::{Value, json};

use crate::access::TEAM_OPERATIONS;
use crate::harness::{App, log_lines, send};
use crate::scene::{acme, acme_with_groups};

/// The table of the documentation: operation, methods, whether GET is the older form.
pub const METHODS: &[(&str, &str, bool)] = &[
    ("group-add", "POST", true),
    ("group-create", "POST", true),
    ("group-delete", "DELETE, POST", true),
    ("group-list", "GET, HEAD", false),
    ("group-show", "GET, HEAD", false),
    ("repos-add", "PATCH, POST", true),
    ("repos-remove", "PATCH, POST, DELETE", true),
    ("repos-set", "PATCH, PUT, POST", true),
    ("token-register", "POST, GET", false),
    ("token-remove", "POST, GET", false),
    ("jitconfig-generate", "POST", false),
    ("runners-list", "GET, HEAD", false),
    ("runners-remove", "DELETE, POST", false),
    ("runners-transfer", "POST, PATCH", false),
    ("status", "GET, HEAD", false),
];

#[tokio::test]
async fn every_operation_takes_exactly_its_methods() {
    for legacy_get in [true, false] {
        let (world, _) = acme();
        let app = App::with(world, json!({ "server": { "legacyGet": legacy_get } })).await;
        for (operation, methods, has_legacy) in METHODS {
            let mut allowed = (*methods).to_owned();
            if legacy_get && *has_legacy {
                allowed.push_str(", GET");
            }
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
                let answer = app.call(method, operation, "", &[]).await;
                if allowed.split(", ").any(|allowed| allowed == method) {
                    answer.is_refused(401, "missing_token");
                } else {
                    answer.is_refused(405, "method_not_allowed");
                    assert_eq!(answer.header("allow"), allowed, "{operation}");
                }
            }
        }
        for path in ["/register", "/remove"] {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
                let answer = send(app.request(method, path, "")).await;
                if method == "POST" {
                    answer.is_refused(401, "missing_token");
                } else {
                    answer.is_refused(405, "method_not_allowed");
                    assert_eq!(answer.header("allow"), "POST", "{path}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_older_get_form_says_that_it_is_deprecated() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    let parameters = [("team", "payments"), ("repos", "web")];
    let old = app.call("GET", "repos-add", &cast.ada, &parameters).await;
    assert!(old.header("deprecation").starts_with('@'), "RFC 9745");
    assert!(old.header("link").contains("rel=\"deprecation\""));
    let new = app.call("PATCH", "repos-add", &cast.ada, &parameters).await;
    assert_eq!((new.header("deprecation"), new.header("link")), ("", ""));
}

#[tokio::test]
async fn every_answer_carries_its_headers_and_failures_the_envelope() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    for (path, token, status) in [
        ("/api/v1/status", cast.ada.as_str(), 200),
        ("/api/v1/status", "", 401),
        ("/api/v1/status/", "", 404),
        ("/api/v1/", "", 404),
        ("/metrics", "", 404),
        ("/readyz", "", 404),
        ("/api/v1/group-list?team=payments", &cast.bob, 403),
        ("/api/v1/%00", "", 404),
    ] {
        let answer = send(app.request("GET", path, token)).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(!answer.header("x-request-id").is_empty());
        if status != 200 {
            answer.refusal();
        }
    }
}

#[tokio::test]
async fn a_callers_own_request_id_is_logged_and_never_adopted() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    let request = app.request("GET", "/api/v1/status", &cast.ada).header("x-request-id", "mine-1");
    let answer = send(request).await;
    assert_ne!(answer.header("x-request-id"), "mine-1");
    let access = access_line(answer.header("x-request-id"));
    assert_eq!(access["client_request_id"], "mine-1");
}

fn access_line(request_id: &str) -> Value {
    let lines: Vec<_> = log_lines(request_id).into_iter().filter(|line| line["target"] == "access").collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.into_iter().next().unwrap()
}

#[tokio::test]
async fn one_wide_access_line_tells_about_a_request() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    let answer = app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await;
    let line = access_line(answer.header("x-request-id"));
    for (field, expected) in [
        ("method", json!("GET")),
        ("path", json!("/api/v1/group-list")),
        ("operation", json!("group-list")),
        ("status", json!(200)),
        ("user", json!("ada")),
        ("team", json!("payments")),
        ("client", json!("127.0.0.1")),
    ] {
        assert_eq!(line[field], expected, "{line}");
    }
    assert!(line["duration_ms"].is_u64());
}

#[tokio::test]
async fn framework_errors_come_in_the_envelope() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    let post = |content_type: &str, body: Vec<u8>| {
        let request =
            app.request("POST", "/api/v1/group-add", &cast.ada).header("content-type", content_type);
        send(request.body(body))
    };
    post("application/json", b"{".to_vec()).await.is_refused(400, "invalid_body");
    post("application/json", b"[]".to_vec()).await.is_refused(400, "invalid_body");
    post("application/json", vec![0xff; 10]).await.is_refused(400, "invalid_body");
    post("text/plain", b"team=payments".to_vec()).await.is_refused(415, "unsupported_media_type");
    let mut largest = br#"{"team": "payments"}"#.to_vec();
    largest.resize(256 << 10, b' ');
    post("application/json", [&largest[..], b" "].concat()).await.is_refused(413, "payload_too_large");
    post("application/json", largest).await.response();
    let deep = "[".repeat(100_000);
    let body = format!("{{\"team\": {deep}");
    post("application/json", body.into_bytes()).await.is_refused(400, "invalid_body");
}

#[tokio::test]
async fn parameters_come_from_query_form_and_json_and_not_twice() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    let request = || app.request("POST", "/api/v1/repos-add", &cast.ada);
    let form = request().form(&[("team", "payments"), ("repos", "web")]);
    send(form).await.response();
    send(request().json(&json!({ "team": "payments", "repos": ["web"] }))).await.response();
    let mixed = request().query(&[("team", "payments")]).json(&json!({ "repos": "web" }));
    send(mixed).await.response();
    let both = request().query(&[("team", "payments")]).json(&json!({ "team": "payments", "repos": "web" }));
    let answer = send(both).await;
    answer.is_refused(400, "conflicting_parameter");
    assert!(answer.text.contains("\\\"team\\\""));
    let twice = request().query(&[("team", "payments"), ("repos", "web"), ("repos", "api")]);
    send(twice).await.is_refused(400, "conflicting_parameter");
}

#[tokio::test]
async fn a_missing_team_is_named_on_every_operation() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    for (method, operation, others) in TEAM_OPERATIONS {
        let answer = app.call(method, operation, &cast.ada, others).await;
        answer.is_refused(400, "missing_parameter");
        assert!(answer.text.contains("\\\"team\\\""), "{operation}: {}", answer.text);
    }
}

/// What is wrong with GitHub, and what a caller is told.
type Failure = (fn(Fault) -> Fault, u16, &'static str);

#[tokio::test]
async fn githubs_own_failures_are_classified_on_every_operation() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    let faults: &[Failure] = &[
        (|fault| fault.error(500, "Something about the html of secondary things"), 502, "github_error"),
        (|fault| fault.error(503, "Something about the html of secondary things"), 502, "github_error"),
        (|fault| fault.error(403, "Something about the html of secondary things"), 502, "github_error"),
        (|fault| fault.html(), 502, "github_error"),
        (|fault| fault.truncated(), 502, "github_error"),
        (|fault| fault.reset(), 502, "github_error"),
        (|fault| fault.wrong_shape(), 502, "github_error"),
        (|fault| fault.secondary_limit(Duration::from_secs(30)), 503, "github_rate_limited"),
        (|fault| fault.primary_limit(i64::MAX), 503, "github_rate_limited"),
        (
            |fault| {
                fault.error(429, "Something about the html of secondary things").header("retry-after", "7")
            },
            503,
            "github_rate_limited",
        ),
    ];
    for (method, operation, others) in TEAM_OPERATIONS {
        for (number, (make, status, reason)) in faults.iter().enumerate() {
            let mut parameters = vec![("team", "payments")];
            parameters.extend(others.iter().copied());
            app.clock.advance(Duration::from_hours(1));
            app.fake.inject(make(Fault::on("GET", "/orgs/{org}/teams/{team_slug}")));
            let answer = app.call(method, operation, &cast.ada, &parameters).await;
            app.fake.clear_faults();
            assert_eq!(answer.refusal(), (*status, (*reason).to_owned()), "{operation}, fault {number}");
            if *status == 503 {
                assert!(answer.header("retry-after").parse::<u64>().is_ok(), "{operation}, fault {number}");
            }
            let raw = &answer.text;
            assert!(!raw.contains("html") && !raw.contains("secondary"), "GitHub's words: {raw}");
        }
    }
}
