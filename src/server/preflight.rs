//! Opens everything that a start opens, reports all that is wrong with it, and leaves no trace.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use super::build::settings_of;
use crate::clock::Clock;
use crate::config::{Config, Diagnostic, Loaded, Reference, Target, TlsFiles};
use crate::github::{Github, StartupProblem, check_private_key, read_authorities};
use crate::oidc::Verifier;
use crate::outbound::Authorities;
use crate::replicas::Replicas;
use crate::store::{self, Store};
use crate::telemetry::check_log_file;
use crate::tls::{self, TlsError};

/// Everything that is wrong with what the settings refer to; `loaded` is the configuration, if it could be read as a whole.
/// To be called on a runtime, where the connection to GitHub could stay.
pub fn problems(references: &[Reference], loaded: Option<&Loaded>) -> Vec<Diagnostic> {
    tls::install_provider();
    let mut found: Vec<_> = references.iter().filter_map(problem).collect();
    found.extend(certificate_problems(references));
    let unproved = loaded.filter(|loaded| loaded.config.group_proof().is_none());
    found.extend(unproved.map(|loaded| loaded.problem("groups.name", Config::NO_GROUP_PROOF)));
    if let Some(loaded) = loaded.filter(|_| found.is_empty()) {
        found.extend(github_of(&loaded.config).err().map(|error| Diagnostic::general(&error)));
    }
    found
}

/// What is allowed but dangerous.
pub fn warnings(loaded: &Loaded) -> Vec<Diagnostic> {
    let certificate = loaded.config.server.tls.files.as_ref().map(|files| files.certificate.as_path());
    let mut warnings = loaded.warnings(tls::examine(certificate, None).validity);
    let authorities = loaded.config.github.ca_file.as_deref().and_then(|file| read_authorities(file).ok());
    let unusable = authorities.iter().flat_map(Authorities::warnings);
    warnings.extend(unusable.map(|warning| loaded.problem("github.caFile", warning)));
    warnings.extend(store_in_use(loaded));
    warnings
}

/// The service itself may be running, with the same configuration.
fn store_in_use(loaded: &Loaded) -> Option<Diagnostic> {
    let file = loaded.config.store.url.as_ref()?.file()?;
    let sentence = || {
        format!(
            "is in use by another process: {}; unless that is the service itself, which is checked while it \
             runs, only one of them can start",
            file.display()
        )
    };
    store::is_in_use(file).then(|| loaded.problem("store.url", &sentence()))
}

/// Asks GitHub whether it accepts the credential and whether the credential may do what the service does.
///
/// # Errors
/// What doesn't work, with the setting to look at.
pub async fn ask_github(loaded: &Loaded) -> Result<(), Diagnostic> {
    tls::install_provider();
    let github = github_of(&loaded.config).map_err(|error| Diagnostic::general(&error))?;
    let outcome = github.check_credential().await;
    outcome.map_err(|problem| loaded.problem(key_of(&problem, &loaded.config), &problem.to_string()))
}

/// Asks the store, if it is on a server, whether it lets the service in.
///
/// # Errors
/// What doesn't work, with the setting to look at.
pub async fn ask_store(loaded: &Loaded) -> Result<(), Diagnostic> {
    let Some(settings) = store::Settings::of(&loaded.config.store) else { return Ok(()) };
    tls::install_provider();
    let outcome = Store::ask(&settings, &Clock::system()).await;
    outcome.map_err(|error| loaded.problem("store.url", &error.to_string()))
}

/// Asks the issuers of OIDC tokens for their keys: what doesn't work, with the setting to look at.
pub async fn ask_issuers(loaded: &Loaded) -> Vec<Diagnostic> {
    tls::install_provider();
    let problem = |name: &str, why: &str| loaded.problem("oidc.issuers", &format!("{name}: {why}"));
    match Verifier::new(loaded.config.oidc.clone(), Clock::system()) {
        Ok(verifier) => verifier.ask().await.iter().map(|(name, why)| problem(name, why)).collect(),
        Err(error) => vec![loaded.problem("oidc.issuers", &error.to_string())],
    }
}

fn github_of(config: &Config) -> Result<Github, String> {
    let secret = config.credentials.read().map_err(|error| error.to_string())?;
    Github::new(settings_of(config, secret), Arc::new(Replicas::none()), Clock::system())
        .map_err(|error| error.to_string())
}

/// The setting that is probably wrong.
fn key_of(problem: &StartupProblem, config: &Config) -> &'static str {
    match problem {
        StartupProblem::NotAnswering(_) | StartupProblem::NotGithub(_) => "github.apiURL",
        StartupProblem::KeyRefused(_)
        | StartupProblem::Refused(_)
        | StartupProblem::Suspended(_)
        | StartupProblem::PermissionsMissing(_) => "appID",
        StartupProblem::NotInstalled { .. } | StartupProblem::OtherAccount { .. } => "installationID",
        StartupProblem::TokenRefused(_)
        | StartupProblem::TokenWithoutRunners(_)
        | StartupProblem::TokenWithoutMembers(_) => {
            if config.credentials.file().is_some() {
                "tokenFile"
            } else {
                "token"
            }
        }
    }
}

fn problem(reference: &Reference) -> Option<Diagnostic> {
    let outcome = match &reference.target {
        Target::PrivateKey(source) => match source.read() {
            Ok(pem) => check_private_key(&pem).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        },
        Target::Authorities(file) => read_authorities(file).map(drop).map_err(|error| error.to_string()),
        Target::StoreFile(file) => store::check_file(file).map_err(|error| error.to_string()),
        Target::StorePassword(file) => {
            store::read_password(file).map(drop).map_err(|error| error.to_string())
        }
        Target::IssuerKeys(file) | Target::IssuerToken(file) => {
            check_readable(file).map_err(|cause| format!("cannot read {}: {cause}", file.display()))
        }
        Target::Log(file) => {
            check_log_file(file).map_err(|cause| format!("cannot write {}: {cause}", file.display()))
        }
        Target::Listener(address) => {
            check_listener(*address).map_err(|cause| format!("cannot listen on {address}: {cause}"))
        }
        // Both together, below.
        Target::Certificate(_) | Target::CertificateKey(_) => Ok(()),
    };
    outcome.err().map(|message| {
        let message =
            message.strip_prefix(&*reference.key).map_or(&*message, |rest| rest.trim_start_matches(": "));
        reference.problem(message)
    })
}

/// Opens a file, unless that could wait for somebody who writes to it.
fn check_readable(file: &Path) -> io::Result<()> {
    match std::fs::metadata(file)? {
        metadata if metadata.is_dir() => Err(io::Error::new(ErrorKind::IsADirectory, "it is a directory")),
        metadata if metadata.is_file() => std::fs::File::open(file).map(drop),
        _ => Ok(()),
    }
}

fn certificate_problems(references: &[Reference]) -> Vec<Diagnostic> {
    let find = |pick: fn(&Target) -> Option<&Path>| {
        references.iter().find_map(|reference| Some((reference, pick(&reference.target)?)))
    };
    let certificate = find(|target| match target {
        Target::Certificate(file) => Some(file),
        _ => None,
    });
    let key = find(|target| match target {
        Target::CertificateKey(file) => Some(file),
        _ => None,
    });
    let file = |named: Option<(&Reference, &Path)>| named.map(|(_, file)| file.to_owned());
    let examined = tls::examine(file(certificate).as_deref(), file(key).as_deref());
    let about = |error: &TlsError| {
        let is_of = |named: &(&Reference, &Path)| error.file() == Some(named.1);
        let named = key.filter(is_of).or(certificate).or(key);
        let message = error.to_string();
        named.map_or_else(|| Diagnostic::general(&message), |(reference, _)| reference.problem(&message))
    };
    examined.problems.iter().map(about).collect()
}

/// The setting that names the file with which something is wrong.
pub(super) fn setting_of(error: &TlsError, files: &TlsFiles) -> &'static str {
    if error.file() == Some(&files.key) { "server.tls.keyFile" } else { "server.tls.certFile" }
}

/// Binds the address for a moment without listening. A port that is in use is no problem: the service itself may be
/// running.
fn check_listener(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    match socket.bind(&address.into()) {
        Err(cause) if cause.kind() == ErrorKind::AddrInUse => Ok(()),
        outcome => outcome,
    }
}
