//! A small GitHub over HTTP, with users, teams, runner groups and runners that change as GitHub's would. It has
//! payload types of its own and shares no code with any client, so that a wrong field name can't hide in both.

mod access;
mod actor;
mod answer;
mod auth;
mod certificate;
mod conditional;
mod faults;
mod key;
mod log;
mod oidc;
mod paging;
mod payload;
mod request;
mod routes;
mod seed;
mod serve;
mod transport;
mod weather;
mod world;

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;

pub use actor::Credential;
pub use certificate::self_signed;
pub use faults::{Fault, Hold};
pub use key::AppKey;
pub use log::Exchange;
pub use oidc::{DISCOVERY, IssuerOptions, KEYS, KeyKind, OidcIssuer, Run, SigningKey, Token};
pub use routes::all as routes;
pub use seed::{Demo, DemoPerson, DemoWorkflow, demo};
pub use world::{
    Budget, DEFAULT_GROUP, DeletionOfUsedGroups, DeploymentBranches, Environment, Group, GroupId,
    Installation, InstallationId, Label, Level, Membership, MembershipState, MintedToken, OrgRole,
    Permission, Protection, RepoId, RepoVisibility, Repository, Role, Runner, RunnerId, RunnerStatus,
    RunnerToken, Subject, Team, TeamId, TokenKind, TokenStyle, User, UserId, Visibility, World,
};

/// How a fake is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port on 127.0.0.1; 0 for any free one.
    pub port: u16,
    /// Threads that serve requests.
    pub workers: usize,
    /// How many calls the log keeps.
    pub log_capacity: usize,
    /// Whether the log keeps bodies.
    pub record_bodies: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: 0, workers: 2, log_capacity: 100_000, record_bodies: true }
    }
}

/// A running fake; dropping it stops it.
pub struct FakeGithub {
    shared: Arc<transport::Shared>,
    port: u16,
    running: Option<(ServerHandle, JoinHandle<()>)>,
}

impl fmt::Debug for FakeGithub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeGithub").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl FakeGithub {
    /// Starts serving a world on 127.0.0.1, in a thread of its own.
    pub fn start(world: World, options: &Options) -> io::Result<Self> {
        Self::start_with(world, oidc::Issuer::of_actions(), options)
    }

    fn start_with(world: World, issuer: oidc::Issuer, options: &Options) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", options.port))?;
        let port = listener.local_addr()?.port();
        let logs = [(); 2].map(|()| log::CallLog::new(options.log_capacity, options.record_bodies));
        let url = format!("http://127.0.0.1:{port}");
        let shared = Arc::new(transport::Shared::new(world, issuer, logs, url));
        let running = transport::start(listener, Arc::clone(&shared), options.workers)?;
        Ok(Self { shared, port, running: Some(running) })
    }

    /// The address of the API, as of github.com; no slash at the end.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The address of the same API as of an Enterprise Server.
    pub fn enterprise_url(&self) -> String {
        format!("{}/api/v3", self.shared.url)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Looks at the world or changes it; no request is served meanwhile.
    pub fn world<T>(&self, visit: impl FnOnce(&mut World) -> T) -> T {
        visit(&mut self.shared.world())
    }

    /// Moves this GitHub's clock on.
    pub fn advance(&self, by: Duration) {
        self.shared.world().advance(by);
    }

    /// Makes every answer from now on take at least this long.
    pub fn set_latency(&self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.shared.latency.store(nanos, Ordering::Relaxed);
    }

    /// From now on every connection is cut without an answer, those under way included.
    pub fn go_down(&self) {
        self.shared.down.store(true, Ordering::SeqCst);
        self.shared.cut_connections();
    }

    /// Ends `go_down`; port and world are the same.
    pub fn come_back(&self) {
        self.shared.down.store(false, Ordering::SeqCst);
    }

    /// Adds a rule to the script of faults; the first that fits a request applies.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.add(fault);
    }

    /// Bad weather: from now on one answer in `one_in`, at random, is a 500, a 502, a 503 with `Retry-After: 1`, a reset
    /// connection, half a body, or 0.4 s late; an error may come before or after the operation took effect. The same seed
    /// gives the same weather to the same sequence of requests. A scripted fault goes first; 0 ends the weather.
    pub fn set_weather(&self, one_in: u32, seed: u64) {
        self.shared.weather.set(one_in, seed);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// The calls so far, in order of arrival; a call is here before its answer is sent.
    pub fn calls(&self) -> Vec<Exchange> {
        self.shared.log.calls()
    }

    /// Forgets the calls so far, those of the issuer included.
    pub fn clear_calls(&self) {
        self.shared.log.clear();
        self.shared.issuer_log.clear();
    }

    /// How often an operation was called, by method and path template.
    pub fn count(&self, method: &str, template: &str) -> usize {
        self.shared.log.count(method, template)
    }

    /// How many calls there were.
    pub fn total_calls(&self) -> usize {
        self.shared.log.total()
    }

    /// Resolves when no call is under way, those given up by their clients included.
    pub async fn settled(&self) {
        self.shared.log.settled().await;
        self.shared.issuer_log.settled().await;
    }

    /// The most calls that were ever under way at once.
    pub fn most_in_flight(&self) -> usize {
        self.shared.log.most_in_flight()
    }

    /// Switches the recording of bodies on or off.
    pub fn set_record_bodies(&self, yes: bool) {
        self.shared.log.set_record_bodies(yes);
        self.shared.issuer_log.set_record_bodies(yes);
    }

    /// Stops serving and frees the port.
    pub fn stop(&mut self) {
        let Some((handle, thread)) = self.running.take() else { return };
        // The workers end a moment later than their server; until then they must not answer.
        self.go_down();
        // The order to stop is given by the call; nobody needs to wait for the future.
        drop(handle.stop(false));
        let _ = thread.join();
    }
}

impl Drop for FakeGithub {
    fn drop(&mut self) {
        self.stop();
    }
}
