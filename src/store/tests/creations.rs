use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_creation_is_pending_until_it_ends_and_a_later_one_takes_its_place() {
    for site in Site::all().await {
        let store = site.open().await;
        store.begin_creation(&creation(1)).await.unwrap();
        store.begin_creation(&creation(2)).await.unwrap();
        let later = PendingCreation { name: "renamed".to_owned(), begun_at: 1_800_000_600, ..creation(1) };
        store.begin_creation(&later).await.unwrap();
        assert_eq!(store.creations().await.unwrap(), [later.clone(), creation(2)]);
        // The earlier one's end is not the later one's.
        store.end_creation(&creation(1)).await.unwrap();
        assert_eq!(store.creations().await.unwrap(), [later.clone(), creation(2)]);
        store.end_creation(&later).await.unwrap();
        store.end_creation(&later).await.unwrap();
        assert_eq!(store.creations().await.unwrap(), [creation(2)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_settled_creation_is_a_record_and_pending_no_more() {
    for site in Site::all().await {
        let store = site.open().await;
        store.begin_creation(&creation(1)).await.unwrap();
        assert_eq!(store.settle_creation(&creation(1), &record(1, 10)).await, Ok(Some(Added::Yes)));
        assert_eq!(store.creations().await.unwrap(), []);
        // Once more, as after an acknowledgement that got lost.
        store.begin_creation(&creation(1)).await.unwrap();
        let there = Ok(Some(Added::TeamHas(record(1, 10))));
        assert_eq!(store.settle_creation(&creation(1), &record(1, 10)).await, there);
        assert_eq!(store.creations().await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_creation_that_contradicts_a_record_stays_pending() {
    for site in Site::all().await {
        let store = site.open().await;
        store.add_record(&record(1, 10)).await.unwrap();
        store.begin_creation(&creation(1)).await.unwrap();
        store.begin_creation(&creation(2)).await.unwrap();
        let (taken, given) = (Added::TeamHas(record(1, 10)), Added::GroupIsOf(record(1, 10)));
        assert_eq!(store.settle_creation(&creation(1), &record(1, 11)).await, Ok(Some(taken)));
        assert_eq!(store.settle_creation(&creation(2), &record(2, 10)).await, Ok(Some(given)));
        assert_eq!(store.creations().await.unwrap(), [creation(1), creation(2)]);
        assert_eq!(store.records().await.unwrap().records, [record(1, 10)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_creation_that_is_pending_no_more_makes_no_record() {
    for site in Site::all().await {
        let store = site.open().await;
        assert_eq!(store.settle_creation(&creation(1), &record(1, 10)).await, Ok(None));
        store.begin_creation(&creation(1)).await.unwrap();
        store.end_creation(&creation(1)).await.unwrap();
        assert_eq!(store.settle_creation(&creation(1), &record(1, 10)).await, Ok(None));
        let later = PendingCreation { begun_at: 1_800_000_600, ..creation(1) };
        store.begin_creation(&later).await.unwrap();
        assert_eq!(store.settle_creation(&creation(1), &record(1, 10)).await, Ok(None));
        assert_eq!(store.records().await.unwrap().records, []);
        assert_eq!(store.creations().await.unwrap(), [later]);
    }
}
