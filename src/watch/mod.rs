//! Periodic work, which no request is behind: it calls `ops` as handlers do.

mod records;
mod sweep;

pub use self::records::RecordWatch;
pub use self::sweep::{Report, Sweep};

use crate::access::Oversight;
use crate::ops::Work;
use crate::state::Shared;

/// Work that the service does on its own: one step, which leaves an audit line.
pub(crate) fn work(state: &Shared, operation: &'static str) -> Work<Oversight> {
    let (organisation, log) = (state.organisation.clone(), state.audit_log.clone());
    Work::of_the_service(operation, organisation, log, state.writes.clone())
}
