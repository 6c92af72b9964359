//! Maintainers who read while one answer of GitHub in twenty is at fault: how many of them notice, and whether memory
//! stays as it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Outcome;
use crate::client::{HERE, request};
use crate::fake::Other;
use crate::figures::{mebibytes, millis, number, per_second};
use crate::github::Github;
use crate::load::{Answers, Load, Requests, Until};
use crate::report::{Report, Table};
use crate::service::{Limits, Service};
use crate::sizes::{Extent, Size};

/// How long GitHub takes.
const LATENCY: Duration = Duration::from_millis(20);
/// One answer in so many is at fault.
const ONE_IN: u32 = 20;
/// Teams whose maintainers read, and the connections of each.
const TEAMS: u64 = 10;
const CONNECTIONS: usize = 2;
/// Before each request; with what an answer takes, all of them together make about 100 requests a second.
const PAUSE: Duration = Duration::from_millis(150);
/// What they read in turn.
const READS: [&str; 4] = ["group-list", "runners-list", "status", "runners-list"];
/// Failures of a hundred requests, at most.
const MAX_FAILURES: f64 = 1.0;
/// How much more memory, in KiB, the last tenth may take than the second.
const GROWTH: u64 = 4 << 10;
/// How often memory is read.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn measure(extent: &Extent, report: &mut Report) -> Outcome<()> {
    let mut github = Github::start_with(Size::new(20, 250), &[("--teams", TEAMS)])?;
    github.set_latency(LATENCY)?;
    let service = Service::start(&mut github, Limits::Off).await?;
    github.set_weather(ONE_IN)?;
    let over = AtomicBool::new(false);
    let readers = async {
        let answers = read(&service, &github.settings.others, extent.weather).await;
        over.store(true, Ordering::Relaxed);
        answers
    };
    let (answers, memory) = tokio::join!(readers, memory(&service, &over));
    let (answers, memory) = (answers?, memory?);
    let calls = github.calls()?.total;
    let tenth = extent.weather / 10;
    let early = largest(&memory, tenth, tenth * 2);
    let late = largest(&memory, tenth * 9, Duration::MAX);
    let failed = answers.refused();
    let share = percent(failed, answers.count());
    let mut table = Table::new(&["one answer of GitHub in 20 at fault, 20 ms a call", "measured"]);
    let mut row = |what: &str, measured: String| table.row(vec![what.to_owned(), measured]);
    row("requests", number(answers.count()));
    row("a second, over", format!("{}, {} s", per_second(answers.rate()), answers.elapsed.as_secs()));
    row("calls to GitHub", number(calls));
    row("failed", format!("{} ({share:.2} %)", number(failed)));
    row("p50, p99", format!("{}, {} ms", millis(answers.latencies.p50()), millis(answers.latencies.p99())));
    row("memory in the second tenth, in the last", format!("{}, {}", mebibytes(early), mebibytes(late)));
    report.table("Bad weather", &table);
    report.say(&format!("Statuses and reasons: {}", answers.summary()));
    let wanted = format!("≤ {MAX_FAILURES} %");
    report.target("reads that fail in bad weather", &wanted, &format!("{share:.2} %"), share <= MAX_FAILURES);
    let grown = late.saturating_sub(early);
    let wanted = format!("≤ {}", mebibytes(GROWTH));
    report.target("growth of memory in bad weather", &wanted, &mebibytes(grown), grown <= GROWTH);
    Ok(())
}

fn percent(part: u64, whole: u64) -> f64 {
    // A benchmark's counts are far below where a float gets coarse.
    let float = |count| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    100.0 * float(part) / float(whole).max(1.0)
}

/// Each team's maintainer reads the team's own things.
async fn read(service: &Service, teams: &[Other], time: Duration) -> Outcome<Answers> {
    let mut tasks = JoinSet::new();
    for team in teams {
        let team = team.clone();
        let requests: Requests = Arc::new(move |number, buffer: &mut Vec<u8>| {
            let operation = usize::try_from(number).unwrap_or(0) % READS.len();
            let path = match READS[operation] {
                "status" => "/api/v1/status".to_owned(),
                operation => format!("/api/v1/{operation}?team={}", team.slug),
            };
            buffer.extend(request("GET", &path, &team.token));
        });
        let load = Load {
            target: service.target.clone(),
            from: HERE,
            connections: CONNECTIONS,
            until: Until::Over(time),
            pause: Some(PAUSE),
            requests,
        };
        tasks.spawn(load.run());
    }
    let mut all = Answers::default();
    for answers in tasks.join_all().await {
        all.add(answers?);
    }
    Ok(all)
}

/// Memory of the process by the time since the beginning, in KiB.
async fn memory(service: &Service, over: &AtomicBool) -> Outcome<Vec<(Duration, u64)>> {
    let (started, mut seen) = (Instant::now(), Vec::new());
    while !over.load(Ordering::Relaxed) {
        seen.push((started.elapsed(), service.memory()?.now));
        tokio::time::sleep(LOOKED_AT_EVERY).await;
    }
    Ok(seen)
}

fn largest(memory: &[(Duration, u64)], from: Duration, to: Duration) -> u64 {
    let within = memory.iter().filter(|(at, _)| (from..to).contains(at));
    within.map(|(_, kibibytes)| *kibibytes).max().unwrap_or(0)
}
