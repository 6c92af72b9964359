//! Actions Runner Manager: lets GitHub team maintainers manage their own self-hosted runner group,
//! and nothing else. See `docs/ARCHITECTURE.md` for the way of a request through these modules.

pub mod access;
pub mod account;
pub mod audit;
pub mod cache;
pub mod clock;
pub mod config;
pub mod domain;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod github;
pub mod http;
pub mod limits;
pub mod metrics;
pub mod oidc;
pub mod ops;
pub mod organisation;
pub mod outbound;
pub mod replicas;
pub mod request;
pub mod server;
pub mod single_flight;
pub mod state;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod watch;
pub mod writes;
