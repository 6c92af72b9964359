//! Processes with different policies are noticed.

use super::*;
use crate::scene::acme;

const NOTICED: Duration = Duration::from_secs(2);
const METRIC: &str = "arm_replicas_policies_differ";

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn one_with_another_policy_is_noticed_by_all_until_it_is_put_right() {
    let (world, _) = acme();
    let fleet = Fleet::start(world, json!({})).await;
    fleet.each_has(METRIC, 0, NOTICED).await;
    fleet.reconfigure(2, &json!({ "policy": { "maxRunners": 7 } })).await;
    fleet.each_has(METRIC, 1, NOTICED).await;
    fleet.reconfigure(2, &json!({})).await;
    fleet.each_has(METRIC, 0, NOTICED).await;
    // What isn't policy may differ: a level of logging, say, while somebody looks for something.
    fleet.reconfigure(1, &json!({ "logging": { "level": "debug" } })).await;
    fleet.each_has(METRIC, 0, NOTICED).await;
    fleet.reconfigure(0, &json!({ "policy": { "teams": { "deny": ["search"] } } })).await;
    fleet.each_has(METRIC, 1, NOTICED).await;
    // One that ended counts no more.
    fleet.replicas[0].binary.signal("TERM");
    fleet.replicas[0].binary.ended().await;
    for replica in [1, 2] {
        let equal = async || fleet.replicas[replica].metric(METRIC).await == Some(0.0);
        until(SEEN, "the others to agree", equal).await;
    }
}
