//! Actions Runner Manager: lets GitHub team maintainers manage their own self-hosted runner group,
//! and nothing else. See `docs/ARCHITECTURE.md` for the way of a request through these modules.

pub mod fake_github;
