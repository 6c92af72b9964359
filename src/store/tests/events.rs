use super::*;
use crate::domain::outcome::Outcome;
use crate::domain::reason::Reason;

const HOUR_MS: u64 = 3_600_000;
/// Later than now, so that nothing is removed for being old, and the beginning of an hour.
const START: u64 = 1_800_000_000_000;

pub(super) fn success(team: u64, caller: &str) -> Event {
    Event {
        at_ms: START,
        operation: "repos-add",
        outcome: Outcome::Success,
        reason: None,
        team: Some(TeamId(team)),
        caller: Some(caller.to_owned()),
        request_id: "request".to_owned(),
        record: "{\"operation\":\"repos-add\"}".to_owned(),
    }
}

fn refusal(team: u64, caller: &str, reason: Reason) -> Event {
    Event { outcome: Outcome::Refused, reason: Some(reason.into()), ..success(team, caller) }
}

async fn push(store: &Store, events: impl IntoIterator<Item = Event>) {
    events.into_iter().for_each(|event| store.push_event(event));
    assert_eq!(store.flush().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_event_reads_back_as_it_was_pushed() {
    for site in Site::all().await {
        let store = site.open().await;
        let without =
            Event { team: None, caller: None, at_ms: START + 1, outcome: Outcome::Failed, ..success(1, "") };
        push(&store, [success(7, "user:1"), without]).await;
        let events = store.events(None, None, 10).await.unwrap();
        assert!(events[0].id > events[1].id);
        let expected = StoredEvent {
            id: events[1].id,
            at_ms: START,
            last_ms: START,
            operation: "repos-add".to_owned(),
            outcome: "success".to_owned(),
            reason: None,
            team: Some(TeamId(7)),
            caller: Some("user:1".to_owned()),
            request_id: "request".to_owned(),
            record: "{\"operation\":\"repos-add\"}".to_owned(),
            count: 1,
        };
        assert_eq!(events[1], expected);
        assert_eq!((events[0].team, &events[0].caller, events[0].at_ms), (None, &None, START + 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_are_paged_from_the_newest_to_the_oldest_of_one_team_or_all() {
    for site in Site::all().await {
        let store = site.open().await;
        push(
            &store,
            (0..1_200).map(|number| Event { at_ms: START + number, ..success(number % 3, "user:1") }),
        )
        .await;
        for (team, count) in [(None, 1_200), (Some(TeamId(2)), 400)] {
            let (mut seen, mut before) = (Vec::new(), None);
            loop {
                let page = store.events(team, before, 7).await.unwrap();
                let Some(last) = page.last() else { break };
                before = Some(last.id);
                seen.extend(page.into_iter().map(|event| event.at_ms));
            }
            assert!(seen.len() == count && seen.is_sorted_by(|newer, older| newer > older), "{team:?}");
        }
        assert_eq!(store.events(Some(TeamId(9)), None, 7).await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn refusals_of_a_caller_for_one_reason_are_counted_up_within_an_hour() {
    for site in Site::all().await {
        let store = site.open().await;
        let refused = |at_ms| Event { at_ms: START + at_ms, ..refusal(7, "user:1", Reason::DeniedByPolicy) };
        for at_ms in [5, 6, HOUR_MS - 1] {
            push(&store, [refused(at_ms), refused(at_ms)]).await;
        }
        push(&store, [refused(HOUR_MS), refusal(7, "user:2", Reason::DeniedByPolicy)]).await;
        push(
            &store,
            [refusal(7, "user:1", Reason::GroupProtected), success(7, "user:1"), success(7, "user:1")],
        )
        .await;
        let events = store.events(None, None, 100).await.unwrap();
        assert_eq!(events.len(), 6, "{events:?}");
        let first = events.last().unwrap();
        assert_eq!((first.count, first.at_ms, first.last_ms), (6, START + 5, START + HOUR_MS - 1));
        assert!(events[..5].iter().all(|event| event.count == 1), "{events:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn refusals_about_several_teams_are_shown_to_none_of_them() {
    for site in Site::all().await {
        let store = site.open().await;
        push(&store, [refusal(7, "user:1", Reason::NotAMaintainer)]).await;
        assert_eq!(store.events(Some(TeamId(7)), None, 10).await.unwrap().len(), 1);
        push(&store, [refusal(8, "user:1", Reason::NotAMaintainer)]).await;
        for team in [7, 8] {
            assert_eq!(store.events(Some(TeamId(team)), None, 10).await.unwrap(), []);
        }
        push(&store, [refusal(7, "user:1", Reason::NotAMaintainer)]).await;
        let events = store.events(None, None, 10).await.unwrap();
        assert_eq!((events.len(), events[0].count, events[0].team), (1, 3, None));
        // Nobody is nobody, whatever the database thinks of comparing it.
        let unknown = || Event { caller: None, ..refusal(9, "", Reason::NotAMaintainer) };
        push(&store, [unknown()]).await;
        push(&store, [unknown()]).await;
        let events = store.events(Some(TeamId(9)), None, 10).await.unwrap();
        assert_eq!((events.len(), events[0].count, &events[0].caller), (1, 2, &None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn processes_that_share_a_store_count_the_same_refusals() {
    for site in Site::on_servers().await {
        let stores = [site.open().await, site.open().await];
        for _ in 0..20 {
            for store in &stores {
                for caller in ["user:1", "user:2", "user:3"] {
                    store.push_event(refusal(7, caller, Reason::RateLimited));
                }
            }
            let flushed = futures_util::future::join_all(stores.iter().map(Store::flush)).await;
            assert_eq!(flushed, [0, 0]);
        }
        let events = stores[0].events(None, None, 100).await.unwrap();
        assert_eq!(events.iter().map(|event| event.count).collect::<Vec<_>>(), [40, 40, 40]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn events_are_kept_for_as_long_as_is_set() {
    for mut site in Site::all().await {
        site.settings.keep = std::time::Duration::from_hours(48);
        let store = site.open().await;
        let now = site.clock.unix_seconds();
        let old = |seconds: u64| Event { at_ms: (now - seconds) * 1_000, ..success(7, "user:1") };
        push(&store, [old(200_000), old(172_801), old(172_799), old(0)]).await;
        assert_eq!(store.prune(now).await, Ok(2));
        assert_eq!(store.prune(now).await, Ok(0));
        assert_eq!(store.events(None, None, 10).await.unwrap().len(), 2);
        // By itself, once time has passed.
        while store.events(None, None, 10).await.unwrap().len() == 2 {
            site.clock.advance(std::time::Duration::from_hours(1));
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn of_too_many_events_refusals_go_first_and_then_the_oldest() {
    for mut site in Site::all().await {
        site.settings.max_events = 10;
        let store = site.open().await;
        let now = site.clock.unix_seconds();
        let at = |number: u64| now * 1_000 + number;
        push(&store, (0..8).map(|number| Event { at_ms: at(number), ..success(number, "user:1") })).await;
        for caller in ["user:1", "user:2", "user:3", "user:4"] {
            push(&store, [Event { at_ms: at(50), ..refusal(7, caller, Reason::Overloaded) }]).await;
        }
        assert_eq!(store.prune(now).await, Ok(2));
        let outcomes =
            |events: &[StoredEvent]| events.iter().filter(|event| event.outcome == "refused").count();
        let events = store.events(None, None, 100).await.unwrap();
        assert_eq!((events.len(), outcomes(&events)), (10, 2));
        assert_eq!(events[0].caller.as_deref(), Some("user:4"), "the newer refusals stay");
        push(&store, (8..15).map(|number| Event { at_ms: at(number), ..success(number, "user:1") })).await;
        assert_eq!(store.prune(now).await, Ok(7));
        let events = store.events(None, None, 100).await.unwrap();
        assert_eq!((events.len(), outcomes(&events)), (10, 0));
        assert_eq!(events.last().unwrap().at_ms, at(5), "the oldest are gone");
    }
}
