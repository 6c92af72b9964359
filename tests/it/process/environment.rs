//! A service that is set up by environment variables alone.

use actions_runner_manager::tls;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::binary::Binary;
use crate::harness::{self, send};
use crate::process::{no_secret_in, port_of};
use crate::scene::acme_with_groups;

#[tokio::test]
async fn variables_are_enough_without_a_file() {
    tls::install_provider();
    let (world, cast, _) = acme_with_groups();
    let fake = harness::fake(world);
    let (app, installation) =
        fake.world(|world| (world.app_id().to_string(), world.installation_id().0.to_string()));
    for key in [STANDARD.encode(harness::private_key()), harness::private_key()] {
        let folder = tempfile::tempdir().unwrap();
        let certificate = harness::write_certificate(folder.path());
        let environment = [
            ("ARM_ORG", "acme"),
            ("GITHUB_APP_ID", &app),
            ("GITHUB_APP_INSTALLATION_ID", &installation),
            ("GITHUB_APP_PRIVATE_KEY", &key),
            ("GITHUB_API_URL", fake.url()),
            ("BIND", "127.0.0.1"),
            ("PORT", "0"),
            ("ARM_SERVER_TLS_CERT_FILE", "tls.crt"),
            ("ARM_SERVER_TLS_KEYFILE", "tls.key"),
            ("ARM_LOGGING_LEVEL", "debug"),
        ];
        let binary = Binary::start(&[], &environment, folder.path());
        let port = port_of(&binary.stdout.with("\"serving\"").await);
        let url = format!("https://localhost:{port}/api/v1/group-list?team=payments");
        let request = harness::client(&certificate).get(url).header("authorization", &cast.ada);
        assert_eq!(send(request).await.response()["repos"][0], "web");
        binary.signal("TERM");
        let ended = binary.ended().await;
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
        no_secret_in(&ended.stdout, &fake);
    }
}

#[tokio::test]
async fn a_token_in_a_variable_takes_the_place_of_the_app() {
    tls::install_provider();
    let (world, cast, _) = acme_with_groups();
    let fake = harness::fake(world);
    let folder = tempfile::tempdir().unwrap();
    let certificate = harness::write_certificate(folder.path());
    let config = harness::configuration(folder.path(), &fake, &serde_json::json!({}));
    std::fs::write(folder.path().join("config.yml"), config.to_string()).unwrap();
    let environment = [("GITHUB_TOKEN", cast.olivia.as_str()), ("ARM_LOGGING_LEVEL", "debug")];
    let binary = Binary::start(&["serve"], &environment, folder.path());
    let port = port_of(&binary.stdout.with("\"serving\"").await);
    binary.stdout.with("GitHub accepts the credential").await;
    assert_eq!(fake.count("POST", "/app/installations/{installation_id}/access_tokens"), 0);
    let url = format!("https://localhost:{port}/api/v1/status");
    let request = harness::client(&certificate).get(url).header("authorization", &cast.ada);
    assert_eq!(send(request).await.response(), "Server ready");
    no_secret_in(&binary.stdout.text(), &fake);
}
