//! The store fails: whoever has an entry in memory goes on for a while, and what has to be kept is refused.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use actions_runner_manager::domain::entry::EntryId;
use actions_runner_manager::domain::ids::RunnerId;
use fake_github::Run;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use super::{OF_MAIN, add, generate, run, start, token, try_add, with};
use crate::harness::{Answer, App};
use crate::jit::GENERATE;

const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];
/// What the service needs whatever it reads or writes.
const TABLES: [&str; 6] =
    ["arm_revisions", "arm_access", "arm_used_tokens", "arm_origins", "arm_events", "arm_group_records"];

/// The file of a service's store, whose tables come and go.
struct Tables(PathBuf);

impl Tables {
    fn of(app: &App) -> Self {
        Self(app.folder.path().join("state.db"))
    }

    async fn are_gone(&self) {
        self.rename(|table| format!("ALTER TABLE {table} RENAME TO {table}_gone")).await;
    }

    async fn are_back(&self) {
        self.rename(|table| format!("ALTER TABLE {table}_gone RENAME TO {table}")).await;
    }

    async fn rename(&self, statement: impl Fn(&str) -> String) {
        let statements = TABLES.map(statement).join(";");
        let mut connection = SqliteConnectOptions::new().filename(&self.0).connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("BEGIN IMMEDIATE; {statements}; COMMIT")))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }
}

/// Waits until something could be written.
async fn works_again(app: &App) {
    let store = app.server.state().organisation.store.as_ref().unwrap();
    app.until("the store works again", async || store.is_good()).await;
}

/// An entry of the configuration for payments' repository `api`.
fn of_api(others: &Value) -> Value {
    let mut config = json!({ "access": [{
        "team": "payments", "kind": "github-actions", "repository": "api", "ref": "refs/heads/main",
        "operations": ["jitconfig-generate"], "labels": ["linux"],
    }] });
    crate::harness::merge(&mut config, others);
    config
}

async fn generate_for_api(app: &App) -> Answer {
    generate(app, &token(app, &Run::of("acme", "api"))).await
}

/// What a maintainer does goes on, but for the entries' changes.
async fn maintainers_go_on(app: &App, ada: &str, entry: &str) {
    generate(app, ada).await.response();
    app.call("GET", "group-list", ada, &PAYMENTS).await.response();
    let listed = app.call("GET", "access-list", ada, &PAYMENTS).await.response();
    assert!(listed["access"].as_array().unwrap().iter().any(|listed| listed["id"] == entry), "{listed}");
    let added: Vec<_> = PAYMENTS.iter().chain(&OF_MAIN).copied().collect();
    let removed = [("team", "payments"), ("id", entry)];
    for answer in [
        app.call("POST", "access-add", ada, &added).await,
        app.call("DELETE", "access-remove", ada, &removed).await,
    ] {
        answer.is_refused(503, "store_unavailable");
        assert!(!answer.header("retry-after").is_empty());
    }
}

#[tokio::test]
async fn callers_whose_entries_are_in_memory_go_on_for_ten_minutes_and_others_for_as_long_as_it_takes() {
    let (mut app, cast) = start(of_api(&json!({}))).await;
    app.until("the entry is looked up", async || generate_for_api(&app).await.status == 200).await;
    let (entry, _) = add(&app, &cast, &OF_MAIN).await;
    let (_, team_token) = add(&app, &cast, &[("kind", "token"), ("operations", "group-list")]).await;
    app.keep_secret(&team_token);
    let list = async || app.call("GET", "group-list", &team_token, &PAYMENTS).await;
    list().await.response();
    let tables = Tables::of(&app);
    tables.are_gone().await;
    for _ in 0..2 {
        maintainers_go_on(&app, &cast.ada, &entry).await;
        generate(&app, &token(&app, &run())).await.response();
        generate_for_api(&app).await.response();
        list().await.response();
        app.clock.advance(Duration::from_mins(5));
    }
    generate(&app, &token(&app, &run())).await.response();
    app.clock.advance(Duration::from_secs(1));
    app.fake.clear_calls();
    for answer in [generate(&app, &token(&app, &run())).await, list().await] {
        answer.is_refused(503, "store_unavailable");
        assert!(!answer.header("retry-after").is_empty());
    }
    assert_eq!(app.calls(), Vec::<String>::new());
    app.clock.advance(Duration::from_hours(2));
    maintainers_go_on(&app, &cast.ada, &entry).await;
    generate_for_api(&app).await.response();
    tables.are_back().await;
    works_again(&app).await;
    generate(&app, &token(&app, &run())).await.response();
    list().await.response();
    try_add(&app, &cast, &OF_MAIN).await.response();
    let removed = [("team", "payments"), ("id", entry.as_str())];
    app.call("DELETE", "access-remove", &cast.ada, &removed).await.response();
}

#[tokio::test]
async fn a_token_makes_one_change_whether_the_store_knows_of_it_or_the_process_alone() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    let before = token(&app, &run());
    generate(&app, &before).await.response();
    let tables = Tables::of(&app);
    tables.are_gone().await;
    let meanwhile = token(&app, &run());
    let answers = futures_util::future::join_all((0..5).map(|_| generate(&app, &meanwhile))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    app.fake.clear_calls();
    for used in [&before, &meanwhile] {
        generate(&app, used).await.is_refused(401, "token_used");
    }
    tables.are_back().await;
    works_again(&app).await;
    for used in [&before, &meanwhile] {
        generate(&app, used).await.is_refused(401, "token_used");
    }
    assert_eq!(app.fake.count("POST", GENERATE), 0);
}

#[tokio::test]
async fn runners_that_were_given_meanwhile_are_their_entrys_and_the_store_knows_once_it_works_again() {
    let (app, cast) = start(json!({})).await;
    let fields = with(&OF_MAIN, &[("operations", "jitconfig-generate,runners-remove")]);
    let (entry, _) = add(&app, &cast, &fields).await;
    add(&app, &cast, &with(&fields, &[("ref", "refs/heads/topic")])).await;
    let topic = run().git_ref("refs/heads/topic");
    let given = async |run: &Run| generate(&app, &token(&app, run)).await.response()["runner"].clone();
    let before = given(&run()).await;
    let tables = Tables::of(&app);
    tables.are_gone().await;
    let meanwhile = given(&run()).await;
    let left = given(&run()).await;
    let of_the_other = given(&topic).await;
    let remove = async |runner: &Value| {
        let name = runner["name"].as_str().unwrap();
        let parameters = [("team", "payments"), ("names", name)];
        app.call("DELETE", "runners-remove", &token(&app, &run()), &parameters).await
    };
    for runner in [&before, &meanwhile] {
        assert_eq!(remove(runner).await.response()["removed"][0]["name"], runner["name"]);
    }
    remove(&of_the_other).await.is_refused(404, "runner_not_found");
    tables.are_back().await;
    let store = app.server.state().organisation.store.clone().unwrap();
    let entry = EntryId::parse(&entry).unwrap();
    let expected: HashSet<_> = [&before, &meanwhile, &left].map(id_of).into();
    let is_known = async || store.runners_of_entry(entry).await.is_ok_and(|known| known == expected);
    app.until("the store knows whose they are", is_known).await;
    remove(&of_the_other).await.is_refused(404, "runner_not_found");
    assert_eq!(remove(&left).await.response()["removed"][0]["name"], left["name"]);
}

fn id_of(runner: &Value) -> RunnerId {
    RunnerId(runner["id"].as_u64().unwrap())
}

#[tokio::test]
async fn callers_whose_entries_were_never_read_wait_for_the_store_and_those_of_the_configuration_do_not() {
    let (app, cast) = start(of_api(&json!({ "store": { "grace": "1m" } }))).await;
    add(&app, &cast, &OF_MAIN).await;
    // Whose the group is has to be in memory.
    app.call("GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    let tables = Tables::of(&app);
    tables.are_gone().await;
    app.until("the entry is looked up", async || generate_for_api(&app).await.status == 200).await;
    generate(&app, &token(&app, &run())).await.is_refused(503, "store_unavailable");
    tables.are_back().await;
    works_again(&app).await;
    generate(&app, &token(&app, &run())).await.response();
    // From now on they are in memory, for as long as the administrator says.
    tables.are_gone().await;
    app.call("DELETE", "access-remove", &cast.ada, &[("team", "payments"), ("id", "0000000000000000")])
        .await
        .is_refused(503, "store_unavailable");
    app.clock.advance(Duration::from_mins(1));
    generate(&app, &token(&app, &run())).await.response();
    app.clock.advance(Duration::from_secs(1));
    generate(&app, &token(&app, &run())).await.is_refused(503, "store_unavailable");
}
