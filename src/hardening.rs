//! What the process does before it knows any secret.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Keeps keys and tokens in memory from a core dump, and from other processes of the same user. A system that allows
/// neither still runs the command: both are a second line of defence.
pub(crate) fn keep_memory_private() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}
