//! Many callers at once who ask for the same.

use std::time::Duration;

use crate::Outcome;
use crate::client::{Connection, HERE, request};
use crate::fake::TEAM;
use crate::figures::{mebibytes, millis, number};
use crate::github::Github;
use crate::load::{Answers, Load, Until, always};
use crate::report::{Report, Table};
use crate::service::{Limits, Service};
use crate::sizes::{Size, USUAL};

/// How long GitHub takes.
const LATENCY: Duration = Duration::from_millis(20);
/// Callers of one `group-list`, the calls that it may cost, and the time within which half of them have it.
const LISTS: (usize, u64, Duration) = (256, 12, Duration::from_millis(80));
/// Callers of a very long list.
const LONG_LISTS: usize = 64;
/// A group with so many runners.
const LONG: Size = Size::new(20, 20_000);
/// What the process may take meanwhile, in KiB: 200 MB.
const MAX_MEMORY: u64 = 200_000_000 / 1024;

/// What came of a burst.
struct Seen {
    answers: Answers,
    calls: u64,
    /// The most memory that the process ever had, in KiB.
    memory: u64,
}

pub(crate) async fn measure(report: &mut Report) -> Outcome<()> {
    let mut table =
        Table::new(&["callers at once", "for", "refused", "calls", "p50 ms", "p99 ms", "memory at most"]);
    let lists = burst(USUAL, "group-list", LISTS.0).await?;
    table.row(row(LISTS.0, "group-list of 250 runners", &lists));
    let long = burst(LONG, "runners-list", LONG_LISTS).await?;
    table.row(row(LONG_LISTS, "runners-list of 20,000 runners", &long));
    report.table("Many at once, 20 ms a call", &table);
    for (what, seen) in [("256 callers of one group-list", &lists), ("64 callers of a long list", &long)] {
        let refused = seen.answers.refused();
        let text = if refused == 0 { "0".to_owned() } else { seen.answers.summary() };
        report.target(&format!("{what}: refused"), "0", &text, refused == 0);
    }
    let wanted = format!("≤ {}", LISTS.1);
    report.target("256 callers: calls", &wanted, &lists.calls.to_string(), lists.calls <= LISTS.1);
    report.at_most("256 callers: p50", LISTS.2, lists.answers.latencies.p50());
    let holds = long.memory < MAX_MEMORY;
    report.target("64 callers of a long list: memory", "< 200 MB", &mebibytes(long.memory), holds);
    Ok(())
}

fn row(callers: usize, what: &str, seen: &Seen) -> Vec<String> {
    vec![
        callers.to_string(),
        what.to_owned(),
        number(seen.answers.refused()),
        number(seen.calls),
        millis(seen.answers.latencies.p50()),
        millis(seen.answers.latencies.p99()),
        mebibytes(seen.memory),
    ]
}

/// Sends as many requests as there are callers, each on a connection of its own, all at once.
async fn burst(size: Size, operation: &str, callers: usize) -> Outcome<Seen> {
    let mut github = Github::start(size)?;
    github.set_latency(LATENCY)?;
    let service = Service::start(&mut github, Limits::Off).await?;
    let ask = |name: &str| request("GET", &format!("/api/v1/{name}?team={TEAM}"), &github.settings.token);
    // Who the caller is, and which group is meant, is known before.
    let mut first = Connection::open(&service.target, HERE).await?;
    let status = first.exchange(&ask(operation)).await?;
    if status != 200 {
        return Err(format!("{status} to the first {operation}: {}", first.body()).into());
    }
    let load = Load {
        target: service.target.clone(),
        from: HERE,
        connections: callers,
        until: Until::Sent(callers as u64),
        pause: None,
        requests: always(ask(operation)),
    };
    github.clear()?;
    let answers = load.run().await?;
    Ok(Seen { answers, calls: github.calls()?.total, memory: service.memory()?.most })
}
