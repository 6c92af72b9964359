//! HTTP clients for calls to other services: whose certificates they trust, and which proxy they use. `github` and `oidc` call.

mod authorities;
mod causes;
mod proxy;

use std::time::Duration;

use reqwest::{Client, ClientBuilder};

pub use self::authorities::Authorities;
pub use self::causes::{causes, chain};

/// The longest that setting up a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections are kept this long; servers close them sooner or later by themselves.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The environment names a proxy that can't be used; names the variable.
    #[error("{0}")]
    Proxy(String),
    /// Anything else that the client is built from.
    #[error("{0}")]
    Other(String),
}

/// A client for https, by way of the proxy that the environment names. `setting` is the name of the setting that can name more
/// authorities, such as `github.caFile`. Plain HTTP, which is for loopback addresses alone, takes no proxy.
pub fn client(authorities: Authorities, setting: &str) -> Result<Client, ClientError> {
    let tls = authorities::client_config(authorities, setting)
        .map_err(|cause| ClientError::Other(cause.to_string()))?;
    let mut builder = builder().tls_backend_preconfigured(tls);
    let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    if let Some(proxy) = proxy::from_environment(variable).map_err(ClientError::Proxy)? {
        builder = builder.proxy(proxy);
    }
    build(builder)
}

/// A client for plain HTTP to loopback addresses, which no proxy reaches.
pub fn plain_client() -> Result<Client, ClientError> {
    build(builder())
}

fn builder() -> ClientBuilder {
    Client::builder()
        // A redirect would lead to a place that nobody checked; what moved is to be configured.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .http1_only()
        .no_proxy()
}

fn build(builder: ClientBuilder) -> Result<Client, ClientError> {
    builder.build().map_err(|cause| ClientError::Other(cause.to_string()))
}
