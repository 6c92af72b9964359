//! The parts that all requests share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use tokio::sync::{Notify, watch};

use crate::access::{Authentication, GroupError, Unresolved, UsedTokens};
use crate::audit::{AuditLog, LimitedCallers};
use crate::domain::entry::configured::ConfiguredEntry;
use crate::github::StartupProblem;
use crate::limits::CallerLimiter;
use crate::organisation::Organisation;
use crate::tls::CertificateStore;
use crate::writes::Writes;

/// Whether the service was found able to work.
#[derive(Debug, Clone)]
pub enum Check {
    /// GitHub hasn't answered yet.
    Pending,
    /// It works.
    Passed,
    /// It can't work until somebody changes something.
    Failed(Obstacle),
}

/// What keeps the service from working until somebody changes something.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Obstacle {
    /// The credential can't do what it has to.
    #[error("{0}")]
    Credential(#[from] StartupProblem),
    /// The store is not this organisation's.
    #[error("store.url: {0}")]
    Store(GroupError),
    /// There are no administrators, though there should be.
    #[error("{0}")]
    Administrators(Unresolved),
}

impl Obstacle {
    /// The obstacle in a word that names nobody.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Credential(problem) => problem.word(),
            Self::Store(_) => "other_store",
            Self::Administrators(_) => "no_administrators",
        }
    }
}

/// Everything a request needs, built once.
pub struct State {
    /// The organisation that is served.
    pub organisation: Arc<Organisation>,
    /// Who callers are.
    pub authentication: Authentication,
    /// Tokens that made the one change that they may make.
    pub used_tokens: Arc<UsedTokens>,
    /// Access entries of the configuration.
    pub configured_access: watch::Sender<Vec<ConfiguredEntry>>,
    /// Requests of each caller.
    pub caller_limiter: ArcSwap<CallerLimiter>,
    /// Knows whether audit lines can be written.
    pub audit_log: AuditLog,
    /// Audit lines of callers over their limit.
    pub limited_callers: LimitedCallers,
    /// Writes under way, which outlive a caller who hangs up.
    pub writes: Writes,
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
    /// Whether it was found to work once since the start.
    pub was_accepted: AtomicBool,
    /// Told when the credential should be checked now.
    pub check_now: Notify,
    /// Whether the service is on its way out.
    pub draining: AtomicBool,
}

/// How handlers get at the state.
pub type Shared = Arc<State>;
