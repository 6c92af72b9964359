//! `serve`: runs until it is told to stop, or finds that it can't work.

use std::path::{Path, PathBuf};
use std::time::Duration;

use actions_runner_manager::config::{self, Config, Sources};
use actions_runner_manager::domain::clock::Clock;
use actions_runner_manager::metrics;
use actions_runner_manager::server::{self, Check, DRAIN, Server};
use actions_runner_manager::telemetry::{self, Telemetry};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often the configuration's file is looked at.
const FILE_LOOKED_AT_EVERY: Duration = Duration::from_secs(30);

/// Serves until SIGTERM or SIGINT; SIGHUP reads the configuration again.
pub(crate) async fn run(sources: Sources, config: Config) -> Result<(), String> {
    let mut signals = Signals::new()?;
    let telemetry = telemetry::init(&config.logging).map_err(|error| error.to_string())?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let server = server::start(&config, Clock::system()).map_err(|error| {
        tracing::error!(%error, "the service can't start");
        error.to_string()
    })?;
    let outcome = until_told(&mut signals, &server, &telemetry, &sources).await;
    server.stop(DRAIN).await;
    telemetry.flush();
    outcome
}

/// The signals that the service listens to.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Listens from now on; a signal before that ends the process as the system does.
    pub(crate) fn new() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|cause| format!("signals can't be listened to: {cause}"));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }
}

/// Waits for the signal to stop, or for the finding that the service can't work, and reloads meanwhile.
pub(crate) async fn until_told(
    signals: &mut Signals,
    server: &Server,
    telemetry: &Telemetry,
    sources: &Sources,
) -> Result<(), String> {
    let mut check = server.check();
    let failed = async {
        match check.wait_for(|check| !matches!(check, Check::Pending)).await.as_deref() {
            Ok(Check::Failed(problem)) => problem.to_string(),
            _ => std::future::pending().await,
        }
    };
    tokio::pin!(failed);
    let mut file = ConfigurationFile::of(sources);
    let mut looks =
        tokio::time::interval_at(tokio::time::Instant::now() + FILE_LOOKED_AT_EVERY, FILE_LOOKED_AT_EVERY);
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return Ok(()),
            _ = signals.interrupt.recv() => return Ok(()),
            _ = signals.hang_up.recv() => {
                file.has_changed();
                reload(server, telemetry, sources);
            }
            _ = looks.tick() => {
                metrics::lost_lines(telemetry.lost_lines());
                if file.has_changed() {
                    reload(server, telemetry, sources);
                }
            }
            problem = &mut failed => return Err(problem),
        }
    }
}

/// The configuration's file as it was last seen. Compared by content: Kubernetes replaces a mounted `ConfigMap` by
/// swapping a symbolic link.
struct ConfigurationFile {
    path: PathBuf,
    seen: Option<Vec<u8>>,
}

impl ConfigurationFile {
    fn of(sources: &Sources) -> Self {
        let path = config::file_of(sources);
        let seen = content(&path);
        Self { path, seen }
    }

    fn has_changed(&mut self) -> bool {
        let now = content(&self.path);
        // A file that can't be read just now, as while it is replaced, has not changed yet.
        let changed = now.is_some() && now != self.seen;
        if changed {
            self.seen = now;
        }
        changed
    }
}

/// Nothing for what is no plain file: reading a pipe could wait for ever.
fn content(path: &Path) -> Option<Vec<u8>> {
    let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if is_file { std::fs::read(path).ok() } else { None }
}

/// A bad file leaves the old configuration in force.
fn reload(server: &Server, telemetry: &Telemetry, sources: &Sources) {
    let loaded = config::load(sources);
    metrics::reload("configuration", loaded.is_ok());
    match loaded {
        Ok(loaded) => {
            telemetry.set_level(loaded.config.logging.level);
            server.reload(&loaded.config);
            tracing::info!("the configuration was read again");
        }
        Err(problems) => tracing::error!(%problems, "the old configuration stays in force"),
    }
}
