//! What processes tell each other: on servers alone, since a file has one process.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use uuid::Uuid;

use super::*;
use crate::store::{Pulse, ToldHold};

/// Longer than a test takes.
const LONG: Duration = Duration::from_mins(1);
/// Over at once.
const NONE: Duration = Duration::ZERO;
/// Two processes.
const ONE: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

/// A few processes on each server, whose statements that requests wait for need not connect first.
async fn processes() -> Vec<(Site, Vec<Store>)> {
    let mut all = Vec::new();
    for site in Site::on_servers().await {
        let stores = vec![site.open().await, site.open().await, site.open().await];
        for store in &stores {
            store.database.keep_quick_ready();
        }
        all.push((site, stores));
    }
    all
}

/// Tries something until the machine is quick enough for it.
async fn once_in_time<T>(work: impl AsyncFn() -> Result<T, StoreError>) -> T {
    loop {
        match work().await {
            Ok(outcome) => return outcome,
            Err(StoreError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_requests_of_a_caller_are_counted_over_all_processes() {
    for (_site, stores) in processes().await {
        let interval = Duration::from_secs(100);
        let mut passed = 0;
        for number in 0..12 {
            let take = || stores[number % 3].take("user", 1, interval, 5);
            let taken = once_in_time(take).await;
            passed += usize::from(taken.passed);
            assert!(taken.clean_in <= interval * 5, "{taken:?}");
            assert!(taken.passed || taken.clean_in > interval * 4, "{taken:?}");
        }
        // One that was cut off may have counted.
        assert!((4..=5).contains(&passed), "{passed}");
        assert!(once_in_time(|| stores[0].take("user", 2, interval, 1)).await.passed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_no_more_than_allowed_is_never_refused() {
    for (_site, stores) in processes().await {
        for number in 0..20 {
            let taken = once_in_time(|| stores[number % 3].take("user", 1, Duration::from_nanos(1), 1)).await;
            assert!(taken.passed, "{taken:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_come_in_order_one_alone_or_several_together() {
    for (_site, stores) in processes().await {
        let [one, other, third] = &stores[..] else { panic!() };
        let join = async |store: &Store, holder, alone| {
            store.join_turn("group:1", holder, alone, LONG).await.unwrap()
        };
        assert!(join(one, "a", false).await);
        assert!(join(other, "b", false).await, "together");
        assert!(!join(third, "c", true).await, "alone, so not yet");
        assert!(!join(one, "d", false).await, "not before somebody who came earlier");
        assert!(other.join_turn("group:2", "e", true, LONG).await.unwrap(), "another group");
        one.leave_turn("a").await.unwrap();
        assert_eq!(third.is_turn("c").await, Ok(Some(false)));
        other.leave_turn("b").await.unwrap();
        assert_eq!(third.is_turn("c").await, Ok(Some(true)));
        assert_eq!(one.is_turn("d").await, Ok(Some(false)));
        assert_eq!(third.keep_turn("c", NONE).await, Ok(true));
        assert_eq!(one.is_turn("d").await, Ok(Some(true)), "that of a process that is gone ends by itself");
        assert_eq!(third.keep_turn("c", LONG).await, Ok(false), "and does not come back");
        assert_eq!(third.is_turn("c").await, Ok(None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_come_at_once_one_has_the_turn() {
    for (_site, stores) in processes().await {
        let holders: Vec<_> = (0..30).map(|number| format!("holder-{number}")).collect();
        let joins = holders.iter().enumerate().map(|(number, holder)| {
            let store = &stores[number % 3];
            async move { store.join_turn("group:1", holder, true, LONG).await.map(|came| (holder, came)) }
        });
        let joined = try_join_all(joins).await.unwrap();
        assert!(joined.iter().filter(|(_, came)| *came).count() <= 1, "{joined:?}");
        for _ in 0..30 {
            let looks = join_all(holders.iter().map(|holder| stores[0].is_turn(holder))).await;
            let turns: Vec<_> =
                holders.iter().zip(&looks).filter(|(_, look)| **look == Ok(Some(true))).collect();
            assert_eq!(turns.len(), 1, "{looks:?}");
            stores[1].leave_turn(turns[0].0).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_one_process_s_until_it_gives_it_up_or_it_ends() {
    for (_site, stores) in processes().await {
        let [one, other, _] = &stores[..] else { panic!() };
        assert_eq!(one.take_lease("sweep", ONE, LONG).await, Ok(true));
        assert_eq!(other.take_lease("sweep", OTHER, LONG).await, Ok(false));
        assert_eq!(other.take_lease("guard", OTHER, LONG).await, Ok(true), "another one");
        assert_eq!(one.take_lease("sweep", ONE, NONE).await, Ok(true), "renewed, and over at once");
        assert_eq!(other.take_lease("sweep", OTHER, LONG).await, Ok(true));
        one.give_up_lease("sweep", ONE).await.unwrap();
        assert_eq!(one.take_lease("sweep", ONE, LONG).await, Ok(false), "it was no longer its own");
        other.give_up_lease("sweep", OTHER).await.unwrap();
        assert_eq!(one.take_lease("sweep", ONE, LONG).await, Ok(true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_process_hears_of_the_others_and_what_they_were_asked_to_wait_for() {
    for (_site, stores) in processes().await {
        let [one, other, third] = &stores[..] else { panic!() };
        let hold = |seconds| ToldHold { scope: "all".to_owned(), wait: Duration::from_secs(seconds) };
        assert_eq!(one.pulse(ONE, "a", &[]).await, Ok(Pulse { records: 1, access: 1, ..Pulse::default() }));
        let heard = other.pulse(OTHER, "b", &[hold(60)]).await.unwrap();
        assert_eq!(heard.others, ["a"]);
        other.pulse(OTHER, "b", &[hold(20)]).await.unwrap();
        third.add_record(&record(1, 10)).await.unwrap();
        let heard = one.pulse(ONE, "c", &[]).await.unwrap();
        assert_eq!((heard.others.as_slice(), heard.records), (["b".to_owned()].as_slice(), 2));
        let [ToldHold { scope, wait }] = heard.holds.as_slice() else { panic!("{heard:?}") };
        assert_eq!(scope, "all");
        assert!(*wait > Duration::from_secs(30) && *wait <= LONG, "the longer one: {wait:?}");
        other.leave(OTHER).await.unwrap();
        assert!(one.pulse(ONE, "c", &[]).await.unwrap().others.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_each_write_to_a_group_its_number_of_writes_is_another() {
    for (_site, stores) in processes().await {
        let [one, other, third] = &stores[..] else { panic!() };
        let (group, another) = (GroupId(7), GroupId(8));
        let read = async |group| once_in_time(|| third.group_writes(group, ONE)).await;
        let never = read(group).await;
        assert_eq!((never.count, never.others_latest), (0, None));
        one.note_group_writes(&[another, group], ONE).await.unwrap();
        let own = read(group).await;
        assert_eq!((own.count, own.others_latest), (1, None));
        other.note_group_writes(&[group], OTHER).await.unwrap();
        let both = read(group).await;
        assert_eq!(both.count, 2);
        assert!(both.others_latest.is_some_and(|ago| ago < LONG), "{both:?}");
        assert_eq!(read(another).await.count, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_is_removed() {
    for (site, stores) in processes().await {
        let [one, ..] = &stores[..] else { panic!() };
        one.pulse(ONE, "a", &[]).await.unwrap();
        one.note_group_writes(&[GroupId(7)], ONE).await.unwrap();
        assert!(one.join_turn("group:1", "a", false, LONG).await.unwrap());
        one.prune(site.clock.unix_seconds()).await.unwrap();
        assert_eq!(one.is_turn("a").await, Ok(Some(true)), "not what goes on");
        site.run("UPDATE arm_group_writes SET latest = now() - INTERVAL '2 days'").await;
        one.prune(site.clock.unix_seconds()).await.unwrap();
        assert_eq!(once_in_time(|| one.group_writes(GroupId(7), ONE)).await.count, 0);
    }
}
