use std::collections::BTreeSet;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_team_has_one_group_and_a_group_one_team() {
    for site in Site::all().await {
        let store = site.open().await;
        assert_eq!(store.add_record(&record(1, 10)).await, Ok(Added::Yes));
        assert_eq!(store.add_record(&record(1, 11)).await, Ok(Added::TeamHas(record(1, 10))));
        assert_eq!(store.add_record(&record(2, 10)).await, Ok(Added::GroupIsOf(record(1, 10))));
        assert_eq!(store.add_record(&record(1, 10)).await, Ok(Added::TeamHas(record(1, 10))));
        assert_eq!(store.add_record(&record(2, 11)).await, Ok(Added::Yes));
        assert_eq!(store.records().await.unwrap().records, [record(1, 10), record(2, 11)]);
        // Only the very record is removed.
        assert_eq!(store.remove_record(TeamId(1), GroupId(11)).await, Ok(false));
        assert_eq!(store.remove_record(TeamId(1), GroupId(10)).await, Ok(true));
        assert_eq!(store.add_record(&record(3, 10)).await, Ok(Added::Yes));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_change_of_the_records_is_another_revision_and_nothing_else_is() {
    for site in Site::all().await {
        let store = site.open().await;
        let first = store.records_revision().await.unwrap();
        store.add_record(&record(1, 10)).await.unwrap();
        let second = store.records_revision().await.unwrap();
        assert!(second > first);
        store.add_record(&record(1, 11)).await.unwrap();
        store.remove_record(TeamId(7), GroupId(7)).await.unwrap();
        store.import_records(&[record(1, 12)]).await.unwrap_err();
        store.begin_creation(&creation(1)).await.unwrap();
        assert_eq!(store.records_revision().await, Ok(second));
        assert_eq!(store.records().await.unwrap().revision, second);
        store.import_records(&[record(2, 20)]).await.unwrap();
        let third = store.records_revision().await.unwrap();
        store.remove_record(TeamId(1), GroupId(10)).await.unwrap();
        let fourth = store.records_revision().await.unwrap();
        store.begin_creation(&creation(3)).await.unwrap();
        store.settle_creation(&creation(3), &record(3, 30)).await.unwrap();
        let fifth = store.records_revision().await.unwrap();
        assert!(second < third && third < fourth && fourth < fifth);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_import_adds_and_replaces_all_or_nothing_and_names_every_contradiction() {
    for site in Site::all().await {
        let store = site.open().await;
        store.add_record(&record(1, 10)).await.unwrap();
        let wrong = [record(3, 30), record(1, 11), record(2, 10), record(4, 30)];
        let error = store.import_records(&wrong).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "team 1 can't have group 11: team 1 has group 10; team 2 can't have group 10: team 1 has group 10; \
             team 4 can't have group 30: team 3 has group 30"
        );
        assert_eq!(store.records().await.unwrap().records, [record(1, 10)]);
        let renamed = GroupRecord { name: "new".to_owned(), origin: RecordOrigin::Imported, ..record(1, 10) };
        let imported = store.import_records(&[renamed.clone(), record(3, 30)]).await;
        assert_eq!(imported, Ok(Imported { added: 1, replaced: 1 }));
        assert_eq!(store.records().await.unwrap().records, [renamed, record(3, 30)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_kept_is_there_after_a_restart() {
    for site in Site::lasting().await {
        let store = site.open().await;
        for team in 1..=50 {
            store.add_record(&record(team, 100 + team)).await.unwrap();
        }
        store.begin_creation(&creation(7)).await.unwrap();
        let before = store.records().await.unwrap();
        assert_eq!(store.close().await, 0);
        let store = site.open().await;
        assert_eq!(store.records().await.unwrap(), before);
        assert_eq!(store.creations().await.unwrap(), [creation(7)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn of_many_who_want_a_group_at_once_one_gets_it() {
    for site in Site::all().await {
        let stores = if site.is_server() {
            vec![site.open().await, site.open().await]
        } else {
            vec![site.open().await]
        };
        for group in 1..=5 {
            let tries = (1..=12)
                .map(|team| stores[team % stores.len()].add_record_of(team as u64 + 100 * group, group));
            let outcomes = futures_util::future::join_all(tries).await;
            assert_eq!(outcomes.iter().filter(|added| **added == Added::Yes).count(), 1, "{outcomes:?}");
        }
        for team in 1..=5 {
            let tries = (1..=12)
                .map(|group| stores[group % stores.len()].add_record_of(team, group as u64 + 100 * team));
            let outcomes = futures_util::future::join_all(tries).await;
            assert_eq!(outcomes.iter().filter(|added| **added == Added::Yes).count(), 1, "{outcomes:?}");
        }
        let records = stores[0].records().await.unwrap().records;
        let groups: BTreeSet<_> = records.iter().map(|record| record.group.0).collect();
        assert_eq!((records.len(), groups.len()), (10, 10));
    }
}

impl Store {
    async fn add_record_of(&self, team: u64, group: u64) -> Added {
        self.add_record(&record(team, group)).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_change_by_one_process_is_another_revision_for_the_others() {
    for site in Site::on_servers().await {
        let (one, other) = (site.open().await, site.open().await);
        let before = other.records().await.unwrap();
        one.add_record(&record(1, 10)).await.unwrap();
        assert_ne!(other.records_revision().await.unwrap(), before.revision);
        assert_eq!(other.records().await.unwrap().records, [record(1, 10)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn numbers_that_no_database_holds_are_refused() {
    for site in Site::all().await {
        let store = site.open().await;
        let error = store.add_record(&record(u64::MAX, 1)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unexpected(_)), "{error}");
        assert_eq!(*store.health().borrow(), Health::Good);
    }
}
