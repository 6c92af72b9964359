//! The parts that all requests share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use tokio::runtime::Handle;
use tokio::sync::{Notify, RwLock, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{Groups, Identities, Teams};
use crate::audit::{AuditRoom, LimitedCallers};
use crate::domain::ids::{GroupId, RunnerId};
use crate::domain::names::TeamSlug;
use crate::domain::pattern::Rules;
use crate::domain::policy::Policy;
use crate::github::{Github, StartupProblem};
use crate::limits::UserLimiter;
use crate::tls::CertificateStore;

/// Whether the credential was found to work.
#[derive(Debug, Clone)]
pub enum Check {
    /// GitHub hasn't answered yet.
    Pending,
    /// It works.
    Passed,
    /// It can't work until somebody changes something.
    Failed(StartupProblem),
}

/// Everything a request needs, built once.
pub struct State {
    /// The connection to GitHub.
    pub github: Arc<Github>,
    /// Who callers are.
    pub identities: Arc<Identities>,
    /// Which teams they maintain.
    pub teams: Teams,
    /// Which group is a team's.
    pub groups: Groups,
    /// Knows whether audit lines can be written.
    pub audit_room: AuditRoom,
    /// Audit lines of callers over their limit.
    pub limited_callers: LimitedCallers,
    /// Requests of each user.
    pub users: ArcSwap<UserLimiter>,
    /// What the administrator allows.
    pub policy: ArcSwap<Policy>,
    /// The scopes that tokens are handed out for.
    pub scopes: ArcSwap<Rules>,
    /// The team whose active maintainers may act on every managed group.
    pub administrators: Option<TeamSlug>,
    /// Whether GET still works on operations that change something.
    pub legacy_get: bool,
    /// Whether `/docs` and `/openapi.json` are served.
    pub docs: bool,
    /// The networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a request may take as a whole.
    pub request_deadline: Duration,
    /// The certificate that is served; none without TLS.
    pub certificates: Option<Arc<CertificateStore>>,
    /// Whether the credential was found to work.
    pub check: watch::Receiver<Check>,
    /// Told when the credential should be checked now.
    pub check_now: Notify,
    /// Whether the service is on its way out.
    pub draining: AtomicBool,
    /// Held by those who bring runners into a group, by its id, and alone by who counts them or deletes it.
    pub group_turns: moka::sync::Cache<GroupId, Arc<RwLock<()>>>,
    /// Runners whose JIT config was handed out here, by id.
    pub handed_out: moka::sync::Cache<RunnerId, ()>,
    /// Writes under way, which outlive a caller who hangs up.
    pub writes: Writes,
}

impl State {
    /// Who waits for a turn with this group.
    pub fn turns_of(&self, group: GroupId) -> Arc<RwLock<()>> {
        self.group_turns.get_with(group, Arc::default)
    }
}

/// Runs what must be seen to its end, on the runtime that lives longest.
pub struct Writes {
    runtime: Handle,
    tasks: TaskTracker,
    given_up: CancellationToken,
}

impl Writes {
    /// Runs on the current runtime.
    pub fn here() -> Self {
        Self { runtime: Handle::current(), tasks: TaskTracker::new(), given_up: CancellationToken::new() }
    }

    /// Runs a write to its end, also when whoever waits for it goes away. Nothing when it panicked or was
    /// given up.
    pub async fn see_to_the_end<T: Send + 'static>(
        &self,
        write: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let given_up = self.given_up.clone();
        let write = async move { given_up.run_until_cancelled(write).await };
        self.tasks.spawn_on(write, &self.runtime).await.ok().flatten()
    }

    /// Whether no write is seen to its end any more.
    pub fn are_given_up(&self) -> bool {
        self.given_up.is_cancelled()
    }

    /// Waits until no write is seen to its end any more.
    pub async fn until_given_up(&self) {
        self.given_up.cancelled().await;
    }

    /// Waits until no write is under way any more.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Gives up the writes under way; nobody can tell how they end.
    pub async fn give_up(&self) {
        self.given_up.cancel();
        self.ended().await;
    }
}

/// How handlers get at the state.
pub type Shared = Arc<State>;
