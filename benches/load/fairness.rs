//! Somebody who would spend the App's hour, GitHub's points or the places for calls; and what another team notices.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::Outcome;
use crate::client::{Connection, ELSEWHERE, HERE, Target, request};
use crate::fake::{Other, REPOSITORY, Settings, TEAM};
use crate::figures::{millis, number};
use crate::github::Github;
use crate::load::{Answers, Load, Requests, Until, always};
use crate::report::{Report, Table};
use crate::service::{Limits, Service};
use crate::sizes::{Extent, Size};

/// Calls that GitHub gives the App in an hour.
const HOUR: u64 = 5_000;
/// The group of the maintainer who goes too far.
const LARGE: Size = Size::new(20, 6_000);
/// Repositories that one request names.
const NAMES: u64 = 200;
/// How many addresses send bad tokens.
const ADDRESSES: u8 = 160;
/// How much longer `GET /user` takes while they do, and before.
const SLOW_USER: Duration = Duration::from_millis(500);
/// Between the other team's requests: of a `token-register`, which is 5 of GitHub's points, and of a `group-list`.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(500));
/// Between an attacker's requests on one connection.
const ATTACKERS_PAUSE: Duration = Duration::from_millis(200);
/// The most calls that a stranger may cause in about a minute.
const STRANGERS_CALLS: u64 = 5;
/// How often `/readyz` is looked at.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(1);

/// What somebody does to the others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attack {
    /// A stranger, whose teams nobody knows.
    Stranger,
    /// A maintainer lists the runners of a large group again and again.
    Lists,
    /// The same adds two hundred repositories, and removes them, again and again.
    Repositories,
    /// The same polls a list that GitHub always answers with 502.
    Broken,
    /// Made-up tokens from many addresses.
    BadTokens,
}

impl Attack {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Stranger, "a stranger with made-up team names"),
        (Self::Lists, "lists of 6,000 runners"),
        (Self::Repositories, "200 repositories a request"),
        (Self::Broken, "a list that is always 502"),
        (Self::BadTokens, "bad tokens from 160 addresses"),
    ];

    /// Arranges what the attack needs of GitHub.
    fn prepare(self, github: &mut Github) -> Outcome<()> {
        match self {
            Self::Broken => {
                let Settings { org, group, .. } = &github.settings;
                let path = format!("/orgs/{org}/actions/runner-groups/{group}/runners");
                github.break_path(&path)
            }
            Self::BadTokens => github.slow_down_user(SLOW_USER),
            Self::Stranger | Self::Lists | Self::Repositories => Ok(()),
        }
    }

    /// The addresses that it comes from, and the connections of each.
    fn sources(self) -> (Vec<IpAddr>, usize) {
        match self {
            Self::BadTokens => {
                let address = |last| IpAddr::V4(Ipv4Addr::new(127, 0, 1, last));
                ((1..=ADDRESSES).map(address).collect(), 1)
            }
            Self::Stranger | Self::Repositories => (vec![HERE], 2),
            Self::Lists | Self::Broken => (vec![HERE], 4),
        }
    }

    fn requests(self, settings: &Settings) -> Requests {
        match self {
            Self::Stranger => {
                let token = settings.stranger.clone();
                Arc::new(move |number, buffer: &mut Vec<u8>| {
                    buffer.extend(request("GET", &format!("/api/v1/group-list?team=x{number}"), &token));
                })
            }
            Self::Lists | Self::Broken => {
                always(request("GET", &format!("/api/v1/runners-list?team={TEAM}"), &settings.token))
            }
            Self::Repositories => {
                let names: Vec<_> = (0..NAMES).map(|index| format!("{REPOSITORY}{index}")).collect();
                let query = format!("team={TEAM}&repos={}", names.join(","));
                let ask = |name| request("PATCH", &format!("/api/v1/{name}?{query}"), &settings.token);
                // Adding what is there could be for nothing.
                let both = [ask("repos-remove"), ask("repos-add")];
                Arc::new(move |number, buffer: &mut Vec<u8>| {
                    buffer.extend_from_slice(&both[usize::from(number % 2 == 1)]);
                })
            }
            Self::BadTokens => made_up_tokens(),
        }
    }
}

/// Each request with another token that nobody knows.
fn made_up_tokens() -> Requests {
    let count = Arc::new(std::sync::atomic::AtomicU64::new(0));
    Arc::new(move |_, buffer: &mut Vec<u8>| {
        let mut token = String::new();
        // Writing to a String can't fail.
        let _ = write!(token, "ghp_{:036x}", count.fetch_add(1, Ordering::Relaxed));
        buffer.extend(request("GET", "/api/v1/status", &token));
    })
}

/// What the other team saw.
struct Seen {
    register: Answers,
    list: Answers,
}

pub(crate) async fn measure(extent: &Extent, report: &mut Report) -> Outcome<()> {
    let mut table = Table::new(&[
        "somebody's",
        "requests",
        "App calls",
        "limited by GitHub",
        "token-register p50, p99",
        "meanwhile",
        "group-list p50, p99",
        "meanwhile",
        "refused",
    ]);
    let mut notes = Vec::new();
    for (attack, what) in Attack::ALL {
        let (row, statuses) = one(attack, what, extent, report).await?;
        table.row(row);
        notes.push(format!("- {what}: {statuses}"));
    }
    let heading = format!(
        "Another team, with {} calls an hour and 50 ms a call: {} s before, {} s meanwhile",
        number(HOUR),
        extent.fair.as_secs(),
        extent.fair.as_secs()
    );
    report.table(&heading, &table);
    report.say(&notes.join("\n"));
    Ok(())
}

async fn one(
    attack: Attack,
    what: &str,
    extent: &Extent,
    report: &mut Report,
) -> Outcome<(Vec<String>, String)> {
    let mut github = Github::start_with(LARGE, &[("--hour", HOUR), ("--teams", 1)])?;
    github.set_latency(extent.latency)?;
    attack.prepare(&mut github)?;
    let other = github.settings.others.first().cloned().ok_or("there is no other team")?;
    let service = Service::start(&mut github, Limits::Default).await?;
    warm_up(&service.target, &other).await?;
    let calm = watch(&service.target, &other, &Until::Over(extent.fair)).await?;
    let before = calm.register.refused() + calm.list.refused();
    if before > 0 {
        let text = format!("{}; {}", calm.register.summary(), calm.list.summary());
        return Err(format!("the other team is refused before the attack: {text}").into());
    }
    github.clear()?;
    let over = Arc::new(AtomicBool::new(false));
    let told = Until::Told(over.clone());
    let (attackers, unready) =
        (attackers(attack, &service, &github.settings, &told), unready(&service, &over));
    let watched = async {
        let seen = watch(&service.target, &other, &Until::Over(extent.fair)).await;
        over.store(true, Ordering::Relaxed);
        seen
    };
    let (during, sent, unready) = tokio::join!(watched, attackers, unready);
    let (during, sent, unready) = (during?, sent?, unready?);
    let calls = github.calls()?;
    let refused = during.register.refused() + during.list.refused();
    judge(report, what, &calm, &during, unready);
    if attack == Attack::Stranger {
        let wanted = format!("≤ {STRANGERS_CALLS}");
        let holds = calls.apart <= STRANGERS_CALLS;
        report.target("App calls of a stranger", &wanted, &calls.apart.to_string(), holds);
    }
    let row = vec![
        what.to_owned(),
        number(sent.iter().map(Answers::count).sum()),
        number(calls.apart),
        number(calls.limited),
        pair(&calm.register),
        pair(&during.register),
        pair(&calm.list),
        pair(&during.list),
        number(refused),
    ];
    let mut statuses = Answers::default();
    for answers in sent {
        statuses.add(answers);
    }
    let mut text = statuses.summary();
    if refused > 0 {
        let _ = write!(text, "; the other team: {}; {}", during.register.summary(), during.list.summary());
    }
    Ok((row, text))
}

/// What the other team is owed, whatever somebody does.
fn judge(report: &mut Report, what: &str, calm: &Seen, during: &Seen, unready: u64) {
    for (name, calm, during) in
        [("token-register", &calm.register, &during.register), ("group-list", &calm.list, &during.list)]
    {
        let (before, meanwhile) = (calm.latencies.p99(), during.latencies.p99());
        report.at_most(&format!("{what}: p99 of {name} (2 × before)"), before * 2, meanwhile);
    }
    let refused = during.register.refused() + during.list.refused();
    let reasons: BTreeSet<&str> =
        during.register.reasons.keys().chain(during.list.reasons.keys()).map(String::as_str).collect();
    let reasons: Vec<&str> = reasons.into_iter().collect();
    let text = format!("{refused} times {}", reasons.join(", "));
    report.target(&format!("{what}: the other team is refused"), "never", text.trim_end(), refused == 0);
    let text = format!("{unready} times not");
    report.target(&format!("{what}: /readyz is 200"), "always", &text, unready == 0);
}

fn pair(answers: &Answers) -> String {
    format!("{}, {} ms", millis(answers.latencies.p50()), millis(answers.latencies.p99()))
}

fn paths(other: &Other) -> [(&'static str, String); 2] {
    let path = |name: &str| format!("/api/v1/{name}?team={}", other.slug);
    [("POST", path("token-register")), ("GET", path("group-list"))]
}

/// Has the service look up what it will keep.
async fn warm_up(target: &Target, other: &Other) -> Outcome<()> {
    let mut connection = Connection::open(target, ELSEWHERE).await?;
    for (method, path) in paths(other) {
        let status = connection.exchange(&request(method, &path, &other.token)).await?;
        if status != 200 {
            return Err(format!("{status} to {path}: {}", connection.body()).into());
        }
    }
    Ok(())
}

/// Lets the other team's maintainer work, at a pace that no limit minds.
async fn watch(target: &Target, other: &Other, until: &Until) -> Outcome<Seen> {
    let [register, list] = paths(other);
    let load = |(method, path): (&str, String), pause| Load {
        target: target.clone(),
        from: ELSEWHERE,
        connections: 1,
        until: until.clone(),
        pause: Some(pause),
        requests: always(request(method, &path, &other.token)),
    };
    let (register, list) = tokio::join!(load(register, PAUSES.0).run(), load(list, PAUSES.1).run());
    Ok(Seen { register: register?, list: list? })
}

async fn attackers(
    attack: Attack,
    service: &Service,
    settings: &Settings,
    until: &Until,
) -> Outcome<Vec<Answers>> {
    let (addresses, connections) = attack.sources();
    let requests = attack.requests(settings);
    let mut tasks = JoinSet::new();
    for from in addresses {
        let (target, until, requests) = (service.target.clone(), until.clone(), requests.clone());
        let pause = Some(ATTACKERS_PAUSE);
        tasks.spawn(Load { target, from, connections, until, pause, requests }.run());
    }
    tasks.join_all().await.into_iter().collect()
}

/// How often `/readyz` wasn't 200.
async fn unready(service: &Service, over: &AtomicBool) -> Outcome<u64> {
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        count += u64::from(service.readiness().await? != 200);
        tokio::time::sleep(LOOKED_AT_EVERY).await;
    }
    Ok(count)
}
