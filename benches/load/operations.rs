//! Each operation at each size: the calls that it costs GitHub, cold and warm, and the time that it takes.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::client::{self, Connection, HERE};
use crate::fake::{Calls, REPOSITORY, SPARE_TEAM, TEAM};
use crate::figures::{Latencies, millis, number, per_second};
use crate::github::Github;
use crate::load::{Answers, Load, Until, always};
use crate::report::{Report, Table};
use crate::service::{Limits, Service};
use crate::sizes::{CONNECTIONS, Extent, Size, USUAL};

/// User, team, membership.
const ACCESS: u64 = 3;

/// An operation, and what the design says that it costs.
struct Operation {
    label: String,
    method: &'static str,
    path: String,
    cold: Option<u64>,
    warm: Option<u64>,
    /// Rounds when warm, where the design names them.
    rounds: Option<u64>,
    /// Whether it leaves something behind each time, so that many of it would measure another world.
    grows: bool,
    /// What makes it possible once more, by method and path.
    undo: Option<(&'static str, String)>,
}

impl Operation {
    fn new(method: &'static str, name: &str, cold: u64, warm: u64) -> Self {
        let path = format!("/api/v1/{name}?team={TEAM}");
        Self { cold: Some(cold), warm: Some(warm), ..Self::uncounted(method, name, path) }
    }

    /// One whose calls the design doesn't name.
    fn uncounted(method: &'static str, name: &str, path: String) -> Self {
        let label = name.to_owned();
        Self { label, method, path, cold: None, warm: None, rounds: None, grows: false, undo: None }
    }

    /// One that makes or deletes the group of [`SPARE_TEAM`], and is undone before it is measured again.
    fn of_group(method: &'static str, name: &str, undo: (&'static str, &str)) -> Self {
        let path = |name: &str| format!("/api/v1/{name}?team={SPARE_TEAM}");
        let undo = Some((undo.0, path(undo.1)));
        Self { undo, ..Self::uncounted(method, name, path(name)) }
    }

    /// The operation for the first repositories of the team.
    fn with_repositories(self, count: u64) -> Self {
        let names: Vec<_> = (0..count).map(|index| format!("{REPOSITORY}{index}")).collect();
        let (label, path) =
            (format!("{} ({count})", self.label), format!("{}&repos={}", self.path, names.join(",")));
        Self { label, path, ..self }
    }

    /// A runner for one job, which GitHub keeps.
    fn with_labels(self) -> Self {
        Self { path: format!("{}&labels=linux,x64", self.path), grows: true, ..self }
    }

    fn in_rounds(self, rounds: u64) -> Self {
        Self { rounds: Some(rounds), ..self }
    }
}

/// The table of the design. The last operations change what the ones before are measured with.
fn all(size: Size) -> Vec<Operation> {
    let found = ACCESS + size.group_pages();
    let lists = size.runner_pages() + size.repository_pages();
    let look_up = |repositories: u64| repositories.min(size.repository_pages());
    let status = Operation { path: crate::bare::PATH.to_owned(), ..Operation::new("GET", "status", 1, 0) };
    let trial = format!("/api/v1/runners-remove?team={TEAM}&offline=true&dry_run=true");
    let repositories = |method, name, count: u64, writes: u64| {
        let calls = look_up(count) + writes;
        Operation::new(method, name, found + calls, calls).with_repositories(count)
    };
    vec![
        status,
        Operation::new("POST", "token-register", ACCESS + 1, 1).in_rounds(1),
        Operation::new("POST", "token-remove", ACCESS + 1, 1).in_rounds(1),
        Operation::new("GET", "group-list", found + lists, lists).in_rounds(2),
        Operation::new("GET", "runners-list", found + size.runner_pages(), size.runner_pages()),
        repositories("PATCH", "repos-add", 1, 1).in_rounds(2),
        repositories("PATCH", "repos-add", 10, 10),
        repositories("PATCH", "repos-remove", 1, 1).in_rounds(2),
        repositories("PATCH", "repos-set", 1, 1).in_rounds(2),
        repositories("PATCH", "repos-set", 10, 1),
        Operation::of_group("POST", "group-add", ("DELETE", "group-delete")),
        Operation::of_group("DELETE", "group-delete", ("POST", "group-add")),
        Operation::uncounted("DELETE", "runners-remove (trial)", trial),
        Operation::new("POST", "jitconfig-generate", found + 1, 1).with_labels().in_rounds(1),
    ]
}

/// What was measured of one operation.
struct Measured {
    cold: Calls,
    cold_time: Duration,
    warm: Calls,
    slow: Latencies,
    busy: Option<Busy>,
}

/// What was measured of one operation while GitHub answers at once.
struct Busy {
    answers: Answers,
    /// Of the service, for one request.
    cpu: Duration,
}

/// Figures that are compared between sizes.
#[derive(Default)]
struct Kept {
    compared: Vec<(String, Size, u64, Duration)>,
    /// Numbers of calls and rounds, and how many of them are not as designed.
    counted: usize,
    wrong: usize,
}

pub(crate) async fn measure(extent: &Extent, report: &mut Report) -> Outcome<()> {
    let mut kept = Kept::default();
    for size in &extent.sizes {
        let mut github = Github::start(*size)?;
        let mut table = Table::new(&[
            "operation",
            "calls cold",
            "rounds",
            "ms",
            "calls warm",
            "rounds",
            "p50 ms",
            "p99 ms",
            "requests/s",
            "p50 ms",
            "p99 ms",
            "CPU µs",
        ]);
        for operation in all(*size) {
            let measured = one(&operation, &mut github, extent).await?;
            table.row(row(&operation, &measured));
            kept.take(&operation, *size, &measured, report);
        }
        let heading = format!(
            "{} groups in the organisation; {} runners and {} repositories in the team's",
            number(size.groups),
            number(size.runners),
            number(size.repositories)
        );
        report.table(&heading, &table);
    }
    kept.compare(report);
    Ok(())
}

async fn one(operation: &Operation, github: &mut Github, extent: &Extent) -> Outcome<Measured> {
    let service = Service::start(github, Limits::Off).await?;
    let request = client::request(operation.method, &operation.path, &github.settings.token);
    let mut connection = Connection::open(&service.target, HERE).await?;
    github.set_latency(extent.latency)?;
    let started = Instant::now();
    exchange(&mut connection, &request).await?;
    let (cold_time, cold) = (started.elapsed(), github.calls()?);
    let undo =
        operation.undo.as_ref().map(|(method, path)| client::request(method, path, &github.settings.token));
    if let Some(undo) = &undo {
        exchange(&mut connection, undo).await?;
    }
    github.clear()?;
    exchange(&mut connection, &request).await?;
    let warm = github.calls()?;
    let slow = match undo {
        None => {
            let load = Load::one_by_one(&service.target, request.clone(), extent.slow_samples);
            load.run().await?.all(200)?.latencies
        }
        Some(undo) => in_turns(&mut connection, &undo, &request, extent.slow_samples).await?,
    };
    github.set_latency(Duration::ZERO)?;
    let busy = match operation {
        Operation { grows: false, undo: None, .. } => Some(busy(&service, request, extent).await?),
        _ => None,
    };
    Ok(Measured { cold, cold_time, warm, slow, busy })
}

/// How long a request takes that has to be undone before each time.
async fn in_turns(
    connection: &mut Connection,
    undo: &[u8],
    request: &[u8],
    times: u64,
) -> Outcome<Latencies> {
    let mut latencies = Vec::new();
    for _ in 0..times {
        exchange(connection, undo).await?;
        let started = Instant::now();
        exchange(connection, request).await?;
        latencies.push(started.elapsed());
    }
    Ok(latencies.into())
}

async fn busy(service: &Service, request: Vec<u8>, extent: &Extent) -> Outcome<Busy> {
    let load = Load {
        target: service.target.clone(),
        from: HERE,
        connections: CONNECTIONS,
        until: Until::Over(extent.busy),
        pause: None,
        requests: always(request),
    };
    let before = service.cpu()?;
    let answers = load.run().await?;
    let count = u32::try_from(answers.count()).unwrap_or(u32::MAX).max(1);
    let cpu = service.cpu()?.saturating_sub(before) / count;
    Ok(Busy { answers, cpu })
}

async fn exchange(connection: &mut Connection, request: &[u8]) -> Outcome<()> {
    match connection.exchange(request).await? {
        200 => Ok(()),
        status => Err(format!("{status}: {}", connection.body()).into()),
    }
}

fn row(operation: &Operation, measured: &Measured) -> Vec<String> {
    let mut cells = vec![
        operation.label.clone(),
        against(measured.cold.total, operation.cold),
        measured.cold.rounds.to_string(),
        millis(measured.cold_time),
        against(measured.warm.total, operation.warm),
        against(measured.warm.rounds, operation.rounds),
        millis(measured.slow.p50()),
        millis(measured.slow.p99()),
    ];
    cells.extend(match &measured.busy {
        Some(busy) => busy.cells(),
        None => ["–"; 4].map(str::to_owned),
    });
    cells
}

impl Busy {
    fn cells(&self) -> [String; 4] {
        let (answers, rate) = (&self.answers, per_second(self.answers.rate()));
        // Answers that say no are quick, and would look like speed.
        let failed = answers.count() - answers.statuses.get(&200).copied().unwrap_or(0);
        let rate = if failed == 0 { rate } else { format!("{rate} ({failed} refused)") };
        let (p50, p99) = (millis(answers.latencies.p50()), millis(answers.latencies.p99()));
        [rate, p50, p99, self.cpu.as_micros().to_string()]
    }
}

/// A count, and what the design says where it differs.
fn against(count: u64, design: Option<u64>) -> String {
    match design {
        Some(design) if design != count => format!("{count} ≠ {design}"),
        _ => count.to_string(),
    }
}

impl Kept {
    fn take(&mut self, operation: &Operation, size: Size, measured: &Measured, report: &mut Report) {
        for (count, design) in [
            (measured.cold.total, operation.cold),
            (measured.warm.total, operation.warm),
            (measured.warm.rounds, operation.rounds),
        ] {
            self.counted += usize::from(design.is_some());
            self.wrong += usize::from(design.is_some_and(|design| design != count));
        }
        let p50 = measured.slow.p50();
        if size == USUAL {
            let most = match operation.label.as_str() {
                "token-register" => Some(56),
                "group-list" => Some(115),
                _ => None,
            };
            if let Some(most) = most {
                let what = format!("warm {} at 50 ms a call, p50", operation.label);
                report.at_most(&what, Duration::from_millis(most), p50);
            }
        }
        if ["token-register", "repos-add (1)"].contains(&operation.label.as_str()) {
            self.compared.push((operation.label.clone(), size, measured.warm.total, p50));
        }
    }

    /// Cost grows with the answer, not with the organisation.
    fn compare(&self, report: &mut Report) {
        let of = format!("{} of {}", self.wrong, self.counted);
        report.target(
            "numbers of calls and rounds that differ from the design",
            "none",
            &of,
            self.wrong == 0,
        );
        for label in ["token-register", "repos-add (1)"] {
            let of_label: Vec<_> = self.compared.iter().filter(|(name, ..)| name == label).collect();
            let (Some(first), Some(last)) = (of_label.first(), of_label.last()) else { continue };
            let calls = of_label.iter().all(|(_, _, calls, _)| *calls == first.2);
            // Two milliseconds are noise on a machine that does other things too.
            let same = first.3.abs_diff(last.3) <= Duration::from_millis(2);
            report.target(
                &format!("warm {label}, {} and {} groups", number(first.1.groups), number(last.1.groups)),
                "the same",
                &format!("{} and {} calls, {} and {} ms", first.2, last.2, millis(first.3), millis(last.3)),
                calls && same,
            );
        }
    }
}
