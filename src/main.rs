//! The program: prepares the process, then runs the command.

mod commands;
mod hardening;

use std::process::ExitCode;

/// Returns unused memory to the system. musl's own allocator does that too, but is many times slower. With
/// `MIMALLOC_PURGE_DELAY=0` it does so at once, and with `MIMALLOC_ALLOW_THP=0` in small pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hardening::keep_memory_private();
    commands::run()
}
