//! What Prometheus gets from the real process: just what docs/operations.md says, from the start, whoever asks
//! for whatever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::json;

use crate::documents::{cells, operations, words};
use crate::harness::{merge, send};
use crate::process::{Service, with_admin};
use crate::scene::{Cast, acme_with_groups};

/// A series by its name and labels, as Prometheus' text has it.
type Series = (String, BTreeMap<String, String>);

/// What was scraped.
struct Scrape {
    types: BTreeMap<String, String>,
    helps: BTreeSet<String>,
    series: BTreeMap<Series, f64>,
}

async fn scrape(service: &Service) -> Scrape {
    let answer = service.admin("/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let mut scrape = Scrape { types: BTreeMap::new(), helps: BTreeSet::new(), series: BTreeMap::new() };
    for line in answer.text.lines().filter(|line| !line.is_empty()) {
        if let Some(of_type) = line.strip_prefix("# TYPE ") {
            let (name, kind) = of_type.split_once(' ').unwrap();
            assert!(scrape.types.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
        } else if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap();
            assert!(text.ends_with('.') && scrape.helps.insert(name.to_owned()), "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let old = scrape.series.insert(parsed(series), value.parse().unwrap());
            assert!(old.is_none(), "twice: {line}");
        }
    }
    scrape
}

fn parsed(series: &str) -> Series {
    static SHAPE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"^(arm_[a-z_]+)(?:\{((?:[a-z]+="[^"\\]*",?)+)\})?$"#).unwrap());
    static LABEL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"([a-z]+)="([^"]*)""#).unwrap());
    let found = SHAPE.captures(series).unwrap_or_else(|| panic!("not a series: {series}"));
    let labels = found.get(2).map_or("", |labels| labels.as_str());
    let labels = LABEL.captures_iter(labels).map(|label| (label[1].to_owned(), label[2].to_owned()));
    (found[1].to_owned(), labels.collect())
}

/// What the page says of a metric: its type and labels.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let rows = cells(&operations(), "## Metrics", "| metric |");
    let row =
        |row: Vec<String>| (words(&row[0]).remove(0), (row[1].clone(), words(&row[2]).into_iter().collect()));
    rows.into_iter().map(row).collect()
}

/// The values that the page says a label can have.
fn documented_values() -> BTreeMap<String, BTreeSet<String>> {
    let rows = cells(&operations(), "## Metrics", "| label |");
    rows.into_iter().map(|row| (words(&row[0]).remove(0), words(&row[1]).into_iter().collect())).collect()
}

/// The same of a label that has other values in another metric: "of reloads: …; of what was decided alone: …".
fn documented_parts(label: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows = cells(&operations(), "## Metrics", "| label |");
    let cell = &rows.iter().find(|row| words(&row[0]) == [label]).unwrap()[1];
    let part = |part: &str| (part.split_once(": ").unwrap().0.to_owned(), words(part).into_iter().collect());
    cell.split("; ").map(part).collect()
}

/// The name of the metric that a series belongs to.
fn metric_of(name: &str, types: &BTreeMap<String, String>) -> String {
    let is_histogram = |metric: &str| types.get(metric).is_some_and(|kind| kind == "histogram");
    let parts = ["_bucket", "_sum", "_count"].into_iter();
    let histogram = parts.filter_map(|part| name.strip_suffix(part)).find(|metric| is_histogram(metric));
    histogram.unwrap_or(name).to_owned()
}

async fn started() -> (Service, Cast) {
    let (world, cast, _) = acme_with_groups();
    let mut settings = with_admin();
    merge(&mut settings, &json!({ "logging": { "level": "info" } }));
    let service = Service::with(world, settings).await;
    service.binary.stdout.with("GitHub accepts the credential").await;
    (service, cast)
}

#[tokio::test]
async fn every_documented_metric_is_there_from_the_start_and_no_other() {
    let (service, cast) = started().await;
    // Its answer tells GitHub's budget.
    service.call("POST", "token-register?team=payments", &cast.ada).await.response();
    let scrape = scrape(&service).await;
    let documented = documented();
    assert!(documented.len() >= 20, "{documented:?}");
    let types: BTreeMap<_, _> =
        documented.iter().map(|(name, (kind, _))| (name.clone(), kind.clone())).collect();
    assert_eq!(scrape.types, types);
    assert_eq!(scrape.helps, types.into_keys().collect());
    for (name, labels) in scrape.series.keys() {
        let metric = metric_of(name, &scrape.types);
        let mut names: BTreeSet<_> = labels.keys().cloned().collect();
        names.remove("le");
        assert_eq!(names, documented[&metric].1, "{name}");
    }
    service.stop().await;
}

/// Counters without labels.
const WITHOUT_LABELS: &[&str] = &[
    "arm_github_shared_total",
    "arm_log_lines_lost_total",
    "arm_sweep_runs_total",
    "arm_sweep_failures_total",
    "arm_sweep_removed_total",
    "arm_store_events_written_total",
    "arm_store_events_lost_total",
    "arm_store_events_waiting",
];

#[tokio::test]
async fn what_somebody_waits_for_is_there_at_zero_before_it_happens() {
    let (service, _) = started().await;
    let scrape = scrape(&service).await;
    let values = documented_values();
    let there = |name: &str, labels: &[(&str, &str)]| value_of(&scrape, name, labels);
    for operation in values["operation"].iter().filter(|operation| *operation != "none") {
        for (status, reason) in
            [("200", "none"), ("500", "internal"), ("502", "github_error"), ("503", "overloaded")]
        {
            let labels = [("operation", operation.as_str()), ("reason", reason), ("status", status)];
            assert_eq!(there("arm_requests_total", &labels), Some(0.0), "{operation} {reason}");
        }
        let count = there("arm_request_duration_seconds_count", &[("operation", operation)]);
        assert_eq!(count, Some(0.0), "{operation}");
    }
    for call in &values["call"] {
        let labels = [("attempt", "1"), ("call", call.as_str()), ("outcome", "success")];
        assert!(there("arm_github_requests_total", &labels).is_some(), "{call}");
        let labels = [("attempt", "1"), ("call", call.as_str()), ("outcome", "not_github")];
        assert_eq!(there("arm_github_requests_total", &labels), Some(0.0), "{call}");
        assert!(there("arm_github_request_duration_seconds_count", &[("call", call)]).is_some(), "{call}");
    }
    for cache in &values["cache"] {
        for outcome in ["hit", "miss"] {
            let labels = [("cache", cache.as_str()), ("outcome", outcome)];
            assert!(there("arm_cache_lookups_total", &labels).is_some(), "{cache}");
        }
    }
    for limiter in &values["limiter"] {
        assert_eq!(there("arm_rate_limited_total", &[("limiter", limiter)]), Some(0.0));
    }
    for scarce in &values["scarce"] {
        assert_eq!(there("arm_github_scarce_total", &[("scarce", scarce)]), Some(0.0), "{scarce}");
    }
    for cause in &values["cause"] {
        assert_eq!(there("arm_connections_cut_off_total", &[("cause", cause)]), Some(0.0));
    }
    for what in &documented_parts("what")["of reloads"] {
        for outcome in ["failure", "success"] {
            let labels = [("outcome", outcome), ("what", what.as_str())];
            assert_eq!(there("arm_reloads_total", &labels), Some(0.0));
        }
        assert_eq!(there("arm_last_reload_successful", &[("what", what)]), Some(1.0));
    }
    for what in &documented_parts("what")["of what was decided alone"] {
        assert_eq!(there("arm_store_fallbacks_total", &[("what", what)]), Some(0.0), "{what}");
    }
    for outcome in &documented_parts("outcome")["of keys"] {
        assert_eq!(there("arm_oidc_keys_fetched_total", &[("outcome", outcome)]), Some(0.0), "{outcome}");
    }
    for name in WITHOUT_LABELS {
        assert_eq!(there(name, &[]), Some(0.0), "{name}");
    }
    service.stop().await;
}

#[tokio::test]
async fn what_goes_well_is_there_from_the_start() {
    let (service, _) = started().await;
    let scrape = scrape(&service).await;
    for (name, value) in [
        ("arm_store_up", 1.0),
        // Nobody shares anything with it, so it does the periodic work.
        ("arm_replicas", 1.0),
        ("arm_lease_held", 1.0),
        ("arm_replicas_policies_differ", 0.0),
    ] {
        assert_eq!(value_of(&scrape, name, &[]), Some(value), "{name}");
    }
    service.stop().await;
}

fn value_of(scrape: &Scrape, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    scrape.series.get(&(name.to_owned(), labels)).copied()
}

/// Whatever comes to somebody's mind; each round says the same with other words.
async fn hostilities(service: &Service, cast: &Cast, round: usize) {
    let port = service.port;
    for number in 0..30 {
        let odd = format!("evil{round}x{number}");
        let url = |path: &str| format!("https://localhost:{port}{path}");
        for path in [
            format!("/{odd}"),
            format!("/api/v1/{odd}"),
            format!("/api/v1/status/{odd}"),
            format!("/api/v1/status?{odd}={odd}"),
            format!("/api/v1/group-list?team={odd}"),
            format!("/api/v1/repos-add?team=payments&repos={odd}"),
            format!("/api/v1/runners-remove?team=payments&names={odd}"),
            format!("/api/v1/%22%7D%0Aarm_ready%20{number}"),
        ] {
            let method = ["GET", "POST", "PATCH", "DELETE", "EVIL", odd.as_str()][number % 6];
            let request = service.http.request(method.parse().unwrap(), url(&path));
            let request = request.header("x-request-id", &odd).header("user-agent", &odd);
            let token = if number % 4 == 3 { &odd } else { &cast.ada };
            send(request.header("authorization", token)).await;
        }
        send(service.request("POST", "group-add", &odd).body(odd.clone())).await;
    }
}

#[tokio::test]
async fn hostile_traffic_makes_no_series_beyond_the_documented_ones() {
    let (service, cast) = started().await;
    hostilities(&service, &cast, 1).await;
    let first = scrape(&service).await;
    hostilities(&service, &cast, 2).await;
    let second = scrape(&service).await;
    let grown: Vec<_> = second.series.keys().filter(|series| !first.series.contains_key(series)).collect();
    assert!(grown.is_empty(), "other hostilities of the same kinds made new series: {grown:#?}");
    let values = documented_values();
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in second.series.keys().flat_map(|(_, labels)| labels) {
        seen.entry(name).or_default().insert(value);
    }
    assert!(seen["reason"].len() > 10 && seen["status"].len() > 8, "too little happened: {seen:?}");
    for (name, found) in seen {
        if matches!(name, "le" | "version") {
            continue;
        }
        let odd: Vec<_> = found.iter().filter(|value| !values[name].contains(**value)).collect();
        assert!(odd.is_empty(), "the label {name} has values that are not documented: {odd:?}");
    }
    assert!(second.series.len() < 2_000, "{}", second.series.len());
    service.stop().await;
}
