//! The command line of Actions Runner Manager.

mod check_config;
#[cfg(feature = "demo")]
mod demo;
mod hardening;
mod healthcheck;
mod serve;

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use actions_runner_manager::config::{self, Loaded, Sources};
use actions_runner_manager::http::openapi;
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

/// Gives memory back that is not used any more, which musl's own allocator does as well, at a many times higher price
/// in time; `MIMALLOC_PURGE_DELAY=0` makes it do so at once, and `MIMALLOC_ALLOW_THP=0` in small pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Lets GitHub team maintainers manage their own self-hosted runner group, and nothing else.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    #[command(subcommand)]
    command: Option<Command>,
}

// No doc comment: clap would take it for what the command is about.
#[derive(Args, Default)]
struct ConfigFile {
    #[arg(
        long,
        value_name = "FILE",
        help = "The configuration file [default: CONFIG_PATH, then config.yml in the working directory]"
    )]
    config: Option<PathBuf>,
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

/// The configuration is wrong, or the command line is: something to correct before another try.
const EXIT_USAGE: u8 = 2;
/// The service could not start, or ended because it can't work.
const EXIT_FAILURE: u8 = 1;
/// How long the last words may take.
const SAID_WITHIN: std::time::Duration = std::time::Duration::from_secs(1);

fn main() -> ExitCode {
    hardening::keep_memory_private();
    let Arguments { config: before, command } = Arguments::parse();
    // Before the command or behind it, which is nearer.
    let file = |behind: ConfigFile| behind.config.or(before.config.clone());
    match command.unwrap_or_else(|| Command::Serve(ConfigFile::default())) {
        Command::Serve(config) => {
            configured(file(config), |sources, loaded| in_runtime(serve::run(sources, loaded)))
        }
        Command::Healthcheck(config) => {
            configured(file(config), |_, loaded| in_runtime(healthcheck::run(loaded.config)))
        }
        Command::CheckConfig { config, flags } => match sources(file(config)) {
            Ok(sources) => check_config::run(&sources, flags),
            Err(message) => fail(EXIT_USAGE, &message),
        },
        _ if before.config.is_some() => {
            fail(EXIT_USAGE, "this command reads no configuration, so --config is of no use with it")
        }
        #[cfg(feature = "demo")]
        Command::Demo { port } => in_runtime(demo::run(port, print)),
        Command::Openapi => write(openapi::pretty().as_bytes()),
        Command::Completions { shell } => write(&completions(shell)),
        Command::Man { command } => manual(command.as_deref()),
    }
}

/// Does what needs the configuration, or says all that is wrong with it.
fn configured(path: Option<PathBuf>, command: impl FnOnce(Sources, Loaded) -> ExitCode) -> ExitCode {
    let sources = match sources(path) {
        Ok(sources) => sources,
        Err(message) => return fail(EXIT_USAGE, &message),
    };
    match config::load(&sources) {
        Ok(loaded) => command(sources, loaded),
        Err(problems) => fail(EXIT_USAGE, &problems.to_string()),
    }
}

fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}

/// The page of the whole, or of one of its commands.
fn manual(of: Option<&str>) -> ExitCode {
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

/// Writes a command's answer. Whoever reads it may have seen enough, as `head` does.
fn write(answer: &[u8]) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(answer).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() != ErrorKind::BrokenPipe => {
            fail(EXIT_FAILURE, &format!("the answer can't be written: {cause}"))
        }
        _ => ExitCode::SUCCESS,
    }
}

fn sources(path: Option<PathBuf>) -> Result<Sources, String> {
    let working_directory =
        std::env::current_dir().map_err(|cause| format!("the working directory can't be told: {cause}"))?;
    // What is no text stays recognisable, so that a setting that can't be read is named and not passed over.
    let text = |part: std::ffi::OsString| part.to_string_lossy().into_owned();
    let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    Ok(Sources { path, environment, working_directory })
}

/// Runs on a runtime with several threads: what talks to GitHub must not wait for one busy thread.
fn in_runtime(command: impl Future<Output = Result<(), String>>) -> ExitCode {
    on_runtime(async {
        match command.await {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => fail(EXIT_FAILURE, &message),
        }
    })
}

fn on_runtime(command: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(cause) => fail(EXIT_FAILURE, &format!("no threads can be started: {cause}")),
    }
}

#[cfg(feature = "demo")]
#[expect(clippy::print_stdout, reason = "a command's answer belongs on standard output")]
fn print(text: &str) {
    println!("{text}");
}

#[expect(
    clippy::print_stderr,
    reason = "a command's error belongs on standard error, with or without logging"
)]
fn fail(code: u8, message: &str) -> ExitCode {
    let (message, (said, heard)) = (message.to_owned(), std::sync::mpsc::channel());
    // Whoever should read it may read nothing any more; the process ends all the same.
    std::thread::spawn(move || {
        eprintln!("error: {message}");
        let _ = said.send(());
    });
    let _ = heard.recv_timeout(SAID_WITHIN);
    ExitCode::from(code)
}
