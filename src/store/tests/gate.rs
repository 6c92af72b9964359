//! A way to a server that a test opens and closes.

use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::domain::store_url::PostgresHost;

/// What becomes of connections.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// They reach the server.
    Open,
    /// They end, as do new ones.
    Closed,
    /// They stay and nothing goes through, as after a cut of the network.
    Silent,
}

/// A port of this host that leads to a server.
pub(super) struct Gate {
    mode: watch::Sender<Mode>,
    accepting: JoinHandle<()>,
}

/// Where the gate leads.
#[derive(Clone)]
enum Behind {
    Socket(PathBuf),
    Network(String, u16),
}

impl Gate {
    /// Puts a gate in front of a site, which is reached through it from then on.
    pub(super) async fn in_front_of(site: &mut Site) -> Self {
        let StoreUrl::Postgres(url) = &mut site.settings.url else { panic!("that is no server") };
        let behind = match &url.host {
            PostgresHost::Socket(folder) => Behind::Socket(folder.join(format!(".s.PGSQL.{}", url.port))),
            PostgresHost::Network(name) => Behind::Network(name.clone(), url.port),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.host = PostgresHost::Network("127.0.0.1".to_owned());
        url.port = listener.local_addr().unwrap().port();
        let mode = watch::Sender::new(Mode::Open);
        let accepting = tokio::spawn(accept(listener, behind, mode.subscribe()));
        Self { mode, accepting }
    }

    pub(super) fn open(&self) {
        self.mode.send_replace(Mode::Open);
    }

    pub(super) fn close(&self) {
        self.mode.send_replace(Mode::Closed);
    }

    pub(super) fn fall_silent(&self) {
        self.mode.send_replace(Mode::Silent);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.accepting.abort();
        self.close();
    }
}

async fn accept(listener: TcpListener, behind: Behind, mode: watch::Receiver<Mode>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (behind, mode) = (behind.clone(), mode.clone());
        tokio::spawn(async move {
            match behind {
                Behind::Socket(path) => join(client, UnixStream::connect(path).await.unwrap(), mode).await,
                Behind::Network(name, port) => {
                    join(client, TcpStream::connect((name, port)).await.unwrap(), mode).await;
                }
            }
        });
    }
}

async fn join(
    mut client: TcpStream,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
    mut mode: watch::Receiver<Mode>,
) {
    loop {
        // Not kept borrowed: whoever changes it would wait.
        let now = *mode.borrow_and_update();
        let changed = async { mode.changed().await.is_ok() };
        let goes_on = match now {
            Mode::Open => tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => false,
                goes_on = changed => goes_on,
            },
            Mode::Closed => false,
            Mode::Silent => changed.await,
        };
        if !goes_on {
            return;
        }
    }
}
