//! `group-adopt` and `group-release`: administrators give groups that exist to teams, and take them back.

use fake_github::{DEFAULT_GROUP, TokenKind, Visibility};
use serde_json::{Value, json};

use super::{administered, with_administrator};
use crate::harness::{Answer, App};
use crate::scene::acme;

const GROUPS: &str = "/orgs/{org}/actions/runner-groups";

fn adopted(answer: &Answer) -> Vec<(String, String)> {
    let response = answer.response();
    let items = response["adopted"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    items.map(|item| (text(&item["group"]["name"]), text(&item["team"]["slug"]))).collect()
}

#[tokio::test]
async fn an_administrator_gives_a_group_to_a_team_by_names_or_ids() {
    for by_ids in [false, true] {
        let (world, cast, group, root) = with_administrator();
        let app = App::without_records(world, administered()).await;
        let list = async || app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await;
        list().await.is_refused(404, "group_not_found");
        let (team, id) = (format!("id:{}", cast.payments.0), format!("id:{}", group.0));
        let named = if by_ids {
            [("team", team.as_str()), ("group", id.as_str())]
        } else {
            [("team", "Payments"), ("group", "PAYMENTS")]
        };
        let answer = app.call("POST", "group-adopt", &root, &named).await;
        let expected = json!({ "adopted": [{
            "group": { "id": group.0, "name": "payments" },
            "team": { "id": cast.payments.0, "slug": "payments" },
        }] });
        assert_eq!(answer.response(), expected);
        let line = answer.audit().remove(0);
        assert_eq!((&line["outcome"], &line["as_administrator"]), (&json!("success"), &json!(true)));
        let record = json!([{ "team_id": cast.payments.0, "group_id": group.0, "group": "payments" }]);
        assert_eq!(line["records"], record);
        assert_eq!(list().await.response()["repos"], json!(["web"]));
        app.call("POST", "group-adopt", &root, &named).await.is_refused(409, "group_exists");
    }
}

#[tokio::test]
async fn by_a_pattern_each_group_goes_to_the_current_team_of_its_name_after_a_trial() {
    let (mut world, cast, _, root) = with_administrator();
    world.add_group("by-hand", Visibility::Selected);
    world.add_inherited_group("platform-admins");
    let app = App::without_records(world, administered()).await;
    let trial = app.call("POST", "group-adopt", &root, &[("matching", "*"), ("dry_run", "true")]).await;
    let expected =
        [("payments".to_owned(), "payments".to_owned()), ("search".to_owned(), "search".to_owned())];
    assert_eq!(adopted(&trial), expected);
    assert_eq!(trial.response()["dry_run"], true);
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")])
        .await
        .is_refused(404, "group_not_found");
    let one = app.call("POST", "group-adopt", &root, &[("matching", "pay*")]).await;
    assert_eq!(adopted(&one), expected[..1]);
    assert_eq!(one.response()["dry_run"], Value::Null);
    let rest = app.call("POST", "group-adopt", &root, &[("matching", "match:.*")]).await;
    assert_eq!(adopted(&rest), expected[1..]);
    let again = app.call("POST", "group-adopt", &root, &[("matching", "*")]).await;
    assert_eq!(adopted(&again), []);
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
}

#[tokio::test]
async fn what_is_nobodys_or_somebody_elses_is_not_given_away() {
    let (mut world, cast, group, root) = with_administrator();
    let inherited = world.add_inherited_group("enterprise");
    world.add_group("spare", Visibility::Selected);
    let app = App::with(world, administered()).await;
    let adopt = async |team: &str, group: &str| {
        app.call("POST", "group-adopt", &root, &[("team", team), ("group", group)]).await
    };
    adopt("platform-admins", "Default").await.is_refused(403, "group_protected");
    adopt("platform-admins", &format!("id:{}", DEFAULT_GROUP.0)).await.is_refused(403, "group_protected");
    adopt("platform-admins", &format!("id:{}", inherited.0)).await.is_refused(403, "group_protected");
    adopt("platform-admins", "payments").await.is_refused(409, "group_exists");
    adopt("payments", "spare").await.is_refused(409, "group_exists");
    adopt("payments", "nonexistent").await.is_refused(404, "group_not_found");
    adopt("platform-admins", "id:4711").await.is_refused(404, "group_not_found");
    adopt("nonexistent", "spare").await.is_refused(400, "invalid_parameter");
    adopt("id:4711", "spare").await.is_refused(400, "invalid_parameter");
    for (parameters, reason) in [
        (&[("team", "payments")][..], "missing_parameter"),
        (&[("group", "spare")], "missing_parameter"),
        (&[], "missing_parameter"),
        (&[("matching", "*"), ("team", "payments")], "conflicting_parameter"),
        (&[("matching", "match:(")], "invalid_parameter"),
        (&[("team", "../x"), ("group", "spare")], "invalid_parameter"),
        (&[("team", "payments"), ("group", "id:x")], "invalid_parameter"),
    ] {
        app.call("POST", "group-adopt", &root, parameters).await.is_refused(400, reason);
    }
    // The team's group is still the one it was.
    let shown = app.call("GET", "group-show", &cast.ada, &[("team", "payments")]).await.response();
    assert_eq!(shown["group"]["id"], group.0);
}

#[tokio::test]
async fn only_administrators_with_a_token_of_their_own_may() {
    let (mut world, cast, group, _) = with_administrator();
    let root = world.user_by_login("root").unwrap().id;
    let weak = world.add_token_with_scopes(root, TokenKind::OAuth, &["user:email", "repo"]);
    let command_line = world.add_token_with_scopes(root, TokenKind::OAuth, &["gist", "read:org", "repo"]);
    let app = App::with(world, administered()).await;
    let (team, id) = (format!("id:{}", cast.payments.0), format!("id:{}", group.0));
    for token in [&cast.ada, &cast.bob, &cast.eve, &cast.olivia, &cast.sam] {
        for (operation, parameters) in [
            ("group-adopt", vec![("team", team.as_str()), ("group", id.as_str())]),
            ("group-adopt", vec![("matching", "*")]),
            ("group-release", vec![("team", team.as_str())]),
        ] {
            let answer = app.call("POST", operation, token, &parameters).await;
            answer.is_refused(403, "not_a_maintainer");
        }
    }
    // Any web site that somebody signs in at holds such a token.
    app.call("POST", "group-release", &weak, &[("team", "payments")])
        .await
        .is_refused(401, "unsupported_token");
    app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
    // That of GitHub's command line may read teams, which its owner agreed to.
    app.call("POST", "group-release", &command_line, &[("team", "payments")]).await.response();
}

#[tokio::test]
async fn a_release_takes_the_group_from_its_team_and_changes_nothing_at_github() {
    let (world, cast, group, root) = with_administrator();
    let app = App::with(world, administered()).await.settled().await;
    let payments = format!("id:{}", cast.payments.0);
    let by_id = format!("id:{}", group.0);
    for named in
        [("team", "payments"), ("team", payments.as_str()), ("group", "Payments"), ("group", by_id.as_str())]
    {
        let answer = app.call("DELETE", "group-release", &root, &[named]).await;
        assert_eq!(answer.response(), "Runner group released: payments");
        let line = answer.audit().remove(0);
        assert_eq!(
            line["records"],
            json!([{ "team_id": cast.payments.0, "group_id": group.0, "group": "payments" }])
        );
        app.call("GET", "group-list", &cast.ada, &[("team", "payments")])
            .await
            .is_refused(404, "group_not_found");
        app.call("DELETE", "group-release", &root, &[named]).await.is_refused(404, "group_not_found");
        let again = [("team", payments.as_str()), ("group", by_id.as_str())];
        app.call("POST", "group-adopt", &root, &again).await.response();
    }
    // A group that got another name is released by that one, too.
    app.fake.world(|world| world.rename_group(group, "renamed"));
    let answer = app.call("POST", "group-release", &root, &[("group", "renamed")]).await;
    assert_eq!(answer.response(), "Runner group released: renamed");
    assert!(app.fake.world(|world| world.group(group).is_some()));
    let both = [("team", "payments"), ("group", "renamed")];
    app.call("POST", "group-release", &root, &both).await.is_refused(400, "conflicting_parameter");
    app.call("POST", "group-release", &root, &[]).await.is_refused(400, "missing_parameter");
    let writes = app.fake.calls().iter().filter(|call| call.method != "GET").count();
    assert_eq!(writes, 0, "nothing was written at GitHub");
}

#[tokio::test]
async fn a_released_group_can_be_given_to_another_team() {
    let (world, cast, _, root) = with_administrator();
    let app = App::with(world, administered()).await;
    app.call("DELETE", "group-release", &root, &[("team", "search")]).await.response();
    app.call("DELETE", "group-release", &root, &[("team", "payments")]).await.response();
    app.call("POST", "group-adopt", &root, &[("team", "payments"), ("group", "search")]).await.response();
    let runners = app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
    assert_eq!(runners["runners"], json!(["search-1"]));
}

#[tokio::test]
async fn without_a_store_there_is_nothing_to_give() {
    let (world, _, _, root) = with_administrator();
    let mut extra = administered();
    crate::harness::merge(&mut extra, &json!({ "store": { "url": "" }, "groups": { "trustNames": true } }));
    let app = App::with(world, extra).await;
    let answer = app.call("POST", "group-adopt", &root, &[("matching", "*")]).await;
    answer.is_refused(501, "not_configured");
    assert!(answer.text.contains("store.url"), "{}", answer.text);
    app.call("DELETE", "group-release", &root, &[("team", "payments")])
        .await
        .is_refused(501, "not_configured");
}

#[tokio::test]
async fn a_taken_name_is_told_with_the_way_out() {
    let (mut world, cast) = acme();
    world.add_group("payments", Visibility::Selected);
    let app = App::without_records(world, json!({})).await;
    let answer = app.call("POST", "group-add", &cast.ada, &[("team", "payments")]).await;
    answer.is_refused(409, "group_exists");
    assert!(answer.text.contains("group-adopt"), "{}", answer.text);
    assert_eq!(app.fake.count("POST", GROUPS), 0, "it is listed");
}
