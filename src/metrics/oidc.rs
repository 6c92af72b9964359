//! What happens with the keys of OIDC issuers.

use metrics::{Counter, counter, describe_counter};

use super::labels::KeysFetched;

pub(super) fn describe() {
    describe_counter!(
        "arm_oidc_keys_fetched_total",
        "Times that an OIDC issuer's keys were read, by outcome."
    );
}

pub(super) fn start() {
    for outcome in KeysFetched::ALL {
        fetches(*outcome).increment(0);
    }
}

/// The keys of an OIDC issuer were read, or could not be.
pub fn keys_fetched(outcome: KeysFetched) {
    fetches(outcome).increment(1);
}

fn fetches(outcome: KeysFetched) -> Counter {
    counter!("arm_oidc_keys_fetched_total", "outcome" => outcome.as_str())
}
