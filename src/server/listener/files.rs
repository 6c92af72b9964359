//! How many files the process may open: one for each connection, and some more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For the connections to GitHub, log files, and what the runtime needs.
const OTHER_FILES: u64 = 512;

/// Raises the limit of open files as far as connections need it, since shells and init systems often set it to 1,024.
/// Warns if the system doesn't allow that: beyond the limit no connection is accepted.
pub(super) fn allow_for(connections: usize) {
    let needed = OTHER_FILES.saturating_add(connections as u64);
    let limit = getrlimit(Resource::Nofile);
    let suffices = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    if suffices(limit.current) {
        return;
    }
    let raised = limit.maximum.map_or(needed, |most| most.min(needed));
    let is_raised =
        setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum }).is_ok();
    if !is_raised || !suffices(Some(raised)) {
        let open_files = if is_raised { Some(raised) } else { limit.current };
        tracing::warn!(
            open_files,
            needed,
            "the limit of open files is too low for server.maxConnections; raise it (ulimit -n, LimitNOFILE)"
        );
    }
}
