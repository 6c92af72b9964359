//! The server itself is killed, and fails over to another: each test brings its own.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use actions_runner_manager::domain::store_url::PostgresUrl;
use sqlx::{ConnectOptions, Connection};

use super::database::{connect, in_folder, options};
use super::gate::Gate;
use super::outages::scene;
use super::*;

/// An ordinary user, as which a server runs that root starts.
const NOBODY: u32 = 65_534;
const STARTED: Duration = Duration::from_secs(30);

/// A server whose only way in is a socket in its folder. Dropping it kills it.
struct Server {
    folder: TempDir,
    process: Option<Child>,
}

impl Server {
    /// A new one.
    async fn start() -> Self {
        let mut server = Self::empty();
        let data = server.data();
        let arguments = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
        run(program("initdb").args(arguments).arg("--pgdata").arg(data));
        server.go_on().await;
        server
    }

    /// One that copies another, which waits for it with each commit.
    async fn behind(primary: &Self) -> Self {
        let mut server = Self::empty();
        let (from, to) = (primary.folder.path(), server.data());
        let copying = ["--username=postgres", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"];
        run(program("pg_basebackup").args(copying).arg("--host").arg(from).arg("--pgdata").arg(to));
        server.go_on().await;
        let mut connection = connect(&primary.url(), "postgres").await;
        for statement in ["ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"] {
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        }
        let is_synchronous = async || {
            let found = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
            sqlx::query_scalar::<_, i64>(found).fetch_one(&mut connection).await.unwrap() == 1
        };
        until(STARTED, "the copy", is_synchronous).await;
        server
    }

    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Self { folder, process: None }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn url(&self) -> PostgresUrl {
        in_folder(self.folder.path())
    }

    /// Starts it with the data that it has.
    async fn go_on(&mut self) {
        let mut command = program("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path()).args([
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
        ]);
        let log =
            std::fs::File::options().append(true).create(true).open(self.folder.path().join("log")).unwrap();
        self.process = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        let url = self.url();
        until(STARTED, "the server", async || options(&url, "postgres").connect().await.is_ok()).await;
    }

    /// Kills it and all that it started, as the end of its machine would.
    fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let children =
            Command::new("ps").args(["-o", "pid=", "--ppid", &process.id().to_string()]).output().unwrap();
        process.kill().unwrap();
        for child in String::from_utf8(children.stdout).unwrap().split_whitespace() {
            // Those that ended by themselves meanwhile are gone.
            let _ = Command::new("kill").args(["-KILL", child]).stderr(Stdio::null()).status();
        }
        process.wait().unwrap();
    }

    /// Makes a copy the server that takes writes.
    async fn promote(&self) {
        let mut connection = connect(&self.url(), "postgres").await;
        let statements = "ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf()";
        let promoted: bool =
            sqlx::query_scalar("SELECT pg_promote()").fetch_one(&mut connection).await.unwrap();
        assert!(promoted);
        for statement in statements.split("; ") {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// One of PostgreSQL's programs, as an ordinary user. Debian keeps them out of the path.
fn program(name: &str) -> Command {
    let newest = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
        let newest = versions.map(|entry| entry.unwrap().path()).max_by_key(|path| number(path))?;
        Some(newest.join("bin").join(name))
    };
    let path = newest().filter(|path| path.exists()).unwrap_or_else(|| name.into());
    let mut command = Command::new(path);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/").stdin(Stdio::null());
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Three processes on a server of the test's own.
async fn started(server: &Server) -> (outages::Scene, Gate) {
    let mut reached = server.url();
    let gate = Gate::in_front_of(&mut reached);
    let database = Database::of(server.url(), reached).await;
    (scene(database, json!({})).await, gate)
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn a_server_that_was_killed_is_used_again_once_it_is_back_and_no_event_is_lost() {
    let mut server = Server::start().await;
    let (scene, _gate) = started(&server).await;
    let mut requests = scene.goes_on().await;
    for _ in 0..2 {
        server.kill();
        requests.extend(scene.goes_on().await);
        scene.fails().await;
        scene.records_nothing().await;
        requests.extend(scene.goes_on().await);
        server.go_on().await;
        scene.works_again().await;
    }
    scene.is_whole(&requests).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn after_a_failover_the_new_server_is_used_and_no_event_is_lost() {
    let mut old = Server::start().await;
    let new = Server::behind(&old).await;
    let (mut scene, gate) = started(&old).await;
    let mut requests = scene.goes_on().await;
    old.kill();
    scene.fleet.database.moves_to(new.url());
    scene.fails().await;
    requests.extend(scene.goes_on().await);
    // The name stands for the new one before it takes writes.
    gate.leads_to(&new.url());
    requests.extend(scene.goes_on().await);
    scene.records_nothing().await;
    new.promote().await;
    scene.works_again().await;
    scene.is_whole(&requests).await;
}
