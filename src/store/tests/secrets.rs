use super::*;

/// Every row of every table, as text.
pub(super) async fn dump(store: &Store) -> String {
    let mut transaction = store.database.read().await.unwrap();
    let mut dump = String::new();
    for statement in [
        "SELECT CAST(arm_meta AS TEXT) FROM arm_meta",
        "SELECT CAST(arm_identity AS TEXT) FROM arm_identity",
        "SELECT CAST(arm_administrators AS TEXT) FROM arm_administrators",
        "SELECT CAST(arm_group_records AS TEXT) FROM arm_group_records",
        "SELECT CAST(arm_creations AS TEXT) FROM arm_creations",
        "SELECT CAST(arm_events AS TEXT) FROM arm_events",
        "SELECT CAST(arm_access AS TEXT) FROM arm_access",
        "SELECT CAST(arm_used_tokens AS TEXT) FROM arm_used_tokens",
        "SELECT CAST(arm_origins AS TEXT) FROM arm_origins",
        "SELECT query FROM pg_stat_activity WHERE query IS NOT NULL",
    ] {
        for (row,) in query!(&mut transaction, fetch_all(String,), statement).unwrap() {
            dump += &row;
        }
    }
    dump
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_store_s_password_is_neither_in_the_store_nor_in_what_is_said_of_it() {
    for site in Site::on_servers().await.into_iter().take(1) {
        let role = format!("arm_role_{}", uuid::Uuid::new_v4().simple());
        let password = format!("secret-{}", uuid::Uuid::new_v4().simple());
        site.run_text(format!(
            "CREATE ROLE {role} LOGIN PASSWORD '{password}'; GRANT ALL ON SCHEMA public TO {role}"
        ))
        .await;
        let mut settings = site.settings.clone();
        let StoreUrl::Postgres(url) = &mut settings.url else { unreachable!() };
        (url.user, url.password) = (role.clone(), Some(password.clone().into()));
        let store = Store::open(&settings, site.clock.clone()).await.unwrap();
        store.bind("https://api.github.com", 7).await.unwrap();
        store.add_record(&record(1, 10)).await.unwrap();
        store.begin_creation(&creation(2)).await.unwrap();
        store.push_event(events::success(1, "user:1"));
        assert_eq!(store.flush().await, 0);
        let dump = dump(&store).await;
        assert!(dump.contains("group-10") && dump.contains("user:1") && !dump.contains(&password), "{dump}");
        assert!(!format!("{settings:?} {}", settings.url).contains(&password));
        store.close().await;
        // A password that is wrong is no more to be shown than one that is right.
        url_of(&mut settings).password = Some(format!("{password}x").into());
        let store = Store::open(&settings, site.clock.clone()).await.unwrap();
        let said = store.records().await.unwrap_err().to_string();
        assert!(!said.contains(&password), "{said}");
        store.close().await;
        site.run_text(format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    }
}

fn url_of(settings: &mut Settings) -> &mut PostgresUrl {
    match &mut settings.url {
        StoreUrl::Postgres(url) => url,
        other => panic!("{other} is no server"),
    }
}
