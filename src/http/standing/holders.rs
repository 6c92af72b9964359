//! Callers who are no users: they act by access entries of the team.

use super::set_team;
use crate::access::{Authority, Candidates, Requester, Right, Terms};
use crate::domain::entry::Source;
use crate::domain::names::Label;
use crate::domain::reference::TeamReference;
use crate::http::error::ApiError;
use crate::ops::Work;

/// The access entries by which somebody who is no user may do this.
pub(super) async fn candidates(
    work: &Work<()>,
    requester: &Requester,
    team: &TeamReference,
    right: Right,
) -> Result<Candidates, ApiError> {
    let organisation = work.organisation();
    let (policy, issuers) = (organisation.policy.load_full(), organisation.issuers.load_full());
    let terms = Terms { policy: &policy, issuers: &issuers, teams: &organisation.teams };
    let find = organisation.entries.candidates(requester, team, right, &terms);
    // Boxed, so that the future of users stays small.
    let candidates = Box::pin(find).await?;
    set_team(work, candidates.team());
    Ok(candidates)
}

/// The authority by the first of these access entries that allows the whole request.
pub(super) async fn choose(
    work: &Work<()>,
    candidates: Candidates,
    labels: &[Label],
) -> Result<Authority, ApiError> {
    let organisation = work.organisation();
    let (policy, issuers) = (organisation.policy.load_full(), organisation.issuers.load_full());
    let terms = Terms { policy: &policy, issuers: &issuers, teams: &organisation.teams };
    let choice = organisation.entries.choose(candidates, labels, &terms);
    let authority = Box::pin(choice).await?;
    if let Some(entry) = authority.entry() {
        let creator = match &entry.source {
            Source::Store { created_by, .. } => Some(*created_by),
            Source::Configuration => None,
        };
        work.context().set_entry(entry.id, creator);
    }
    Ok(authority)
}
