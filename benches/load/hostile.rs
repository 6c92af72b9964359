//! Clients without a token that make the service hold as much as they can: what memory it takes, whether it gives it
//! back, and what a client from elsewhere notices.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::Outcome;
use crate::client::{Connection, Target, request};
use crate::figures::{mebibytes, millis, number};
use crate::github::Github;
use crate::report::{Report, Table};
use crate::service::{Limits, Service};
use crate::sizes::USUAL;

/// What the process may take, in KiB.
const MAX_MEMORY: u64 = 256 << 10;
/// When memory has to be back, counted from the last byte that was sent.
const BACK_WITHIN: Duration = Duration::from_mins(1);
/// Back is what an idle service takes, and so much more, in KiB.
const REMAINDER: u64 = 16 << 10;
/// A client from elsewhere is served within this time.
const SERVED_WITHIN: Duration = Duration::from_secs(1);
/// How often memory is read and a client from elsewhere connects.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(250);
/// Connections that are made side by side.
const AT_ONCE: usize = 32;
/// Clients from elsewhere are not counted with the others.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1));

/// What each of many connections does.
#[derive(Clone, Copy)]
enum Attack {
    /// Asks for a large document again and again, and reads nothing.
    UnreadResponses,
    /// Sends a head of 126 KiB without its end.
    FirstHeads,
    /// Sends a complete request, and then a head of 31 KiB without its end.
    SecondHeads,
    /// Connects and says nothing.
    Silence,
    /// Begins a TLS handshake with a large message that it doesn't finish.
    Handshakes,
    /// Sends a head of 31 KiB with a made-up token, and a part of a body.
    Bodies,
}

impl Attack {
    const ALL: [(Self, &'static str, usize); 6] = [
        (Self::UnreadResponses, "responses that nobody reads", 1_200),
        (Self::FirstHeads, "first heads of 126 KiB, unfinished", 1_700),
        (Self::SecondHeads, "second heads of 31 KiB, unfinished", 1_700),
        (Self::Silence, "silent connections", 1_200),
        (Self::Handshakes, "handshakes of 60 KiB, unfinished", 1_200),
        (Self::Bodies, "bodies of 256 KiB, unfinished", 1_200),
    ];

    /// Does it, and keeps the connection; nothing if the service closed it before.
    async fn launch(self, target: Target, from: IpAddr) -> Option<Box<dyn Send>> {
        if matches!(self, Self::Silence | Self::Handshakes) {
            let mut stream = plain(&target, from).await.ok()?;
            if let Self::Handshakes = self {
                // Records of a handshake message that announces 60,000 bytes.
                let mut message = vec![1, 0, 0xea, 0x60];
                message.resize(59_000, 0);
                for part in message.chunks(16_000) {
                    let length = u16::try_from(part.len()).ok()?.to_be_bytes();
                    stream.write_all(&[&[22, 3, 1], &length[..], part].concat()).await.ok()?;
                }
            }
            return Some(Box::new(stream));
        }
        let mut connection = Connection::open(&target, from).await.ok()?;
        for bytes in self.sends() {
            connection.send(&bytes).await.ok()?;
        }
        Some(Box::new(connection))
    }

    fn sends(self) -> Vec<Vec<u8>> {
        let head = |method: &str, bytes: usize| {
            let padding = "x".repeat(bytes);
            format!("{method} /api/v1/group-add HTTP/1.1\r\nhost: localhost\r\nx-padding: {padding}\r\n")
        };
        match self {
            Self::UnreadResponses => vec![request("GET", "/openapi.json", "").repeat(20)],
            Self::FirstHeads => vec![head("GET", 126 << 10).into_bytes()],
            Self::SecondHeads => {
                vec![request("GET", "/api/v1/status", ""), head("GET", 31 << 10).into_bytes()]
            }
            Self::Bodies => {
                let head = head("POST", 31 << 10);
                let head = format!("{head}authorization: ghp_{:036}\r\ncontent-length: 262144\r\n\r\n", 0);
                vec![head.into_bytes(), vec![b'x'; 200 << 10]]
            }
            Self::Silence | Self::Handshakes => Vec::new(),
        }
    }
}

async fn plain(target: &Target, from: IpAddr) -> Outcome<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    Ok(socket.connect(target.address()).await?)
}

/// What was seen of an attack.
#[derive(Default)]
struct Seen {
    most: u64,
    after: u64,
    slowest: Duration,
    unserved: usize,
}

pub(crate) async fn measure(report: &mut Report) -> Outcome<()> {
    let mut github = Github::start(USUAL)?;
    let mut table =
        Table::new(&["what", "from", "connections", "memory at most", "60 s later", "client from elsewhere"]);
    let (mut most, mut remainder, mut slowest, mut unserved) = (0, 0, Duration::ZERO, 0);
    for (attack, what, connections) in Attack::ALL {
        for addresses in [1, 3] {
            let service = Service::start(&mut github, Limits::UnknownTokens).await?;
            let idle = service.memory()?.now;
            let seen = watch(&service, attack, connections, addresses).await?;
            table.row(vec![
                what.to_owned(),
                if addresses == 1 { "1 address".to_owned() } else { format!("{addresses} addresses") },
                number(connections as u64),
                mebibytes(seen.most),
                mebibytes(seen.after),
                format!("{} ms", millis(seen.slowest)),
            ]);
            most = most.max(seen.most);
            remainder = remainder.max(seen.after.saturating_sub(idle));
            slowest = slowest.max(seen.slowest);
            unserved += seen.unserved;
        }
    }
    report.table("Clients without a token", &table);
    let unserved_text = format!("{} ms, {unserved} not served", millis(slowest));
    report.target("memory under hostile clients", "< 256 MiB", &mebibytes(most), most < MAX_MEMORY);
    let holds = remainder < REMAINDER;
    report.target("more than idle, 60 s later", &mebibytes(REMAINDER), &mebibytes(remainder), holds);
    let holds = slowest <= SERVED_WITHIN && unserved == 0;
    report.target("a client from elsewhere meanwhile", "≤ 1 s", &unserved_text, holds);
    Ok(())
}

async fn watch(service: &Service, attack: Attack, connections: usize, addresses: usize) -> Outcome<Seen> {
    let target = service.target.clone();
    let attackers = tokio::spawn(launch(attack, target.clone(), connections, addresses));
    let mut seen = Seen::default();
    let mut until = None;
    let mut ticks = tokio::time::interval(LOOKED_AT_EVERY);
    while until.is_none_or(|until| Instant::now() < until) {
        ticks.tick().await;
        seen.most = seen.most.max(service.memory()?.now);
        let started = Instant::now();
        match tokio::time::timeout(SERVED_WITHIN * 10, ask(&target)).await {
            Ok(Ok(401)) => {}
            _ => seen.unserved += 1,
        }
        seen.slowest = seen.slowest.max(started.elapsed());
        if until.is_none() && attackers.is_finished() {
            until = Some(Instant::now() + BACK_WITHIN);
        }
    }
    seen.after = service.memory()?.now;
    // Until now nobody has closed anything but the service.
    drop(attackers.await?);
    Ok(seen)
}

async fn launch(attack: Attack, target: Target, connections: usize, addresses: usize) -> Vec<Box<dyn Send>> {
    let mut under_way = JoinSet::new();
    let mut kept = Vec::new();
    for number in 0..connections {
        let last = u8::try_from(1 + number % addresses).unwrap_or(1);
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        under_way.spawn(attack.launch(target.clone(), from));
        if under_way.len() >= AT_ONCE
            && let Some(Ok(connection)) = under_way.join_next().await
        {
            kept.extend(connection);
        }
    }
    while let Some(done) = under_way.join_next().await {
        kept.extend(done.ok().flatten());
    }
    kept
}

/// A client from elsewhere, on a new connection.
async fn ask(target: &Target) -> Outcome<u16> {
    Connection::open(target, ELSEWHERE).await?.exchange(&request("GET", "/api/v1/status", "")).await
}
