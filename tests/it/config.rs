//! The configuration: what is accepted, and what is said about what isn't.

#![expect(clippy::unwrap_used, reason = "the lints only know functions marked #[test]")]

mod accepted;
mod access;
mod dialects;
mod end;
mod example;
mod files;
mod keys;
mod oidc;
mod refused;
mod secrets;
mod shares;
mod store;
mod warnings;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use actions_runner_manager::config::{
    Config, Credentials, Loaded, LogFormat, LogLevel, PrivateKeySource, Source, Sources, TokenSource, load,
};
use actions_runner_manager::domain::ids::{TeamId, UserId};
use actions_runner_manager::domain::names::TeamSlug;
use actions_runner_manager::domain::policy::{
    AccessPolicy, AdministratorsTeam, Policy, RepositoryPermission,
};
use actions_runner_manager::domain::sweep::SweepScope;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;

/// The least that a configuration needs.
const MINIMAL: &str =
    "org: my-org\ntoken: ghp_in-the-file\nserver: {tls: {certFile: tls.crt, keyFile: tls.key}}\n";

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn load_in(folder: &Path, environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let sources =
        Sources { path: None, environment: variables(environment), working_directory: folder.to_owned() };
    load(&sources).map_err(|problems| problems.to_string())
}

fn load_bytes(bytes: &[u8], environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yml"), bytes).unwrap();
    load_in(folder.path(), environment)
}

fn config_of(text: &str) -> Config {
    load_bytes(text.as_bytes(), &[]).unwrap().config
}

/// The warnings about a text that is valid, each with its key.
fn warnings_of(text: &str, environment: &[(&str, &str)]) -> Vec<(String, String)> {
    let loaded = load_bytes(text.as_bytes(), environment).unwrap();
    keyed(&loaded)
}

fn keyed(loaded: &Loaded) -> Vec<(String, String)> {
    let warnings = loaded.warnings(None);
    warnings
        .iter()
        .map(|warning| (warning.key().unwrap_or_default().to_owned(), warning.to_string()))
        .collect()
}

/// What is printed about a text, given that it is wrong.
fn problems_of(text: &str) -> String {
    load_bytes(text.as_bytes(), &[]).map(|loaded| loaded.settings).unwrap_err()
}

/// What is printed about the minimal configuration and these variables.
fn problems_with(environment: &[(&str, &str)]) -> String {
    load_bytes(MINIMAL.as_bytes(), environment).map(|loaded| loaded.settings).unwrap_err()
}

fn with_minimal(text: &str) -> String {
    format!("{MINIMAL}{text}\n")
}

#[track_caller]
fn assert_lines(printed: &str, expected: &[&str]) {
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}

fn pem(label: &str) -> String {
    format!("-----BEGIN {label}-----\nc2VjcmV0LWtleS1tYXRlcmlhbA==\n-----END {label}-----\n")
}

fn app(key: &str) -> String {
    format!("org: my-org\nappID: 12345\n{key}\nserver: {{tls: {{enabled: false}}}}\n")
}

fn source_of(loaded: &Loaded, path: &str) -> Source {
    loaded.settings.iter().find(|setting| setting.path == path).unwrap().source.clone()
}
