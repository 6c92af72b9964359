//! The service's own share: a warm `status`, which asks GitHub nothing, beside a handler without anything.

use std::time::Duration;

use crate::Outcome;
use crate::bare;
use crate::client::{HERE, Target, request};
use crate::figures::{millis, per_second};
use crate::github::Github;
use crate::load::{Answers, Load, Until, always};
use crate::report::{Report, Table};
use crate::service::{Limits, Service, cpu};
use crate::sizes::{CONNECTIONS, Extent, USUAL};

/// Of the bare handler's requests a second, in percent.
const LEAST_SHARE: f64 = 70.0;

/// The best of several runs; the least CPU time may be another run's.
#[derive(Default)]
struct Best {
    rate: f64,
    p50: Duration,
    p99: Duration,
    cpu: Option<Duration>,
}

impl Best {
    fn take(&mut self, answers: &Answers, cpu: Duration) {
        let cpu = cpu / u32::try_from(answers.count()).unwrap_or(u32::MAX).max(1);
        self.cpu = Some(self.cpu.map_or(cpu, |least| least.min(cpu)));
        if answers.rate() > self.rate {
            self.rate = answers.rate();
            (self.p50, self.p99) = (answers.latencies.p50(), answers.latencies.p99());
        }
    }

    fn row(&self, name: &str) -> Vec<String> {
        let cpu = format!("{:.1}", self.cpu.unwrap_or_default().as_secs_f64() * 1e6);
        vec![name.to_owned(), per_second(self.rate), millis(self.p50), millis(self.p99), cpu]
    }
}

pub(crate) async fn measure(extent: &Extent, report: &mut Report) -> Outcome<()> {
    let mut github = Github::start(USUAL)?;
    let service = Service::start(&mut github, Limits::Off).await?;
    let (bare_process, address) = bare::start(service.folder.path())?;
    let bare_target = Target::new(address, &service.folder.path().join("tls.crt"))?;
    let token = github.settings.token.clone();
    let load = |target: &Target, method: &str, path: &str| Load {
        target: target.clone(),
        from: HERE,
        connections: CONNECTIONS,
        until: Until::Over(extent.busy),
        pause: None,
        requests: always(request(method, path, &token)),
    };
    let (mut bare, mut status, mut register) = (Best::default(), Best::default(), Best::default());
    let token_register = format!("/api/v1/token-register?team={}", crate::fake::TEAM);
    // In turns, so that whatever else the machine does hits all alike.
    for _ in 0..extent.runs {
        let before = cpu(bare_process.id())?;
        let answers = load(&bare_target, "GET", bare::PATH).run().await?.all(200)?;
        bare.take(&answers, cpu(bare_process.id())?.saturating_sub(before));
        let before = service.cpu()?;
        let answers = load(&service.target, "GET", bare::PATH).run().await?.all(200)?;
        status.take(&answers, service.cpu()?.saturating_sub(before));
        let before = service.cpu()?;
        let answers = load(&service.target, "POST", &token_register).run().await?.all(200)?;
        register.take(&answers, service.cpu()?.saturating_sub(before));
    }
    let mut table = Table::new(&["0 ms a call, 32 connections", "requests/s", "p50 ms", "p99 ms", "CPU µs"]);
    table.row(bare.row("a handler without anything"));
    table.row(status.row("status, warm"));
    table.row(register.row("token-register, warm"));
    report.table(&format!("The service's own share (best of {} runs)", extent.runs), &table);
    let share = status.rate / bare.rate * 100.0;
    report.target(
        "warm status, of the bare handler's requests/s",
        &format!("≥ {LEAST_SHARE:.0} %"),
        &format!("{share:.0} %"),
        share >= LEAST_SHARE,
    );
    Ok(())
}
