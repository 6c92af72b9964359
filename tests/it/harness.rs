//! The real server over TLS in front of the fake GitHub, on a throw-away configuration and a clock that
//! stands still. When a test ends, everything that was said to GitHub is held against its description, and
//! everything that was logged is searched for secrets. Every answer has to be as the service's description says.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use actions_runner_manager::clock::Clock;
use actions_runner_manager::config::{self, Config, LogFormat, LogLevel, Sources};
use actions_runner_manager::server::{self, Configuration, Server};
use actions_runner_manager::{telemetry, tls};
use fake_github::{AppKey, Credential, FakeGithub, Options, World};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{LOOKED_AT_EVERY, within};
use crate::described::Asked;
use crate::recorded::record_groups;
use crate::{contract, described};

/// A running service, and what a test needs around it.
pub struct App {
    pub fake: FakeGithub,
    pub server: Server,
    pub clock: Clock,
    pub http: reqwest::Client,
    /// The service's own, as PEM.
    pub certificate: String,
    /// Where the service's files are.
    pub folder: TempDir,
    /// A test that makes GitHub refuse the service's own token says so here.
    pub own_token_is_refused: bool,
    /// The login of the user that the service acts as with a personal access token.
    pub acts_as: Option<String>,
    secrets: Vec<String>,
}

/// An answer of the service.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The audit lines about the request.
    pub fn audit(&self) -> Vec<Value> {
        audit_lines(self.header("x-request-id"))
    }

    /// The envelope's `Response` of a success.
    #[track_caller]
    pub fn response(&self) -> Value {
        let body = self.json();
        assert_eq!(self.status, 200, "{body}");
        assert_eq!(body["Code"], 200);
        body["Response"].clone()
    }

    /// Status and `Reason` of a failure, whose envelope must be complete.
    #[track_caller]
    pub fn refusal(&self) -> (u16, String) {
        let body = self.json();
        assert_eq!(body["Code"], self.status, "{body}");
        assert!(body["Error"].as_str().is_some_and(|error| !error.is_empty()), "{body}");
        assert_eq!(body["RequestID"], self.header("x-request-id"), "{body}");
        (self.status, body["Reason"].as_str().unwrap().to_owned())
    }

    #[track_caller]
    pub fn is_refused(&self, status: u16, reason: &str) {
        assert_eq!(self.refusal(), (status, reason.to_owned()), "{}", self.text);
    }
}

/// One key for all tests: making one takes a while.
pub fn private_key() -> String {
    AppKey::shared().private_pem()
}

/// Writes a certificate for `localhost` into a folder; gives it as PEM.
pub fn write_certificate(folder: &Path) -> String {
    let (certificate, key) =
        fake_github::self_signed(&["localhost", "127.0.0.1", "arm.example.com"]).unwrap();
    std::fs::write(folder.join("tls.crt"), &certificate).unwrap();
    std::fs::write(folder.join("tls.key"), key).unwrap();
    certificate
}

/// The configuration of most tests; `extra` is YAML that is merged over it, section by section.
pub fn configuration(folder: &Path, fake: &FakeGithub, extra: &Value) -> Value {
    std::fs::write(folder.join("key.pem"), private_key()).unwrap();
    let (app, installation) = fake.world(|world| (world.app_id(), world.installation_id().0));
    let mut config = json!({
        "org": fake.world(|world| world.org_login().to_owned()),
        "appID": app,
        "installationID": installation,
        "privateKeyFile": folder.join("key.pem"),
        "github": { "apiURL": fake.url() },
        "store": { "url": format!("sqlite://{}", folder.join("state.db").display()) },
        "server": {
            "address": "127.0.0.1",
            "port": 0,
            "rateLimit": 1000,
            "unknownTokenRate": 1000,
            "tls": { "certFile": folder.join("tls.crt"), "keyFile": folder.join("tls.key") },
        },
    });
    merge(&mut config, extra);
    config
}

/// Puts `from` over `into`, section by section.
pub fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// Loads a configuration the way the service does. JSON is YAML.
pub fn load(folder: &Path, config: &Value) -> Config {
    write_configuration(folder, config);
    config::load(&sources(folder)).unwrap_or_else(|problems| panic!("{problems}")).config
}

fn write_configuration(folder: &Path, config: &Value) {
    std::fs::write(folder.join("config.yml"), serde_json::to_string_pretty(config).unwrap()).unwrap();
}

pub fn sources(folder: &Path) -> Sources {
    Sources {
        path: Some(folder.join("config.yml")),
        environment: BTreeMap::new(),
        working_directory: folder.to_owned(),
    }
}

impl App {
    /// The service with its usual configuration.
    pub async fn start(world: World) -> Self {
        Self::with(world, json!({})).await
    }

    /// The service with other settings.
    pub async fn with(world: World, extra: Value) -> Self {
        Self::in_front_of(fake(world), &extra).await
    }

    /// The service in front of a GitHub that exists already. Groups that are called as a team's are that team's.
    pub async fn in_front_of(fake: FakeGithub, extra: &Value) -> Self {
        Self::after(fake, extra, record_groups).await
    }

    /// The service without a store, where the name of a group says whose it is.
    pub async fn by_name(world: World, extra: Value) -> Self {
        let mut named = json!({ "store": { "url": "" }, "groups": { "trustNames": true } });
        merge(&mut named, &extra);
        Self::with(world, named).await
    }

    /// The service with a store that knows of no group.
    pub async fn without_records(world: World, extra: Value) -> Self {
        Self::after(fake(world), &extra, |_, _| ()).await
    }

    /// The service, started after something else was done with its configuration.
    async fn after(fake: FakeGithub, extra: &Value, first: impl FnOnce(&Config, &FakeGithub)) -> Self {
        capture_logs();
        tls::install_provider();
        let folder = tempfile::tempdir().unwrap();
        let certificate = write_certificate(folder.path());
        write_configuration(folder.path(), &configuration(folder.path(), &fake, extra));
        let sources = sources(folder.path());
        let loaded = config::load(&sources).unwrap_or_else(|problems| panic!("{problems}"));
        first(&loaded.config, &fake);
        let clock = Clock::manual();
        let mut server = server::start(&loaded.config, clock.clone()).await.unwrap();
        server.watch(Configuration::of(sources, loaded), |_| ());
        let http = client(&certificate);
        let secrets = vec![private_key()];
        Self {
            fake,
            server,
            clock,
            http,
            certificate,
            folder,
            own_token_is_refused: false,
            acts_as: None,
            secrets,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.server.address().port())
    }

    /// Waits until the service has asked GitHub whether its credential works, and forgets those calls. Its token is no
    /// longer one that not all of GitHub may know yet.
    pub async fn settled(self) -> Self {
        let mut check = self.server.check();
        check.wait_for(|check| !matches!(check, server::Check::Pending)).await.unwrap();
        self.clock.advance(Duration::from_secs(10));
        self.fake.clear_calls();
        self
    }

    pub fn request(&self, method: &str, path: &str, token: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method.parse().unwrap(), self.url(path));
        if token.is_empty() { request } else { request.header("authorization", token) }
    }

    /// Writes the configuration anew, with other settings, and has it read again. It is in force once the clock was
    /// moved by a second and the service has looked again.
    pub fn reconfigure(&self, extra: &Value) {
        write_configuration(self.folder.path(), &configuration(self.folder.path(), &self.fake, extra));
        self.server.reload();
    }

    /// Moves the clock on, second by second, until something is so.
    pub async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let so = async {
            while !is_so().await {
                self.clock.advance(Duration::from_secs(1));
                tokio::time::sleep(LOOKED_AT_EVERY).await;
            }
        };
        within(what, so).await;
    }

    /// What the admin listener answers.
    pub async fn admin(&self, path: &str) -> Answer {
        // Gauges are the process's, and set from the service that is scraped: two scrapes at once would mix.
        static SCRAPE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let _alone = SCRAPE.lock().await;
        let address = self.server.admin_address().unwrap();
        send(self.http.get(format!("http://{address}{path}"))).await
    }

    /// An operation with its parameters in the query.
    pub async fn call(
        &self,
        method: &str,
        operation: &str,
        token: &str,
        parameters: &[(&str, &str)],
    ) -> Answer {
        send(self.request(method, &format!("/api/v1/{operation}"), token).query(parameters)).await
    }

    /// An operation with its parameters as JSON.
    pub async fn call_json(&self, method: &str, operation: &str, token: &str, body: Value) -> Answer {
        send(self.request(method, &format!("/api/v1/{operation}"), token).json(&body)).await
    }

    /// Adds something that no log may hold.
    pub fn keep_secret(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    /// Calls to GitHub since they were last cleared, as `METHOD template`.
    pub fn calls(&self) -> Vec<String> {
        self.fake
            .calls()
            .iter()
            .map(|call| format!("{} {}", call.method, call.template.unwrap_or(&call.path)))
            .collect()
    }
}

/// Checks what holds at the end of every test.
impl Drop for App {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let calls = self.fake.calls();
        let violations = contract::check(&calls);
        assert!(
            violations.is_empty(),
            "what was said to or by GitHub is not in its description: {violations:#?}"
        );
        for call in &calls {
            let as_caller = match call.credential {
                Credential::User { ref login, .. } => self.acts_as.as_ref() != Some(login),
                Credential::Actions => true,
                Credential::Bad => !self.own_token_is_refused,
                _ => false,
            };
            assert!(!as_caller || call.path.ends_with("/user"), "as the caller: {call:?}");
        }
        let mut secrets = self.secrets.clone();
        secrets.extend(self.fake.world(|world| world.secrets()));
        for file in std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()) {
            if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("state.db")) {
                let store = std::fs::read(file).unwrap();
                for secret in &secrets {
                    let found = store.windows(secret.len()).any(|part| part == secret.as_bytes());
                    assert!(!found, "the store holds a secret that begins with {secret:.8}");
                }
            }
        }
        let logs = String::from_utf8_lossy(&LOGS.0.lock().unwrap()).into_owned();
        for secret in secrets {
            assert!(!logs.contains(&secret), "a log line holds a secret that begins with {secret:.8}");
        }
    }
}

pub fn fake(world: World) -> FakeGithub {
    let mut world = world;
    world.set_app_key(AppKey::shared());
    FakeGithub::start(world, &Options::default()).unwrap()
}

pub fn client(certificate: &str) -> reqwest::Client {
    reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap()])
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// Sends a request to the service; the answer has to be as the service's own description says.
pub async fn send(request: reqwest::RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let asked = Asked::of(&request);
    let response = client.execute(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let answer = Answer { status, headers, text: response.text().await.unwrap() };
    described::check(&asked, &answer);
    answer
}

/// All that was logged in this process, at the most verbose level.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

static LOGS: LazyLock<Logs> = LazyLock::new(Logs::default);

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Captures what all tests log; harmless to call often.
pub fn capture_logs() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let subscriber = telemetry::subscriber_for(LOGS.clone(), LogLevel::Debug, LogFormat::Json);
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

/// Log lines about a request.
pub fn log_lines(request_id: &str) -> Vec<Value> {
    let logs = String::from_utf8_lossy(&LOGS.0.lock().unwrap()).into_owned();
    logs.lines()
        .filter(|line| line.contains(request_id))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("a log line is not JSON: {line}")))
        .collect()
}

/// Audit lines about a request.
pub fn audit_lines(request_id: &str) -> Vec<Value> {
    log_lines(request_id).into_iter().filter(|line| line["target"] == "audit").collect()
}
