//! A process that stands still and goes on, as one does that gets no time, while it holds what the others need.

use fake_github::{Fault, Hold, RunnerStatus};

use super::sweep::{TAKEN_OVER, each_was_removed_once, sweeping, sweeps};
use super::*;
use crate::scene::acme_with_groups;

const RUNNER: &str = "/orgs/{org}/actions/runners/{runner_id}";
const GENERATE: &str = "/orgs/{org}/actions/runners/generate-jitconfig";
/// After this time a turn is no longer its holder's who doesn't renew it.
const TURN_IS_OVER: Duration = Duration::from_secs(35);

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn one_that_comes_back_in_the_middle_of_a_sweep_leaves_it_to_the_one_that_took_over() {
    let (mut world, _, group) = acme_with_groups();
    for number in 0..10 {
        world.add_runner(group, &format!("gone-{number}"), &["linux"], RunnerStatus::Offline);
    }
    let hold = Hold::new();
    let fleet = Fleet::empty(Database::new().await, world, sweeping());
    // Its second look at a runner, after which it would remove it.
    fleet.fake.inject(Fault::on("GET", RUNNER).after_effect().hold(&hold));
    let fleet = fleet.launched().await;
    let first = fleet.holder(&[0, 1, 2], SEEN).await;
    within("the second look", hold.arrived(1)).await;
    fleet.replicas[first].binary.signal("STOP");
    fleet.fake.clear_faults();
    hold.release();
    let others: Vec<_> = (0..REPLICAS).filter(|number| *number != first).collect();
    let next = fleet.holder(&others, TAKEN_OVER).await;
    let removed = async || fleet.fake.world(|world| world.runners_of(group)).is_empty();
    until(Duration::from_mins(1), "the removal by the next", removed).await;
    fleet.replicas[first].binary.signal("CONT");
    let gives_up = async || fleet.replicas[first].metric("arm_lease_held").await == Some(0.0);
    until(SEEN, "the first to give up the lease", gives_up).await;
    let before = sweeps(&fleet);
    until(SEEN, "more sweeps of the next", async || sweeps(&fleet)[next] >= before[next] + 5).await;
    let after = sweeps(&fleet);
    for number in (0..REPLICAS).filter(|number| *number != next) {
        assert_eq!(after[number], before[number], "replica {number} sweeps, too");
    }
    each_was_removed_once(&fleet, 10);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn one_that_holds_a_groups_turn_keeps_the_others_waiting_for_half_a_minute_at_most() {
    let (world, cast, group) = acme_with_groups();
    let fleet = Fleet::start(world, json!({ "policy": { "maxRunners": 2 } })).await;
    let generate = async |replica| {
        let parameters = [("team", "payments"), ("labels", "linux")];
        fleet.ask(replica, "POST", "jitconfig-generate", &cast.ada, &parameters).await
    };
    for replica in 0..REPLICAS {
        fleet.call(replica, "GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
    }
    let hold = Hold::new();
    fleet.fake.inject(Fault::on("POST", GENERATE).hold(&hold).once());
    let meanwhile = async {
        within("the call to GitHub", hold.arrived(1)).await;
        fleet.replicas[0].binary.signal("STOP");
        // GitHub does it, and nobody hears of that.
        hold.release();
        until(TURN_IS_OVER, "a turn for the next", async || generate(1).await.0 == 200).await;
        let (status, text) = generate(2).await;
        assert_eq!(status, 403, "{text}");
        fleet.replicas[0].binary.signal("CONT");
    };
    let ((status, _), ()) = Box::pin(async { tokio::join!(generate(0), meanwhile) }).await;
    // It may have heard what GitHub responded, or have waited for too long.
    assert!(matches!(status, 200 | 502..=504), "{status}");
    until(SEEN, "a refusal by the first", async || generate(0).await.0 == 403).await;
    let runners = fleet.fake.world(|world| world.runners_of(group));
    assert!(runners.len() <= 2, "{runners:?}");
}
