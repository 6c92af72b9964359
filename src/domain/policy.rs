//! What the administrator allows, beyond what GitHub does.

use crate::domain::pattern::{Pattern, Rules};

/// The `policy` section. Can be replaced while the service runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Whether organisation-wide registration tokens are handed out.
    pub registration_tokens: bool,
    /// Whether organisation-wide removal tokens are handed out.
    pub removal_tokens: bool,
    /// The teams that may use the service, by slug.
    pub teams: Rules,
    /// What a JIT config may ask for.
    pub jit: JitPolicy,
    /// The most runners that one group may hold; 0 is no limit.
    pub max_runners: u64,
}

/// The `policy.jit` section.
#[derive(Debug, Clone, PartialEq)]
pub struct JitPolicy {
    /// Labels that may be asked for.
    pub labels: Vec<Pattern>,
    /// The most labels in one request.
    pub max_labels: usize,
    /// What a runner's name starts with; `{team}` is the slug.
    pub name_prefix: String,
}
