//! The service as a process: how soon it is ready, and how much memory it takes, also under a flood.

use std::time::Duration;

use crate::Outcome;
use crate::figures::{mebibytes, millis};
use crate::flood;
use crate::github::Github;
use crate::report::{Report, Table};
use crate::service::{Limits, Service};
use crate::sizes::{Extent, USUAL};

/// The longest start.
const SOONEST: Duration = Duration::from_millis(100);
/// How long an idle service is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(1);

pub(crate) async fn measure(extent: &Extent, report: &mut Report) -> Outcome<()> {
    let mut github = Github::start(USUAL)?;
    let mut starts = Vec::new();
    for _ in 0..extent.starts {
        starts.push(Service::time_to_ready(&github).await?);
    }
    starts.sort_unstable();
    let (best, median) = (starts.first(), starts.get(starts.len() / 2));
    let (best, median) = (best.copied().unwrap_or_default(), median.copied().unwrap_or_default());
    let service = Service::start(&mut github, Limits::UnknownTokens).await?;
    tokio::time::sleep(IDLE).await;
    let idle = service.memory()?;
    let mut table = Table::new(&["process", "measured"]);
    table.row(vec![
        format!("ready after, best and median of {}", extent.starts),
        format!("{} and {} ms", millis(best), millis(median)),
    ]);
    table.row(vec!["memory when idle".to_owned(), mebibytes(idle.now)]);
    flood::measure(extent, &service, &mut github, &mut table, report).await?;
    report.table("The process", &table);
    report.at_most("ready, median", SOONEST, median);
    Ok(())
}
