//! `man`: a page of the manual.

use std::process::ExitCode;

use clap::CommandFactory;

use super::Arguments;
use super::output::{EXIT_USAGE, fail, write};

/// Prints the page of the program, or of one of its commands.
pub(super) fn run(of: Option<&str>) -> ExitCode {
    let mut whole = Arguments::command();
    whole.build();
    let page = match of {
        None => Some(&whole),
        Some(name) => whole.find_subcommand(name),
    };
    let Some(page) = page else { return fail(EXIT_USAGE, "there is no such command; see --help") };
    let mut text = Vec::new();
    // Writing into memory can't fail.
    let _ = clap_mangen::Man::new(page.clone()).render(&mut text);
    write(&text)
}
