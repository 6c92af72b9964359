//! `healthcheck`: checks that the service on this host responds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use actions_runner_manager::config::Config;
use actions_runner_manager::tls;

/// Container health checks may take a few seconds; a response takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Sends the request that a load balancer sends. The response shows that listener, TLS and routes work; it costs no call to
/// GitHub, and leaves nothing in log and metrics.
pub(super) async fn run(config: Config) -> Result<(), String> {
    tls::install_provider();
    let scheme = if config.server.tls.files.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}/livez", reachable(config.server.bind_address()));
    let client = reqwest::Client::builder()
        // This asks whether the process on this very host answers; it sends nothing that needs protection.
        .tls_danger_accept_invalid_certs(true)
        .no_proxy()
        .timeout(TIMEOUT)
        .build()
        .map_err(|cause| format!("the check can't be prepared: {cause}"))?;
    let response = client.get(&url).send().await.map_err(|cause| {
        let cause = std::error::Error::source(&cause).map_or_else(|| cause.to_string(), ToString::to_string);
        format!("{url} doesn't answer: {cause}")
    })?;
    match response.status().as_u16() {
        200 => Ok(()),
        status => Err(format!("{url} answers {status}, expected 200")),
    }
}

/// The address to connect to: loopback if the service listens on all addresses.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
