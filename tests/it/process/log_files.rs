//! Logs in files: rotated, compressed, with audit lines apart; and the text format.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::binary::{json_lines, until};
use crate::harness;
use crate::process::{Service, files_in, is_packed, log_text, port_of};
use crate::scene::{Cast, acme};

const MOST_BYTES: usize = 4096;

/// A service that logs to files, with these settings beside.
async fn logging_to_files(extra: Value) -> (Service, Cast) {
    let (world, cast) = acme();
    let mut all = json!({
        "logging": { "ephemeral": false, "logDirectory": "logs", "maxSize": MOST_BYTES, "audit": "audit/audit.log" },
    });
    harness::merge(&mut all, &extra);
    let mut service = Service::launched(harness::fake(world), all);
    let log = service.path("logs/actions-runner-manager/server.log");
    let mut serving = None;
    until("the line that says where it serves", || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        serving = text.lines().find(|line| line.contains("\"serving\"")).map(str::to_owned);
        serving.is_some()
    })
    .await;
    service.port = port_of(&serving.unwrap());
    (service, cast)
}

fn packed(folder: &Path) -> Vec<PathBuf> {
    files_in(folder).into_iter().filter(|file| is_packed(file)).collect()
}

#[tokio::test]
async fn files_are_rotated_and_compressed_and_not_one_line_is_split_or_lost() {
    let (service, cast) = logging_to_files(json!({ "logging": { "maxBackups": 0 } })).await;
    for number in 0..60 {
        service.call("POST", "token-register?team=payments", &cast.ada).await.response();
        service.call("GET", "status", &format!("ghp_unknown{number}")).await.is_refused(401, "invalid_token");
    }
    service.stop().await;
    assert_eq!(service.binary.stdout.text(), "", "nothing goes to standard output");
    for folder in ["logs/actions-runner-manager", "audit"] {
        assert!(packed(&service.path(folder)).len() >= 3, "{:?}", files_in(&service.path(folder)));
        for file in files_in(&service.path(folder)) {
            let text = log_text(&file);
            assert!(text.len() <= MOST_BYTES && text.ends_with('\n'), "{}", file.display());
            json_lines(&text);
        }
    }
    let lines = |folder: &str| json_lines(&crate::process::logs_in(&service.path(folder)));
    let ordinary = lines("logs");
    assert_eq!(ordinary.iter().filter(|line| line["target"] == "access").count(), 120);
    assert!(ordinary.iter().all(|line| line["target"] != "audit"));
    let audit = lines("audit");
    assert_eq!(audit.len(), 60);
    assert!(audit.iter().all(|line| line["target"] == "audit" && line["outcome"] == "success"));
}

#[tokio::test]
async fn no_more_backups_are_kept_than_set_and_they_may_stay_uncompressed() {
    let (service, cast) =
        logging_to_files(json!({ "logging": { "maxBackups": 2, "compress": false } })).await;
    for _ in 0..60 {
        service.call("GET", "status", &cast.ada).await.response();
    }
    service.stop().await;
    let files = files_in(&service.path("logs"));
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(files.iter().all(|file| !is_packed(file)), "{files:?}");
}

#[tokio::test]
async fn what_others_do_to_the_files_loses_no_line_that_comes_after() {
    let (service, cast) = logging_to_files(json!({ "logging": { "maxSize": 1 << 20 } })).await;
    let audit = service.path("audit/audit.log");
    let register = async || {
        let answer = service.call("POST", "token-register?team=payments", &cast.ada).await;
        answer.response();
        let id = answer.header("x-request-id").to_owned();
        // The line is at the path, whatever became of the file that was there.
        until("the line", || std::fs::read_to_string(&audit).unwrap_or_default().contains(&id)).await;
        json_lines(&std::fs::read_to_string(&audit).unwrap()).len()
    };
    assert_eq!(register().await, 1);
    assert_eq!(register().await, 2);
    std::fs::write(&audit, "").unwrap();
    assert_eq!(register().await, 1, "cut, and no gap where the old lines were");
    std::fs::rename(&audit, audit.with_extension("log.1")).unwrap();
    assert_eq!(register().await, 1);
    std::fs::remove_file(&audit).unwrap();
    assert_eq!(register().await, 1);
    std::fs::remove_dir_all(audit.parent().unwrap()).unwrap();
    assert_eq!(register().await, 1);
    service.stop().await;
}

#[tokio::test]
async fn with_text_every_line_is_text_audit_lines_included() {
    let (world, cast) = acme();
    let mut service = Service::launched(harness::fake(world), json!({ "logging": { "format": "text" } }));
    service.port = port_of(&service.binary.stdout.with(": serving").await);
    service.call("POST", "token-remove?team=payments", &cast.ada).await.response();
    service.call("GET", "nothing%0Ahere", "").await.is_refused(404, "not_found");
    service.stop().await;
    let text = service.binary.stdout.so_far();
    let shape = regex::Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info |warn |error) \S+: ")
        .unwrap();
    assert!(text.iter().all(|line| shape.is_match(line)), "{text:#?}");
    let access: Vec<_> = text.iter().filter(|line| line.contains(" access: request ")).collect();
    assert_eq!(access.len(), 2, "{text:#?}");
    assert!(access[0].contains("user=ada caller=user team=payments"), "{}", access[0]);
    let audit: Vec<_> = text.iter().filter(|line| line.contains(" audit: token-remove: success ")).collect();
    assert_eq!(audit.len(), 1, "{text:#?}");
    assert!(audit[0].contains(" outcome=success caller=user user=ada "), "{}", audit[0]);
}
