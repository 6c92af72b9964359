//! Which parts of the calls that GitHub allows in an hour one may use while the hour runs short.

/// Parts of the hour's limit, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// For each principal.
    pub principal: f64,
    /// For each team.
    pub team: f64,
    /// For the service itself.
    pub system: f64,
    /// What is kept for changes, by those who are known to have something to do with the organisation.
    pub reserve: f64,
}

impl Default for Shares {
    fn default() -> Self {
        Self { principal: 0.2, team: 0.4, system: 0.2, reserve: 0.1 }
    }
}
