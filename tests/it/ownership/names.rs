//! Without a store, the name of a group says whose it is; or groups are left alone.

use std::time::Duration;

use fake_github::Visibility;
use serde_json::json;

use crate::harness::App;
use crate::process::Service;
use crate::scene::{acme, acme_with_groups};

const TEAM: &[(&str, &str)] = &[("team", "payments")];

#[tokio::test]
async fn the_start_is_refused_where_nothing_says_which_group_is_whose() {
    let fake = crate::harness::fake(acme().0);
    let service = Service::launched(fake, json!({ "store": { "url": "" } }));
    let ended = service.binary.ended().await;
    assert_eq!(ended.code, 1, "{ended:?}");
    for way_out in ["store.url", "{id}", "groups.trustNames", "groups.enabled"] {
        assert!(ended.stderr.contains(way_out), "{way_out}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn with_ids_in_names_a_group_is_to_be_renamed_after_its_team() {
    let (mut world, cast) = acme();
    let name = format!("payments-{}", cast.payments.0);
    let group = world.add_group(&name, Visibility::Selected);
    let extra = json!({ "store": { "url": "" }, "groups": { "name": "{team}-{id}" } });
    let app = App::with(world, extra).await;
    app.call("GET", "group-list", &cast.ada, TEAM).await.response();
    app.fake.world(|world| world.rename_team(cast.payments, "billing"));
    app.clock.advance(Duration::from_mins(5));
    let list = async || app.call("GET", "group-list", &cast.ada, &[("team", "billing")]).await;
    list().await.is_refused(404, "group_not_found");
    app.fake.world(|world| world.rename_group(group, &format!("billing-{}", cast.payments.0)));
    app.clock.advance(Duration::from_mins(1));
    list().await.response();
}

#[tokio::test]
async fn names_without_ids_work_where_they_are_trusted() {
    let (world, cast, _) = acme_with_groups();
    let extra = json!({ "store": { "url": "" }, "groups": { "trustNames": true } });
    let app = App::with(world, extra).await;
    assert_eq!(app.call("GET", "group-list", &cast.ada, TEAM).await.response()["repos"], json!(["web"]));
}

#[tokio::test]
async fn where_names_are_trusted_the_start_names_the_groups_that_no_team_has() {
    let (mut world, _, _) = acme_with_groups();
    world.add_group("prod-deploy", Visibility::Selected);
    let extra = json!({ "store": { "url": "" }, "groups": { "trustNames": true } });
    let service = Service::with(world, extra).await;
    let line = service.binary.stdout.with("after one of these groups gets it").await;
    assert!(line.contains("prod-deploy") && !line.contains("payments"), "{line}");
}

#[tokio::test]
async fn groups_can_be_switched_off_and_tokens_stay() {
    let (world, cast, _) = acme_with_groups();
    let app = App::with(world, json!({ "store": { "url": "" }, "groups": { "enabled": false } })).await;
    for (method, operation, others) in crate::access::TEAM_OPERATIONS {
        let parameters: Vec<_> = TEAM.iter().chain(*others).copied().collect();
        let answer = app.call(method, operation, &cast.ada, &parameters).await;
        match *operation {
            "token-register" | "token-remove" => drop(answer.response()),
            // Needs two teams, of which she maintains one.
            "runners-transfer" => answer.is_refused(403, "not_a_maintainer"),
            _ if parameters.iter().any(|(name, _)| *name == "transfer_to") => {
                answer.is_refused(403, "not_a_maintainer");
            }
            _ => {
                answer.is_refused(501, "not_configured");
                assert!(answer.text.contains("groups.enabled"), "{}", answer.text);
            }
        }
    }
    app.call("GET", "status", &cast.ada, &[]).await.response();
}
