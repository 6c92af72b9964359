//! A user's rate limit counts over all processes, however the requests are spread.

use std::time::Instant;

use tokio::time::interval;

use super::*;
use crate::scene::acme;

const RATE: f64 = 5.0;
/// How long is asked.
const TIME: Duration = Duration::from_mins(1);
/// What part may be missing or too much, in addition to what a process decided alone. On a machine with little to spare a
/// statement now and then takes longer than the 50 ms that a request has for it.
const TOLERANCE: f64 = 0.05;

/// How many requests of a user one process accepts that is asked so often for so long. The limit refuses the others.
pub async fn accepted(fleet: &Fleet, replica: usize, token: &str, a_second: u32, time: Duration) -> u32 {
    let begun = Instant::now();
    let mut ticks = interval(Duration::from_secs(1) / a_second);
    let mut accepted = 0;
    while begun.elapsed() < time {
        match fleet.ask(replica, "GET", "status", token, &[]).await {
            (200, _) => accepted += 1,
            (429, text) => assert!(text.contains("\"rate_limited\""), "{text}"),
            (status, text) => panic!("{status}: {text}"),
        }
        ticks.tick().await;
    }
    accepted
}

/// How often a process decided alone.
pub async fn fallbacks(fleet: &Fleet) -> f64 {
    let all = fleet.replicas.iter().map(|replica| replica.metric("arm_store_fallbacks_total{what=\"limit\""));
    futures_util::future::join_all(all).await.into_iter().flatten().sum()
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn a_users_limit_counts_over_all_of_them_evenly_asked_or_not() {
    let (world, cast) = acme();
    let fleet = Fleet::start(world, json!({ "server": { "rateLimit": RATE, "rateBurst": RATE } })).await;
    let ask = |replica, token, a_second| accepted(&fleet, replica, token, a_second, TIME);
    // Ada asks all alike; Eve floods one and asks the others now and then.
    let ada = futures_util::future::join_all((0..REPLICAS).map(|replica| ask(replica, &cast.ada, 10)));
    let eve = async { tokio::join!(ask(0, &cast.eve, 40), ask(1, &cast.eve, 10), ask(2, &cast.eve, 2)) };
    let (ada, eve) = tokio::join!(ada, eve);
    let (expected, alone) = (RATE * (1.0 + TIME.as_secs_f64()), fallbacks(&fleet).await);
    println!("evenly {ada:?}, unevenly {eve:?}, {expected} expected, {alone} decided alone");
    for accepted in [ada.iter().sum::<u32>(), eve.0 + eve.1 + eve.2].map(f64::from) {
        let range = expected * (1.0 - TOLERANCE)..=expected * (1.0 + TOLERANCE) + alone;
        assert!(range.contains(&accepted), "{accepted} is not in {range:?}: {ada:?} {eve:?}");
    }
}
