//! What stops the service at start is said, and what to do about it; the exit status is 1.

use fake_github::{AppKey, FakeGithub, Fault, Level, World};
use serde_json::{Value, json};

use crate::harness;
use crate::process::Service;
use crate::scene::acme;

async fn fails(fake: FakeGithub, extra: Value, expected: &[&str]) {
    let service = Service::launched(fake, extra);
    let ended = service.binary.ended().await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.starts_with("error: ") && ended.stderr.lines().count() == 1, "{}", ended.stderr);
    for words in expected {
        assert!(ended.stderr.contains(words), "\"{words}\" is not in: {}", ended.stderr);
    }
    let lines = service.binary.stdout.json();
    if !lines.is_empty() {
        assert!(lines.iter().any(|line| line["level"] == "error"), "the log says it, too: {lines:#?}");
    }
}

fn world(change: impl FnOnce(&mut World)) -> FakeGithub {
    let fake = harness::fake(acme().0);
    fake.world(change);
    fake
}

#[tokio::test]
async fn the_key_of_another_app_is_refused() {
    let other = AppKey::generate().unwrap();
    let fake = world(|world| world.set_app_key(&other));
    fails(fake, json!({}), &["GitHub refused the App's key", "check that appID", "401"]).await;
}

#[tokio::test]
async fn another_apps_id_is_refused() {
    let fake = world(|_| ());
    fails(fake, json!({ "appID": 4711 }), &["GitHub refused the App's key", "check that appID"]).await;
}

#[tokio::test]
async fn a_suspended_installation_is_told() {
    let fake = world(World::suspend_app);
    fails(fake, json!({}), &["is suspended", "an organisation owner can unsuspend it"]).await;
}

#[tokio::test]
async fn each_missing_permission_is_named() {
    let fake = world(|world| {
        world.set_app_permissions(&[
            ("metadata", Level::Read),
            ("organization_self_hosted_runners", Level::Read),
        ]);
    });
    let expected =
        ["lacks permissions", "Members: read", "Self-hosted runners: read and write", "accept the change"];
    fails(fake, json!({}), &expected).await;
    let fake = world(|world| {
        world.set_app_permissions(&[
            ("metadata", Level::Read),
            ("organization_self_hosted_runners", Level::Write),
        ]);
    });
    fails(fake, json!({}), &["grant it Members: read, then"]).await;
}

#[tokio::test]
async fn an_app_that_is_not_installed_is_told_how_to_install_it() {
    let looked_up = json!({ "installationID": null });
    for extra in [json!({}), looked_up] {
        let fake = world(World::uninstall_app);
        fails(fake, extra, &["no such installation", "install it in the organisation \"acme\""]).await;
    }
}

#[tokio::test]
async fn an_installation_on_another_account_is_named() {
    let fake = world(|_| ());
    let elsewhere = fake.world(|world| world.install_app_on("elsewhere").0);
    let expected = format!("installation {elsewhere} is on the account \"elsewhere\"");
    fails(fake, json!({ "installationID": elsewhere }), &[&expected, "not on the organisation \"acme\""])
        .await;
}

#[tokio::test]
async fn a_refused_token_is_told() {
    let fake = world(|_| ());
    let extra = json!({ "appID": null, "installationID": null, "privateKeyFile": null, "token": "ghp_gone" });
    fails(fake, extra, &["GitHub refused the configured token", "expired or been revoked"]).await;
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let fake = world(|_| ());
    let expected = format!("127.0.0.1:{port}");
    fails(fake, json!({ "server": { "port": port } }), &[&expected, "in use", "server.port"]).await;
}

#[tokio::test]
async fn a_certificate_that_is_not_there_is_named() {
    let fake = world(|_| ());
    let extra = json!({ "server": { "tls": { "certFile": "nowhere.crt" } } });
    fails(fake, extra, &["cannot read", "nowhere.crt"]).await;
}

#[tokio::test]
async fn a_log_file_that_cannot_be_written_is_named() {
    let fake = world(|_| ());
    let extra = json!({ "logging": { "ephemeral": false, "logDirectory": "key.pem" } });
    fails(fake, extra, &["cannot write the log file", "key.pem/actions-runner-manager/server.log"]).await;
}

#[tokio::test]
async fn an_address_that_is_not_githubs_api_is_told() {
    let page = || json!("<html>Sign in</html>");
    for fault in [
        Fault::everywhere().status(302, page()).header("location", "https://ghes.example/login"),
        Fault::everywhere().status(404, page()),
    ] {
        let fake = world(|_| ());
        fake.inject(fault);
        fails(fake, json!({}), &["what answers at github.apiURL is not GitHub's API", "/api/v3"]).await;
    }
}
