//! The service as a process: its own binary, on a throw-away configuration, and what the system says of it.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Outcome;
use crate::client::{Connection, HERE, Target, request};
use crate::fake::{AUDIENCE, Settings};
use crate::github::Github;

/// The service's binary, built as `cargo bench` builds it, unless [`OTHER_BINARY`] names another.
const BINARY: &str = env!("CARGO_BIN_EXE_actions-runner-manager");
/// The variable that names an earlier build to compare with.
const OTHER_BINARY: &str = "LOAD_BINARY";
/// The variable that gives the service a store, as `store.url`; `sqlite` for a file of its own.
pub(crate) const STORE: &str = "LOAD_STORE";
/// What the service logs once its credential is known to work.
const ACCEPTED: &str = "GitHub accepts the credential";
/// A service that isn't ready by then never will be.
const PATIENCE: Duration = Duration::from_secs(30);
/// The system counts a process's time in these.
const TICK: Duration = Duration::from_millis(10);

/// A running service; dropping it ends it.
pub(crate) struct Service {
    child: Child,
    pub(crate) target: Target,
    admin: SocketAddr,
    pub(crate) folder: TempDir,
}

/// How the service is configured where that matters.
#[derive(Clone, Copy)]
pub(crate) enum Limits {
    /// Nobody is limited.
    Off,
    /// Users aren't limited; unknown tokens are, as by default.
    UnknownTokens,
    /// As a configuration that says nothing about limits has them.
    Default,
}

impl Service {
    /// Starts the service and waits until it is ready.
    pub(crate) async fn start(github: &mut Github, limits: Limits) -> Outcome<Self> {
        let store = std::env::var(STORE).ok();
        Self::start_with(github, limits, store.as_deref()).await
    }

    /// The same with this store, or none, whatever the environment says.
    pub(crate) async fn start_with(
        github: &mut Github,
        limits: Limits,
        store: Option<&str>,
    ) -> Outcome<Self> {
        github.clear()?;
        let service = Prepared::new(&github.settings, limits, store)?.spawn(Stdio::null())?;
        let minted = |kind: &String| kind.contains("access_tokens");
        let started = Instant::now();
        while !github.calls()?.kinds.keys().any(minted) {
            service.in_time(started)?;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        service.answers(started).await?;
        github.clear()?;
        Ok(service)
    }

    /// Starts the service and tells how long it took to be ready: it answers, and GitHub accepted its credential.
    pub(crate) async fn time_to_ready(github: &Github) -> Outcome<Duration> {
        let store = std::env::var(STORE).ok();
        let prepared = Prepared::new(&github.settings, Limits::UnknownTokens, store.as_deref())?;
        let started = Instant::now();
        let mut service = prepared.spawn(Stdio::piped())?;
        service.answers(started).await?;
        let answering = started.elapsed();
        let output = service.child.stdout.take().ok_or("the service has no output")?;
        for line in BufReader::new(output).lines() {
            if line?.contains(ACCEPTED) {
                return Ok(started.elapsed().max(answering));
            }
        }
        Err("the service ended before it was ready".into())
    }

    /// Waits until the listener answers a request.
    async fn answers(&self, started: Instant) -> Outcome<()> {
        loop {
            if let Ok(mut connection) = Connection::open(&self.target, HERE).await {
                return connection.exchange(&request("GET", "/", "")).await.map(drop);
            }
            self.in_time(started)?;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn in_time(&self, started: Instant) -> Outcome<()> {
        if started.elapsed() > PATIENCE {
            return Err(format!("the service (process {}) doesn't get ready", self.child.id()).into());
        }
        Ok(())
    }

    /// The status of `/readyz`.
    pub(crate) async fn readiness(&self) -> Outcome<u16> {
        let mut stream = TcpStream::connect(self.admin).await?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.ok_or_else(|| format!("/readyz answers {text:?}").into())
    }

    pub(crate) fn memory(&self) -> Outcome<Memory> {
        memory(self.child.id())
    }

    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        cpu(self.child.id())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All that a service needs before it is started.
struct Prepared {
    folder: TempDir,
    address: SocketAddr,
    admin: SocketAddr,
    certificate: PathBuf,
}

impl Prepared {
    fn new(github: &Settings, limits: Limits, store: Option<&str>) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let (address, admin) = free_addresses()?;
        let (certificate, key) = fake_github::self_signed(&["localhost"])?;
        let mut config = json!({
            "org": github.org,
            "appID": github.app,
            "installationID": github.installation,
            "privateKeyFile": "key.pem",
            "github": { "apiURL": github.url },
            "groups": { "name": "{team}-{id}" },
            "oidc": { "audience": AUDIENCE, "issuers": { "github-actions": {} } },
            "policy": { "access": { "perHour": 10_000 } },
            "server": {
                "address": "127.0.0.1",
                "port": address.port(),
                // As in production, where metrics are counted.
                "admin": { "address": "127.0.0.1", "port": admin.port() },
                "tls": { "certFile": "tls.crt", "keyFile": "tls.key" },
            },
        });
        if !matches!(limits, Limits::Default) {
            config["server"]["rateLimit"] = json!(1_000_000);
        }
        if let Limits::Off = limits {
            config["server"]["unknownTokenRate"] = json!(1_000_000);
        }
        if let Some(url) = store {
            let file = folder.path().join("state.db");
            let own = format!("sqlite://{}", file.display());
            config["store"] = json!({ "url": if url == "sqlite" { &own } else { url } });
        }
        let config = serde_json::to_string_pretty(&config)?;
        let groups = github.others.iter().map(|other| (other.team, other.group));
        let groups = std::iter::once((github.team, github.group)).chain(groups);
        let records: Vec<_> = groups.map(|(team, group)| json!({ "team": team, "group": group })).collect();
        let records = json!({ "records": records }).to_string();
        for (name, text) in [
            ("config.yml", &config),
            ("key.pem", &github.key),
            ("tls.crt", &certificate),
            ("tls.key", &key),
            ("records.yml", &records),
        ] {
            std::fs::write(folder.path().join(name), text)?;
        }
        if store.is_some() {
            let import = Command::new(BINARY)
                .args(["records", "import", "records.yml"])
                .current_dir(folder.path())
                .env_clear()
                .output()?;
            if !import.status.success() {
                return Err(String::from_utf8_lossy(&import.stderr).into_owned().into());
            }
        }
        let certificate = folder.path().join("tls.crt");
        Ok(Self { folder, address, admin, certificate })
    }

    fn spawn(self, output: Stdio) -> Outcome<Service> {
        let target = Target::new(self.address, &self.certificate)?;
        let binary = std::env::var_os(OTHER_BINARY).unwrap_or_else(|| BINARY.into());
        let child = Command::new(binary)
            .current_dir(self.folder.path())
            .env_clear()
            // As the image, the unit and the chart set it.
            .env("MIMALLOC_PURGE_DELAY", "0")
            .env("MIMALLOC_ALLOW_THP", "0")
            .stdin(Stdio::null())
            .stdout(output)
            .spawn()?;
        Ok(Service { child, target, admin: self.admin, folder: self.folder })
    }
}

/// Free now, and nobody else is told about them.
fn free_addresses() -> std::io::Result<(SocketAddr, SocketAddr)> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (first, second) = (bind()?, bind()?);
    Ok((first.local_addr()?, second.local_addr()?))
}

/// Memory that a process has in use, in KiB.
#[derive(Clone, Copy, Default)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    pub(crate) most: u64,
}

fn memory(process: u32) -> Outcome<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_matches([':', ' ', '\t', 'k', 'B']).parse().ok()
    };
    match (field("VmRSS"), field("VmHWM")) {
        (Some(now), Some(most)) => Ok(Memory { now, most }),
        _ => Err("the system doesn't tell a process's memory".into()),
    }
}

/// The time that a process kept processors busy.
pub(crate) fn cpu(process: u32) -> Outcome<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}
