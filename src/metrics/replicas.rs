//! What processes that share a store have in common.

use metrics::{Counter, counter, describe_counter, describe_gauge, gauge};

use super::labels::Alone;

pub(super) fn describe() {
    describe_gauge!("arm_replicas", "Processes that share the store, this one included.");
    describe_gauge!("arm_replicas_policies_differ", "1 while another process goes by another policy.");
    describe_gauge!("arm_lease_held", "1 while this process does the periodic work.");
    describe_counter!(
        "arm_store_fallbacks_total",
        "What this process decided alone, since the store did not respond in time."
    );
}

pub(super) fn start() {
    for what in Alone::ALL {
        fallbacks(*what).increment(0);
    }
}

/// So many processes share the store, this one included.
pub fn replicas(count: u32) {
    gauge!("arm_replicas").set(f64::from(count));
}

/// Whether another process goes by another policy.
pub fn policies_differ(differ: bool) {
    gauge!("arm_replicas_policies_differ").set(f64::from(u8::from(differ)));
}

/// Whether this process does what only one should do.
pub fn lease_held(is_held: bool) {
    gauge!("arm_lease_held").set(f64::from(u8::from(is_held)));
}

/// This process decided something alone that all should decide together.
pub fn decided_alone(what: Alone) {
    fallbacks(what).increment(1);
}

fn fallbacks(what: Alone) -> Counter {
    counter!("arm_store_fallbacks_total", "what" => what.as_str())
}
