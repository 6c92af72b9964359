//! The networks that a client address counts for.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// IPv6 prefix lengths that are counted, and how many times a single address's limit each may use. A host gets a
/// /64, a home a /56, a site or tunnel a /48: whoever owns one of them can use every address in it.
const IPV6_PREFIXES: [(u8, u32); 3] = [(64, 1), (56, 4), (48, 16)];

/// The networks that `address` counts for, the narrowest first, each with how many times the limit of a single
/// address holds for it. An IPv4 address inside IPv6 is the same as the plain one.
pub fn counted_networks(address: IpAddr) -> Vec<(IpNet, u32)> {
    match address.to_canonical() {
        IpAddr::V4(address) => vec![(IpNet::V4(Ipv4Net::from(address)), 1)],
        IpAddr::V6(address) => {
            IPV6_PREFIXES.map(|(length, factor)| (prefix(address, length), factor)).to_vec()
        }
    }
}

fn prefix(address: Ipv6Addr, length: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(address, length).trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(address: &str) -> Vec<String> {
        let networks = counted_networks(address.parse().unwrap());
        networks.into_iter().map(|(network, factor)| format!("{network} x{factor}")).collect()
    }

    #[test]
    fn an_ipv6_address_counts_for_its_host_home_and_site() {
        assert_eq!(
            networks("2001:db8:1:2345:6:7:8:9"),
            ["2001:db8:1:2345::/64 x1", "2001:db8:1:2300::/56 x4", "2001:db8:1::/48 x16"]
        );
    }

    #[test]
    fn an_ipv4_address_counts_for_itself_alone_also_inside_ipv6() {
        assert_eq!(networks("192.0.2.1"), ["192.0.2.1/32 x1"]);
        assert_eq!(networks("::ffff:192.0.2.1"), ["192.0.2.1/32 x1"]);
    }
}
