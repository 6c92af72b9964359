//! The HTTP client below all calls.

use octocrab::Octocrab;
use secrecy::SecretString;

use super::checks::read_authorities;
use super::error::{Class, Error};
use super::settings::{Settings, SetupError};
use crate::outbound::{self, Authorities, ClientError};

/// The setting that names authorities in addition to the system's.
const CA_FILE_SETTING: &str = "github.caFile";

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
    let is_plain = settings.api_url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"));
    let client =
        if is_plain { outbound::plain_client() } else { outbound::client(authorities, CA_FILE_SETTING) };
    client.map_err(|error| match error {
        ClientError::Proxy(problem) => SetupError::Proxy(problem),
        ClientError::Other(cause) => SetupError::Client(cause),
    })
}

/// The authorities that are trusted in addition to the system's.
fn authorities(settings: &Settings) -> Result<Authorities, SetupError> {
    settings.ca_file.as_deref().map(read_authorities).transpose().map(Option::unwrap_or_default)
}
