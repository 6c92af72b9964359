//! A way to a server that a test closes, slows down, and leads elsewhere.

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use actions_runner_manager::domain::store_url::{PostgresHost, PostgresUrl};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// A port of this host that leads to a server. It works in a thread of its own, so that a test may block.
pub struct Gate {
    state: watch::Sender<State>,
    working: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct State {
    /// Connections that began when it was another are cut.
    era: u64,
    behind: Behind,
    is_open: bool,
    /// How much later everything arrives that is sent to the server. A statement is sent in one piece.
    delay: Duration,
    /// The test is over.
    ends: bool,
}

/// Where the gate leads.
#[derive(Clone)]
enum Behind {
    Socket(PathBuf),
    Network(String, u16),
}

impl Behind {
    fn of(url: &PostgresUrl) -> Self {
        match &url.host {
            PostgresHost::Socket(folder) => Self::Socket(folder.join(format!(".s.PGSQL.{}", url.port))),
            PostgresHost::Network(name) => Self::Network(name.clone(), url.port),
        }
    }
}

impl Gate {
    /// Puts a gate in front of a server, which the URL names from then on.
    pub fn in_front_of(url: &mut PostgresUrl) -> Self {
        let (is_open, delay, ends) = (true, Duration::ZERO, false);
        let state = watch::Sender::new(State { era: 0, behind: Behind::of(url), is_open, delay, ends });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        url.host = PostgresHost::Network("127.0.0.1".to_owned());
        url.port = listener.local_addr().unwrap().port();
        let seen = state.subscribe();
        let working = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(accept(listener, seen));
        });
        Self { state, working: Some(working) }
    }

    pub fn open(&self) {
        self.state.send_modify(|state| state.is_open = true);
    }

    /// Cuts all connections, and each new one.
    pub fn close(&self) {
        self.state.send_modify(|state| {
            state.is_open = false;
            state.era += 1;
        });
    }

    /// Cuts all connections; new ones go to this server.
    pub fn leads_to(&self, url: &PostgresUrl) {
        self.state.send_modify(|state| {
            state.behind = Behind::of(url);
            state.era += 1;
        });
    }

    /// From now on each statement takes so much longer.
    pub fn slows_down_by(&self, delay: Duration) {
        self.state.send_modify(|state| state.delay = delay);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.state.send_modify(|state| {
            state.ends = true;
            state.era += 1;
        });
        if let Some(working) = self.working.take() {
            let _ = working.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, state: watch::Receiver<State>) {
    let listener = TcpListener::from_std(listener).unwrap();
    let mut end = state.clone();
    loop {
        let client = tokio::select! {
            accepted = listener.accept() => accepted.unwrap().0,
            _ = end.wait_for(|state| state.ends) => return,
        };
        tokio::spawn(lead(client, state.clone()));
    }
}

/// Joins a client to the server until either ends or the gate cuts them off.
async fn lead(client: TcpStream, mut state: watch::Receiver<State>) {
    let now = state.borrow().clone();
    if !now.is_open {
        return;
    }
    let slow = state.clone();
    let joined = async {
        match now.behind {
            Behind::Socket(path) => {
                if let Ok(server) = UnixStream::connect(path).await {
                    let (from, to) = server.into_split();
                    join(client, from, to, slow).await;
                }
            }
            Behind::Network(name, port) => {
                if let Ok(server) = TcpStream::connect((name, port)).await {
                    let (from, to) = server.into_split();
                    join(client, from, to, slow).await;
                }
            }
        }
    };
    tokio::select! {
        () = joined => {}
        _ = state.wait_for(|state| state.era != now.era) => {}
    }
}

async fn join(
    client: TcpStream,
    mut from_server: impl AsyncRead + Unpin,
    mut to_server: impl AsyncWrite + Unpin,
    state: watch::Receiver<State>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let there = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            let delay = state.borrow().delay;
            // This is what a test asked for, not a wait for something.
            tokio::time::sleep(delay).await;
            if to_server.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = there => {}
        _ = copy(&mut from_server, &mut to_client) => {}
    }
}
