//! One function a use case: check the rules, call GitHub, audit, forget what is stale.
//!
//! Each takes an [`Authority`], which only `access` can make.

mod error;
pub mod groups;
pub mod jit;
pub mod offline;
mod places;
pub mod repos;
pub mod runners;
pub mod tokens;

pub use error::{Error, Refusal, reason_of};

use futures_util::future::BoxFuture;

use crate::access::{Authority, ManagedGroup};
use crate::audit::Trail;
use crate::github;
use crate::state::Shared;

/// Runs a write to its end, also when the caller hangs up, and leaves its audit line. What comes before the
/// first write is done outside, so that it ends with the caller; a refusal there is audited at the edge.
async fn write<T: Send + 'static>(
    state: &Shared,
    trail: &Trail,
    work: BoxFuture<'static, Result<T, Error>>,
) -> Result<T, Error> {
    trail.leave_to_the_write();
    let audited = {
        let trail = trail.clone();
        async move {
            // Does nothing once the line is written.
            let _unfinished = Unfinished(trail.clone());
            let (outcome, request_ids) = github::noting_writes(work).await;
            trail.note(|record| record.github_request_ids = request_ids);
            match &outcome {
                Ok(_) => trail.write("success", None),
                Err(error) => trail.write(error.outcome(), Some(error.reason())),
            }
            outcome
        }
    };
    let outcome = state.writes.see_to_the_end(tracing::Instrument::in_current_span(audited)).await;
    outcome.unwrap_or(Err(Error::Internal))
}

/// Leaves the line of a write that panicked or was given up: whether it took effect, nobody here knows.
struct Unfinished(Trail);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let reason = if std::thread::panicking() { Error::Internal.reason() } else { "shutting_down" };
        self.0.write("failed", Some(reason));
    }
}

/// Finds the team's group and puts it on the trail.
async fn find_group(state: &Shared, authority: &Authority, trail: &Trail) -> Result<ManagedGroup, Error> {
    let group = state.groups.find(&state.github, authority).await?;
    trail.note(|record| {
        record.group = Some(group.name().to_owned());
        record.group_id = Some(group.id());
    });
    Ok(group)
}

/// Does `work` with the group that was found. When GitHub no longer finds it, it is looked up once more:
/// somebody may have deleted it and made a new one. What was not found was not changed either.
async fn on_group<T, Work>(
    state: &Shared,
    authority: &Authority,
    trail: &Trail,
    found: ManagedGroup,
    work: impl Fn(ManagedGroup) -> Work,
) -> Result<T, Error>
where
    Work: Future<Output = Result<T, Error>>,
{
    let id = found.id();
    match work(found).await {
        Err(Error::GroupNotFound) => {}
        outcome => return outcome,
    }
    // Boxed, since it is rare and large.
    Box::pin(async {
        state.groups.forget(authority).await;
        let current = find_group(state, authority, trail).await?;
        if current.id() == id { Err(Error::GroupNotFound) } else { work(current).await }
    })
    .await
}
