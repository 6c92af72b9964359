//! Where runners come from.

use std::collections::HashSet;

use super::gate::Gate;
use super::*;
use crate::domain::entry::EntryId;
use crate::domain::ids::RunnerId;

fn origin(runner: u64, entry: Option<u64>) -> Origin {
    Origin {
        runner: RunnerId(runner),
        name: format!("runner-{runner}"),
        team: TeamId(1),
        entry: entry.map(EntryId),
        caller: "{\"kind\":\"workload\"}".to_owned(),
        at: 1_800_000_000,
    }
}

/// One that needs more room than a full disk has.
fn large(runner: u64) -> Origin {
    Origin { name: "x".repeat(100_000), ..origin(runner, Some(1)) }
}

async fn runners(store: &Store, entry: u64) -> HashSet<u64> {
    let runners = store.runners_of_entry(EntryId(entry)).await.unwrap();
    runners.into_iter().map(|runner| runner.0).collect()
}

fn works(health: &Health) -> bool {
    *health == Health::Good
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_runners_of_an_entry_are_those_that_it_was_given_first_also_after_a_restart() {
    for site in Site::all().await {
        let store = site.open().await;
        let origins = [
            origin(1, Some(1)),
            origin(2, Some(1)),
            origin(3, Some(u64::MAX)),
            origin(4, None),
            // These came before.
            origin(2, Some(u64::MAX)),
            origin(1, None),
            origin(4, Some(1)),
        ];
        for origin in origins {
            store.keep_origin(origin).await;
        }
        let all = [(1, HashSet::from([1, 2])), (u64::MAX, HashSet::from([3])), (9, HashSet::new())];
        for (entry, expected) in &all {
            assert_eq!(runners(&store, *entry).await, *expected, "{entry}");
        }
        store.close().await;
        if !matches!(site.settings.url, StoreUrl::Memory) {
            let store = site.open().await;
            for (entry, expected) in &all {
                assert_eq!(runners(&store, *entry).await, *expected, "{entry}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn many_origins_at_once_are_all_kept_and_one_that_can_not_be_is_in_nobody_s_way() {
    for site in Site::all().await {
        let store = site.open().await;
        let kept = (1..=50).map(|runner| {
            let runner = if runner == 25 { u64::MAX } else { runner };
            store.keep_origin(origin(runner, Some(1)))
        });
        futures_util::future::join_all(kept).await;
        assert_eq!(runners(&store, 1).await, (1..=50).filter(|runner| *runner != 25).collect());
        assert_eq!(*store.health().borrow(), Health::Good);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn origins_are_forgotten_after_as_long_as_is_set() {
    for site in Site::all().await {
        let store = site.open().await;
        let keep = site.settings.keep.as_secs();
        for runner in [1, 2] {
            let at = 1_800_000_000 + runner;
            store.keep_origin(Origin { at, ..origin(runner, Some(1)) }).await;
        }
        store.prune(1_800_000_001 + keep).await.unwrap();
        assert_eq!(runners(&store, 1).await, HashSet::from([1, 2]));
        store.prune(1_800_000_002 + keep).await.unwrap();
        assert_eq!(runners(&store, 1).await, HashSet::from([2]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn on_a_full_disk_origins_wait_until_there_is_room_or_the_process_ends() {
    for site in [Site::in_a_file(), Site::in_memory()] {
        let store = site.open().await;
        store.keep_origin(origin(1, Some(1))).await;
        disk::limit(&store, "PRAGMA max_page_count = 1").await;
        futures_util::future::join(store.keep_origin(large(2)), store.keep_origin(large(3))).await;
        assert_eq!(runners(&store, 1).await, HashSet::from([1]));
        disk::limit(&store, "PRAGMA max_page_count = 1000000").await;
        site.until_health(&store, works).await;
        // Behind those that waited.
        site.clock.advance(std::time::Duration::from_secs(1));
        store.keep_origin(origin(4, Some(1))).await;
        assert_eq!(runners(&store, 1).await, HashSet::from([1, 2, 3, 4]));
        disk::limit(&store, "PRAGMA max_page_count = 1").await;
        store.keep_origin(large(5)).await;
        disk::limit(&store, "PRAGMA max_page_count = 1000000").await;
        // The clock stands still, so only the end writes it.
        store.close().await;
        if matches!(site.settings.url, StoreUrl::Sqlite(_)) {
            assert_eq!(runners(&site.open().await, 1).await, HashSet::from([1, 2, 3, 4, 5]));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_a_server_is_away_origins_wait_for_it_and_none_is_lost_at_the_end() {
    for mut site in Site::on_servers().await {
        let gate = Gate::in_front_of(&mut site).await;
        let store = site.open().await;
        gate.close();
        let kept = (1..=10).map(|runner| store.keep_origin(origin(runner, Some(1))));
        futures_util::future::join_all(kept).await;
        assert!(matches!(*store.health().borrow(), Health::Failing { .. }));
        gate.open();
        site.until_health(&store, works).await;
        site.clock.advance(std::time::Duration::from_secs(1));
        store.keep_origin(origin(11, Some(1))).await;
        assert_eq!(runners(&store, 1).await, (1..=11).collect());
        gate.close();
        store.keep_origin(origin(12, Some(1))).await;
        gate.open();
        store.close().await;
        assert_eq!(runners(&site.open().await, 1).await, (1..=12).collect());
    }
}
