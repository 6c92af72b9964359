use std::fs;
use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::subscriber::with_default;

use super::queue::locked;
use super::*;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        locked(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lines_of(level: LogLevel, format: LogFormat, log: impl FnOnce()) -> Vec<String> {
    let captured = Captured::default();
    with_default(subscriber_for(captured.clone(), level, format), log);
    let text = String::from_utf8(locked(&captured.0).clone()).unwrap();
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

#[test]
fn an_audit_record_is_the_whole_line() {
    let lines = lines_of(LogLevel::Error, LogFormat::Text, || {
        let record = r#"{"time":"now","target":"audit","repositories":["a"]}"#;
        let _span = tracing::info_span!("request", request_id = "r-3").entered();
        tracing::info!(target: AUDIT_TARGET, record);
    });
    assert_eq!(lines, [r#"{"time":"now","target":"audit","repositories":["a"]}"#]);
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
fn audit_lines_are_json_at_any_level_and_carry_the_requests_fields() {
    let lines = lines_of(LogLevel::Fatal, LogFormat::Text, || {
        let _span = tracing::info_span!("request", request_id = "r-2").entered();
        tracing::info!(target: AUDIT_TARGET, outcome = "denied", "group-delete");
        tracing::info!("ordinary");
        tracing::error!("failed");
    });
    let audit: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!((&audit["target"], &audit["request_id"]), (&"audit".into(), &"r-2".into()));
    assert!(lines[1].contains("request_id=r-2"), "an error line knows its request: {}", lines[1]);
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
fn audit_lines_have_a_file_of_their_own_if_set_and_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit/arm.log");
    let config = LoggingConfig { audit: Some(audit.clone()), max_backups: 0, ..config(folder.path()) };
    let (subscriber, telemetry) = queued(&config).unwrap();
    // More than the queue holds: those who log have to wait.
    let count = 10_000;
    with_default(subscriber, || {
        for number in 0..count {
            tracing::info!(target: AUDIT_TARGET, number, "audited");
        }
    });
    telemetry.flush();
    drop(telemetry);
    let mut lines = fs::read_to_string(&audit).unwrap().lines().count();
    for backup in fs::read_dir(audit.parent().unwrap()).unwrap() {
        let path = backup.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "gz") {
            let mut unpacked = String::new();
            let mut reader = flate2::read::GzDecoder::new(fs::File::open(path).unwrap());
            io::Read::read_to_string(&mut reader, &mut unpacked).unwrap();
            lines += unpacked.lines().count();
        }
    }
    assert_eq!(lines, count);
    let ordinary = fs::read_to_string(folder.path().join("actions-runner-manager/server.log")).unwrap();
    assert_eq!(ordinary, "");
}

#[test]
fn lines_that_cannot_be_written_are_counted() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }
    let (queue, _thread) = Queue::lossless(Output::new(Full));
    queue.push(b"one\n");
    queue.push(b"two\n");
    queue.flush(FLUSH_AT_MOST);
    assert_eq!(queue.lost(), 2);
}

#[test]
fn a_full_queue_drops_ordinary_lines_and_counts_them() {
    struct Stuck(Arc<Mutex<()>>);
    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _wait = locked(&self.0);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let gate = Arc::new(Mutex::new(()));
    let closed = locked(&gate);
    let (queue, _thread) = Queue::lossy(Output::new(Stuck(gate.clone())));
    for _ in 0..40_000 {
        queue.push(b"line\n");
    }
    assert!(queue.lost() > 0);
    drop(closed);
}

#[test]
fn a_log_file_that_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("actions-runner-manager"), "in the way").unwrap();
    let error = queued(&config(folder.path())).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("cannot write the log file") && error.contains("server.log"), "{error}");
}
