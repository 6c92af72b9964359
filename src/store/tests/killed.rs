//! What was acknowledged is there, however a process ends.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::events::success;
use super::*;

/// Names the file that a process of its own writes into.
const FILE: &str = "ARM_TEST_STORE_FILE";
const WRITER: &str = "store::tests::killed::a_writer_writes_until_it_is_killed";
const KILLS: u64 = 50;
/// Tasks that write side by side.
const TASKS: u64 = 4;

/// What the test below starts; by itself it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_writes_until_it_is_killed() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let settings = Settings::new(StoreUrl::Sqlite(PathBuf::from(file)));
    let store = Store::open(&settings, Clock::system()).await.unwrap();
    let records = store.records().await.unwrap().records;
    let last = records.iter().map(|record| record.team.0).max().unwrap_or(0);
    let work = (1..=TASKS).map(|task| {
        let store = &store;
        async move {
            for number in 1_u64.. {
                let team = last + number * TASKS + task;
                store.push_event(success(team, "user:1"));
                store.add_record(&record(team, team)).await.unwrap();
                // Not by `println`, which waits until the test ends.
                writeln!(std::io::stdout(), "\nacknowledged {team}").unwrap();
            }
        }
    });
    futures_util::future::join_all(work).await;
}

fn started(file: &std::path::Path) -> Child {
    let mut writer = Command::new(std::env::current_exe().unwrap());
    writer.args([WRITER, "--exact", "--nocapture"]).env(FILE, file);
    writer.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// The records that a writer said it wrote, until it was killed after so many of them.
fn acknowledged_until_killed(mut writer: Child, after: u64) -> BTreeSet<u64> {
    let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut acknowledged = BTreeSet::new();
    for line in lines {
        if let Some(team) = line.unwrap().strip_prefix("acknowledged ") {
            acknowledged.insert(team.parse().unwrap());
        }
        if acknowledged.len() as u64 == after {
            writer.kill().unwrap();
        }
    }
    assert!(!writer.wait().unwrap().success());
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_process_that_is_killed_again_and_again_loses_nothing_that_it_acknowledged() {
    let site = Site::in_a_file();
    let file = site.settings.url.file().unwrap().to_owned();
    let mut acknowledged = BTreeSet::new();
    for round in 0..KILLS {
        let new = acknowledged_until_killed(started(&file), 1 + round % 9);
        assert!(!new.is_empty(), "it wrote nothing in round {round}");
        acknowledged.extend(new);
    }
    let store = site.open().await;
    let kept: BTreeSet<_> =
        store.records().await.unwrap().records.iter().map(|record| record.team.0).collect();
    let lost: Vec<_> = acknowledged.difference(&kept).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let unknown = kept.difference(&acknowledged).count() as u64;
    assert!(unknown <= KILLS * TASKS, "{unknown} were kept that nobody acknowledged");
    let mut transaction = store.database.read().await.unwrap();
    let found = query!(&mut transaction, fetch_all(String,), "PRAGMA integrity_check").unwrap();
    assert_eq!(found, [("ok".to_owned(),)]);
}
