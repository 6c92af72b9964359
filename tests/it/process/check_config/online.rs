//! `check-config --online` asks GitHub as well.

use std::net::TcpListener;

use fake_github::{AppKey, Level, World};
use serde_json::json;

use super::{PLAIN_HTTP, Site, elliptic_key, parsed};
use crate::binary::run;
use crate::harness;
use crate::scene::acme;

#[tokio::test]
async fn online_asks_github_and_says_so() {
    let site = Site::new(&json!({}));
    let ended = site.check(&["--online"]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let first = "The configuration is valid (config.yml); GitHub accepts the credential.";
    assert_eq!(ended.stdout.lines().next(), Some(first));
    assert!((1..=4).contains(&site.fake.total_calls()), "{}", site.fake.total_calls());
    assert_eq!(parsed(&site.check(&["--online", "--json"]).await)["asked_github"], true);
    let quiet = site.check(&["--online", "--quiet"]).await;
    assert_eq!((quiet.code, quiet.stdout.lines().count(), quiet.stderr.as_str()), (0, 1, ""));
    assert!(quiet.stdout.contains(PLAIN_HTTP), "{}", quiet.stdout);
}

#[tokio::test]
async fn online_names_the_setting_of_what_github_refuses() {
    let site = Site::new(&json!({}));
    site.fake.world(|world| {
        world.set_app_permissions(&[("organization_self_hosted_runners", Level::Read)]);
    });
    let ended = site.check(&["--online"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    for words in [
        &format!(
            "error: config.yml:{}: appID: the App's installation lacks permissions",
            site.line_of("appID")
        ),
        "Members: read",
        "Self-hosted runners: read and write",
    ] {
        assert!(ended.stderr.contains(words), "{words} is not in {}", ended.stderr);
    }
    let other = AppKey::generate().unwrap();
    site.fake.world(|world| world.set_app_key(&other));
    let refused = site.check(&["--online", "--json"]).await;
    let report = parsed(&refused);
    assert_eq!((refused.code, &report["problems"][0]["key"]), (2, &json!("appID")), "{report}");
    assert_eq!(json!([report["valid"], report["asked_github"]]), json!([false, true]));
}

#[tokio::test]
async fn online_names_once_why_github_is_not_reached_and_what_to_look_at() {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let site = Site::new(&json!({ "github": { "apiURL": format!("https://127.0.0.1:{port}/api/v3") } }));
    let ended = site.check(&["--online"]).await;
    assert_eq!(ended.code, 2);
    let line = ended.stderr.lines().next().unwrap();
    let start =
        format!("error: config.yml:{}: github.apiURL: GitHub can't be asked", site.line_of("github.apiURL"));
    assert!(line.starts_with(&start), "{line}");
    for words in ["Connection refused", "error sending request", "HTTPS_PROXY"] {
        assert_eq!(line.matches(words).count(), 1, "{words}: {line}");
    }
    assert!(line.len() < 400, "{line}");
}

#[tokio::test]
async fn online_asks_nobody_while_the_credential_is_of_no_use_and_says_so() {
    let site = Site::new(&json!({}));
    site.write("key.pem", &elliptic_key());
    let ended = site.check(&["--online"]).await;
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.ends_with("GitHub was not asked: correct the problems first"), "{}", ended.stderr);
    assert_eq!(site.fake.total_calls(), 0);
    let unrelated = Site::new(&json!({ "logging": { "audit": "no/such/audit.log" } }));
    unrelated.fake.world(World::suspend_app);
    let ended = unrelated.check(&["--online"]).await;
    assert!(
        ended.stderr.contains("logging.audit") && ended.stderr.contains("is suspended"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn online_names_the_file_of_a_token_that_github_refuses() {
    let token_alone = json!({
        "appID": null, "installationID": null, "privateKeyFile": null, "tokenFile": "token.txt",
    });
    let fake = harness::fake(acme().0);
    let folder = tempfile::tempdir().unwrap();
    harness::write_certificate(folder.path());
    std::fs::write(folder.path().join("token.txt"), "ghp_gone").unwrap();
    let config = harness::configuration(folder.path(), &fake, &token_alone);
    std::fs::write(folder.path().join("config.yml"), format!("{config}\n...\n")).unwrap();
    let ended = run(&["check-config", "--online"], &[], folder.path()).await;
    assert_eq!(ended.code, 2);
    let start = "error: config.yml:1: tokenFile: GitHub refused the configured token";
    assert!(ended.stderr.starts_with(start), "{}", ended.stderr);
}
