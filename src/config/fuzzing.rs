//! A configuration's text and variables, through the code that reads them.

use std::path::PathBuf;
use std::time::Duration;

use super::Config;
use super::load::understand;
use super::loaded::{DEFAULT_FILE, Loaded, Snapshot, Sources};
use super::problem::Problems;
use super::references::Noticed;
use crate::domain::checks::assert_is_one_segment;
use crate::domain::entry::{EntryOperation, HolderRequest};
use crate::domain::issuer::is_of_actions;
use crate::domain::policy::AdministratorsTeam;

/// A comment that starts so sets a variable: `#env NAME=VALUE`.
const VARIABLE: &str = "#env ";
/// A problem repeats little of what was written.
const MAX_PROBLEM_CHARACTERS: usize = 1_000;

/// A `config.yml`, in which comments such as `#env ARM_ORG=my-org` also set variables.
///
/// # Panics
/// When something doesn't hold that should hold of every configuration.
pub fn config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let variables = text
        .lines()
        .filter_map(|line| line.strip_prefix(VARIABLE)?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let sources = Sources {
        path: Some(PathBuf::from(DEFAULT_FILE)),
        environment: variables,
        // No file is there, so that what a setting names is not found, rather than found by chance.
        working_directory: PathBuf::from("/nowhere"),
    };
    // YAML ends a line at each of these.
    let lines = 1 + text.matches(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
    match load_text(input, &sources) {
        Ok(loaded) => {
            check_settings(&loaded);
            check_config(&loaded.config);
            loaded.warnings(None).iter().for_each(|warning| assert!(!warning.to_string().is_empty()));
        }
        Err(problems) => check_problems(&problems, lines),
    }
}

/// As `load`, of a file with this text.
pub(super) fn load_text(text: &[u8], sources: &Sources) -> Result<Loaded, Problems> {
    let snapshot = Snapshot::of(text, &sources.working_directory);
    understand(Some(snapshot), sources, None, &mut Noticed::default())
}

/// Each problem is one line, and says where it is, of which key, and what was expected.
pub(super) fn check_problems(problems: &Problems, lines_of_file: usize) {
    let printed = problems.to_string();
    let mut lines: Vec<_> = printed.lines().collect();
    let sum = lines.pop().unwrap_or_default();
    assert!(sum.starts_with(&format!("{} problem", problems.count())), "{sum}");
    assert_eq!(lines.len(), problems.count().min(50), "{printed}");
    for problem in lines {
        check_problem(problem, lines_of_file);
    }
}

fn check_problem(problem: &str, lines_of_file: usize) {
    assert!(!problem.contains(char::is_control), "{problem:?}");
    assert!(problem.chars().count() <= MAX_PROBLEM_CHARACTERS, "{problem}");
    let Some(rest) = problem.strip_prefix(DEFAULT_FILE).and_then(|rest| rest.strip_prefix(':')) else {
        let name = problem.split(": ").next().unwrap_or_default();
        assert!(!name.is_empty() && name != problem, "no variable is named: {problem}");
        return;
    };
    let (line, rest) = rest.split_once(": ").unwrap_or_default();
    // What is missing at the end of the file is missing in the line behind it.
    assert!(line.parse().is_ok_and(|line: usize| (1..=lines_of_file + 1).contains(&line)), "{problem}");
    let says = ["expected", "missing", "unknown", "stands twice", "contradicts", "not usable as YAML"];
    let says_more = ["does not compile", "looks", "private key", "cannot read", "it is", "differently"];
    let is_said = says.iter().chain(&says_more).any(|word| rest.contains(word));
    assert!(is_said, "it says nothing of what was expected: {problem}");
}

fn check_settings(loaded: &Loaded) {
    assert!(!loaded.settings.is_empty());
    for setting in &loaded.settings {
        let is_secret = matches!(setting.path.as_str(), "token" | "privateKey");
        assert!(!is_secret || matches!(setting.value.as_str(), "" | "<secret>"), "{}", setting.path);
    }
}

fn check_config(config: &Config) {
    const DAY: Duration = Duration::from_hours(24);
    assert_is_one_segment(config.org.as_str());
    if let AdministratorsTeam::Slug(team) = &config.administrators {
        assert_is_one_segment(team.as_str());
    }
    let url = config.github.api_url.as_str();
    let parsed = reqwest::Url::parse(url);
    assert!(parsed.as_ref().is_ok_and(|url| url.host().is_some() && url.username().is_empty()), "{url}");
    assert!(!url.ends_with('/') && !url.contains(['?', '#', '@']), "{url}");
    assert!((Duration::from_millis(100)..=DAY).contains(&config.github.timeout));
    assert!((1..=10_000).contains(&config.github.concurrency));
    for rate in [config.server.rate_limit, config.server.unknown_token_rate] {
        assert!((0.001..=1_000_000.0).contains(&rate), "{rate}");
    }
    assert!(config.server.rate_burst >= 1);
    let cache = &config.cache;
    let spans = [cache.identity, cache.refused_identity, cache.team, cache.membership];
    for span in spans.into_iter().chain([cache.refused_membership, cache.group]) {
        assert!(span <= DAY, "{span:?}");
    }
    assert!(config.store.keep >= DAY && config.store.grace <= DAY && config.store.most_events >= 1_000);
    assert!((1..=100).contains(&config.policy.jit.max_labels));
    assert!(config.sweep.offline_runners.every >= Duration::from_secs(1));
    check_callers(config);
    let is_open = config.server.tls.files.is_none() && !config.server.tls.terminated_elsewhere;
    assert!(!is_open || config.server.bind_address().ip().is_loopback(), "plain HTTP leaves the host");
}

/// Whoever is no user acts by an issuer that is configured, and by conditions that bind.
fn check_callers(config: &Config) {
    for issuer in config.oidc.iter() {
        assert!(reqwest::Url::parse(&issuer.url).is_ok(), "{}", issuer.url);
        assert_eq!(config.oidc.with_url(&issuer.url), Some(issuer), "two issuers have one URL");
        assert!(!issuer.audience.is_empty() && !issuer.algorithms.is_empty());
        assert!(issuer.is_actions || !is_of_actions(&issuer.url), "{}", issuer.url);
    }
    for entry in &config.access {
        let request = &entry.request;
        assert!(
            !request.operations.is_empty() && !request.operations.contains(&EntryOperation::RunnersRemove)
        );
        let makes_runners = request.operations.contains(&EntryOperation::JitconfigGenerate);
        assert!(!makes_runners || !request.labels.is_empty());
        match &request.holder {
            HolderRequest::GithubActions(run) => {
                assert!(config.oidc.actions().is_some() && !run.events.is_empty());
                assert!(run.git_ref.is_some() || run.environment.is_some());
            }
            HolderRequest::Oidc(conditions) => {
                let issuer = config.oidc.named(&conditions.issuer);
                assert!(issuer.is_some_and(|issuer| !issuer.is_actions) && !conditions.subject.is_empty());
            }
            HolderRequest::Token => unreachable!("a configuration can't hold a team token"),
        }
    }
}
