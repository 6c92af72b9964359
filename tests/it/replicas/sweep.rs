//! One process sweeps, whichever it is.

use fake_github::RunnerStatus;

use super::*;
use crate::scene::acme_with_groups;

const RUNNER: &str = "/orgs/{org}/actions/runners/{runner_id}";
const SWEPT: &str = "swept offline runners";
const SWEEPS: usize = 10;
/// After this time another holds what one no longer renews.
pub const TAKEN_OVER: Duration = Duration::from_secs(75);

/// As often and as hasty as it may be.
pub fn sweeping() -> Value {
    json!({ "sweep": { "offlineRunners": { "enabled": true, "every": "1s", "offlineFor": "1s" } } })
}

pub fn sweeps(fleet: &Fleet) -> Vec<usize> {
    fleet.replicas.iter().map(|replica| replica.lines_with(SWEPT)).collect()
}

/// Asserts that no runner was asked to be removed twice.
pub fn each_was_removed_once(fleet: &Fleet, runners: usize) {
    let calls = fleet.fake.calls();
    let removals = calls.iter().filter(|call| call.method == "DELETE" && call.template == Some(RUNNER));
    let mut paths: Vec<_> = removals.map(|call| call.path.clone()).collect();
    assert_eq!(paths.len(), runners, "{paths:?}");
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), runners, "one more than once");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn one_of_them_sweeps_and_each_runner_is_removed_once() {
    let (mut world, _, group) = acme_with_groups();
    for number in 0..5 {
        world.add_runner(group, &format!("gone-{number}"), &["linux"], RunnerStatus::Offline);
    }
    let fleet = Fleet::start(world, sweeping()).await;
    let holder = fleet.holder(&[0, 1, 2], SEEN).await;
    // A while after the first are gone there are more.
    let removed = || fleet.fake.world(|world| world.runners_of(group)).is_empty();
    until(SEEN, "the removal of the first", async || removed()).await;
    fleet.fake.world(|world| {
        for number in 5..10 {
            world.add_runner(group, &format!("gone-{number}"), &["linux"], RunnerStatus::Offline);
        }
    });
    let enough = async || sweeps(&fleet)[holder] >= SWEEPS && removed();
    until(Duration::from_mins(1), "the sweeps", enough).await;
    let mut expected = vec![0; REPLICAS];
    expected[holder] = sweeps(&fleet)[holder];
    assert_eq!(sweeps(&fleet), expected, "one swept");
    each_was_removed_once(&fleet, 10);
    let held: Vec<_> =
        futures_util::future::join_all(fleet.replicas.iter().map(|one| one.metric("arm_lease_held"))).await;
    assert_eq!(held.iter().flatten().filter(|held| **held > 0.0).count(), 1, "{held:?}");
    // It ends in good order: another goes on.
    fleet.replicas[holder].binary.signal("TERM");
    fleet.replicas[holder].binary.ended().await;
    let others: Vec<_> = (0..REPLICAS).filter(|number| *number != holder).collect();
    let next = fleet.holder(&others, TAKEN_OVER).await;
    until(SEEN, "a sweep of the next", async || sweeps(&fleet)[next] >= 2).await;
}
