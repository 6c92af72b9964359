use super::*;

/// Lets the file grow by no page, or by as many as it takes.
pub(super) async fn limit(store: &Store, pragma: &'static str) {
    let Pools::Sqlite { writer, .. } = store.database.pools() else { panic!("that is no file") };
    sqlx::raw_sql(pragma).execute(writer).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_disk_stops_what_is_written_and_nothing_else_until_there_is_room() {
    for site in [Site::in_a_file(), Site::in_memory()] {
        let store = site.open().await;
        store.add_record(&record(1, 10)).await.unwrap();
        // As many as there are now.
        limit(&store, "PRAGMA max_page_count = 1").await;
        let large = GroupRecord { name: "x".repeat(100_000), ..record(2, 20) };
        let error = store.add_record(&large).await.unwrap_err();
        assert_eq!(error, StoreError::Unavailable("database or disk is full".to_owned()));
        assert!(matches!(*store.health().borrow(), Health::Failing { .. }));
        // What can be read is read, and shows nothing about what can be written.
        assert_eq!(store.records().await.unwrap().records, [record(1, 10)]);
        assert!(matches!(*store.health().borrow(), Health::Failing { .. }));
        let event = Event { record: "x".repeat(100_000), ..events::success(7, "user:1") };
        store.push_event(event);
        assert_eq!(store.flush().await, 1);
        limit(&store, "PRAGMA max_page_count = 1000000").await;
        site.until_health(&store, |health| *health == Health::Good).await;
        site.clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(store.flush().await, 0);
        assert_eq!(store.events(None, None, 10).await.unwrap().len(), 1);
        assert_eq!(store.add_record(&large).await, Ok(Added::Yes));
    }
}
