//! A log that nobody takes: the service goes on with what leaves no audit line, and does nothing else until somebody
//! takes it again.

use std::io::{BufRead, BufReader, PipeReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use actions_runner_manager::tls;
use fake_github::{FakeGithub, World};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Service, no_secret_in, port_of, with_admin, write_configuration};
use crate::binary::{LOOKED_AT_EVERY, json_lines, until, within};
use crate::harness::{self, Answer, send};
use crate::recorded::record_groups_in;
use crate::scene::{acme, acme_with_groups};

/// More than this, a pod of the chart's size may not have.
const MOST_MEMORY_KIB: u64 = 200 << 10;

/// A service whose standard output is read up to the line that says where it serves, and no further.
struct Unread {
    child: Child,
    fake: FakeGithub,
    _folder: TempDir,
    http: reqwest::Client,
    output: Option<BufReader<PipeReader>>,
    read: String,
    port: u16,
    admin: String,
}

impl Unread {
    fn start(world: World, extra: &Value) -> Self {
        tls::install_provider();
        let (fake, folder) = (harness::fake(world), tempfile::tempdir().unwrap());
        let certificate = harness::write_certificate(folder.path());
        let mut all = with_admin();
        harness::merge(&mut all, extra);
        write_configuration(folder.path(), &fake, &all);
        record_groups_in(folder.path(), &fake);
        let (reader, writer) = std::io::pipe().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_actions-runner-manager"))
            .env_clear()
            .current_dir(folder.path())
            .stdin(Stdio::null())
            // As a container's runtime does: both into one pipe.
            .stderr(writer.try_clone().unwrap())
            .stdout(writer)
            .spawn()
            .unwrap();
        let (mut output, mut read) = (BufReader::new(reader), String::new());
        while !read.contains("\"serving\"") {
            assert!(output.read_line(&mut read).unwrap() > 0, "it ended: {read}");
        }
        let serving: Value = serde_json::from_str(read.lines().last().unwrap()).unwrap();
        let admin = format!("http://{}", serving["admin_address"].as_str().unwrap());
        let port = port_of(read.lines().last().unwrap());
        let http = harness::client(&certificate);
        Self { child, fake, _folder: folder, http, output: Some(output), read, port, admin }
    }

    async fn call(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> Answer {
        let url = format!("https://localhost:{}{path}", self.port);
        let mut request = self.http.request(method.parse().unwrap(), url);
        if !token.is_empty() {
            request = request.header("authorization", token);
        }
        send(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    async fn readiness(&self) -> (u16, Value) {
        let answer = send(self.http.get(format!("{}/readyz", self.admin))).await;
        (answer.status, answer.json())
    }

    /// Has refusals written down, each with a long list, until there is no room for more. Gives their requests' ids.
    async fn fill(&self, token: &str) -> Vec<String> {
        let mut written = Vec::new();
        // Shorter ones at the end fill what is left.
        for count in [1_000, 100, 10, 1] {
            let repos: Vec<_> = (0..count).map(|number| format!("{number:0>100}")).collect();
            let body = json!({ "team": "payments", "repos": repos });
            loop {
                let answer = self.call("PATCH", "/api/v1/repos-add", token, Some(&body)).await;
                if answer.status == 503 {
                    is_overloaded(&answer);
                    break;
                }
                answer.is_refused(404, "repo_not_found");
                written.push(answer.header("x-request-id").to_owned());
            }
        }
        written
    }

    /// Reads on, to the end.
    fn read_on(&mut self) -> JoinHandle<String> {
        let mut output = self.output.take().unwrap();
        std::thread::spawn(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).unwrap();
            text
        })
    }

    fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Ends it by SIGTERM, and gives its exit code.
    async fn stop(&mut self) -> i32 {
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let mut code = None;
        until("the end of the process", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        })
        .await;
        code.unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn is_overloaded(answer: &Answer) {
    answer.is_refused(503, "overloaded");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_that_can_not_be_written_down_and_everything_is_when_it_can() {
    let (world, cast, group) = acme_with_groups();
    let mut service = Unread::start(world, &json!({}));
    let written = service.fill(&cast.ada).await;
    assert!(written.len() > 100, "{} lines", written.len());
    // Whatever would leave a line, if only when it is refused.
    let before = service.fake.total_calls();
    for _ in 0..3 {
        for (method, path) in [
            ("DELETE", "/api/v1/group-delete?team=payments&remove_runners=true"),
            ("POST", "/api/v1/token-register?team=payments"),
            ("GET", "/api/v1/group-list?team=search"),
        ] {
            is_overloaded(&service.call(method, path, &cast.ada, None).await);
        }
    }
    assert_eq!(service.fake.total_calls(), before);
    assert!(service.fake.world(|world| world.group(group).is_some()));
    // All else goes on.
    service.call("GET", "/api/v1/status", "", None).await.is_refused(401, "missing_token");
    service.call("GET", "/api/v1/status", "ghp_unknown", None).await.is_refused(401, "invalid_token");
    assert_eq!(service.call("GET", "/livez", "", None).await.status, 200);
    assert_eq!(send(service.http.get(format!("{}/livez", service.admin))).await.status, 200);
    let (status, readiness) = service.readiness().await;
    assert_eq!((status, &readiness["audit"]["ok"]), (503, &json!(false)), "{readiness}");
    assert!(service.memory_kib() < MOST_MEMORY_KIB, "{} KiB", service.memory_kib());

    let output = service.read_on();
    let ready = async {
        while service.readiness().await.0 != 200 {
            tokio::time::sleep(LOOKED_AT_EVERY).await;
        }
    };
    within("readiness", ready).await;
    let done = service.call("DELETE", "/api/v1/group-delete?team=payments", &cast.ada, None).await;
    done.response();
    assert_eq!(service.stop().await, 0);
    let lines = json_lines(&(service.read.clone() + &output.join().unwrap()));
    let audit: Vec<_> = lines.iter().filter(|line| line["target"] == "audit").collect();
    // A long request finds no room when its line is already sure to be written; then that says so.
    let ids: Vec<_> = audit
        .iter()
        .filter(|line| line["reason"] != "overloaded")
        .map(|line| line["request_id"].as_str().unwrap())
        .collect();
    let done = done.header("x-request-id").to_owned();
    let expected: Vec<_> = written.iter().chain([&done]).collect();
    assert!(ids == expected, "each once, in order, and none else");
    no_secret_in(&service.read, &service.fake);
}

#[tokio::test]
async fn told_to_stop_it_ends_without_waiting_for_a_reader_and_says_that_lines_are_lost() {
    let (world, cast, _) = acme_with_groups();
    let mut service = Unread::start(world, &json!({}));
    service.fill(&cast.ada).await;
    assert_eq!(service.stop().await, 1);
}

#[tokio::test]
async fn audit_lines_wait_for_a_full_disk_to_have_room_again() {
    let (world, cast) = acme();
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit.log");
    std::os::unix::fs::symlink("/dev/full", &audit).unwrap();
    let service = Service::with(world, json!({ "logging": { "audit": &audit } })).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let answer = service.call("POST", "token-register?team=payments", &cast.ada).await;
        answer.response();
        ids.push(answer.header("x-request-id").to_owned());
    }
    // Room again: what is at the path can be written from now on.
    std::fs::remove_file(&audit).unwrap();
    let text = || std::fs::read_to_string(&audit).unwrap_or_default();
    until("the lines", || text().lines().count() == ids.len()).await;
    let lines = json_lines(&text());
    assert_eq!(lines.iter().map(|line| line["request_id"].as_str().unwrap()).collect::<Vec<_>>(), ids);
    service.stop().await;
}
