//! The command line: the list of commands, each in a file of its own.

mod check_config;
mod completions;
mod config_file;
#[cfg(feature = "demo")]
mod demo;
mod healthcheck;
mod man;
mod output;
mod records;
mod runtime;
mod serve;

use std::process::ExitCode;

use actions_runner_manager::http::openapi;
use clap::{Parser, Subcommand};
use clap_complete::Shell;

use self::config_file::ConfigFile;
use self::output::{EXIT_USAGE, fail, write};
use self::runtime::run_to_end;

/// Lets GitHub team maintainers manage their own self-hosted runner group, and nothing else.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API (the default)
    Serve(ConfigFile),
    #[cfg(feature = "demo")]
    /// Serve in front of a small GitHub of its own, with people, teams and runners to try everything on
    Demo {
        /// The port to serve on, 0 for any free one
        #[arg(long, default_value_t = 8443)]
        port: u16,
    },
    /// Read the configuration, open what it names, say what is wrong or dangerous and what is in force, and end
    CheckConfig {
        #[command(flatten)]
        config: ConfigFile,
        #[command(flatten)]
        flags: check_config::Flags,
    },
    /// Write or read the records of which runner group is which team's
    Records {
        #[command(subcommand)]
        command: records::Command,
    },
    #[command(
        about = "Print the description of the API in the terms of OpenAPI 3.1, as /openapi.json serves it"
    )]
    Openapi,
    /// Ask the running service whether it answers; for container health checks
    Healthcheck(ConfigFile),
    /// Print the script with which a shell completes this command line
    Completions {
        /// The shell to print it for
        shell: Shell,
    },
    /// Print a page of the manual, to be read with: man -l -
    Man {
        /// The command to print the page of; without it, that of the whole
        command: Option<String>,
    },
}

/// Runs the command that the command line names.
pub(crate) fn run() -> ExitCode {
    let Arguments { config: before, command } = Arguments::parse();
    // Before the command or behind it, which is nearer.
    let file = |behind: ConfigFile| behind.or(&before);
    match command.unwrap_or_else(|| Command::Serve(ConfigFile::default())) {
        Command::Serve(config) => {
            file(config).load_for(|sources, loaded| run_to_end(serve::run(sources, loaded)))
        }
        Command::Healthcheck(config) => {
            file(config).load_for(|_, loaded| run_to_end(healthcheck::run(loaded.config)))
        }
        Command::CheckConfig { config, flags } => match file(config).sources() {
            Ok(sources) => check_config::run(&sources, flags),
            Err(message) => fail(EXIT_USAGE, &message),
        },
        Command::Records { mut command } => {
            let config = std::mem::take(command.config());
            file(config).load_for(|_, loaded| records::run(&command, &loaded))
        }
        _ if before.is_given() => {
            fail(EXIT_USAGE, "this command reads no configuration, so --config is of no use with it")
        }
        #[cfg(feature = "demo")]
        Command::Demo { port } => run_to_end(demo::run(port)),
        Command::Openapi => write(openapi::pretty().as_bytes()),
        Command::Completions { shell } => completions::run(shell),
        Command::Man { command } => man::run(command.as_deref()),
    }
}
