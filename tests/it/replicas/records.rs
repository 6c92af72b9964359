//! What one process changed is so for the others, too: records within seconds, and a group for whoever looks after that.

use fake_github::{Fault, Hold};

use super::*;
use crate::ownership::{administered, with_administrator};
use crate::scene::acme_with_groups;

/// Within this time a record that changed is in force everywhere.
pub const IN_FORCE: Duration = Duration::from_secs(5);
const GROUP_REPOSITORIES: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/repositories";
const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];

/// Waits until each process finds the team's group, or none.
async fn each_finds(fleet: &Fleet, token: &str, team: &str, status: u16) {
    let begun = Instant::now();
    for replica in 0..REPLICAS {
        let what = format!("{status} for {team} on replica {replica}");
        let left = IN_FORCE.saturating_sub(begun.elapsed());
        let is_so =
            async || fleet.ask(replica, "GET", "group-list", token, &[("team", team)]).await.0 == status;
        until(left, &what, is_so).await;
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn a_record_that_changes_on_one_is_in_force_on_the_others_within_five_seconds() {
    let (world, cast, _, root) = with_administrator();
    let mut extra = administered();
    merge(&mut extra, &json!({ "policy": { "maxRunners": 0 } }));
    let fleet = Fleet::without_records(world, extra).await;
    for replica in 0..REPLICAS {
        fleet
            .call(replica, "GET", "group-list", &cast.ada, &PAYMENTS)
            .await
            .is_refused(404, "group_not_found");
    }
    let adopted = [("team", "payments"), ("group", "payments")];
    fleet.call(0, "POST", "group-adopt", &root, &adopted).await.response();
    each_finds(&fleet, &cast.ada, "payments", 200).await;
    fleet.call(1, "POST", "group-release", &root, &PAYMENTS).await.response();
    each_finds(&fleet, &cast.ada, "payments", 404).await;
    let of_administrators = [("team", "platform-admins")];
    fleet.call(2, "POST", "group-add", &root, &of_administrators).await.response();
    each_finds(&fleet, &root, "platform-admins", 200).await;
    fleet.call(0, "DELETE", "group-delete", &root, &of_administrators).await.response();
    each_finds(&fleet, &root, "platform-admins", 404).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn a_group_that_one_gave_is_not_given_again_by_another() {
    let (world, cast, _, root) = with_administrator();
    let fleet = Fleet::without_records(world, administered()).await;
    let adopted = [("team", "payments"), ("group", "payments")];
    let all = (0..REPLICAS).map(|replica| fleet.call(replica, "POST", "group-adopt", &root, &adopted));
    let answers = futures_util::future::join_all(all).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409]);
    let all = (0..REPLICAS)
        .map(|replica| fleet.call(replica, "POST", "group-add", &cast.eve, &[("team", "search")]));
    for answer in futures_util::future::join_all(all).await {
        // There is one of this name, which is nobody's.
        answer.is_refused(409, "group_exists");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn nobody_joins_a_list_from_before_a_write_that_another_process_did() {
    let (mut world, cast, _) = acme_with_groups();
    let eve = world.user_by_login("eve").unwrap().id;
    world.add_maintainer(cast.payments, eve);
    let fleet = Fleet::start(world, json!({})).await;
    for replica in 0..REPLICAS {
        fleet.call(replica, "GET", "group-list", &cast.eve, &PAYMENTS).await.response();
    }
    let hold = Hold::new();
    fleet.fake.inject(Fault::on("GET", GROUP_REPOSITORIES).after_effect().hold(&hold).once());
    let before = fleet.call(1, "GET", "group-list", &cast.ada, &PAYMENTS);
    let meanwhile = async {
        hold.arrived(1).await;
        let added = [("team", "payments"), ("repos", "api")];
        fleet.call(0, "PATCH", "repos-add", &cast.eve, &added).await.response();
        let shown = fleet.call(1, "GET", "group-list", &cast.eve, &PAYMENTS).await.response();
        assert_eq!(shown["repos"], json!(["web", "api"]));
        hold.release();
    };
    let (before, ()) = within("the answers", Box::pin(async { tokio::join!(before, meanwhile) })).await;
    assert_eq!(before.response()["repos"], json!(["web"]));
}
