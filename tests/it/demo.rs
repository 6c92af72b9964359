//! `demo`: every line that it prints works as printed.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::binary::{Binary, run};

/// The demo with its temporary folder inside `folder`; gives its tour as comments and commands.
async fn started(folder: &Path) -> (Binary, Vec<(String, String)>) {
    let binary = Binary::start(&["demo", "--port", "0"], &[("TMPDIR", folder.to_str().unwrap())], folder);
    // The last line of the tour.
    binary.stdout.with("../../user").await;
    let mut tour = Vec::new();
    let mut comment = None;
    for line in binary.stdout.so_far() {
        if let Some(text) = line.strip_prefix("# ") {
            comment = Some(text.to_owned());
        } else if line.starts_with("curl ") {
            tour.push((comment.take().expect("a comment before each command"), line));
        }
    }
    (binary, tour)
}

/// Does what the line says, in a shell.
fn answer_to(line: &str) -> Value {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl is needed for this test; {line}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{line}: {output:?}"))
}

#[tokio::test]
async fn every_printed_line_works_as_printed_and_does_what_its_comment_says() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("it's a folder");
    std::fs::create_dir(&folder).unwrap();
    let (binary, tour) = started(&folder).await;
    let expected = [
        (200, json!("Server ready")),
        (200, json!({ "repos": ["platform-api"], "runners": ["platform-1", "platform-2", "platform-3"] })),
        (200, json!("Runner group created successfully: payments")),
        (200, json!("Successfully added repositories to runner group")),
        (200, json!({ "repos": ["build-tools", "checkout"], "runners": [] })),
        (200, Value::Null),
        (200, Value::Null),
        (200, Value::Null),
        (403, json!("not_trusted")),
        (200, json!(["platform-1"])),
        (
            200,
            json!({
                "removed": [{ "id": 2, "name": "platform-2" }],
                "skipped": [{ "id": 3, "name": "platform-3", "reason": "busy" }],
            }),
        ),
        (200, Value::Null),
        (404, json!("repo_not_found")),
        (200, json!("Runner group deleted successfully: payments")),
        (409, json!("group_not_empty")),
        (403, json!("not_a_maintainer")),
        (400, json!("invalid_parameter")),
    ];
    assert_eq!(tour.len(), expected.len(), "{tour:#?}");
    for ((comment, line), (code, outcome)) in tour.iter().zip(expected) {
        let mut answer = answer_to(line);
        if let Some(repos) = answer.pointer_mut("/Response/repos").and_then(Value::as_array_mut) {
            repos.sort_by_key(ToString::to_string);
        }
        assert_eq!(answer["Code"], code, "{comment}: {answer}");
        assert_eq!(comment.contains("refused"), code != 200, "{comment}: {answer}");
        let told = if code == 200 { &answer["Response"] } else { &answer["Reason"] };
        if outcome.is_array() {
            let names = told["runners"].as_array().unwrap().iter().map(|runner| runner["name"].clone());
            assert_eq!(names.collect::<Value>(), outcome, "{comment}: {answer}");
        } else if outcome.is_null() && told["runner"].is_object() {
            assert!(told["encoded_jit_config"].is_string(), "{comment}: {answer}");
            let labels =
                if line.contains("self-hosted") { json!(["linux", "self-hosted"]) } else { json!(["linux"]) };
            assert_eq!(told["runner"]["labels"], labels, "{comment}: {answer}");
        } else if outcome.is_null() && told["access"].is_object() {
            assert_eq!(told["access"]["environment"], "runners", "{comment}: {answer}");
        } else if outcome.is_null() {
            assert!(told["token"].is_string() && told["expires_at"].is_string(), "{comment}: {answer}");
        } else {
            assert_eq!(*told, outcome, "{comment}: {answer}");
        }
    }
    binary.signal("INT");
    let ended = binary.ended().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "the temporary folder is gone");
}

#[tokio::test]
async fn the_tour_introduces_a_maintainer_a_plain_member_and_a_stranger() {
    let folder = tempfile::tempdir().unwrap();
    let (binary, tour) = started(folder.path()).await;
    for who in ["maintains platform", "is a plain member of platform", "is not in the organisation"] {
        assert!(tour.iter().any(|(comment, _)| comment.contains(who)), "{who}: {tour:#?}");
    }
    let text = binary.stdout.text();
    assert!(text.contains("is serving https://localhost:") && text.contains("Ctrl-C"), "{text}");
    binary.signal("TERM");
    assert_eq!(binary.ended().await.code, 0);
}

#[tokio::test]
async fn a_port_in_use_is_told_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let variables = [("TMPDIR", folder.path().to_str().unwrap())];
    let ended = run(&["demo", "--port", &port], &variables, folder.path()).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.contains(&format!("port {port} is in use")), "{}", ended.stderr);
    assert!(ended.stderr.contains("--port"), "{}", ended.stderr);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the temporary folder is gone");
}

#[tokio::test]
async fn its_files_are_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (binary, _) = started(folder.path()).await;
    let permissions = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let inside = |folder: &Path| -> Vec<std::path::PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let made = inside(folder.path());
    assert_eq!((made.len(), permissions(&made[0])), (1, 0o700));
    let files = inside(&made[0]);
    assert!(files.iter().any(|file| file.ends_with("key.pem")) && files.len() == 4, "{files:?}");
    for file in files {
        assert_eq!(permissions(&file), 0o600, "{}", file.display());
    }
    binary.signal("TERM");
    assert_eq!(binary.ended().await.code, 0);
}
