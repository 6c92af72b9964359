//! What Prometheus is told. Every label takes its values from a closed list: never a team, a user, a repository
//! or anything else that a caller sent.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::domain::reason::{Cause, Reason};

/// Bounds of the duration histograms, in seconds: from a cache hit to GitHub's own time-out.
const SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0];
/// The `reason` of a request that was not refused.
const NO_REASON: &str = "none";

/// What is read again while the service runs.
pub const RELOADED: &[&str] = &["configuration", "certificate", "credential"];
/// The caches.
pub const CACHES: &[&str] = &["identity", "team", "membership", "group", "installation_token"];
/// The limiters: of users, and of unknown tokens from addresses that sent bad ones.
pub const LIMITERS: &[&str] = &["user", "unknown_token"];
/// Why connections are closed that are not served.
pub const CAUSES: &[&str] = &["address", "handshake", "head_size", "head_time", "body_time"];
/// The calls to GitHub.
pub const CALLS: &[&str] = &[
    "add_group_repository",
    "create_group",
    "delete_group",
    "delete_runner",
    "group",
    "group_hosted_runners",
    "group_repositories",
    "group_runners",
    "groups",
    "installation",
    "installation_token",
    "jit_config",
    "membership",
    "move_runner",
    "org_membership",
    "registration_token",
    "removal_token",
    "remove_group_repository",
    "repository_permission",
    "repository_registration_token",
    "repository_removal_token",
    "runner",
    "runner_named",
    "set_group_repositories",
    "team",
    "team_repositories",
    "team_repository",
    "teams",
    "user",
];

/// How often what was observed is added to the histograms.
const ADDED_UP_EVERY: Duration = Duration::from_secs(5);

/// Adds up what was observed, again and again. Until then each observation takes memory of its own, which a
/// service that nobody scrapes would never get back.
pub async fn add_up() {
    let Some(handle) = handle() else { return };
    loop {
        tokio::time::sleep(ADDED_UP_EVERY).await;
        handle.run_upkeep();
    }
}

/// The process's metrics. Installed with the first call; several servers in one process share them.
pub fn handle() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE.get_or_init(install).as_ref()
}

fn install() -> Option<PrometheusHandle> {
    let builder = PrometheusBuilder::new().set_buckets(SECONDS).ok()?;
    let handle = builder.install_recorder().ok()?;
    describe();
    Some(handle)
}

fn describe() {
    let seconds = Unit::Seconds;
    describe_counter!("arm_requests_total", "Requests by operation, status and reason.");
    describe_histogram!("arm_request_duration_seconds", seconds, "Time to answer, by operation.");
    describe_counter!("arm_github_requests_total", "Calls to GitHub by kind, outcome and attempt.");
    describe_histogram!("arm_github_request_duration_seconds", seconds, "Time of a call, by kind.");
    describe_gauge!("arm_github_rate_limit_limit", "Calls that GitHub lets the App make in an hour.");
    describe_gauge!("arm_github_rate_limit_remaining", "Calls left in GitHub's budget for the App.");
    describe_gauge!("arm_github_rate_limit_reset_timestamp_seconds", seconds, "When that budget is new.");
    describe_gauge!("arm_github_calls_in_flight", "Calls to GitHub under way.");
    describe_gauge!("arm_github_calls_queued", "Calls that wait for a place.");
    describe_gauge!("arm_token_lookups_in_flight", "Look-ups of callers' tokens under way at GitHub.");
    describe_gauge!("arm_token_lookups_queued", "Look-ups of callers' tokens that wait.");
    describe_gauge!("arm_github_circuit_open", "1 while nothing is sent because GitHub seems to be down.");
    describe_counter!("arm_cache_lookups_total", "Look-ups by cache and outcome.");
    describe_counter!("arm_rate_limited_total", "Requests refused by a limiter of this service.");
    describe_gauge!("arm_connections", "Open connections.");
    describe_counter!("arm_connections_cut_off_total", "Connections closed by a limit, by cause.");
    describe_gauge!("arm_certificate_expiry_timestamp_seconds", seconds, "When the certificate expires.");
    describe_gauge!("arm_ready", "1 while the service is ready.");
    describe_counter!("arm_reloads_total", "Reloads by what was read again, and outcome.");
    describe_gauge!("arm_last_reload_successful", "0 while a file that can't be used waits to be put right.");
    describe_gauge!(
        "arm_restart_needed",
        "1 while the configuration's file has what is in force after a restart."
    );
    describe_counter!("arm_log_lines_lost_total", "Log lines that could not be written.");
    describe_counter!("arm_sweep_runs_total", "Sweeps of offline runners.");
    describe_counter!("arm_sweep_failures_total", "Sweeps that could not read the groups.");
    describe_counter!("arm_sweep_removed_total", "Runners that sweeps removed.");
    describe_gauge!("arm_build_info", "1, with the version as label.");
}

/// Installs the metrics, and shows at 0 what somebody may be waiting for: Prometheus doesn't see the first
/// step of a counter that appears with it.
pub fn start(operations: impl IntoIterator<Item = &'static str>) {
    let _ = handle();
    gauge!("arm_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    for operation in operations {
        for reason in Reason::ALL.iter().filter(|reason| reason.status() >= 500) {
            requests(operation, reason.status(), reason.as_str()).increment(0);
        }
        requests(operation, 200, NO_REASON).increment(0);
        // To ask for a histogram makes it appear.
        let _ = request_seconds(operation);
    }
    for call in CALLS {
        github_calls(call, "success", 1).increment(0);
        let _ = github_seconds(call);
    }
    for name in CACHES {
        for outcome in ["hit", "miss"] {
            lookups(name, outcome).increment(0);
        }
    }
    for what in RELOADED {
        for outcome in ["success", "failure"] {
            counter!("arm_reloads_total", "what" => *what, "outcome" => outcome).increment(0);
        }
        in_force(what, true);
    }
    for limiter in LIMITERS {
        limits(limiter).increment(0);
    }
    restart_needed(false);
    gauge!("arm_connections").set(0.0);
    for cause in CAUSES {
        cut_off(cause).increment(0);
    }
    lost_lines(0);
    sweeps(0, 0, 0);
}

/// A request was answered, or given up by its caller. There is no operation when no route fits.
pub fn request(operation: Option<&'static str>, status: u16, cause: Option<Cause>, took: Duration) {
    let operation = operation.unwrap_or(NO_REASON);
    let reason = cause.map_or(NO_REASON, Cause::as_str);
    requests(operation, status, reason).increment(1);
    request_seconds(operation).record(took);
}

fn request_seconds(operation: &'static str) -> Histogram {
    histogram!("arm_request_duration_seconds", "operation" => operation)
}

fn requests(operation: &'static str, status: u16, reason: &'static str) -> Counter {
    counter!("arm_requests_total", "operation" => operation, "status" => status.to_string(), "reason" => reason)
}

/// A call to GitHub ended; `outcome` is `success` or a class of failure.
pub fn github_call(call: &'static str, outcome: &'static str, attempt: u32, took: Duration) {
    debug_assert!(CALLS.contains(&call), "{call} is not in the list of calls");
    github_calls(call, outcome, attempt).increment(1);
    github_seconds(call).record(took);
}

fn github_calls(call: &'static str, outcome: &'static str, attempt: u32) -> Counter {
    let attempt = match attempt {
        1 => "1",
        2 => "2",
        _ => "3",
    };
    counter!("arm_github_requests_total", "call" => call, "outcome" => outcome, "attempt" => attempt)
}

fn github_seconds(call: &'static str) -> Histogram {
    histogram!("arm_github_request_duration_seconds", "call" => call)
}

/// What GitHub said about the App's budget; `reset` is in seconds since 1970.
pub fn github_budget(limit: u64, remaining: u64, reset: u64) {
    gauge!("arm_github_rate_limit_limit").set(as_number(limit));
    gauge!("arm_github_rate_limit_remaining").set(as_number(remaining));
    gauge!("arm_github_rate_limit_reset_timestamp_seconds").set(as_number(reset));
}

/// How many calls are under way, and how many wait.
pub fn github_load(in_flight: usize, queued: usize) {
    gauge!("arm_github_calls_in_flight").set(as_number(in_flight as u64));
    gauge!("arm_github_calls_queued").set(as_number(queued as u64));
}

/// How many look-ups of tokens are under way, and how many wait.
pub fn token_lookups(in_flight: usize, queued: usize) {
    gauge!("arm_token_lookups_in_flight").set(as_number(in_flight as u64));
    gauge!("arm_token_lookups_queued").set(as_number(queued as u64));
}

/// Whether calls are held back because GitHub seems to be down.
pub fn github_circuit(open: bool) {
    gauge!("arm_github_circuit_open").set(f64::from(u8::from(open)));
}

/// Something was looked up in a cache.
pub fn cache(name: &'static str, hit: bool) {
    debug_assert!(CACHES.contains(&name), "{name} is not in the list of caches");
    lookups(name, if hit { "hit" } else { "miss" }).increment(1);
}

fn lookups(cache: &'static str, outcome: &'static str) -> Counter {
    counter!("arm_cache_lookups_total", "cache" => cache, "outcome" => outcome)
}

/// A limiter refused a request: `user` or `unknown_token`.
pub fn limited(limiter: &'static str) {
    debug_assert!(LIMITERS.contains(&limiter), "{limiter} is not in the list of limiters");
    limits(limiter).increment(1);
}

fn limits(limiter: &'static str) -> Counter {
    counter!("arm_rate_limited_total", "limiter" => limiter)
}

/// A connection was accepted.
pub fn connection_opened() {
    gauge!("arm_connections").increment(1.0);
}

/// A connection ended, however it came to it.
pub fn connection_closed() {
    gauge!("arm_connections").decrement(1.0);
}

/// A connection was closed by a limit; `cause` says which.
pub fn connection_cut_off(cause: &'static str) {
    debug_assert!(CAUSES.contains(&cause), "{cause} is not in the list of causes");
    cut_off(cause).increment(1);
}

fn cut_off(cause: &'static str) -> Counter {
    counter!("arm_connections_cut_off_total", "cause" => cause)
}

/// When the certificate expires, in seconds since 1970.
pub fn certificate_expiry(at: i64) {
    gauge!("arm_certificate_expiry_timestamp_seconds").set(as_number(u64::try_from(at).unwrap_or(0)));
}

/// Whether the service is ready.
pub fn ready(ready: bool) {
    gauge!("arm_ready").set(f64::from(u8::from(ready)));
}

/// The configuration, the certificate or the credential was read again.
pub fn reload(what: &'static str, worked: bool) {
    let outcome = if worked { "success" } else { "failure" };
    counter!("arm_reloads_total", "what" => what, "outcome" => outcome).increment(1);
    in_force(what, worked);
}

/// Whether what stands in the file is what is in force.
pub fn in_force(what: &'static str, is_it: bool) {
    gauge!("arm_last_reload_successful", "what" => what).set(f64::from(u8::from(is_it)));
}

/// Whether the configuration's file has other values than those in force, where only a restart puts them in force.
pub fn restart_needed(needed: bool) {
    gauge!("arm_restart_needed").set(f64::from(u8::from(needed)));
}

/// Log lines that were lost so far.
pub fn lost_lines(count: u64) {
    counter!("arm_log_lines_lost_total").absolute(count);
}

/// A sweep ended.
pub fn sweep(removed: usize) {
    sweeps(1, 0, removed as u64);
}

/// A sweep could not read what there is to sweep.
pub fn sweep_failed() {
    sweeps(0, 1, 0);
}

fn sweeps(ended: u64, failed: u64, removed: u64) {
    counter!("arm_sweep_runs_total").increment(ended);
    counter!("arm_sweep_failures_total").increment(failed);
    counter!("arm_sweep_removed_total").increment(removed);
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows floating point only; 2^53 is far away")]
fn as_number(value: u64) -> f64 {
    value as f64
}
