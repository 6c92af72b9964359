use std::fs;
use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::subscriber::with_default;

use super::*;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lines_of(level: LogLevel, format: LogFormat, log: impl FnOnce()) -> Vec<String> {
    let captured = Captured::default();
    with_default(subscriber_for(captured.clone(), level, format), log);
    let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn json_of(level: LogLevel, log: impl FnOnce()) -> Vec<Value> {
    lines_of(level, LogFormat::Json, log).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn config(folder: &Path) -> LoggingConfig {
    LoggingConfig {
        level: LogLevel::Info,
        format: LogFormat::Json,
        directory: Some(folder.to_owned()),
        max_age_days: 28,
        max_backups: 5,
        max_size: 1 << 20,
        compress: true,
        audit: None,
    }
}

#[test]
fn a_json_line_is_one_flat_object_with_the_fields_of_its_spans() {
    let lines = json_of(LogLevel::Info, || {
        let span = tracing::info_span!("request", request_id = "r-1", user = tracing::field::Empty);
        let _entered = span.enter();
        span.record("user", "mona");
        let _inner = tracing::info_span!("call", attempt = 2_u64).entered();
        tracing::info!(count = 3, ok = true, "it\n\"works\"");
    });
    let line = lines[0].as_object().unwrap();
    assert_eq!(lines.len(), 1);
    for (name, value) in [
        ("level", Value::from("info")),
        ("target", module_path!().into()),
        ("message", "it\n\"works\"".into()),
        ("request_id", "r-1".into()),
        ("user", "mona".into()),
        ("attempt", 2.into()),
        ("count", 3.into()),
        ("ok", true.into()),
    ] {
        assert_eq!(line[name], value, "{name}");
    }
    let timestamp = line["timestamp"].as_str().unwrap();
    assert!(
        timestamp.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(timestamp).is_ok(),
        "{timestamp}"
    );
}

#[test]
fn a_field_cannot_pose_as_the_lines_own() {
    let lines = json_of(LogLevel::Info, || tracing::info!(level = "fake", target = "fake", "real"));
    assert_eq!((&lines[0]["level"], &lines[0]["field.level"]), (&"info".into(), &"fake".into()));
    assert_eq!(lines[0]["message"], "real");
}

const RECORD: &str = r#"{"timestamp":"2026-11-21T12:00:00.000Z","level":"info","target":"audit","message":"repos-add: success","time":"2026-11-21T12:00:00.000Z","repositories":["a"],"user":"m\u009bna"}"#;

#[test]
fn an_audit_record_is_the_whole_line() {
    let lines = lines_of(LogLevel::Error, LogFormat::Json, || {
        let _span = tracing::info_span!("request", request_id = "r-3").entered();
        tracing::info!(target: AUDIT_TARGET, record = RECORD);
    });
    assert_eq!(lines, [RECORD]);
}

#[test]
fn among_lines_of_text_an_audit_record_is_text_too() {
    let lines = lines_of(LogLevel::Error, LogFormat::Text, || {
        tracing::info!(target: AUDIT_TARGET, record = RECORD);
        tracing::info!(target: AUDIT_TARGET, outcome = "success", "the policy changed");
    });
    let record =
        r#"2026-11-21T12:00:00.000Z info  audit: repos-add: success repositories=["a"] user="m\u{9b}na""#;
    assert_eq!(lines[0], record);
    assert!(lines[1].contains("Z info  audit: the policy changed outcome=success time="), "{}", lines[1]);
}

#[test]
fn a_text_line_stays_one_line_whatever_a_caller_sends() {
    let lines = lines_of(LogLevel::Info, LogFormat::Text, || {
        tracing::warn!(name = "a\nb", plain = "word", "first\nsecond\u{1b}[31m");
    });
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains(r"first\nsecond\u{1b}[31m"), "{}", lines[0]);
    assert!(lines[0].ends_with(r#" name="a\nb" plain=word"#), "{}", lines[0]);
}

#[test]
fn each_level_writes_itself_and_what_is_more_important() {
    for (level, count) in [
        (LogLevel::Debug, 4),
        (LogLevel::Info, 3),
        (LogLevel::Warn, 2),
        (LogLevel::Error, 1),
        (LogLevel::Fatal, 1),
    ] {
        let lines = json_of(level, || {
            tracing::trace!("t");
            tracing::debug!("d");
            tracing::info!("i");
            tracing::warn!("w");
            tracing::error!("e");
        });
        assert_eq!(lines.len(), count, "{level:?}");
    }
}

#[test]
fn libraries_are_heard_from_warn_on_even_at_debug() {
    let lines = json_of(LogLevel::Debug, || {
        tracing::debug!(target: "hyper::proto", "authorization: Bearer ghp_secret");
        tracing::info!(target: "octocrab", "a token");
        tracing::info!(target: "actions_runner_manager_fork", "not ours");
        tracing::warn!(target: "rustls", "trouble");
        tracing::info!(target: "access", "GET /api/v1/status");
    });
    let messages: Vec<_> = lines.iter().map(|line| &line["message"]).collect();
    assert_eq!(messages, ["trouble", "GET /api/v1/status"]);
}

#[test]
fn audit_lines_are_written_at_any_level_and_carry_the_requests_fields() {
    let lines = json_of(LogLevel::Fatal, || {
        let _span = tracing::info_span!("request", request_id = "r-2").entered();
        tracing::info!(target: AUDIT_TARGET, outcome = "denied", "group-delete");
        tracing::info!("ordinary");
        tracing::error!("failed");
    });
    assert_eq!((&lines[0]["target"], &lines[0]["request_id"]), (&"audit".into(), &"r-2".into()));
    assert_eq!(lines[0]["time"], lines[0]["timestamp"]);
    assert_eq!(lines[1]["request_id"], "r-2", "an error line knows its request");
    assert_eq!(lines.len(), 2);
}

#[test]
fn lines_reach_the_file_and_the_level_can_be_changed_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let (subscriber, telemetry) = queued(&config(folder.path())).unwrap();
    with_default(subscriber, || {
        tracing::debug!("too early");
        telemetry.level_setter()(LogLevel::Debug);
        tracing::debug!("seen");
        telemetry.level_setter()(LogLevel::Error);
        tracing::warn!("too late");
        tracing::info!(target: AUDIT_TARGET, "audited");
    });
    telemetry.flush();
    let text = fs::read_to_string(folder.path().join("actions-runner-manager/server.log")).unwrap();
    let mut messages: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["message"].as_str().unwrap().to_owned())
        .collect();
    messages.sort();
    assert_eq!(messages, ["audited", "seen"]);
    assert_eq!(telemetry.lost_lines(), 0);
}

#[test]
fn audit_lines_have_a_file_of_their_own_if_set_which_is_json_always_and_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit/arm.log");
    let config = LoggingConfig {
        audit: Some(audit.clone()),
        format: LogFormat::Text,
        max_backups: 0,
        ..config(folder.path())
    };
    let (subscriber, telemetry) = queued(&config).unwrap();
    // More than the queue holds, so that room has to come back.
    let count = 10_000;
    with_default(subscriber, || {
        for number in 0..count {
            let _room = reserved(&telemetry.room);
            let record = format!("{{\"number\":{number}}}");
            tracing::info!(target: AUDIT_TARGET, reserved = true, record);
        }
    });
    assert_eq!(telemetry.flush(), 0);
    let lines: Vec<Value> =
        all_text_of(&audit).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut numbers: Vec<_> = lines.iter().map(|line| line["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..count));
    let ordinary = fs::read_to_string(folder.path().join("actions-runner-manager/server.log")).unwrap();
    assert_eq!(ordinary, "");
}

/// Waits for room, as nobody but a test does.
fn reserved(room: &AuditRoom) -> Reserved {
    loop {
        match room.reserve(1_000) {
            Ok(reserved) => return reserved,
            Err(NoRoom) => std::thread::yield_now(),
        }
    }
}

/// What is in a file and in its backups.
fn all_text_of(file: &Path) -> String {
    let mut text = fs::read_to_string(file).unwrap();
    for backup in fs::read_dir(file.parent().unwrap()).unwrap() {
        let path = backup.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "gz") {
            let mut reader = flate2::read::GzDecoder::new(File::open(path).unwrap());
            io::Read::read_to_string(&mut reader, &mut text).unwrap();
        }
    }
    text
}

#[test]
fn a_log_file_that_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("actions-runner-manager"), "in the way").unwrap();
    let error = queued(&config(folder.path())).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("cannot write the log file") && error.contains("server.log"), "{error}");
}
