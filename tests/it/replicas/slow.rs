//! Each statement takes two seconds: nobody waits for the store who can do without.

use super::outages::scene;
use super::*;

const DELAY: Duration = Duration::from_secs(2);
/// Within this time each has given up on the store, and its first questions to it have run out.
const LEARNT: usize = 10;
const ASKED: usize = 60;
const USUAL: Duration = Duration::from_millis(300);
/// A request's deadline: three calls to GitHub, of 10 s at most, but no more than a stop waits for.
const DEADLINE: Duration = Duration::from_secs(25);
const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn a_store_that_takes_two_seconds_for_a_statement_slows_down_no_token_and_no_status() {
    let (database, gate) = Database::behind_a_gate().await;
    let scene = scene(database, json!({})).await;
    let fleet = &scene.fleet;
    gate.slows_down_by(DELAY);
    let ask = async |replica, method, operation, parameters: &[(&str, &str)]| {
        let begun = Instant::now();
        let (status, text) = fleet.ask(replica, method, operation, &scene.cast.ada, parameters).await;
        assert_eq!(status, 200, "{operation}: {text}");
        begun.elapsed()
    };
    let on_one = async |replica| {
        for _ in 0..LEARNT {
            ask(replica, "GET", "status", &[]).await;
        }
        let mut times = Vec::new();
        // For several seconds: after each the store is tried again.
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        for number in 0..ASKED {
            ticks.tick().await;
            times.push(match number % 2 {
                0 => ask(replica, "GET", "status", &[]).await,
                _ => ask(replica, "POST", "token-register", &PAYMENTS).await,
            });
        }
        times.sort_unstable();
        times[ASKED * 95 / 100]
    };
    let times = futures_util::future::join_all((0..REPLICAS).map(on_one)).await;
    assert!(times.iter().all(|time| *time <= USUAL), "95 of 100 took up to {times:?}");
    let linux = [("team", "payments"), ("labels", "linux")];
    let all = (0..REPLICAS).map(|replica| ask(replica, "POST", "jitconfig-generate", &linux));
    let times = futures_util::future::join_all(all).await;
    assert!(times.iter().all(|time| *time <= DEADLINE), "{times:?}");
    gate.slows_down_by(Duration::ZERO);
    scene.works_again().await;
    scene.is_whole(&[]).await;
}
