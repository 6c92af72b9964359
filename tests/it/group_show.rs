//! `group-show`: a team's group in full.

use fake_github::{Fault, RunnerStatus, Visibility};
use serde_json::json;

use crate::harness::App;
use crate::scene::{acme, acme_with_groups};

const GROUP: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}";
const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];

#[tokio::test]
async fn a_maintainer_sees_the_settings_repositories_and_runners_of_the_teams_group() {
    let (mut world, cast) = acme();
    let group = world.add_group("payments", Visibility::Selected);
    let shop = world.repository_by_name("web").unwrap().id;
    world.add_repository_to_group(group, shop);
    let labels = ["self-hosted"];
    world.add_runner(group, "idle", &labels, RunnerStatus::Online);
    let busy = world.add_runner(group, "busy", &labels, RunnerStatus::Online);
    world.set_runner_busy(busy, true);
    world.add_runner(group, "gone", &labels, RunnerStatus::Offline);
    let team = world.team_by_slug("payments").unwrap().id;
    let app = App::start(world).await;
    let shown = app.call("GET", "group-show", &cast.ada, &PAYMENTS).await.response();
    assert_eq!(
        shown,
        json!({
            "team": { "id": team.0, "slug": "payments" },
            "group": {
                "id": group.0, "name": "payments", "visibility": "selected",
                "allows_public_repositories": false, "restricted_to_workflows": false,
                "selected_workflows": [], "workflow_restrictions_read_only": false,
            },
            "repositories": [{ "id": shop.0, "name": "web", "private": true }],
            "runners": { "total": 3, "online": 2, "idle": 1, "busy": 1, "offline": 1 },
        })
    );
}

#[tokio::test]
async fn what_an_owner_changed_shows_at_once() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    app.call("GET", "group-show", &cast.ada, &PAYMENTS).await.response();
    let workflow = "acme/web/.github/workflows/deploy.yml@refs/heads/main";
    app.fake.world(|world| {
        let group = world.group_by_name("payments").unwrap().id;
        world.change_group(group, |group| {
            group.visibility = Visibility::All;
            group.restricted_to_workflows = true;
            group.selected_workflows = vec![workflow.to_owned()];
        });
    });
    let shown = app.call("GET", "group-show", &cast.ada, &PAYMENTS).await.response();
    assert_eq!(shown["group"]["visibility"], "all");
    assert_eq!(shown["group"]["restricted_to_workflows"], true);
    assert_eq!(shown["group"]["selected_workflows"], json!([workflow]));
}

#[tokio::test]
async fn without_a_group_there_is_nothing_to_show() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    app.call("GET", "group-show", &cast.ada, &PAYMENTS).await.is_refused(404, "group_not_found");
}

#[tokio::test]
async fn a_group_that_is_deleted_meanwhile_is_not_found() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await;
    app.call("GET", "group-show", &cast.ada, &PAYMENTS).await.response();
    app.fake.inject(Fault::on("GET", GROUP).error(404, "Not Found"));
    app.call("GET", "group-show", &cast.ada, &PAYMENTS).await.is_refused(404, "group_not_found");
}

#[tokio::test]
async fn it_costs_one_call_for_the_group_and_one_for_each_list() {
    let (world, cast, _) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    app.call("GET", "group-show", &cast.ada, &PAYMENTS).await.response();
    app.fake.clear_calls();
    app.call("GET", "group-show", &cast.ada, &PAYMENTS).await.response();
    assert_eq!(app.fake.total_calls(), 3);
}
