//! What GitHub says about waiting, well-formed or not.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Hold, MAX_WAIT};
use crate::clock::Clock;
use crate::domain::shares::Shares;
use crate::github::budget::Budget;
use crate::github::call::Call;
use crate::github::reply::Refusal;
use crate::metrics::CallKind;
use crate::replicas::Replicas;

const NAMES: [&str; 5] =
    ["retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "date"];

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<u64>().prop_map(|number| number.to_string().into_bytes()),
        "[ +-]{0,2}[0-9]{0,25}( GMT|s|\\.5)?".prop_map(String::into_bytes),
        "[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{5,8} (GMT|\\+[0-9]{4})"
            .prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..30),
    ]
}

fn headers(values: &[(&'static str, String)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in values {
        map.insert(*name, value.parse().unwrap());
    }
    map
}

fn read(status: u16, map: &HeaderMap, now: u64) -> Option<Hold> {
    let status = StatusCode::from_u16(status).unwrap();
    let refusal = (!status.is_success()).then(|| Refusal::read(map, b"{\"message\": \"no\"}"));
    Hold::read(status, map, refusal.as_ref(), now)
}

fn seconds(status: u16, map: &HeaderMap, now: u64) -> Option<u64> {
    read(status, map, now).map(|hold| hold.wait.as_secs())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn no_header_holds_anybody_back_for_more_than_an_hour(
        status in 100..1_000_u16,
        values in prop::collection::vec(prop::option::of(value()), 5),
        now in any::<u64>(),
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in NAMES.into_iter().zip(values) {
            if let Some(value) = value.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok()) {
                map.insert(name, value);
            }
        }
        let hold = read(status, &map, now);
        let clock = Clock::manual();
        let budget = Budget::of_all(Shares::default(), Arc::new(Replicas::none()), clock.clone());
        let call = Call::get(CallKind::Team, "/a/path".to_owned());
        budget.learn(&call, &map);
        if let Some(hold) = hold.clone() {
            budget.note(&call, hold, clock.now());
        }
        let wait = budget.hold(&call);
        prop_assert_eq!(wait.is_some(), hold.is_some());
        prop_assert!(wait.is_none_or(|wait| (Duration::from_secs(1)..=MAX_WAIT).contains(&wait)));
        clock.advance(MAX_WAIT);
        prop_assert_eq!(budget.hold(&call), None);
    }

    #[test]
    fn a_stated_wait_is_kept_to_within_its_bounds(status in select(vec![403_u16, 429]), stated in prop_oneof![any::<u64>(), 0..4_000_u64]) {
        let said = headers(&[("retry-after", stated.to_string())]);
        prop_assert_eq!(seconds(status, &said, 0), Some(stated.clamp(1, 3_600)));
        prop_assert_eq!(seconds(200, &said, 0), None, "a success asks nobody to wait");
    }

    #[test]
    fn a_spent_budget_holds_until_its_reset_by_githubs_clock(
        status in 200..600_u16,
        now in 0..4_000_000_000_u64,
        ahead in 0..5_000_u64,
        skew in any::<u64>(),
        left in 0..3_u64,
    ) {
        prop_assume!(status != 429);
        let spent = [("x-ratelimit-remaining", left.to_string()), ("x-ratelimit-reset", (now + ahead).to_string())];
        let expected = (left == 0).then_some(ahead.clamp(1, 3_600));
        prop_assert_eq!(seconds(status, &headers(&spent), now), expected);
        let date = chrono::DateTime::from_timestamp(i64::try_from(now).unwrap(), 0).unwrap();
        let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let dated = headers(&[spent[0].clone(), spent[1].clone(), ("date", date)]);
        prop_assert_eq!(seconds(status, &dated, skew), expected, "whatever our own clock says");
    }
}
