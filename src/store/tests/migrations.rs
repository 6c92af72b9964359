use super::super::migrations::{ALL, Migrated, Migration, run};
use super::*;

/// What the next version may bring, and with which schemas it works.
fn next(compatible_from: i64) -> Vec<Migration> {
    let version = ALL.last().unwrap().version + 1;
    let both =
        "ALTER TABLE arm_group_records ADD COLUMN note TEXT; CREATE TABLE arm_next (id BIGINT PRIMARY KEY)";
    let next = Migration { version, compatible_from, both, sqlite: "", postgres: "" };
    [ALL, &[next]].concat()
}

async fn migrate(store: &Store, steps: &[Migration]) -> Result<Migrated, StoreError> {
    let mut transaction = store.database.write().await.unwrap();
    let outcome = run(&mut transaction, steps).await?;
    transaction.commit().await?;
    Ok(outcome)
}

async fn schema(store: &Store) -> Vec<(String, String)> {
    let mut transaction = store.database.read().await.unwrap();
    query!(&mut transaction, fetch_all(String, String), "SELECT name, value FROM arm_meta ORDER BY name")
        .unwrap()
}

#[test]
fn steps_are_numbered_one_by_one() {
    for (index, step) in ALL.iter().enumerate() {
        assert_eq!(step.version, i64::try_from(index).unwrap() + 1);
        assert!((1..=step.version).contains(&step.compatible_from));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_later_schema_that_says_it_is_compatible_is_used_as_it_is() {
    for site in Site::lasting().await {
        let store = site.open().await;
        store.add_record(&record(1, 10)).await.unwrap();
        assert_eq!(migrate(&store, &next(1)).await, Ok(Migrated::UpToDate));
        let later = schema(&store).await;
        // The process that was there before goes on.
        assert_eq!(store.add_record(&record(2, 20)).await, Ok(Added::Yes));
        store.close().await;
        // And so does one that is started, or started again.
        let store = site.open().await;
        assert_eq!(store.add_record(&record(3, 30)).await, Ok(Added::Yes));
        assert_eq!(store.records().await.unwrap().records.len(), 3);
        assert_eq!(schema(&store).await, later);
        assert_eq!(migrate(&store, &next(1)).await, Ok(Migrated::UpToDate));
        assert_eq!(schema(&store).await, later);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_later_schema_that_is_not_compatible_is_refused_unchanged_with_both_versions_named() {
    for site in Site::lasting().await {
        let store = site.open().await;
        store.add_record(&record(1, 10)).await.unwrap();
        let version = next(1).last().unwrap().version;
        assert_eq!(migrate(&store, &next(version)).await, Ok(Migrated::UpToDate));
        store.close().await;
        site.run("UPDATE arm_meta SET value = '77.0.0' WHERE name = 'schema_by'").await;
        let Err(error) = Store::open(&site.settings, site.clock.clone()).await else {
            panic!("it was opened")
        };
        assert!(matches!(error, OpenError::Schema(_)), "{error}");
        let asked = Store::ask(&site.settings, &site.clock).await;
        assert_eq!(asked.is_err_and(|asked| asked.to_string() == error.to_string()), site.is_server());
        let said = error.to_string();
        let own = env!("CARGO_PKG_VERSION");
        for words in [&format!("schema {version}"), "77.0.0", own, &format!("knows schema {}", version - 1)] {
            assert!(said.contains(words), "{words}: {said}");
        }
        // It can be used by the version that made it, as if nobody had tried.
        site.run("UPDATE arm_meta SET value = '1' WHERE name = 'schema_compatible_from'").await;
        let store = site.open().await;
        assert_eq!(store.records().await.unwrap().records, [record(1, 10)]);
        let kept = schema(&store).await;
        assert!(kept.contains(&("schema_version".to_owned(), version.to_string())), "{kept:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_step_that_fails_leaves_the_schema_as_it_was() {
    for site in Site::all().await {
        let store = site.open().await;
        let before = schema(&store).await;
        let mut steps = next(1);
        steps.last_mut().unwrap().both =
            "CREATE TABLE arm_half (id BIGINT PRIMARY KEY); CREATE TABLE arm_events (id BIGINT)";
        migrate(&store, &steps).await.unwrap_err();
        assert_eq!(schema(&store).await, before);
        let mut transaction = store.database.read().await.unwrap();
        query!(&mut transaction, fetch_all(i64,), "SELECT id FROM arm_half").unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn processes_that_are_started_at_once_migrate_once() {
    for site in Site::on_servers().await {
        let stores = futures_util::future::join_all((0..6).map(|_| site.open())).await;
        for store in &stores {
            assert_eq!(*store.health().borrow(), Health::Good);
        }
        let updates = stores.iter().map(|store| migrate(store, next(1).leak()));
        let outcomes = futures_util::future::join_all(updates).await;
        assert!(outcomes.iter().all(|outcome| *outcome == Ok(Migrated::UpToDate)), "{outcomes:?}");
    }
}
