//! `policy.maxRunners` holds over all processes.

use super::*;
use crate::scene::acme_with_groups;

/// Two that count at the same moment are rare.
const ROUNDS: usize = 5;

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn fifty_at_once_where_twenty_have_room_are_twenty() {
    let (mut world, cast, group) = acme_with_groups();
    world.set_rate_limit(1_000_000);
    let fleet = Fleet::start(world, json!({ "policy": { "maxRunners": 20 } })).await;
    // Between the count and the registration there is time for others.
    fleet.fake.set_latency(Duration::from_millis(20));
    let parameters = [("team", "payments"), ("labels", "linux")];
    for round in 0..ROUNDS {
        let all = (0..50).map(|number| {
            fleet.call(number % REPLICAS, "POST", "jitconfig-generate", &cast.ada, &parameters)
        });
        let answers = futures_util::future::join_all(all).await;
        let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        for refused in &refused {
            refused.is_refused(403, "denied_by_policy");
        }
        assert_eq!((made.len(), refused.len()), (20, 30), "in round {round}");
        let runners = fleet.fake.world(|world| world.group(group).unwrap().runners.clone());
        assert_eq!(runners.len(), 20, "in round {round}");
        fleet.fake.world(|world| runners.into_iter().for_each(|runner| world.delete_runner(runner)));
    }
}
