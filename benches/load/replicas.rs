//! What it costs that several processes act as one: three of them at a fixed rate, without a store and on the PostgreSQL that
//! `LOAD_STORE` names.

use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use crate::Outcome;
use crate::bare;
use crate::client::{Connection, HERE, Target, request};
use crate::figures::{millis, per_second};
use crate::github::Github;
use crate::load::Answers;
use crate::report::{Report, Table};
use crate::service::{Limits, STORE, Service};
use crate::sizes::{Extent, USUAL};

/// Processes that share the load.
const PROCESSES: usize = 3;
/// Between two requests to one of them: 200 a second to all together.
const EVERY: Duration = Duration::from_millis(15);
/// How long processes that were just started are left alone, so that each knows of the others.
const SETTLE: Duration = Duration::from_secs(2);

pub(crate) async fn measure(extent: &Extent, report: &mut Report) -> Outcome<()> {
    let url = std::env::var(STORE).unwrap_or_default();
    if !url.starts_with("postgres") {
        return Err(format!("{STORE} has to name a PostgreSQL, as with `.ci/postgres`").into());
    }
    let mut github = Github::start(USUAL)?;
    let register = format!("/api/v1/token-register?team={}", crate::fake::TEAM);
    let mut table =
        Table::new(&["200 requests/s over three processes", "requests/s", "p50 ms", "p99 ms", "CPU µs"]);
    for (name, method, path) in [("status", "GET", bare::PATH), ("token-register", "POST", register.as_str())]
    {
        let mut measured = [Measured::default(), Measured::default()];
        // In turns, so that whatever else the machine does hits both alike.
        for _ in 0..extent.runs {
            for (measured, store) in measured.iter_mut().zip([None, Some(url.as_str())]) {
                measured.run(&mut github, store, method, path, extent.busy).await?;
            }
        }
        for (measured, store) in measured.iter().zip(["without a store", "on PostgreSQL"]) {
            table.row(measured.row(&format!("{name}, {store}")));
        }
    }
    report.table(&format!("Several processes as one ({} runs of each)", extent.runs), &table);
    Ok(())
}

/// All runs of one kind.
#[derive(Default)]
struct Measured {
    answers: Answers,
    elapsed: Duration,
    cpu: Duration,
}

impl Measured {
    async fn run(
        &mut self,
        github: &mut Github,
        store: Option<&str>,
        method: &str,
        path: &str,
        over: Duration,
    ) -> Outcome<()> {
        let mut services = Vec::new();
        for _ in 0..PROCESSES {
            services.push(Service::start_with(github, Limits::Off, store).await?);
        }
        let request = request(method, path, &github.settings.token);
        // Each looks everything up once.
        for service in &services {
            let answers = paced(&service.target, &request, SETTLE).await?;
            answers.all(200)?;
        }
        let before = cpu(&services)?;
        let started = Instant::now();
        let loads = services.iter().map(|service| paced(&service.target, &request, over));
        for answers in futures_util::future::try_join_all(loads).await? {
            self.answers.add(answers.all(200)?);
        }
        self.elapsed += started.elapsed();
        self.cpu += cpu(&services)?.saturating_sub(before);
        Ok(())
    }

    fn row(&self, name: &str) -> Vec<String> {
        let count = u32::try_from(self.answers.count()).unwrap_or(u32::MAX).max(1);
        let rate = f64::from(count) / self.elapsed.as_secs_f64();
        let latencies = &self.answers.latencies;
        let cpu = format!("{:.0}", (self.cpu / count).as_secs_f64() * 1e6);
        vec![name.to_owned(), per_second(rate), millis(latencies.p50()), millis(latencies.p99()), cpu]
    }
}

fn cpu(services: &[Service]) -> Outcome<Duration> {
    services.iter().map(Service::cpu).sum()
}

/// Sends the same request at a fixed rate.
async fn paced(target: &Target, request: &[u8], over: Duration) -> Outcome<Answers> {
    let mut connection = Connection::open(target, HERE).await?;
    let (mut answers, mut latencies, started) = (Answers::default(), Vec::new(), Instant::now());
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while started.elapsed() < over {
        ticks.tick().await;
        let sent = Instant::now();
        let status = connection.exchange(request).await?;
        latencies.push(sent.elapsed());
        *answers.statuses.entry(status).or_default() += 1;
    }
    Ok(Answers { latencies: latencies.into(), elapsed: started.elapsed(), ..answers })
}
