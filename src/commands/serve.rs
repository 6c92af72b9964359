//! `serve`: runs until it is stopped, or until the start-up check fails for good.

use actions_runner_manager::clock::Clock;
use actions_runner_manager::config::{Config, Loaded, Sources};
use actions_runner_manager::metrics;
use actions_runner_manager::server::{self, Check, Configuration, DRAIN, Server};
use actions_runner_manager::telemetry::{self, Telemetry};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Serves until SIGTERM or SIGINT; SIGHUP reads the configuration again.
pub(super) async fn run(sources: Sources, loaded: Loaded) -> Result<(), String> {
    let mut signals = Signals::new()?;
    let config = &loaded.config;
    let telemetry = telemetry::init(&config.logging).map_err(|error| error.to_string())?;
    for warning in server::warnings(&loaded) {
        tracing::warn!(setting = warning.key(), "{warning}");
    }
    let mut server = server::start(config, Clock::system()).await.map_err(|error| {
        tracing::error!(%error, "the service can't start");
        error.to_string()
    })?;
    watch(&mut server, &telemetry, Configuration::of(sources, loaded));
    let outcome = run_until_stopped(&mut signals, &server, &telemetry).await;
    server.stop(DRAIN).await;
    match telemetry.flush() {
        0 => outcome,
        lines => Err(format!("{lines} audit lines could not be written: nothing takes them")),
    }
}

/// The signals that the service listens to.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Starts listening. Until then a signal ends the process by default.
    pub(super) fn new() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|cause| format!("signals can't be listened to: {cause}"));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }
}

/// Applies changes of the configuration's file.
pub(super) fn watch(server: &mut Server, telemetry: &Telemetry, configuration: Configuration) {
    let set_level = telemetry.level_setter();
    server.watch(configuration, move |config: &Config| set_level(config.logging.level));
}

/// Waits for a signal to stop or for the start-up check to fail; reloads on SIGHUP in the meantime.
pub(super) async fn run_until_stopped(
    signals: &mut Signals,
    server: &Server,
    telemetry: &Telemetry,
) -> Result<(), String> {
    let mut check = server.check();
    let failed = async {
        // Cloned, so that nothing is borrowed while this waits for ever: no later outcome could be reported.
        let first = check.wait_for(|check| !matches!(check, Check::Pending)).await.map(|check| check.clone());
        match first {
            Ok(Check::Failed(problem)) => problem.to_string(),
            _ => std::future::pending().await,
        }
    };
    tokio::pin!(failed);
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return Ok(()),
            _ = signals.interrupt.recv() => return Ok(()),
            _ = signals.hang_up.recv() => server.reload(),
            () = server.until_next_look() => metrics::lost_lines(telemetry.lost_lines()),
            problem = &mut failed => return Err(problem),
        }
    }
}
