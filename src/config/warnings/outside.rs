//! How GitHub is reached, and where log lines go.

use std::time::Duration;

use super::{Seen, when};
use crate::config::{Credentials, LogLevel};

/// GitHub often takes longer than this for a call.
const SHORT_TIMEOUT: Duration = Duration::from_secs(1);
/// GitHub refuses more calls at once with its secondary rate limit.
const GITHUB_CONCURRENCY: usize = 100;
/// Log files that hold less than this all together are overwritten within minutes.
const LITTLE_LOG: u64 = 1 << 20;

pub(super) fn personal_token(seen: &Seen<'_>) -> Vec<String> {
    let is_token = matches!(seen.config.credentials, Credentials::Token(_));
    when(is_token, || {
        "the service acts with a personal access token, which may do at GitHub whatever its owner gave it; a GitHub App has \
         three permissions and a key of its own"
            .to_owned()
    })
}

pub(super) fn plain_http(seen: &Seen<'_>) -> Vec<String> {
    let url = &seen.config.github.api_url;
    when(url.is_plain(), || format!("github.apiURL is plain http: {}", url.as_str()))
}

pub(super) fn website(seen: &Seen<'_>) -> Vec<String> {
    let url = &seen.config.github.api_url;
    let rest = url.as_str().split_once("://").map_or("", |(_, rest)| rest).to_ascii_lowercase();
    let (host, path) = rest.split_once('/').unwrap_or((&rest, ""));
    if matches!(host, "github.com" | "www.github.com") {
        return vec![
            "github.apiURL is the address of GitHub's website; its API is https://api.github.com".to_owned(),
        ];
    }
    // A host called api.… is that of github.com or of data residency; plain HTTP is for tests on this host.
    when(path.is_empty() && !host.starts_with("api.") && !url.is_plain(), || {
        format!("github.apiURL has no path: the API of an Enterprise Server is https://{host}/api/v3")
    })
}

pub(super) fn short_timeout(seen: &Seen<'_>) -> Vec<String> {
    when(seen.config.github.timeout < SHORT_TIMEOUT, || {
        format!(
            "github.timeout is {}: GitHub often takes longer, and what it does after that nobody here learns",
            seen.value("github.timeout")
        )
    })
}

pub(super) fn many_calls(seen: &Seen<'_>) -> Vec<String> {
    let calls = seen.config.github.concurrency;
    when(calls > GITHUB_CONCURRENCY, || {
        format!(
            "github.concurrency is {calls}: GitHub accepts {GITHUB_CONCURRENCY} calls at once and refuses more"
        )
    })
}

pub(super) fn silent_log(seen: &Seen<'_>) -> Vec<String> {
    let level = seen.config.logging.level;
    when(matches!(level, LogLevel::Error | LogLevel::Fatal), || {
        format!(
            "logging.level is {}: requests and warnings, such as these, are not logged",
            seen.value("logging.level")
        )
    })
}

pub(super) fn endless_log(seen: &Seen<'_>) -> Vec<String> {
    let logging = &seen.config.logging;
    when(has_file(seen) && logging.max_backups == 0 && logging.max_age_days == 0, || {
        "logging.maxBackups and logging.maxAge are 0: log files are never removed, until the disk is full"
            .to_owned()
    })
}

pub(super) fn short_log(seen: &Seen<'_>) -> Vec<String> {
    let logging = &seen.config.logging;
    let kept = logging.max_size.saturating_mul(u64::from(logging.max_backups) + 1);
    when(has_file(seen) && logging.max_backups > 0 && kept < LITTLE_LOG, || {
        format!(
            "logging.maxSize and logging.maxBackups keep {kept} bytes of log in all: whoever sends requests pushes older \
             lines out, those for the audit as well"
        )
    })
}

pub(super) fn mixed_audit(seen: &Seen<'_>) -> Vec<String> {
    when(seen.config.logging.audit.is_none(), || {
        "logging.audit is not set: audit lines go to the ordinary log, and are as easy to lose or to delete"
            .to_owned()
    })
}

fn has_file(seen: &Seen<'_>) -> bool {
    seen.config.logging.directory.is_some() || seen.config.logging.audit.is_some()
}
