//! Measures that are taken before any secret is read.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Protects keys and tokens in memory from core dumps and from other processes of the same user. Both are a second line of
/// defence, so a system that allows neither still runs the command.
pub(crate) fn keep_memory_private() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}
