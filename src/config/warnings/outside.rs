//! Rules about the connection to GitHub and about log files.

use std::time::Duration;

use super::{Facts, warn_if};
use crate::config::{Credentials, LogLevel};

/// GitHub often takes longer than this for a call.
const SHORT_TIMEOUT: Duration = Duration::from_secs(1);
/// GitHub refuses more calls at once with its secondary rate limit.
const GITHUB_CONCURRENCY: usize = 100;
/// Log files that hold less than this all together are overwritten within minutes.
const LITTLE_LOG: u64 = 1 << 20;

pub(super) fn personal_token(facts: &Facts<'_>) -> Vec<String> {
    let is_token = matches!(facts.config.credentials, Credentials::Token(_));
    warn_if(is_token, || {
        "the service acts with a personal access token, which may do at GitHub whatever its owner gave it; a GitHub App has \
         three permissions and a key of its own"
            .to_owned()
    })
}

pub(super) fn plain_http(facts: &Facts<'_>) -> Vec<String> {
    let url = &facts.config.github.api_url;
    warn_if(url.is_plain(), || format!("github.apiURL is plain http: {}", url.as_str()))
}

pub(super) fn website(facts: &Facts<'_>) -> Vec<String> {
    let url = &facts.config.github.api_url;
    let rest = url.as_str().split_once("://").map_or("", |(_, rest)| rest).to_ascii_lowercase();
    let (host, path) = rest.split_once('/').unwrap_or((&rest, ""));
    if matches!(host, "github.com" | "www.github.com") {
        return vec![
            "github.apiURL is the address of GitHub's website; its API is https://api.github.com".to_owned(),
        ];
    }
    // A host called api.… is that of github.com or of data residency; plain HTTP is for tests on this host.
    warn_if(path.is_empty() && !host.starts_with("api.") && !url.is_plain(), || {
        format!("github.apiURL has no path: the API of an Enterprise Server is https://{host}/api/v3")
    })
}

pub(super) fn short_timeout(facts: &Facts<'_>) -> Vec<String> {
    warn_if(facts.config.github.timeout < SHORT_TIMEOUT, || {
        format!(
            "github.timeout is {}: GitHub often takes longer, and what it does after that nobody here learns",
            facts.value("github.timeout")
        )
    })
}

pub(super) fn many_calls(facts: &Facts<'_>) -> Vec<String> {
    let calls = facts.config.github.concurrency;
    warn_if(calls > GITHUB_CONCURRENCY, || {
        format!(
            "github.concurrency is {calls}: GitHub accepts {GITHUB_CONCURRENCY} calls at once and refuses more"
        )
    })
}

pub(super) fn silent_log(facts: &Facts<'_>) -> Vec<String> {
    let level = facts.config.logging.level;
    warn_if(matches!(level, LogLevel::Error | LogLevel::Fatal), || {
        format!(
            "logging.level is {}: requests and warnings, such as these, are not logged",
            facts.value("logging.level")
        )
    })
}

pub(super) fn endless_log(facts: &Facts<'_>) -> Vec<String> {
    let logging = &facts.config.logging;
    warn_if(has_file(facts) && logging.max_backups == 0 && logging.max_age_days == 0, || {
        "logging.maxBackups and logging.maxAge are 0: log files are never removed, until the disk is full"
            .to_owned()
    })
}

pub(super) fn short_log(facts: &Facts<'_>) -> Vec<String> {
    let logging = &facts.config.logging;
    let kept = logging.max_size.saturating_mul(u64::from(logging.max_backups) + 1);
    warn_if(has_file(facts) && logging.max_backups > 0 && kept < LITTLE_LOG, || {
        format!(
            "logging.maxSize and logging.maxBackups keep {kept} bytes of log in all: whoever sends requests pushes older \
             lines out, those for the audit as well"
        )
    })
}

pub(super) fn mixed_audit(facts: &Facts<'_>) -> Vec<String> {
    warn_if(facts.config.logging.audit.is_none(), || {
        "logging.audit is not set: audit lines go to the ordinary log, and are as easy to lose or to delete"
            .to_owned()
    })
}

fn has_file(facts: &Facts<'_>) -> bool {
    facts.config.logging.directory.is_some() || facts.config.logging.audit.is_some()
}
