//! A flood of tokens that nobody knows, each another, from one address; and what a legitimate user from
//! elsewhere notices of it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::Outcome;
use crate::client::{ELSEWHERE, HERE, request};
use crate::figures::{mebibytes, millis, number, per_second};
use crate::github::Github;
use crate::load::{Answers, Load, Requests, Until, always};
use crate::report::{Report, Table};
use crate::service::Service;
use crate::sizes::{CONNECTIONS, Extent};

/// The most memory that the service may take, in KiB.
const MOST_MEMORY: u64 = 64 << 10;
/// What one address may cause at once, and then each second.
const UNKNOWN_TOKENS: (u64, u64) = (20, 5);
/// How much slower the legitimate user's slowest answers may get.
const MOST_SLOWDOWN: u32 = 3;
/// Between the requests of the user who only asks for `status`.
const PAUSE: Duration = Duration::from_millis(20);

/// What a legitimate user saw: an operation that asks GitHub, and one that doesn't.
struct Seen {
    register: Answers,
    status: Answers,
}

pub(crate) async fn measure(
    extent: &Extent,
    service: &Service,
    github: &mut Github,
    table: &mut Table,
    report: &mut Report,
) -> Outcome<()> {
    github.set_latency(extent.latency)?;
    let calm = watch(service, github, Until::Over(extent.calm)).await?;
    github.clear()?;
    let over = Arc::new(AtomicBool::new(false));
    let flood = async {
        let answers = flood(extent, service).run().await;
        over.store(true, Ordering::Relaxed);
        answers
    };
    let (answers, during) = tokio::join!(flood, watch(service, github, Until::Told(over.clone())));
    let (answers, during) = (answers?, during?);
    let refused = |status| answers.statuses.get(&status).copied().unwrap_or(0);
    let caused = github.calls()?.kinds.get("GET /user 401").copied().unwrap_or(0);
    let memory = service.memory()?;
    let seconds = answers.elapsed.as_secs() + 1;
    let allowed = UNKNOWN_TOKENS.0 + UNKNOWN_TOKENS.1 * seconds;
    let mut row = |what: &str, measured: String| table.row(vec![what.to_owned(), measured]);
    row("bogus tokens, each another", number(answers.count()));
    row("answered with 401, 429", format!("{}, {}", number(refused(401)), number(refused(429))));
    row("in, and a second", format!("{seconds} s, {}", per_second(answers.rate())));
    row("their p50, p99", pair(&answers));
    row("calls to GitHub that they caused", caused.to_string());
    row("memory afterwards, most ever", format!("{}, {}", mebibytes(memory.now), mebibytes(memory.most)));
    row("user's token-register at 50 ms before: p50, p99", pair(&calm.register));
    row("the same during the flood", pair(&during.register));
    row("user's status before: p50, p99", pair(&calm.status));
    row("the same during the flood", pair(&during.status));
    report.target(
        "calls to GitHub caused by bogus tokens",
        &format!("≤ {allowed}"),
        &caused.to_string(),
        caused <= allowed && answers.statuses.keys().all(|status| [401, 429].contains(status)),
    );
    let most = memory.most;
    report.target("memory throughout", "< 64 MiB", &mebibytes(most), most < MOST_MEMORY);
    let (before, after) = (calm.register.latencies.p99(), during.register.latencies.p99());
    report.at_most("user's p99 during the flood (3 × before)", before * MOST_SLOWDOWN, after);
    Ok(())
}

fn pair(answers: &Answers) -> String {
    format!("{} and {} ms", millis(answers.latencies.p50()), millis(answers.latencies.p99()))
}

fn flood(extent: &Extent, service: &Service) -> Load {
    let requests: Requests = Arc::new(|number, buffer: &mut Vec<u8>| {
        let mut text = String::new();
        // Writing to a String can't fail.
        let _ = write!(
            text,
            "GET /api/v1/status HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ghp_{number:036x}\r\n\r\n"
        );
        buffer.extend_from_slice(text.as_bytes());
    });
    Load {
        target: service.target.clone(),
        from: HERE,
        connections: CONNECTIONS,
        until: Until::Sent(extent.bogus_tokens),
        pause: None,
        requests,
    }
}

/// Lets a legitimate user from another address work until it is over.
async fn watch(service: &Service, github: &Github, until: Until) -> Outcome<Seen> {
    let token = github.settings.token.clone();
    let user = |method: &str, path: &str, pause| Load {
        target: service.target.clone(),
        from: ELSEWHERE,
        connections: 4,
        until: until.clone(),
        pause,
        requests: always(request(method, path, &token)),
    };
    let path = format!("/api/v1/token-register?team={}", crate::fake::TEAM);
    let register = user("POST", &path, None).run();
    let status = user("GET", "/api/v1/status", Some(PAUSE)).run();
    let (register, status) = tokio::join!(register, status);
    Ok(Seen { register: register?.all(200)?, status: status?.all(200)? })
}
