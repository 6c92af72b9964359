//! Rules about listeners, limits and trusted proxies.

use chrono::TimeDelta;

use super::{Facts, warn_if};
use ipnet::IpNet;

/// More requests per second, or at once, than any client of this service needs.
const MANY_REQUESTS: u32 = 1_000;
/// A certificate should have been renewed by then: ACME renews it 30 days before it ends.
const RENEWED_BEFORE: TimeDelta = TimeDelta::days(21);
/// Networks of this size contain more than one's own proxies: an IPv4 /8, and what an IPv6 provider is assigned.
const WIDE_PREFIXES: (u8, u8) = (8, 32);

pub(super) fn rate_limit(facts: &Facts<'_>) -> Vec<String> {
    let rate = facts.config.server.rate_limit;
    warn_if(rate > f64::from(MANY_REQUESTS), || {
        format!(
            "server.rateLimit is {rate} requests a second: one user can spend all calls that GitHub gives the App for an \
             hour within seconds"
        )
    })
}

pub(super) fn rate_burst(facts: &Facts<'_>) -> Vec<String> {
    let burst = facts.config.server.rate_burst;
    // What follows from the rate was said there.
    let follows = f64::from(burst) <= facts.config.server.rate_limit.ceil().max(1.0);
    warn_if(burst > MANY_REQUESTS && !follows, || {
        format!("server.rateBurst is {burst}: one user can send that many requests at once")
    })
}

pub(super) fn unknown_token_rate(facts: &Facts<'_>) -> Vec<String> {
    let rate = facts.config.server.unknown_token_rate;
    warn_if(rate > f64::from(MANY_REQUESTS), || {
        format!(
            "server.unknownTokenRate is {rate}: one address can have GitHub asked about that many unknown tokens a second, \
             without being known to anybody"
        )
    })
}

pub(super) fn trusted_proxies(facts: &Facts<'_>) -> Vec<String> {
    let networks = &facts.config.server.trusted_proxies;
    let is_wide = |network: &&IpNet| match network {
        IpNet::V4(network) => network.prefix_len() <= WIDE_PREFIXES.0,
        IpNet::V6(network) => network.prefix_len() <= WIDE_PREFIXES.1,
    };
    if networks.iter().any(|network| network.prefix_len() == 0) {
        return vec![
            "server.trustedProxies trusts every address: any caller can choose the address it is limited by and that \
             audit lines name"
                .to_owned(),
        ];
    }
    let wide: Vec<_> = networks.iter().filter(is_wide).map(ToString::to_string).collect();
    warn_if(!wide.is_empty(), || {
        format!(
            "server.trustedProxies trusts {}: whoever is in so wide a network can choose the address it is limited by and \
             that audit lines name; list the proxies' own networks",
            wide.join(", ")
        )
    })
}

pub(super) fn tls_off(facts: &Facts<'_>) -> Vec<String> {
    let server = &facts.config.server;
    let bound = server.bind_address();
    if server.falls_back_to_loopback() {
        return vec![format!(
            "TLS is off: listening on {bound} only, not on {}. Set server.tls.certFile and keyFile, or \
             server.tls.terminatedElsewhere: true if something in front does TLS",
            server.address
        )];
    }
    warn_if(server.tls.files.is_none(), || format!("TLS is off: tokens reach {bound} as plain text"))
}

pub(super) fn certificate(facts: &Facts<'_>) -> Vec<String> {
    let Some(validity) = facts.certificate else { return Vec::new() };
    let day = |time: chrono::DateTime<chrono::Utc>| time.format("%Y-%m-%d %H:%M UTC");
    let left = validity.not_after - facts.now;
    if left <= TimeDelta::zero() {
        let ended = day(validity.not_after);
        return vec![format!(
            "server.tls.certFile: the certificate has expired ({ended}); clients refuse it, renew it"
        )];
    }
    if validity.not_before > facts.now {
        let begins = day(validity.not_before);
        return vec![format!(
            "server.tls.certFile: the certificate is not valid before {begins}; clients refuse it until then"
        )];
    }
    warn_if(left <= RENEWED_BEFORE, || {
        let days = left.num_days();
        let ends = day(validity.not_after);
        format!("server.tls.certFile: the certificate expires in {days} days ({ends}); renew it")
    })
}

pub(super) fn admin_address(facts: &Facts<'_>) -> Vec<String> {
    let Some(admin) = facts.config.server.admin else { return Vec::new() };
    warn_if(!admin.address.is_loopback() && !facts.loaded.surroundings.is_container, || {
        format!(
            "server.admin.address is {}: health and metrics reach beyond this host, in plain HTTP and without \
             authentication; use 127.0.0.1, or see to it that a firewall lets only your monitoring in",
            admin.address
        )
    })
}
