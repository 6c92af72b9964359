//! The HTTP client below all calls.

use std::time::Duration;

use octocrab::Octocrab;
use secrecy::SecretString;

use super::authorities::{self, Authorities};
use super::checks::read_authorities;
use super::error::{Class, Error};
use super::proxy;
use super::settings::{Settings, SetupError};

/// The longest that setting up a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections are kept this long; GitHub closes them sooner or later by itself.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// A client that carries no credential; those that do derive from it and share its connections.
pub(super) fn anonymous(settings: &Settings) -> Result<Octocrab, SetupError> {
    let http = http_client(settings)?;
    octocrab::OctocrabBuilder::new()
        .base_uri(settings.api_url.as_str())
        .and_then(|builder| builder.build_with_reqwest(http))
        .map_err(|cause| SetupError::Client(cause.to_string()))
}

/// A client that carries a token. Unlike octocrab's `personal_token` this refuses malformed tokens without a panic.
pub(super) fn with_token(client: &Octocrab, token: SecretString) -> Result<Octocrab, Error> {
    client
        .user_access_token(token)
        .map_err(|_| Error::new(Class::Unauthorized, "the token can't be put into a header"))
}

fn http_client(settings: &Settings) -> Result<reqwest::Client, SetupError> {
    // Also where there is no TLS: what `check-config` refuses doesn't start.
    let authorities = authorities(settings)?;
    let mut builder = reqwest::Client::builder()
        // A redirect would lead to a place that nobody checked; a renamed organisation is to be configured.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .http1_only();
    if settings.api_url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:")) {
        // Plain HTTP is for loopback addresses alone, which no proxy reaches.
        builder = builder.no_proxy();
    } else {
        let tls =
            authorities::client_config(authorities).map_err(|cause| SetupError::Client(cause.to_string()))?;
        builder = builder.tls_backend_preconfigured(tls);
        let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        if let Some(proxy) = proxy::from_environment(variable).map_err(SetupError::Proxy)? {
            builder = builder.proxy(proxy);
        }
    }
    builder.build().map_err(|cause| SetupError::Client(cause.to_string()))
}

/// The authorities that are trusted in addition to the system's.
fn authorities(settings: &Settings) -> Result<Authorities, SetupError> {
    settings.ca_file.as_deref().map(read_authorities).transpose().map(Option::unwrap_or_default)
}
