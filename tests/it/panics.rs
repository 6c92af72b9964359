//! A handler that panics: its caller gets the envelope, and everybody else is served as before.

use actix_web::{HttpResponse, HttpServer, web};
use serde_json::json;

use actions_runner_manager::http;

use crate::harness::{App, log_lines, send};
use crate::scene::acme;

const SECRET: &str = "ghp_whichAPanicMayQuote";

async fn panics() -> HttpResponse {
    panic!("on purpose, quoting {SECRET}")
}

#[tokio::test]
async fn a_panic_is_answered_as_internal_and_the_service_lives_on() {
    let (world, cast) = acme();
    let mut app = App::start(world).await;
    app.keep_secret(SECRET);
    let state = app.server.state().clone();
    // The whole application, and beside its own routes one that panics.
    let server = HttpServer::new(move || http::app(state.clone()).route("/panics", web::get().to(panics)))
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    let serving = tokio::spawn(server);
    for _ in 0..3 {
        let answer = send(app.http.get(format!("http://{address}/panics"))).await;
        answer.is_refused(500, "internal");
        assert!(!answer.text.contains("on purpose"), "{}", answer.text);
        for (header, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("content-type", "application/json"),
        ] {
            assert_eq!(answer.header(header), value);
        }
        let lines = log_lines(answer.header("x-request-id"));
        let access: Vec<_> = lines.iter().filter(|line| line["target"] == "access").collect();
        assert_eq!(access.len(), 1, "{lines:?}");
        assert_eq!((&access[0]["status"], &access[0]["reason"]), (&json!(500), &json!("internal")));
        assert!(lines.iter().any(|line| line["level"] == "error" && line["message"] == "a handler panicked"));
        let status =
            app.http.get(format!("http://{address}/api/v1/status")).header("authorization", &cast.ada);
        assert_eq!(send(status).await.response(), "Server ready");
    }
    handle.stop(false).await;
    serving.await.unwrap().unwrap();
}
