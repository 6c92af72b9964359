//! The process as a whole: the real binary over TLS in front of the fake GitHub.

mod authorities;
mod certificates;
mod check_config;
mod command_line;
mod drain;
mod environment;
mod hang_up;
mod hardening;
mod healthcheck;
mod hostile;
mod log_files;
mod metrics;
mod mount;
mod outbound;
mod plain;
mod readiness;
mod reload;
mod secrets;
mod signals;
mod stalled_log;
mod start;
mod start_failures;
mod under_load;

use std::io::Read;
use std::path::Path;

use actions_runner_manager::tls;
use fake_github::{FakeGithub, World};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::Binary;
use crate::contract;
use crate::harness::{self, Answer, send};
use crate::recorded::record_groups_in;

/// A running service, and what a test needs around it. Its log is at its most verbose.
pub struct Service {
    pub binary: Binary,
    pub fake: FakeGithub,
    pub folder: TempDir,
    pub http: reqwest::Client,
    pub port: u16,
    /// What is merged over the usual configuration.
    extra: Value,
}

impl Service {
    /// The service with its usual configuration.
    pub async fn start(world: World) -> Self {
        Self::with(world, json!({})).await
    }

    /// The service with other settings.
    pub async fn with(world: World, extra: Value) -> Self {
        Self::in_front_of(harness::fake(world), extra).await
    }

    /// The service with other settings, and with environment variables.
    pub async fn with_variables(world: World, variables: &[(&str, &str)], extra: Value) -> Self {
        let mut service = Self::launched_with(harness::fake(world), variables, extra);
        service.port = port_of(&service.binary.stdout.with("\"serving\"").await);
        service
    }

    /// The service in front of a GitHub that exists already.
    pub async fn in_front_of(fake: FakeGithub, extra: Value) -> Self {
        let mut service = Self::launched(fake, extra);
        service.port = port_of(&service.binary.stdout.with("\"serving\"").await);
        service
    }

    /// The service, not yet known to serve.
    pub fn launched(fake: FakeGithub, extra: Value) -> Self {
        Self::launched_with(fake, &[], extra)
    }

    fn launched_with(fake: FakeGithub, variables: &[(&str, &str)], extra: Value) -> Self {
        tls::install_provider();
        let folder = tempfile::tempdir().unwrap();
        let certificate = harness::write_certificate(folder.path());
        write_configuration(folder.path(), &fake, &extra);
        record_groups_in(folder.path(), &fake);
        // As the image, the unit and the chart set it.
        let variables: Vec<_> = variables
            .iter()
            .copied()
            .chain([("MIMALLOC_PURGE_DELAY", "0"), ("MIMALLOC_ALLOW_THP", "0")])
            .collect();
        let binary = Binary::start(&[], &variables, folder.path());
        Self { binary, fake, folder, http: harness::client(&certificate), port: 0, extra }
    }

    /// Writes the configuration anew, with more settings merged over it.
    pub fn rewrite_configuration(&self, more: &Value) {
        let mut extra = self.extra.clone();
        harness::merge(&mut extra, more);
        write_configuration(self.folder.path(), &self.fake, &extra);
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub fn request(&self, method: &str, path: &str, token: &str) -> reqwest::RequestBuilder {
        let url = format!("https://localhost:{}/api/v1/{path}", self.port);
        let request = self.http.request(method.parse().unwrap(), url);
        if token.is_empty() { request } else { request.header("authorization", token) }
    }

    pub async fn call(&self, method: &str, path: &str, token: &str) -> Answer {
        send(self.request(method, path, token)).await
    }

    /// Starts a request and leaves it to itself; aborting the task hangs up.
    pub fn call_aside(&self, method: &str, path: &str, token: &str) -> tokio::task::JoinHandle<Answer> {
        tokio::spawn(send(self.request(method, path, token)))
    }

    /// Asks the admin listener, which has to be on.
    pub async fn admin(&self, path: &str) -> Answer {
        let line = self.binary.stdout.with("\"serving\"").await;
        let serving: Value = serde_json::from_str(&line).unwrap();
        let address = serving["admin_address"].as_str().expect("the admin listener is on");
        send(self.http.get(format!("http://{address}{path}"))).await
    }

    /// Ends it by SIGTERM; it must end well.
    pub async fn stop(&self) {
        self.binary.signal("TERM");
        let ended = self.binary.ended().await;
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
    }
}

/// Settings that turn the admin listener on.
pub fn with_admin() -> Value {
    json!({ "server": { "admin": { "address": "127.0.0.1", "port": 0 } } })
}

fn write_configuration(folder: &Path, fake: &FakeGithub, extra: &Value) {
    let mut config = harness::configuration(folder, fake, &json!({ "logging": { "level": "debug" } }));
    harness::merge(&mut config, extra);
    std::fs::write(folder.join("config.yml"), serde_json::to_string_pretty(&config).unwrap()).unwrap();
}

/// The port in the line that says where the service listens.
pub fn port_of(line: &str) -> u16 {
    let pattern = regex::Regex::new(r"address=?[: \x22]*(?:[0-9.]+|\[[0-9a-f:]+\]):(\d+)").unwrap();
    pattern.captures(line).unwrap_or_else(|| panic!("no port in {line}"))[1].parse().unwrap()
}

/// What holds at the end of every test: no secret is in any output, and all calls to GitHub were sound.
impl Drop for Service {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let calls = self.fake.calls();
        let violations = contract::check(&calls);
        assert!(violations.is_empty(), "what was said to or by GitHub: {violations:#?}");
        let output = self.binary.stdout.text() + &self.binary.stderr.text() + &logs_in(self.folder.path());
        no_secret_in(&output, &self.fake);
    }
}

/// Asserts that no token and no part of the key is in `text`.
pub fn no_secret_in(text: &str, fake: &FakeGithub) {
    let key = harness::private_key();
    let key_lines = key.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned);
    for secret in fake.world(|world| world.secrets()).into_iter().chain(key_lines) {
        assert!(!text.contains(&secret), "the output holds a secret that begins with {secret:.8}");
    }
}

/// The text of all log files in a folder and below, unpacked.
pub fn logs_in(folder: &Path) -> String {
    let is_log = |file: &std::path::PathBuf| {
        is_packed(file) || file.extension().is_some_and(|extension| extension == "log")
    };
    files_in(folder).iter().filter(|file| is_log(file)).map(|file| log_text(file)).collect()
}

pub fn files_in(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}

pub fn is_packed(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "gz")
}

pub fn log_text(file: &Path) -> String {
    if !is_packed(file) {
        return std::fs::read_to_string(file).unwrap();
    }
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    text
}
