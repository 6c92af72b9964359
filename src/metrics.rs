//! What Prometheus scrapes. Every label takes its values from a closed list: never a team, a user, a repository
//! or anything else that a caller sent.

mod labels;
mod oidc;
mod replicas;

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

pub use self::labels::{
    Alone, Cache, CallKind, CallOutcome, CallerKind, CutOff, KeysFetched, Limiter, LookUp, ReloadOutcome,
    Reloaded, Scarce,
};
pub use self::oidc::keys_fetched;
pub use self::replicas::{decided_alone, lease_held, policies_differ, replicas};
use crate::domain::reason::{Cause, Reason};

/// Bounds of the duration histograms, in seconds: from a cache hit to GitHub's own time-out.
const SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0];
/// The `reason` of a request that was not refused.
const NO_REASON: &str = "none";

/// How often observations are added to the histograms.
const ADDED_UP_EVERY: Duration = Duration::from_secs(5);

/// Adds observations to the histograms, again and again. Until then each takes memory of its own, which a service
/// that nobody scrapes would never get back.
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
    describe_counter!("arm_requests_by_caller_total", "Requests by the kind of caller.");
    describe_histogram!("arm_request_duration_seconds", seconds, "Time to answer, by operation.");
    describe_counter!("arm_github_requests_total", "Calls to GitHub by kind, outcome and attempt.");
    describe_histogram!("arm_github_request_duration_seconds", seconds, "Time of a call, by kind.");
    describe_gauge!("arm_github_rate_limit_limit", "Calls that GitHub lets the App make in an hour.");
    describe_gauge!("arm_github_rate_limit_remaining", "Calls left in GitHub's budget for the App.");
    describe_gauge!("arm_github_rate_limit_reset_timestamp_seconds", seconds, "When that budget is new.");
    describe_gauge!("arm_github_calls_in_flight", "Calls to GitHub under way.");
    describe_gauge!("arm_github_calls_queued", "Calls that wait for a place.");
    describe_gauge!(
        "arm_github_hour_runs_short",
        "1 while less of the hour's calls is left than of the hour."
    );
    describe_gauge!("arm_github_holds", "Endpoints and resources that wait because GitHub asked to.");
    describe_gauge!(
        "arm_github_calls_paced",
        "Calls that wait so that their endpoint isn't called too often."
    );
    describe_counter!(
        "arm_github_scarce_total",
        "Calls that were not sent, by what there was too little of."
    );
    describe_counter!("arm_github_shared_total", "Lists that somebody else's request had begun to read.");
    describe_gauge!("arm_token_lookups_in_flight", "Look-ups of callers' tokens under way at GitHub.");
    describe_gauge!("arm_token_lookups_queued", "Look-ups of callers' tokens that wait.");
    describe_gauge!("arm_github_circuit_open", "1 while nothing is sent because GitHub seems to be down.");
    describe_counter!("arm_cache_lookups_total", "Look-ups by cache and outcome.");
    describe_counter!("arm_rate_limited_total", "Requests refused by a limiter of this service.");
    describe_gauge!("arm_connections", "Open connections.");
    describe_counter!("arm_connections_cut_off_total", "Connections closed by a limit, by cause.");
    describe_gauge!("arm_certificate_expiry_timestamp_seconds", seconds, "When the certificate expires.");
    describe_gauge!(
        "arm_credential_accepted",
        "1 while GitHub accepts the credential, with all its permissions."
    );
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
    describe_gauge!(
        "arm_records_without_group",
        "Records whose group or team GitHub's lists lack, too many to be dropped."
    );
    describe_store();
    oidc::describe();
    replicas::describe();
    describe_gauge!("arm_build_info", "1, with the version as label.");
}

fn describe_store() {
    describe_gauge!("arm_store_up", "0 while the store fails.");
    describe_counter!("arm_store_events_written_total", "Events that were written to the store.");
    describe_counter!("arm_store_events_lost_total", "Events that the store never got.");
    describe_gauge!("arm_store_events_waiting", "Events that wait to be written to the store.");
    describe_gauge!("arm_store_events_kept", "Events in the store when they were last counted.");
    describe_gauge!("arm_store_events_limit", "The most events that the store keeps.");
}

/// Installs the metrics, and shows at 0 what an alert may wait for: Prometheus doesn't see the first
/// increment of a counter that appears with it.
pub fn start(operations: impl IntoIterator<Item = &'static str>) {
    let _ = handle();
    gauge!("arm_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    for operation in operations {
        for reason in Reason::ALL.iter().filter(|reason| reason.status() >= 500) {
            requests(operation, reason.status(), reason.as_str()).increment(0);
        }
        requests(operation, 200, NO_REASON).increment(0);
        // Asking for a histogram makes it appear.
        let _ = request_seconds(operation);
    }
    for caller in CallerKind::ALL {
        by_caller(*caller).increment(0);
    }
    for call in CallKind::ALL {
        for outcome in [CallOutcome::Success, CallOutcome::NotGithub] {
            github_calls(*call, outcome, 1).increment(0);
        }
        let _ = github_seconds(*call);
    }
    for cache in Cache::ALL {
        for outcome in LookUp::ALL {
            look_ups(*cache, *outcome).increment(0);
        }
    }
    for what in Reloaded::ALL {
        for outcome in ReloadOutcome::ALL {
            reloads(*what, *outcome).increment(0);
        }
        in_force(*what, true);
    }
    for limiter in Limiter::ALL {
        refusals(*limiter).increment(0);
    }
    for what in Scarce::ALL {
        scarcities(*what).increment(0);
    }
    counter!("arm_github_shared_total").increment(0);
    restart_needed(false);
    credential_accepted(false);
    gauge!("arm_connections").set(0.0);
    for cause in CutOff::ALL {
        cut_off(*cause).increment(0);
    }
    lost_lines(0);
    records_without_group(0);
    sweeps(0, 0, 0);
    store_up(true);
    store_events_written(0);
    store_events_lost(0);
    store_events_waiting(0);
    store_events_kept(0, 0);
    oidc::start();
    replicas::start();
}

/// A request was answered, or given up by its caller. There is no operation when no route fits.
pub fn request(
    operation: Option<&'static str>,
    caller: CallerKind,
    status: u16,
    cause: Option<Cause>,
    took: Duration,
) {
    by_caller(caller).increment(1);
    let operation = operation.unwrap_or(NO_REASON);
    let reason = cause.map_or(NO_REASON, Cause::as_str);
    requests(operation, status, reason).increment(1);
    request_seconds(operation).record(took);
}

fn by_caller(caller: CallerKind) -> Counter {
    counter!("arm_requests_by_caller_total", "caller" => caller.as_str())
}

fn request_seconds(operation: &'static str) -> Histogram {
    histogram!("arm_request_duration_seconds", "operation" => operation)
}

fn requests(operation: &'static str, status: u16, reason: &'static str) -> Counter {
    counter!("arm_requests_total", "operation" => operation, "status" => status.to_string(), "reason" => reason)
}

/// An attempt of a call to GitHub ended.
pub fn github_call(call: CallKind, outcome: CallOutcome, attempt: u32, took: Duration) {
    github_calls(call, outcome, attempt).increment(1);
    github_seconds(call).record(took);
}

fn github_calls(call: CallKind, outcome: CallOutcome, attempt: u32) -> Counter {
    let (call, outcome, attempt) = (call.as_str(), outcome.as_str(), attempt.to_string());
    counter!("arm_github_requests_total", "call" => call, "outcome" => outcome, "attempt" => attempt)
}

fn github_seconds(call: CallKind) -> Histogram {
    histogram!("arm_github_request_duration_seconds", "call" => call.as_str())
}

/// The App's budget as GitHub reported it; `reset` is in seconds since 1970.
pub fn github_budget(limit: u64, remaining: u64, reset: u64) {
    gauge!("arm_github_rate_limit_limit").set(as_number(limit));
    gauge!("arm_github_rate_limit_remaining").set(as_number(remaining));
    gauge!("arm_github_rate_limit_reset_timestamp_seconds").set(as_number(reset));
}

/// Whether the hour's calls run short, how many endpoints and resources wait because GitHub asked to, and how many calls wait
/// for their turn with an endpoint.
pub fn github_scarcity(runs_short: bool, holds: usize, paced: usize) {
    gauge!("arm_github_hour_runs_short").set(f64::from(u8::from(runs_short)));
    gauge!("arm_github_holds").set(as_number(holds as u64));
    gauge!("arm_github_calls_paced").set(as_number(paced as u64));
}

/// A call was not sent.
pub fn scarce(what: Scarce) {
    scarcities(what).increment(1);
}

/// A list was fetched once for several.
pub fn list_was_shared() {
    counter!("arm_github_shared_total").increment(1);
}

fn scarcities(what: Scarce) -> Counter {
    counter!("arm_github_scarce_total", "scarce" => what.as_str())
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

/// So many records have no group or no team by GitHub's lists, too many to be dropped; 0 if they are few enough.
pub fn records_without_group(records: usize) {
    gauge!("arm_records_without_group").set(as_number(records as u64));
}

/// Whether calls are held back because GitHub seems to be down.
pub fn github_circuit(open: bool) {
    gauge!("arm_github_circuit_open").set(f64::from(u8::from(open)));
}

/// Whether GitHub accepted the credential when it was last asked and answered.
pub fn credential_accepted(is_accepted: bool) {
    gauge!("arm_credential_accepted").set(f64::from(u8::from(is_accepted)));
}

/// Something was looked up in a cache.
pub fn cache(cache: Cache, hit: bool) {
    look_ups(cache, if hit { LookUp::Hit } else { LookUp::Miss }).increment(1);
}

fn look_ups(cache: Cache, outcome: LookUp) -> Counter {
    counter!("arm_cache_lookups_total", "cache" => cache.as_str(), "outcome" => outcome.as_str())
}

/// A limiter refused a request.
pub fn limited(limiter: Limiter) {
    refusals(limiter).increment(1);
}

fn refusals(limiter: Limiter) -> Counter {
    counter!("arm_rate_limited_total", "limiter" => limiter.as_str())
}

/// A connection was accepted.
pub fn connection_opened() {
    gauge!("arm_connections").increment(1.0);
}

/// A connection ended, for whatever reason.
pub fn connection_closed() {
    gauge!("arm_connections").decrement(1.0);
}

/// A limit closed a connection.
pub fn connection_cut_off(cause: CutOff) {
    cut_off(cause).increment(1);
}

fn cut_off(cause: CutOff) -> Counter {
    counter!("arm_connections_cut_off_total", "cause" => cause.as_str())
}

/// When the certificate expires, in seconds since 1970.
pub fn certificate_expiry(at: i64) {
    gauge!("arm_certificate_expiry_timestamp_seconds").set(as_number(u64::try_from(at).unwrap_or(0)));
}

/// Whether the service is ready.
pub fn ready(ready: bool) {
    gauge!("arm_ready").set(f64::from(u8::from(ready)));
}

/// Something was read again, or could not be.
pub fn reload(what: Reloaded, outcome: ReloadOutcome) {
    reloads(what, outcome).increment(1);
    in_force(what, outcome == ReloadOutcome::Success);
}

fn reloads(what: Reloaded, outcome: ReloadOutcome) -> Counter {
    counter!("arm_reloads_total", "what" => what.as_str(), "outcome" => outcome.as_str())
}

/// Whether what is in the file is what is in force.
pub fn in_force(what: Reloaded, is_it: bool) {
    gauge!("arm_last_reload_successful", "what" => what.as_str()).set(f64::from(u8::from(is_it)));
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

/// Whether the store works. Without a store nothing fails.
pub fn store_up(up: bool) {
    gauge!("arm_store_up").set(f64::from(u8::from(up)));
}

/// Events were written to the store.
pub fn store_events_written(count: u64) {
    counter!("arm_store_events_written_total").increment(count);
}

/// Events could not be kept.
pub fn store_events_lost(count: u64) {
    counter!("arm_store_events_lost_total").increment(count);
}

/// How many events wait to be written.
pub fn store_events_waiting(count: usize) {
    gauge!("arm_store_events_waiting").set(as_number(count as u64));
}

/// How many events the store holds, and how many at most.
pub fn store_events_kept(count: u64, max: u64) {
    gauge!("arm_store_events_kept").set(as_number(count));
    gauge!("arm_store_events_limit").set(as_number(max));
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows floating point only; 2^53 is far away")]
fn as_number(value: u64) -> f64 {
    value as f64
}
