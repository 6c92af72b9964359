//! `healthcheck`: what a container's health check runs.

use serde_json::json;

use crate::binary::run;
use crate::process::Service;
use crate::scene::acme;

/// Checks the service with its own configuration, save that the port is the one that the system chose.
async fn check(service: &Service) -> crate::binary::Ended {
    let port = service.port.to_string();
    run(&["healthcheck"], &[("PORT", &port)], service.folder.path()).await
}

#[tokio::test]
async fn it_succeeds_while_the_service_answers_and_says_why_not_when_it_does_not() {
    for extra in [json!({}), json!({ "server": { "address": "0.0.0.0", "tls": { "enabled": false } } })] {
        let service = Service::with(acme().0, extra).await;
        service.binary.stdout.with("GitHub accepts the credential").await;
        let before = service.fake.total_calls();
        let serving = check(&service).await;
        assert_eq!((serving.code, serving.stderr.as_str()), (0, ""));
        assert_eq!(service.fake.total_calls(), before, "it costs no call to GitHub");
        assert!(service.binary.stdout.json().iter().all(|line| line["target"] != "access"), "and no line");
        service.stop().await;
        let gone = check(&service).await;
        assert_eq!(gone.code, 1);
        let address = format!("127.0.0.1:{}/livez doesn't answer", service.port);
        assert!(gone.stderr.contains(&address), "{}", gone.stderr);
        assert!(gone.stderr.to_lowercase().contains("connect"), "{}", gone.stderr);
    }
}

#[tokio::test]
async fn somebody_else_on_the_port_is_not_taken_for_the_service() {
    let service = Service::start(acme().0).await;
    // The fake GitHub answers on its port, but neither over TLS nor as the service would.
    let port = service.fake.port().to_string();
    let over_tls = run(&["healthcheck"], &[("PORT", &port)], service.folder.path()).await;
    assert_eq!(over_tls.code, 1);
    assert!(over_tls.stderr.contains("doesn't answer"), "{}", over_tls.stderr);
    let plain = [("PORT", port.as_str()), ("ARM_SERVER_TLS_ENABLED", "false")];
    let plain = run(&["healthcheck"], &plain, service.folder.path()).await;
    assert_eq!(plain.code, 1);
    assert!(plain.stderr.contains("expected 200"), "{}", plain.stderr);
    service.fake.clear_calls();
    service.stop().await;
}
