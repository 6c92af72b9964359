//! Several processes of the real binary on one PostgreSQL, in front of one fake GitHub: they act as one service.
//!
//! They need a server, so `cargo test` leaves them out and says so; `.ci/run postgres` runs them, on PostgreSQL itself and
//! once more through PgBouncer. What breaks the server brings one of its own (`server`).

mod access;
mod database;
mod deletion;
mod frozen;
mod gate;
mod holds;
mod limits;
mod outages;
mod policies;
mod quota;
mod records;
mod server;
mod slow;
mod sweep;

use std::time::{Duration, Instant};

use actions_runner_manager::{config, tls};
use fake_github::{FakeGithub, World};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::database::Database;
use crate::binary::{Binary, LOOKED_AT_EVERY, within};
use crate::contract;
use crate::harness::{self, Answer, merge, send};
use crate::process::{no_secret_in, port_of};
use crate::recorded::record_all_groups;

/// How many processes there are.
const REPLICAS: usize = 3;
/// Within this time each knows of the others, and of their end.
const SEEN: Duration = Duration::from_secs(20);

/// Processes that share a database, and what a test needs around them.
pub struct Fleet {
    pub replicas: Vec<Replica>,
    pub fake: FakeGithub,
    pub database: Database,
    /// What is merged over the usual configuration.
    extra: Value,
}

/// One of the processes.
pub struct Replica {
    pub binary: Binary,
    folder: TempDir,
    http: reqwest::Client,
    port: u16,
    admin: String,
}

impl Fleet {
    /// Processes with a database of their own. Groups that are called as a team's are that team's.
    pub async fn start(world: World, extra: Value) -> Self {
        Self::on(Database::new().await, world, extra).await
    }

    /// The same on this database.
    pub async fn on(database: Database, world: World, extra: Value) -> Self {
        Self::empty(database, world, extra).launched().await
    }

    /// Processes whose database is empty when they start.
    pub async fn without_records(world: World, extra: Value) -> Self {
        let mut fleet = Self::empty(Database::new().await, world, extra);
        fleet.launch().await;
        fleet
    }

    /// Starts the processes. Groups that are called as a team's are that team's.
    async fn launched(mut self) -> Self {
        let folder = self.folder();
        let config =
            config::load(&harness::sources(folder.path())).unwrap_or_else(|problems| panic!("{problems}"));
        record_all_groups(&config.config, &self.fake);
        self.launch().await;
        self
    }

    fn empty(database: Database, world: World, extra: Value) -> Self {
        tls::install_provider();
        Self { replicas: Vec::new(), fake: harness::fake(world), database, extra }
    }

    async fn launch(&mut self) {
        let launched: Vec<_> = (0..REPLICAS).map(|_| Replica::launch(self.folder())).collect();
        for launched in launched {
            self.replicas.push(launched.serving().await);
        }
        self.is_complete().await;
    }

    /// A folder with all that a process needs.
    fn folder(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        harness::write_certificate(folder.path());
        self.write_configuration(folder.path(), &json!({}));
        folder
    }

    fn write_configuration(&self, folder: &std::path::Path, more: &Value) {
        let usual = json!({
            "store": { "url": self.database.url() },
            "server": { "admin": { "address": "127.0.0.1", "port": 0 } },
            "logging": { "level": "info" },
        });
        let mut config = harness::configuration(folder, &self.fake, &usual);
        merge(&mut config, &self.extra);
        merge(&mut config, more);
        std::fs::write(folder.join("config.yml"), serde_json::to_string_pretty(&config).unwrap()).unwrap();
    }

    /// Gives one process other settings, which it reads at once.
    pub async fn reconfigure(&self, replica: usize, more: &Value) {
        let replica = &self.replicas[replica];
        let before = replica.lines_with(READ_AGAIN);
        self.write_configuration(replica.folder.path(), more);
        replica.binary.signal("HUP");
        replica.binary.stdout.nth_with(before + 1, READ_AGAIN).await;
    }

    /// Waits until each process counts all of them.
    pub async fn is_complete(&self) {
        self.each_has("arm_replicas", u32::try_from(self.replicas.len()).unwrap(), SEEN).await;
    }

    /// Waits until a metric has this value on each process, at most so long.
    pub async fn each_has(&self, metric: &str, value: u32, time: Duration) {
        for (number, replica) in self.replicas.iter().enumerate() {
            let what = format!("{metric} {value} on replica {number}");
            until(time, &what, async || replica.metric(metric).await == Some(f64::from(value))).await;
        }
    }

    pub fn request(
        &self,
        replica: usize,
        method: &str,
        operation: &str,
        token: &str,
    ) -> reqwest::RequestBuilder {
        let replica = &self.replicas[replica];
        let url = format!("https://localhost:{}/api/v1/{operation}", replica.port);
        replica.http.request(method.parse().unwrap(), url).header("authorization", token)
    }

    /// An operation, whose answer is held against the description.
    pub async fn call(
        &self,
        replica: usize,
        method: &str,
        operation: &str,
        token: &str,
        parameters: &[(&str, &str)],
    ) -> Answer {
        send(self.request(replica, method, operation, token).query(parameters)).await
    }

    /// The same without the description, of which there are too many to look each up.
    pub async fn ask(
        &self,
        replica: usize,
        method: &str,
        operation: &str,
        token: &str,
        parameters: &[(&str, &str)],
    ) -> (u16, String) {
        let request = self.request(replica, method, operation, token).query(parameters);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The process that does the periodic work, once there is one among these.
    pub async fn holder(&self, among: &[usize], time: Duration) -> usize {
        let mut holder = None;
        let what = format!("one of {among:?} to hold the lease");
        let found = async || {
            for number in among {
                if self.replicas[*number].metric("arm_lease_held").await == Some(1.0) {
                    holder = Some(*number);
                }
            }
            holder.is_some()
        };
        until(time, &what, found).await;
        holder.unwrap()
    }
}

const READ_AGAIN: &str = "the configuration was read again";

/// A process that isn't known to serve yet.
struct Launched {
    binary: Binary,
    folder: TempDir,
}

impl Replica {
    fn launch(folder: TempDir) -> Launched {
        // As the image, the unit and the chart set it.
        let variables = [("MIMALLOC_PURGE_DELAY", "0"), ("MIMALLOC_ALLOW_THP", "0")];
        Launched { binary: Binary::start(&[], &variables, folder.path()), folder }
    }

    async fn admin(&self, path: &str) -> Answer {
        send(self.http.get(format!("http://{}{path}", self.admin))).await
    }

    /// The sum of a metric's series, or of those with labels that hold a text: `name` or `name{text`.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let (name, label) = name.split_once('{').unwrap_or((name, ""));
        let scrape = self.admin("/metrics").await.text;
        let of_metric = scrape.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (found, labels) = series.split_once('{').unwrap_or((series, ""));
            (found == name && labels.contains(label)).then(|| value.parse::<f64>().unwrap())
        });
        of_metric.reduce(|sum, value| sum + value)
    }

    /// What `/readyz` says of the store.
    pub async fn store_is_fine(&self) -> bool {
        let ready = self.admin("/readyz").await;
        assert_eq!(ready.status, 200, "a store that fails takes no process out: {}", ready.text);
        ready.json()["store"]["ok"] == true
    }

    /// How many of its lines hold a text.
    pub fn lines_with(&self, text: &str) -> usize {
        self.binary.stdout.so_far().iter().filter(|line| line.contains(text)).count()
    }
}

impl Launched {
    async fn serving(self) -> Replica {
        let line = self.binary.stdout.with("\"serving\"").await;
        self.binary.stdout.with("GitHub accepts the credential").await;
        let serving: Value = serde_json::from_str(&line).unwrap();
        let admin = serving["admin_address"].as_str().unwrap().to_owned();
        let certificate = std::fs::read_to_string(self.folder.path().join("tls.crt")).unwrap();
        let http = harness::client(&certificate);
        Replica { port: port_of(&line), admin, http, binary: self.binary, folder: self.folder }
    }
}

/// What holds at the end of every test: no secret is in any output, and all calls to GitHub were sound.
impl Drop for Fleet {
    #[expect(clippy::print_stdout, reason = "cargo shows it if the test failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (number, replica) in self.replicas.iter().enumerate() {
                println!("replica {number}:\n{}", replica.binary.stdout.text());
            }
            return;
        }
        let violations = contract::check(&self.fake.calls());
        assert!(violations.is_empty(), "what was said to or by GitHub: {violations:#?}");
        for replica in &self.replicas {
            no_secret_in(&(replica.binary.stdout.text() + &replica.binary.stderr.text()), &self.fake);
        }
    }
}

/// Waits for a condition that nobody announces, at most so long.
pub async fn until(time: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + time;
    let mut ticks = tokio::time::interval(LOOKED_AT_EVERY);
    loop {
        if within(what, condition()).await {
            return;
        }
        assert!(Instant::now() < deadline, "waited {time:?} in vain for: {what}");
        ticks.tick().await;
    }
}
