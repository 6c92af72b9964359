use std::collections::HashMap;

use super::*;
use crate::domain::entry::{
    AccessEntry, ActionsConditions, ClaimCondition, EntryId, EntryOperation, Holder, RunnerEnvironment,
    Source, SubjectConditions, TeamToken, TokenHash,
};
use crate::domain::ids::{RepositoryId, UserId};
use crate::domain::names::{Login, RepoName, TeamSlug};
use crate::domain::pattern::Pattern;

const TEAM: TeamId = TeamId(1);
const MADE_AT: u64 = 1_800_000_000;

/// An entry for a subject of an issuer.
fn entry(team: TeamId, id: u64) -> AccessEntry {
    let conditions =
        SubjectConditions { issuer: "cluster".to_owned(), subject: format!("pod-{id}"), claims: Vec::new() };
    AccessEntry {
        id: EntryId(id),
        team,
        team_slug: TeamSlug::parse("payments").unwrap(),
        holder: Holder::Oidc(conditions),
        operations: vec![EntryOperation::Demand],
        labels: Vec::new(),
        per_hour: 60,
        note: None,
        source: Source::Store {
            created_by: UserId(7),
            login: Login::parse("ada").unwrap(),
            created_at: MADE_AT,
        },
        expires_at: None,
    }
}

fn token_entry(id: u64, hash: TokenHash) -> AccessEntry {
    AccessEntry { holder: Holder::Token(hash), expires_at: Some(MADE_AT + 60), ..entry(TEAM, id) }
}

/// With every condition that there is.
fn full_actions_entry(id: u64) -> AccessEntry {
    let conditions = ActionsConditions {
        repository: RepositoryId(129),
        repository_name: RepoName::parse("Web.App").unwrap(),
        git_ref: Some(Pattern::parse_case_sensitive("refs/heads/Release-*").unwrap()),
        environment: Some("Produktion – Süd".to_owned()),
        workflow: Some(".github/workflows/ci.yml".to_owned()),
        job_workflow: Some("acme/shared/.github/workflows/Build.yml@refs/tags/v1".to_owned()),
        events: vec!["push".to_owned(), "pull_request_target".to_owned()],
        runner_environment: Some(RunnerEnvironment::SelfHosted),
    };
    AccessEntry {
        holder: Holder::GithubActions(conditions),
        operations: EntryOperation::ALL.to_vec(),
        labels: ["*", "Linux", "match:gpu-[0-9]+"].map(|label| Pattern::parse(label).unwrap()).to_vec(),
        per_hour: 600,
        note: Some("nightly \"builds\"; \u{1f680}".to_owned()),
        expires_at: Some(MADE_AT + 86_400),
        ..entry(TEAM, id)
    }
}

/// One of each kind, with all fields and with as few as there can be.
fn entries_of_all_kinds() -> Vec<AccessEntry> {
    let full = full_actions_entry(3);
    let Holder::GithubActions(conditions) = full.holder.clone() else { unreachable!() };
    let bare = ActionsConditions {
        git_ref: None,
        environment: Some("prod".to_owned()),
        workflow: None,
        job_workflow: None,
        runner_environment: None,
        ..conditions
    };
    let mut subject = entry(TEAM, 5);
    let Holder::Oidc(conditions) = &mut subject.holder else { unreachable!() };
    conditions.claims = [("tid", "A=b,c"), ("admin", "true")]
        .map(|(name, value)| ClaimCondition { name: name.to_owned(), value: value.to_owned() })
        .to_vec();
    // Ids are any 64 bits.
    let token = AccessEntry { labels: full.labels.clone(), ..token_entry(u64::MAX, TokenHash([0xa5; 32])) };
    let made_later = AccessEntry {
        source: Source::Store {
            created_by: UserId(8),
            login: Login::parse("Eve-2").unwrap(),
            created_at: MADE_AT + 1,
        },
        ..entry(TeamId(2), 1)
    };
    vec![
        token,
        full,
        AccessEntry { holder: Holder::GithubActions(bare), ..entry(TEAM, 4) },
        subject,
        made_later,
    ]
}

async fn add(store: &Store, entry: &AccessEntry) {
    assert_eq!(store.add_access_entry(entry).await, Ok(true), "{}", entry.id);
}

async fn ids(store: &Store) -> Vec<u64> {
    store.access_entries().await.unwrap().entries.iter().map(|entry| entry.id.0).collect()
}

/// Stores of two processes, where several may use one; otherwise one.
async fn stores(site: &Site) -> Vec<Store> {
    if site.is_server() { vec![site.open().await, site.open().await] } else { vec![site.open().await] }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn entries_of_all_kinds_come_back_as_they_were_made_also_after_a_restart() {
    for site in Site::all().await {
        let store = site.open().await;
        let made = entries_of_all_kinds();
        for entry in &made {
            add(&store, entry).await;
        }
        let read = store.access_entries().await.unwrap();
        assert_eq!(read.entries, made);
        let Holder::GithubActions(conditions) = &read.entries[1].holder else { panic!("{read:?}") };
        let git_ref = conditions.git_ref.as_ref().unwrap();
        assert!(git_ref.matches("refs/heads/Release-1") && !git_ref.matches("refs/heads/release-1"));
        assert!(read.entries[1].labels[1].matches("LINUX"), "labels have no case");
        assert_eq!(store.close().await, 0);
        if !matches!(site.settings.url, StoreUrl::Memory) {
            assert_eq!(site.open().await.access_entries().await.unwrap(), read);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_change_of_the_entries_is_another_revision_and_nothing_else_is() {
    for site in Site::all().await {
        let store = site.open().await;
        let first = store.access_revision().await.unwrap();
        add(&store, &entry(TEAM, 1)).await;
        add(&store, &entry(TEAM, 2)).await;
        let second = store.access_revision().await.unwrap();
        assert!(second > first);
        assert_eq!(store.remove_access_entry(TEAM, EntryId(9)).await, Ok(false));
        assert_eq!(store.remove_access_entries(TeamId(9)).await, Ok(0));
        store.note_access_uses(&[(EntryId(1), MADE_AT)]).await.unwrap();
        assert_eq!(store.use_token([1; 32], MADE_AT).await, Ok(true));
        store.add_record(&record(1, 10)).await.unwrap();
        assert_eq!(store.access_revision().await, Ok(second));
        assert_eq!(store.access_entries().await.unwrap().revision, second);
        let records = store.records_revision().await.unwrap();
        assert_eq!(store.remove_access_entry(TEAM, EntryId(1)).await, Ok(true));
        let third = store.access_revision().await.unwrap();
        assert_eq!(store.remove_access_entries(TEAM).await, Ok(1));
        let fourth = store.access_revision().await.unwrap();
        assert!(second < third && third < fourth);
        assert_eq!(store.records_revision().await, Ok(records));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_team_has_a_hundred_entries_at_most_however_many_are_added_at_once() {
    for site in Site::all().await {
        let stores = stores(&site).await;
        for id in 1..=96 {
            add(&stores[0], &entry(TEAM, id)).await;
        }
        let others: Vec<_> = (101..=110).map(|id| entry(TEAM, id)).collect();
        let tries =
            others.iter().enumerate().map(|(at, entry)| stores[at % stores.len()].add_access_entry(entry));
        let outcomes = futures_util::future::join_all(tries).await;
        assert_eq!(outcomes.iter().filter(|added| **added == Ok(true)).count(), 4, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|added| **added == Ok(false)).count(), 6, "{outcomes:?}");
        assert_eq!(ids(&stores[0]).await.len(), 100);
        let full = stores[0].access_revision().await.unwrap();
        assert_eq!(stores[0].add_access_entry(&entry(TEAM, 200)).await, Ok(false));
        assert_eq!(stores[0].access_revision().await, Ok(full), "nothing changed");
        // Another team is another matter, and there is room again when one is removed.
        add(&stores[0], &entry(TeamId(2), 201)).await;
        assert_eq!(stores[0].remove_access_entry(TEAM, EntryId(1)).await, Ok(true));
        add(&stores[0], &entry(TEAM, 200)).await;
        assert_eq!(stores[0].add_access_entry(&entry(TEAM, 202)).await, Ok(false));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_entry_is_removed_for_its_own_team_alone() {
    for site in Site::all().await {
        let store = site.open().await;
        for (team, id) in [(1, 1), (1, 2), (2, 3), (2, 4)] {
            add(&store, &entry(TeamId(team), id)).await;
        }
        assert_eq!(store.remove_access_entry(TeamId(2), EntryId(1)).await, Ok(false));
        assert_eq!(ids(&store).await, [1, 2, 3, 4]);
        assert_eq!(store.remove_access_entry(TeamId(1), EntryId(1)).await, Ok(true));
        assert_eq!(store.remove_access_entry(TeamId(1), EntryId(1)).await, Ok(false));
        assert_eq!(store.remove_access_entries(TeamId(2)).await, Ok(2));
        assert_eq!(ids(&store).await, [2]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_latest_use_of_an_entry_is_kept_whatever_order_processes_tell_it_in() {
    for site in Site::all().await {
        let stores = stores(&site).await;
        let (one, other) = (&stores[0], &stores[stores.len() - 1]);
        for id in [1, 2, 3] {
            add(one, &entry(TEAM, id)).await;
        }
        add(one, &entry(TeamId(2), 4)).await;
        let used = |id, later| (EntryId(id), MADE_AT + later);
        assert_eq!(one.access_uses(TEAM).await, Ok(HashMap::new()));
        // One that is gone by now is in nobody's way.
        one.note_access_uses(&[used(1, 10), used(2, 10), used(9, 10), used(4, 10)]).await.unwrap();
        other.note_access_uses(&[used(1, 5), used(2, 15)]).await.unwrap();
        assert_eq!(one.access_uses(TEAM).await, Ok(HashMap::from([used(1, 10), used(2, 15)])));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_entry_that_is_not_understood_is_left_out_and_the_others_stay() {
    for site in Site::all().await {
        let store = site.open().await;
        for id in 1..=7 {
            add(&store, &token_entry(id, TokenHash([1; 32]))).await;
        }
        let revision = store.access_revision().await.unwrap();
        let mut transaction = store.database.write().await.unwrap();
        for change in [
            "UPDATE arm_access SET definition = 'no JSON' WHERE id = 1",
            "UPDATE arm_access SET definition = '{\"later\": true}' WHERE id = 2",
            "UPDATE arm_access SET definition = replace(definition, '\"demand\"', '\"all\"') WHERE id = 3",
            "UPDATE arm_access SET definition = replace(definition, '0101', '+1+1') WHERE id = 4",
            "UPDATE arm_access SET definition = replace(definition, '\"token\"', '\"person\"') WHERE id = 5",
            "UPDATE arm_access SET created_by = -1 WHERE id = 6",
        ] {
            assert_eq!(execute!(&mut transaction, change), Ok(1), "{change}");
        }
        transaction.commit().await.unwrap();
        let read = store.access_entries().await.unwrap();
        assert_eq!((read.entries, read.revision), (vec![token_entry(7, TokenHash([1; 32]))], revision));
        assert_eq!(*store.health().borrow(), Health::Good);
        // It can be removed all the same.
        assert_eq!(store.remove_access_entry(TEAM, EntryId(2)).await, Ok(true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_is_used_once_also_when_many_ask_at_once() {
    for site in Site::all().await {
        let stores = stores(&site).await;
        for token in 1..=3 {
            let tries = (0..20).map(|at| stores[at % stores.len()].use_token([token; 32], MADE_AT));
            let outcomes = futures_util::future::join_all(tries).await;
            assert_eq!(outcomes.iter().filter(|first| **first == Ok(true)).count(), 1, "{outcomes:?}");
            assert_eq!(outcomes.iter().filter(|first| **first == Ok(false)).count(), 19, "{outcomes:?}");
        }
        // Hashes that differ in the last bit are other tokens.
        let mut other = [1; 32];
        other[31] = 0;
        assert_eq!(stores[0].use_token(other, MADE_AT).await, Ok(true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_used_token_is_forgotten_an_hour_after_its_end() {
    for site in Site::all().await {
        let store = site.open().await;
        let (early, late) = ([1; 32], [2; 32]);
        for (token, expires_at) in [(early, MADE_AT), (late, MADE_AT + 1)] {
            assert_eq!(store.use_token(token, expires_at).await, Ok(true));
        }
        store.prune(MADE_AT + 3_600).await.unwrap();
        assert_eq!(store.use_token(early, MADE_AT).await, Ok(false));
        store.prune(MADE_AT + 3_601).await.unwrap();
        assert_eq!(store.use_token(late, MADE_AT + 1).await, Ok(false));
        assert_eq!(store.use_token(early, MADE_AT).await, Ok(true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_text_of_a_team_token_is_nowhere_in_the_store() {
    for site in Site::lasting().await {
        let store = site.open().await;
        let mut seed = 0_u8;
        let random = |bytes: &mut [u8]| {
            for byte in bytes {
                seed = seed.wrapping_mul(141).wrapping_add(77);
                *byte = seed;
            }
            Ok::<_, ()>(())
        };
        let token = TeamToken::generate(random).unwrap();
        add(&store, &token_entry(1, token.hash())).await;
        store.note_access_uses(&[(EntryId(1), MADE_AT)]).await.unwrap();
        assert_eq!(store.access_entries().await.unwrap().entries, [token_entry(1, token.hash())]);
        let secret = &token.expose()[TeamToken::PREFIX.len()..];
        let kept = match &site.settings.url {
            StoreUrl::Sqlite(file) => everything_beside(file),
            _ => secrets::dump(&store).await.into_bytes(),
        };
        let has = |text: &str| kept.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(has("sha256") && !has(secret) && !has(TeamToken::PREFIX));
    }
}

/// What is in all files of the folder of a store.
fn everything_beside(file: &std::path::Path) -> Vec<u8> {
    let files = std::fs::read_dir(file.parent().unwrap()).unwrap();
    files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}
