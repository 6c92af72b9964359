//! The runtime that commands run on.

use std::process::ExitCode;

use super::output::{EXIT_FAILURE, fail};

/// Runs a command on several threads: calls to GitHub must not wait for one busy thread.
pub(super) fn run_to_end(command: impl Future<Output = Result<(), String>>) -> ExitCode {
    on_runtime(async {
        match command.await {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => fail(EXIT_FAILURE, &message),
        }
    })
}

pub(super) fn on_runtime(command: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(cause) => fail(EXIT_FAILURE, &format!("no threads can be started: {cause}")),
    }
}
