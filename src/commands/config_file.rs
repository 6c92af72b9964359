//! `--config`, and the sources that a configuration is read from.

use std::path::PathBuf;
use std::process::ExitCode;

use actions_runner_manager::config::{self, Loaded, Sources};
use clap::Args;

use super::output::{EXIT_USAGE, fail};

// No doc comment: clap would take it for what the command is about.
#[derive(Args, Default)]
pub(super) struct ConfigFile {
    #[arg(
        long,
        value_name = "FILE",
        help = "The configuration file [default: CONFIG_PATH, then config.yml in the working directory]"
    )]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// This one, or the other if this one isn't given.
    pub(super) fn or(self, other: &Self) -> Self {
        Self { config: self.config.or_else(|| other.config.clone()) }
    }

    pub(super) fn is_given(&self) -> bool {
        self.config.is_some()
    }

    /// Runs a command with the configuration, or reports everything that is wrong with it.
    pub(super) fn load_for(self, command: impl FnOnce(Sources, Loaded) -> ExitCode) -> ExitCode {
        let sources = match self.sources() {
            Ok(sources) => sources,
            Err(message) => return fail(EXIT_USAGE, &message),
        };
        match config::load(&sources) {
            Ok(loaded) => command(sources, loaded),
            Err(problems) => fail(EXIT_USAGE, &problems.to_string()),
        }
    }

    pub(super) fn sources(self) -> Result<Sources, String> {
        let working_directory = std::env::current_dir()
            .map_err(|cause| format!("the working directory can't be told: {cause}"))?;
        // What is no text stays recognisable, so that a setting that can't be read is named and not passed over.
        let text = |part: std::ffi::OsString| part.to_string_lossy().into_owned();
        let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Ok(Sources { path: self.config, environment, working_directory })
    }
}
