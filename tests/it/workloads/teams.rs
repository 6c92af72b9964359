//! An entry is of a team, by its id.

use serde_json::json;

use super::{OF_MAIN, add, run, start, token};

#[tokio::test]
async fn an_entry_stays_the_teams_when_that_is_renamed_and_gives_nothing_to_whoever_takes_its_slug() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    let generate = async |team: &str| {
        let parameters = [("team", team), ("labels", "linux")];
        app.call("POST", "jitconfig-generate", &token(&app, &run()), &parameters).await
    };
    let id = format!("id:{}", cast.payments.0);
    generate("payments").await.response();
    generate(&id).await.response();
    app.fake.world(|world| {
        world.rename_team(cast.payments, "billing");
        world.rename_team(cast.search, "payments");
    });
    app.clock.advance(std::time::Duration::from_mins(5));
    generate(&id).await.response();
    generate("payments").await.is_refused(403, "not_trusted");
    generate("billing").await.response();
}

#[tokio::test]
async fn a_team_that_no_entry_is_of_costs_no_call() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    app.fake.clear_calls();
    for team in ["search", "nothing", "id:1", "default", "*"] {
        let parameters = [("team", team), ("labels", "linux")];
        let answer = app.call("POST", "jitconfig-generate", &token(&app, &run()), &parameters).await;
        assert!(answer.status == 403 || team == "*", "{team}: {}", answer.text);
    }
    assert_eq!(app.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn the_entries_of_a_team_that_is_gone_are_removed() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    app.fake.world(|world| world.delete_team(cast.payments));
    let entries = &app.server.state().organisation.entries;
    app.until("the entries are gone", async || entries.teams().is_empty()).await;
}

#[tokio::test]
async fn a_warm_request_of_a_workflow_costs_one_call() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    super::generate(&app, &token(&app, &run())).await.response();
    app.fake.clear_calls();
    super::generate(&app, &token(&app, &run())).await.response();
    assert_eq!(app.calls(), ["POST /orgs/{org}/actions/runners/generate-jitconfig"]);
}
