//! Entries that the administrator wrote into the configuration.

use super::EntryRequest;
use crate::domain::reference::TeamReference;

/// An entry of `access`, checked as far as the configuration alone allows: whether the team and the repository exist, and
/// whether the environment is protected, is looked at while the service runs.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfiguredEntry {
    /// The team whose group it is about.
    pub team: TeamReference,
    /// Everything else. Its holder is never a team token.
    pub request: EntryRequest,
}
