//! What the administrator sets: one struct per section of `config.yml`, checked and complete.
//!
//! [`load`] reads the file and the environment; everything else here is the outcome.

mod changes;
mod credentials;
#[cfg(test)]
mod cut;
mod diagnostic;
mod document;
mod environment;
mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod load;
mod loaded;
mod logging;
mod mistyped;
mod node;
mod origin;
mod problem;
#[cfg(test)]
mod properties;
mod reader;
mod references;
mod sections;
mod unknown;
mod url;
mod values;
mod warnings;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub use changes::{Change, changes};
pub use credentials::{Credentials, PrivateKeySource, SecretError, TokenSource};
pub use diagnostic::Diagnostic;
pub use load::{load, load_again, load_noticing, look};
pub use loaded::{Loaded, Snapshot, Sources};
pub use logging::{LogFormat, LogLevel, LoggingConfig};
pub use origin::{Setting, Source};
pub use problem::Problems;
pub use references::{Noticed, Reference, Target};
pub use url::ApiUrl;

use crate::domain::cache_ttls::CacheTtls;
use crate::domain::entry::configured::ConfiguredEntry;
use crate::domain::issuer::Issuers;
use crate::domain::names::OrgName;
use crate::domain::pattern::Rules;
use crate::domain::policy::{AdministratorsTeam, Policy};
use crate::domain::shares::Shares;
use crate::domain::store_url::StoreUrl;
use crate::domain::sweep::SweepScope;
use crate::domain::template::GroupNameTemplate;

/// Everything that is set.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// The organisation whose runner groups are managed.
    pub org: OrgName,
    /// The service's own credential at GitHub.
    pub credentials: Credentials,
    /// How GitHub is reached.
    pub github: GithubConfig,
    /// The names of groups.
    pub groups: GroupsConfig,
    /// What outlives the process.
    pub store: StoreConfig,
    /// Where log lines go.
    pub logging: LoggingConfig,
    /// Listeners and limits.
    pub server: ServerConfig,
    /// How long answers of GitHub are kept.
    pub cache: CacheTtls,
    /// What teams may do. Read again on SIGHUP.
    pub policy: Policy,
    /// The scopes that the token proxy serves. Read again on SIGHUP.
    pub scopes: Rules,
    /// Whose tokens are accepted in addition to GitHub's. Read again on SIGHUP.
    pub oidc: Issuers,
    /// Entries of the administrator's. Read again on SIGHUP.
    pub access: Vec<ConfiguredEntry>,
    /// The team whose active maintainers may act on every managed group.
    pub administrators: AdministratorsTeam,
    /// Periodic work.
    pub sweep: SweepConfig,
}

/// The `github` section.
#[derive(Debug, Clone, PartialEq)]
pub struct GithubConfig {
    /// The root of the REST API.
    pub api_url: ApiUrl,
    /// PEM certificates that are trusted in addition to the system's roots.
    pub ca_file: Option<PathBuf>,
    /// The deadline of one call, retries included.
    pub timeout: Duration,
    /// The maximum number of concurrent calls.
    pub concurrency: usize,
    /// Who may use how much of the hour's calls.
    pub shares: Shares,
}

/// The `groups` section.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupsConfig {
    /// Whether groups are managed at all.
    pub enabled: bool,
    /// Makes a new group's name from a team.
    pub name: GroupNameTemplate,
    /// Whether a name that a maintainer can choose may prove whose a group is, where there is no store.
    pub trust_names: bool,
    /// Whether groups may be used that an owner opened to all repositories.
    pub allow_open: bool,
}

/// What says which group is a team's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupProof {
    /// Records in the store.
    Records,
    /// The group's name, with the team's id in it.
    NamesWithIds,
    /// The group's name, which a maintainer can choose.
    TrustedNames,
    /// Nothing: groups are not managed.
    Disabled,
}

impl GroupProof {
    /// It in a few words, behind "groups are found".
    pub fn about(self) -> &'static str {
        match self {
            Self::Records => "by records in the store",
            Self::NamesWithIds => "by names that hold the team's id",
            Self::TrustedNames => "by names that maintainers choose",
            Self::Disabled => "nowhere: they are not managed",
        }
    }
}

impl Config {
    /// What is said where nothing says which group is a team's.
    pub const NO_GROUP_PROOF: &str = "has no {id}, and there is no store: nothing would say which group is a team's, since maintainers can rename their teams. \
         Set store.url, such as sqlite:///var/lib/actions-runner-manager/state.db (the best way); or put {id} into groups.name; \
         or set groups.trustNames to true, which trusts every maintainer; or groups.enabled to false, which leaves tokens alone";

    /// What says which group is a team's; nothing if that is left open.
    pub fn group_proof(&self) -> Option<GroupProof> {
        match &self.groups {
            GroupsConfig { enabled: false, .. } => Some(GroupProof::Disabled),
            _ if self.store.url.is_some() => Some(GroupProof::Records),
            GroupsConfig { name, .. } if name.has_id() => Some(GroupProof::NamesWithIds),
            GroupsConfig { trust_names: true, .. } => Some(GroupProof::TrustedNames),
            GroupsConfig { .. } => None,
        }
    }
}

/// The `store` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// Where the store is; none without a store.
    pub url: Option<StoreUrl>,
    /// The password of the database's role, read again for new connections.
    pub password_file: Option<PathBuf>,
    /// PEM certificates of authorities that the database's certificate may be of.
    pub ca_file: Option<PathBuf>,
    /// How long after the store failed callers that are no users are still served from memory.
    pub grace: Duration,
    /// How long events are kept.
    pub keep: Duration,
    /// How many events are kept.
    pub most_events: u64,
}

/// The `server` section.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerConfig {
    /// The address that was set; listen on [`ServerConfig::bind_address`].
    pub address: IpAddr,
    /// The port to listen on; 0 lets the system choose one.
    pub port: u16,
    /// Requests per second and user.
    pub rate_limit: f64,
    /// Requests that a user may send at once.
    pub rate_burst: u32,
    /// Requests per second and client address that carry a token not known yet.
    pub unknown_token_rate: f64,
    /// Whether GET still works on operations that change something.
    pub legacy_get: bool,
    /// Whether `/docs` and `/openapi.json` are served.
    pub docs: bool,
    /// Connections at once, all together.
    pub max_connections: usize,
    /// Connections at once of one client address.
    pub connections_per_address: usize,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// The networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// The certificate.
    pub tls: TlsConfig,
    /// The listener for health and metrics; off when not set.
    pub admin: Option<AdminListener>,
}

/// The `server.tls` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificate and its key; none when TLS is off.
    pub files: Option<TlsFiles>,
    /// Whether something in front of the service does TLS, so that plain HTTP may leave the host.
    pub terminated_elsewhere: bool,
}

/// Where the certificate is; both files are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the certificate, then its intermediates.
    pub certificate: PathBuf,
    /// PEM: the unencrypted private key.
    pub key: PathBuf,
}

/// The `server.admin` section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdminListener {
    /// The address to listen on.
    pub address: IpAddr,
    /// The port to listen on; 0 lets the system choose one.
    pub port: u16,
}

/// The `sweep` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepConfig {
    /// Removes runners that stay offline.
    pub offline_runners: OfflineSweep,
}

/// The `sweep.offlineRunners` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfflineSweep {
    /// Whether the sweep runs.
    pub enabled: bool,
    /// The time between two sweeps.
    pub every: Duration,
    /// How long a runner has to be offline before it is removed.
    pub offline_for: Duration,
    /// Where the sweep looks.
    pub groups: SweepScope,
    /// Whether the sweep only logs what it would remove.
    pub dry_run: bool,
}

impl ServerConfig {
    /// Where to listen: without TLS only on the loopback, unless TLS is said to be done elsewhere.
    pub fn bind_address(&self) -> SocketAddr {
        SocketAddr::new(self.tls.bound(self.address), self.port)
    }

    fn falls_back_to_loopback(&self) -> bool {
        self.tls.bound(self.address) != self.address
    }
}

impl TlsConfig {
    /// Where to listen instead of on `address`.
    fn bound(&self, address: IpAddr) -> IpAddr {
        match address {
            address if self.files.is_some() || self.terminated_elsewhere || address.is_loopback() => address,
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        }
    }
}
