//! What GitHub asked one process to wait for, all wait for.

use std::time::{SystemTime, UNIX_EPOCH};

use fake_github::Fault;

use super::*;
use crate::scene::{Cast, acme_with_groups};

const REGISTRATION: &str = "/orgs/{org}/actions/runners/registration-token";
const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];
/// Within this time all know.
const KNOWN: Duration = Duration::from_secs(1);
const READS_AND_WRITES: [(&str, &str); 3] =
    [("POST", "token-register"), ("POST", "token-remove"), ("GET", "group-list")];

async fn started() -> (Fleet, Cast) {
    let (world, cast, _) = acme_with_groups();
    let fleet = Fleet::start(world, json!({})).await;
    for replica in 0..REPLICAS {
        for (method, operation) in READS_AND_WRITES {
            fleet.call(replica, method, operation, &cast.ada, &PAYMENTS).await.response();
        }
    }
    fleet.fake.clear_calls();
    (fleet, cast)
}

/// One process hears it; a second later all know.
async fn learnt_by_one(fleet: &Fleet, cast: &Cast, fault: Fault) {
    fleet.fake.inject(fault.once());
    fleet
        .call(0, "POST", "token-register", &cast.ada, &PAYMENTS)
        .await
        .is_refused(503, "github_rate_limited");
    let learnt = Instant::now();
    for replica in &fleet.replicas {
        let holds = async || replica.metric("arm_github_holds").await.is_some_and(|holds| holds >= 1.0);
        until(KNOWN.saturating_sub(learnt.elapsed()), "the hold", holds).await;
    }
    fleet.fake.clear_calls();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn a_secondary_limit_that_one_met_keeps_the_others_silent_within_a_second() {
    let (fleet, cast) = started().await;
    let limit = Fault::on("POST", REGISTRATION).secondary_limit(Duration::from_secs(30));
    learnt_by_one(&fleet, &cast, limit).await;
    for replica in 0..REPLICAS {
        let held = fleet.call(replica, "POST", "token-register", &cast.ada, &PAYMENTS).await;
        held.is_refused(503, "github_rate_limited");
        let wait: u64 = held.header("retry-after").parse().unwrap();
        assert!((20..=30).contains(&wait), "replica {replica}: {wait}");
        // Of this endpoint alone.
        fleet.call(replica, "POST", "token-remove", &cast.ada, &PAYMENTS).await.response();
    }
    assert_eq!(fleet.fake.count("POST", REGISTRATION), 0);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn an_hour_that_one_found_spent_keeps_the_others_silent_within_a_second() {
    let (fleet, cast) = started().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let limit = Fault::on("POST", REGISTRATION).primary_limit(i64::try_from(now + 1_800).unwrap());
    learnt_by_one(&fleet, &cast, limit).await;
    for replica in 0..REPLICAS {
        for (method, operation) in READS_AND_WRITES {
            let held = fleet.call(replica, method, operation, &cast.ada, &PAYMENTS).await;
            held.is_refused(503, "github_rate_limited");
            let wait: u64 = held.header("retry-after").parse().unwrap();
            assert!((1_700..=1_802).contains(&wait), "replica {replica}: {wait}");
        }
    }
    assert_eq!(fleet.fake.total_calls(), 0);
}
