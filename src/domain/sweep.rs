//! What periodic work reaches.

/// The groups that a sweep covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SweepScope {
    /// Every group that belongs to a team.
    Managed,
    /// The groups of these names only, whatever they are.
    Named(Vec<String>),
}
