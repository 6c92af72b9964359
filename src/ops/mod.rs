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
use crate::audit::{QUOTED, Trail};
use crate::github::{Runner, WriteIds};
use crate::state::Shared;

/// Bytes of GitHub's request ids in an audit line: 100 of them at most.
const REQUEST_IDS: usize = 100 * 64;

/// Makes sure that the audit line of a write can be written, with the names of these runners in it.
fn room_for_line(state: &Shared, trail: &Trail, runners: &[Runner]) -> Result<(), Error> {
    let names: usize = runners.iter().map(|runner| runner.name.len() + QUOTED).sum();
    Ok(trail.reserve(&state.audit_room, trail.lists() + names + REQUEST_IDS)?)
}

/// Runs a write to its end, also when the caller hangs up, and leaves its audit line. What comes before the
/// first write is done outside, so that it ends with the caller; a refusal there is audited at the edge.
async fn write<T: Send + 'static>(
    state: &Shared,
    trail: &Trail,
    work: BoxFuture<'static, Result<T, Error>>,
) -> Result<T, Error> {
    room_for_line(state, trail, &[])?;
    trail.leave_to_the_write();
    // Made out here: also a write that is given up before its first step leaves its line.
    let line = Line { trail: trail.clone(), request_ids: WriteIds::default() };
    let audited = async move {
        let outcome = line.request_ids.noting(work).await;
        match &outcome {
            Ok(_) => line.write("success", None),
            Err(error) => line.write(error.outcome(), Some(error.reason())),
        }
        outcome
    };
    let outcome = state.writes.see_to_the_end(tracing::Instrument::in_current_span(audited)).await;
    outcome.unwrap_or(Err(if state.writes.are_given_up() { Error::CutOff } else { Error::Internal }))
}

/// The audit line of a write.
struct Line {
    trail: Trail,
    request_ids: WriteIds,
}

impl Line {
    /// Writes the line, unless it was written already.
    fn write(&self, outcome: &'static str, reason: Option<&'static str>) {
        self.trail.note(|record| record.github_request_ids = self.request_ids.so_far());
        self.trail.write(outcome, reason);
    }
}

/// A write that panicked or was given up leaves its line, too: whether it took effect, nobody here knows.
impl Drop for Line {
    fn drop(&mut self) {
        let end = if std::thread::panicking() { Error::Internal } else { Error::CutOff };
        self.write(end.outcome(), Some(end.reason()));
    }
}

/// Finds the team's group and puts it on the trail.
async fn find_group(state: &Shared, authority: &Authority, trail: &Trail) -> Result<ManagedGroup, Error> {
    let group = state.groups.find(authority).await?;
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
