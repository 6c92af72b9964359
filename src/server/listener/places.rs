//! How many connections there are: all together, and of each client address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::network::counted_networks;
use crate::metrics;

/// The places for connections; cloning gives the same places.
#[derive(Clone)]
pub(super) struct Places(Arc<Inner>);

struct Inner {
    max: usize,
    free: Arc<Semaphore>,
    max_per_address: usize,
    uncounted: Vec<IpNet>,
    by_network: Mutex<HashMap<IpNet, usize>>,
}

impl Places {
    /// `max` places, of which one address may take `max_per_address`, unless it is in one of the networks `uncounted`.
    pub(super) fn new(max: usize, max_per_address: usize, uncounted: Vec<IpNet>) -> Self {
        let max = max.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Inner {
            max,
            free: Arc::new(Semaphore::new(max)),
            max_per_address,
            uncounted,
            by_network: Mutex::default(),
        }))
    }

    /// Counts a connection of this address, unless it has too many.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Admission> {
        let address = address.to_canonical();
        let networks = if self.0.uncounted.iter().any(|network| network.contains(&address)) {
            Vec::new()
        } else {
            counted_networks(address)
        };
        let mut by_network = self.0.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |(network, factor): &(IpNet, u32)| {
            let max = self.0.max_per_address.saturating_mul(usize::try_from(*factor).unwrap_or(usize::MAX));
            by_network.get(network).is_some_and(|count| *count >= max)
        };
        if networks.iter().any(is_full) {
            return None;
        }
        let networks: Vec<_> = networks.into_iter().map(|(network, _)| network).collect();
        for network in &networks {
            *by_network.entry(*network).or_default() += 1;
        }
        Some(Admission { places: self.clone(), networks })
    }

    /// Waits for a free place.
    pub(super) async fn take(&self) -> Option<Place> {
        let permit = self.0.free.clone().acquire_owned().await.ok()?;
        metrics::connection_opened();
        Some(Place { _permit: permit })
    }

    /// Whether more than three quarters of the places are taken.
    pub(super) fn are_scarce(&self) -> bool {
        self.0.free.available_permits().saturating_mul(4) < self.0.max
    }
}

/// That a connection is counted for its address, until it is dropped.
pub(super) struct Admission {
    places: Places,
    networks: Vec<IpNet>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut by_network = self.places.0.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        for network in &self.networks {
            if let Some(count) = by_network.get_mut(network) {
                *count -= 1;
                if *count == 0 {
                    by_network.remove(network);
                }
            }
        }
    }
}

/// A place that is taken, until it is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::connection_closed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(places: &Places, address: &str, wanted: usize) -> Vec<Admission> {
        let address: IpAddr = address.parse().unwrap();
        (0..wanted).map_while(|_| places.admit(address)).collect()
    }

    #[test]
    fn an_address_gets_its_connections_and_again_as_many_as_it_closes() {
        let places = Places::new(100, 3, Vec::new());
        let mut kept = admitted(&places, "192.0.2.1", 9);
        assert_eq!(kept.len(), 3);
        assert_eq!(admitted(&places, "192.0.2.2", 9).len(), 3, "another address has its own");
        assert!(places.admit("::ffff:192.0.2.1".parse().unwrap()).is_none(), "the same address inside IPv6");
        kept.pop();
        assert_eq!(admitted(&places, "192.0.2.1", 9).len(), 1);
        drop(kept);
        assert!(places.0.by_network.lock().unwrap().is_empty(), "nothing is remembered of who is gone");
    }

    #[test]
    fn ipv6_counts_by_host_home_and_site() {
        let places = Places::new(1_000, 2, Vec::new());
        let of_host = admitted(&places, "2001:db8:0:100::1", 9);
        assert_eq!(of_host.len(), 2);
        assert!(places.admit("2001:db8:0:100:ffff::1".parse().unwrap()).is_none(), "the same /64");
        let of_home: Vec<_> =
            (1..16).flat_map(|net| admitted(&places, &format!("2001:db8:0:10{net:x}::1"), 9)).collect();
        assert_eq!(of_host.len() + of_home.len(), 4 * 2, "the same /56");
        let of_site: Vec<_> =
            (2..32).flat_map(|net| admitted(&places, &format!("2001:db8:0:{net:x}00::1"), 9)).collect();
        assert_eq!(of_host.len() + of_home.len() + of_site.len(), 16 * 2, "the same /48");
        assert_eq!(admitted(&places, "2001:db8:1::1", 9).len(), 2, "another /48");
    }

    #[test]
    fn a_trusted_proxy_is_not_counted() {
        let places = Places::new(100, 1, vec!["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(admitted(&places, "10.1.2.3", 9).len(), 9);
        assert_eq!(admitted(&places, "::ffff:10.1.2.3", 9).len(), 9);
        assert_eq!(admitted(&places, "192.0.2.1", 9).len(), 1);
    }

    #[tokio::test]
    async fn places_are_scarce_above_three_quarters() {
        let places = Places::new(8, 8, Vec::new());
        let mut taken = Vec::new();
        for _ in 0..6 {
            taken.push(places.take().await);
            assert!(!places.are_scarce());
        }
        taken.push(places.take().await);
        assert!(places.are_scarce());
        taken.truncate(6);
        assert!(!places.are_scarce());
    }
}
