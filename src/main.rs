//! The program: what every command needs before it runs, and then the command.

mod commands;
mod hardening;

use std::process::ExitCode;

/// Gives memory back that is not used any more, which musl's own allocator does as well, at a many times higher price
/// in time; `MIMALLOC_PURGE_DELAY=0` makes it do so at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hardening::keep_memory_private();
    commands::run()
}
