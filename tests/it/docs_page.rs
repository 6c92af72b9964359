//! `/openapi.json` and `/docs`: what a browser gets, and what it is kept from.

use actions_runner_manager::http::openapi;
use serde_json::json;

use crate::harness::{App, send};
use crate::scene::acme;

const FILES: [(&str, &str); 4] = [
    ("/openapi.json", "application/json"),
    ("/docs", "text/html; charset=utf-8"),
    ("/docs/docs.css", "text/css; charset=utf-8"),
    ("/docs/docs.js", "text/javascript; charset=utf-8"),
];
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' \
                      data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[tokio::test]
async fn the_description_and_its_page_need_no_token_and_ask_github_nothing() {
    let (world, cast) = acme();
    let app = App::start(world).await.settled().await;
    for (path, kind) in FILES {
        for token in ["", "nonsense", &cast.ada] {
            let answer = send(app.request("GET", path, token)).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, kind), "{path}");
            assert_eq!(answer.header("content-security-policy"), POLICY, "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!(answer.header("referrer-policy"), "no-referrer");
            assert!(!answer.header("x-request-id").is_empty());
            assert_eq!(answer.header("access-control-allow-origin"), "", "other sites may not read it");
        }
    }
    let served = send(app.request("GET", "/openapi.json", "")).await;
    assert_eq!(served.json(), openapi::document());
    assert_eq!(app.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn other_methods_are_refused_and_other_paths_are_not_there() {
    let (world, _) = acme();
    let app = App::start(world).await;
    for (path, _) in FILES {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            let answer = send(app.request(method, path, "")).await;
            assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"), "{method} {path}");
        }
    }
    for path in ["/docs/", "/docs/index.html", "/docs/../docs.rs", "/docs/docs.js/", "/openapi.yaml", "/Docs"]
    {
        send(app.request("GET", path, "")).await.is_refused(404, "not_found");
    }
}

#[tokio::test]
async fn server_docs_switches_them_off() {
    let (world, cast) = acme();
    let app = App::with(world, json!({ "server": { "docs": false } })).await;
    for (path, _) in FILES {
        send(app.request("GET", path, "")).await.is_refused(404, "not_found");
    }
    assert_eq!(app.call("GET", "status", &cast.ada, &[]).await.response(), "Server ready");
}

#[tokio::test]
async fn the_older_get_form_links_to_a_page_that_is_there() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    let answer = app.call("GET", "group-add", &cast.ada, &[("team", "payments")]).await;
    let link = answer.header("link").to_owned();
    let target = link.strip_prefix('<').and_then(|link| link.split('>').next()).unwrap();
    assert_eq!(send(app.request("GET", target, "")).await.status, 200, "{link}");
}

#[tokio::test]
async fn the_page_loads_its_own_files_alone_and_makes_no_markup_of_data() {
    let (world, _) = acme();
    let app = App::start(world).await;
    let page = send(app.request("GET", "/docs", "")).await.text;
    let addresses = regex::Regex::new(r#"(?:src|href)="([^"]*)""#).unwrap();
    let mut loaded = 0;
    for found in addresses.captures_iter(&page) {
        match &found[1] {
            "data:," | "#main" => {}
            path => {
                assert_eq!(send(app.request("GET", path, "")).await.status, 200, "{path}");
                loaded += 1;
            }
        }
    }
    assert!(loaded >= 3, "{page}");
    for inline in ["style=", "<style", "onclick", "onload", "<script>", "//"] {
        assert!(!page.contains(inline), "{inline}");
    }
    let script = send(app.request("GET", "/docs/docs.js", "")).await.text;
    for sink in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "localStorage",
        "sessionStorage",
        "cookie",
        "http:",
        "https:",
        "import(",
    ] {
        assert!(!script.contains(sink), "{sink}");
    }
}
