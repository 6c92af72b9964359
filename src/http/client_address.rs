//! Where a request comes from, behind proxies that the administrator trusts.

use std::net::{IpAddr, SocketAddr};

use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderValue;
use ipnet::IpNet;

/// Who sent a request, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientAddress {
    /// The caller's address, or that of the last proxy that can be believed.
    pub(super) address: IpAddr,
    /// Whether a trusted proxy passed on something that is no address, so that the caller stays unknown behind it.
    pub(super) has_unreadable_hop: bool,
}

/// The caller's address. None on a listener that has no addresses.
pub(super) fn client_address(request: &ServiceRequest, trusted: &[IpNet]) -> Option<ClientAddress> {
    let peer = request.peer_addr()?.ip();
    let lines: Vec<_> = request.headers().get_all("x-forwarded-for").map(HeaderValue::as_bytes).collect();
    Some(behind_proxies(peer, &lines, trusted))
}

/// Walks `X-Forwarded-For` from its end, where the nearest proxy wrote, for as long as trusted proxies wrote it.
/// What stands before the first address that is no trusted proxy's could be anybody's invention. Nothing is ever
/// skipped: behind an element that can't be read stands what somebody else wrote.
fn behind_proxies(peer: IpAddr, lines: &[&[u8]], trusted: &[IpNet]) -> ClientAddress {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut address = peer.to_canonical();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
        if !is_trusted(address) {
            break;
        }
        let Some(next) = parse(hop) else {
            return ClientAddress { address, has_unreadable_hop: true };
        };
        address = next.to_canonical();
    }
    ClientAddress { address, has_unreadable_hop: false }
}

/// An address, with or without a port; IPv6 in brackets or without. One with a zone means nothing on this host.
fn parse(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim_matches([' ', '\t']);
    if hop.contains('%') {
        return None;
    }
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    hop.parse().ok().or_else(in_brackets).or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUSTED: [&str; 2] = ["10.0.0.0/8", "fd00::/8"];

    fn walked(peer: &str, forwarded: &[&[u8]], trusted: &[&str]) -> ClientAddress {
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        behind_proxies(peer.parse().unwrap(), forwarded, &trusted)
    }

    /// The client's address, where every hop on the way can be read.
    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let lines: Vec<_> = forwarded.iter().map(|line| line.as_bytes()).collect();
        let client = walked(peer, &lines, trusted);
        assert!(!client.has_unreadable_hop, "{forwarded:?}");
        client.address.to_string()
    }

    #[test]
    fn nobody_is_believed_unless_trusted() {
        assert_eq!(client("192.0.2.1", &["203.0.113.9"], &[]), "192.0.2.1");
        assert_eq!(client("192.0.2.1", &["203.0.113.9"], &["10.0.0.0/8"]), "192.0.2.1");
        assert_eq!(client("192.0.2.1", &["nonsense"], &["10.0.0.0/8"]), "192.0.2.1");
    }

    #[test]
    fn the_first_address_that_no_trusted_proxy_has_is_the_clients() {
        assert_eq!(client("10.0.0.1", &["203.0.113.9"], &TRUSTED), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.2.3.4, 203.0.113.9, 10.0.0.2"], &TRUSTED), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.2.3.4", "203.0.113.9"], &TRUSTED), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.2.3.4", "203.0.113.9,\t10.0.0.2 "], &TRUSTED), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.2.3.4,", "203.0.113.9"], &TRUSTED), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["\u{ff}", "203.0.113.9"], &TRUSTED), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"], &TRUSTED), "10.0.0.3");
        assert_eq!(client("10.0.0.1", &[], &TRUSTED), "10.0.0.1");
    }

    #[test]
    fn an_address_comes_with_or_without_port_and_brackets() {
        for (hop, address) in [
            ("203.0.113.9:1234", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("[::ffff:203.0.113.9]:1", "203.0.113.9"),
        ] {
            assert_eq!(client("fd00::1", &[hop], &TRUSTED), address);
            assert_eq!(client("::ffff:10.0.0.1", &[hop], &TRUSTED), address);
        }
    }

    #[test]
    fn an_element_that_cannot_be_read_ends_the_walk_wherever_it_stands() {
        let unreadable: &[&[u8]] = &[
            b"",
            b" ",
            b"unknown",
            b"_hidden",
            b"\xff",
            b"203.0.113.9\xff",
            "203.0.113.\u{669}".as_bytes(),
            b"203.0.113",
            b"203.0.113.9.1",
            b"203.0.113.009",
            b"0xcb.0.113.9",
            b"3405803785",
            b"203.0.113.9:",
            b"203.0.113.9:99999",
            b"203.0.113.9:http",
            b"[203.0.113.9]",
            b"[2001:db8::1",
            b"2001:db8::1]",
            b"[[2001:db8::1]]",
            b"[2001:db8::1]443",
            b"[2001:db8::1]:",
            b"fe80::1%eth0",
            b"[fe80::1%1]:443",
            b"\"203.0.113.9\"",
            b"'203.0.113.9'",
            b"for=203.0.113.9",
            b"203.0.113.9;6.6.6.6",
            b"203.0.113.9 6.6.6.6",
            b"203.0.113.9/32",
            b"localhost",
        ];
        for hop in unreadable {
            let spoofed = [b"6.6.6.6, ".as_slice(), hop, b", 10.0.0.2"].concat();
            for lines in [
                vec![b"6.6.6.6".as_slice(), hop, b"10.0.0.2"],
                vec![b"6.6.6.6", &[hop, b", 10.0.0.2".as_slice()].concat()],
                vec![&spoofed],
            ] {
                let client = walked("10.0.0.1", &lines, &TRUSTED);
                let text = hop.escape_ascii();
                assert_eq!(
                    (client.address.to_string().as_str(), client.has_unreadable_hop),
                    ("10.0.0.2", true),
                    "{text}"
                );
            }
        }
    }
}
