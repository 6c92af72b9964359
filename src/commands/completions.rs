//! `completions`: the script with which a shell completes the command line.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::Arguments;
use super::output::write;

pub(super) fn run(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    write(&script)
}
