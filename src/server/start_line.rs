//! The line that says what was started: enough to see from a log alone which service this is, and what it allows.

use std::net::SocketAddr;

use crate::config::{Config, Credentials};

/// Says where the service listens, and what is in force. Nothing in it is a secret.
pub(super) fn log(config: &Config, address: SocketAddr, admin_address: Option<SocketAddr>) {
    let (credential, app_id) = match &config.credentials {
        Credentials::App { app_id, .. } => ("GitHub App", Some(*app_id)),
        Credentials::Token(_) => ("personal access token", None),
    };
    let (server, policy) = (&config.server, &config.policy);
    tracing::info!(
        %address,
        admin_address = admin_address.map(display),
        tls = server.tls.files.is_some(),
        version = env!("CARGO_PKG_VERSION"),
        config = config.file.as_ref().map(|file| display(file.display())),
        org = %config.org,
        github = config.github.api_url.as_str(),
        credential,
        app_id,
        registration_tokens = policy.registration_tokens,
        removal_tokens = policy.removal_tokens,
        max_runners = policy.max_runners,
        rate_limit = server.rate_limit,
        rate_burst = server.rate_burst,
        unknown_token_rate = server.unknown_token_rate,
        legacy_get = server.legacy_get,
        admin_team = config.admin_team.as_ref().map(display),
        "serving"
    );
}
