//! `runners-transfer`: from one team of the caller's to another, and nowhere else.

use fake_github::{DEFAULT_GROUP, Fault, Visibility};
use serde_json::json;

use crate::harness::App;
use crate::runners::{MOVE, because, in_group, names, skipped, transfer};
use crate::scene::acme_with_runners;

const GROUP: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}";

#[tokio::test]
async fn runners_move_to_another_team_that_the_caller_maintains_and_busy_ones_stay() {
    for (chosen, moved, left) in [
        (("all", "true"), &["gone-1", "idle-1"][..], because(&[("busy-1", "busy")])),
        (("names", "idle-1,nobody"), &["idle-1"], because(&[("nobody", "runner_not_found")])),
        (("labels", "gpu"), &["gone-1"], because(&[])),
        (("labels", "linux"), &["idle-1"], because(&[("busy-1", "busy")])),
    ] {
        let (mut world, cast, group) = acme_with_runners();
        world.add_maintainer(cast.search, cast.ada_id);
        let search = world.group_by_name("search").unwrap().id;
        let app = App::start(world).await;
        let answer = transfer(&app, &cast.ada, &[("to", "Search"), chosen]).await;
        assert_eq!(names(&answer, "transferred"), moved);
        assert_eq!(skipped(&answer), left);
        let (there, here) = (in_group(&app, search), in_group(&app, group));
        assert!(moved.iter().all(|name| there.contains(&(*name).to_owned())), "{there:?}");
        assert_eq!(here.len(), 3 - moved.len(), "{here:?}");
        assert_eq!(answer.audit()[0]["to_team"], "search");
    }
}

#[tokio::test]
async fn a_move_needs_two_teams_of_the_callers_and_a_group_for_each() {
    let (mut world, cast, group) = acme_with_runners();
    for (name, ada) in [("empty", true), ("default", true), ("enterprise", true), ("others", false)] {
        let team = world.add_team(name);
        if ada {
            world.add_maintainer(team, cast.ada_id);
        }
    }
    world.add_group("others", Visibility::Selected);
    let app = App::by_name(world, json!({})).await.settled().await;
    for (to, status, reason) in [
        ("search", 403, "not_a_maintainer"),
        ("others", 403, "not_a_maintainer"),
        ("nonexistent", 403, "not_a_maintainer"),
        ("empty", 404, "group_not_found"),
        ("default", 403, "group_protected"),
        ("enterprise", 403, "group_protected"),
        ("payments", 400, "invalid_parameter"),
        ("PAYMENTS", 400, "invalid_parameter"),
        ("", 400, "invalid_parameter"),
        ("*", 400, "invalid_parameter"),
    ] {
        transfer(&app, &cast.ada, &[("to", to), ("all", "true")]).await.is_refused(status, reason);
    }
    // Nor out of a team that she does not maintain.
    let out = [("team", "search"), ("to", "payments"), ("all", "true")];
    app.call("POST", "runners-transfer", &cast.ada, &out).await.is_refused(403, "not_a_maintainer");
    assert!(app.fake.calls().iter().all(|call| call.method == "GET"));
    assert_eq!(in_group(&app, group).len(), 3);
}

#[tokio::test]
async fn a_move_names_runners_in_one_way() {
    let (mut world, cast, _) = acme_with_runners();
    world.add_maintainer(cast.search, cast.ada_id);
    let app = App::start(world).await.settled().await;
    let to = ("to", "search");
    transfer(&app, &cast.ada, &[("all", "true")]).await.is_refused(400, "missing_parameter");
    transfer(&app, &cast.ada, &[to]).await.is_refused(400, "missing_parameter");
    transfer(&app, &cast.ada, &[to, ("all", "false")]).await.is_refused(400, "missing_parameter");
    for two in [
        [("ids", "1"), ("names", "idle-1")],
        [("ids", "1"), ("all", "true")],
        [("labels", "gpu"), ("names", "idle-1")],
        [("labels", "gpu"), ("all", "true")],
    ] {
        let both = transfer(&app, &cast.ada, &[to, two[0], two[1]]).await;
        both.is_refused(400, "conflicting_parameter");
    }
    transfer(&app, &cast.ada, &[to, ("offline", "true"), ("all", "true")])
        .await
        .is_refused(400, "unknown_parameter");
    assert!(app.fake.calls().iter().all(|call| call.method == "GET"));
}

#[tokio::test]
async fn a_move_does_not_overrun_the_quota_of_the_group_that_it_leads_to() {
    let (mut world, cast, group) = acme_with_runners();
    world.add_maintainer(cast.search, cast.ada_id);
    let search = world.group_by_name("search").unwrap().id;
    let app = App::with(world, json!({ "policy": { "maxRunners": 4 } })).await.settled().await;
    let all = transfer(&app, &cast.ada, &[("to", "search"), ("all", "true")]).await;
    all.is_refused(403, "denied_by_policy");
    assert_eq!((in_group(&app, search).len(), in_group(&app, group).len()), (3, 3));
    transfer(&app, &cast.ada, &[("to", "search"), ("names", "idle-1")]).await.response();
    let one_more = transfer(&app, &cast.ada, &[("to", "search"), ("names", "gone-1")]).await;
    one_more.is_refused(403, "denied_by_policy");
    assert_eq!(app.fake.count("PUT", MOVE), 1);
}

#[tokio::test]
async fn a_target_that_was_made_anew_is_found_and_one_that_was_renamed_is_no_longer_the_teams() {
    let (mut world, cast, group) = acme_with_runners();
    world.add_maintainer(cast.search, cast.ada_id);
    let search = world.group_by_name("search").unwrap().id;
    let app = App::by_name(world, json!({})).await;
    // So that the group is known by its id.
    app.call("GET", "group-list", &cast.ada, &[("team", "search")]).await.response();
    let anew = app.fake.world(|world| {
        world.delete_group(search);
        world.add_group("search", Visibility::Selected)
    });
    transfer(&app, &cast.ada, &[("to", "search"), ("names", "idle-1")]).await.response();
    assert_eq!(in_group(&app, anew), ["idle-1"]);
    app.fake.world(|world| world.rename_group(anew, "somebody-elses"));
    let renamed = transfer(&app, &cast.ada, &[("to", "search"), ("names", "gone-1")]).await;
    renamed.is_refused(404, "group_not_found");
    assert_eq!(in_group(&app, group), ["gone-1", "busy-1"]);
    assert_eq!(in_group(&app, DEFAULT_GROUP).len(), 2 + 3, "those of the group that was deleted by hand");
    assert!(app.fake.count("GET", GROUP) >= 1);
}

#[tokio::test]
async fn a_target_that_the_enterprise_took_over_or_that_became_default_gets_no_runner() {
    for (default, inherited) in [(true, false), (false, true)] {
        let (mut world, cast, _) = acme_with_runners();
        world.add_maintainer(cast.search, cast.ada_id);
        let search = world.group_by_name("search").unwrap().id;
        let app = App::by_name(world, json!({})).await;
        app.call("GET", "group-list", &cast.ada, &[("team", "search")]).await.response();
        let now = json!({
            "id": search.0, "name": "search", "visibility": "selected", "default": default, "inherited": inherited,
            "allows_public_repositories": false, "runners_url": "https://api.github.com/",
        });
        app.fake.inject(Fault::on("GET", GROUP).status(200, now));
        transfer(&app, &cast.ada, &[("to", "search"), ("all", "true")])
            .await
            .is_refused(404, "group_not_found");
        assert_eq!(app.fake.count("PUT", MOVE), 0);
    }
}
