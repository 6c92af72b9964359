//! The load benchmark: the real service over TLS, in front of the fake GitHub in a process of its own that
//! answers as slowly as GitHub does. Counts the calls that each operation costs, measures how long callers
//! wait and how much the process takes, and compares both with what the design promises.
//!
//! `cargo bench --bench load -- --help` tells what can be chosen.

mod bare;
mod bursts;
mod client;
mod fairness;
mod fake;
mod figures;
mod flood;
mod github;
mod hostile;
mod load;
mod operations;
mod process;
mod replicas;
mod report;
mod service;
mod sizes;
mod speed;
mod weather;
mod workloads;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::report::Report;
use crate::sizes::Extent;

/// What everything here gives: a failure ends the benchmark, and says why.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures the service: calls to GitHub, time, memory.
#[derive(Parser)]
struct Arguments {
    /// Fewer sizes and shorter runs: under two minutes
    #[arg(long)]
    quick: bool,
    /// Leave out what isn't named; can be repeated
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Put the results between the markers of this file, or into a new one
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Tokens that the flood sends
    #[arg(long, value_name = "NUMBER")]
    bogus_tokens: Option<u64>,
    /// Given by `cargo bench`; without it nothing is measured, since `cargo test --benches` runs this too
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Calls and time of each operation
    Operations,
    /// `status` against a bare handler
    Speed,
    /// Start, memory, and the flood of bogus tokens
    Process,
    /// Memory, and what others notice, while clients without a token hold what they can; only if named
    Hostile,
    /// What another team notices of those who would spend the hour or the places; only if named
    Fairness,
    /// Many callers at once for the same; only if named
    Bursts,
    /// Reads while GitHub fails one time in twenty; only if named
    Weather,
    /// JIT configs for workflows, and verifying their tokens; only if named
    Workloads,
    /// Three processes on one PostgreSQL, which `LOAD_STORE` names; only if named
    Replicas,
}

/// Processes that the benchmark makes of itself.
#[derive(Subcommand)]
enum Role {
    /// The fake GitHub.
    #[command(hide = true)]
    Fake(fake::World),
    /// A handler without anything, for comparison.
    #[command(hide = true)]
    Bare(bare::Files),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.role {
        Some(Role::Fake(world)) => fake::run(&world),
        Some(Role::Bare(files)) => bare::run(&files),
        None if arguments.bench => measure(&arguments),
        None => {
            say("nothing is measured: run `cargo bench --bench load`");
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the benchmark ended early: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Outcome<()> {
    actions_runner_manager::tls::install_provider();
    let extent = Extent::new(arguments.quick, arguments.bogus_tokens);
    let wanted = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    // One thread: the service needs the others.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report::new()?;
    if wanted(Part::Process) {
        runtime.block_on(process::measure(&extent, &mut report))?;
    }
    if wanted(Part::Speed) {
        runtime.block_on(speed::measure(&extent, &mut report))?;
    }
    // These take up to a quarter of an hour each, and are about bounds rather than speed.
    if arguments.only.contains(&Part::Hostile) {
        runtime.block_on(hostile::measure(&mut report))?;
    }
    if arguments.only.contains(&Part::Fairness) {
        runtime.block_on(fairness::measure(&extent, &mut report))?;
    }
    if arguments.only.contains(&Part::Bursts) {
        runtime.block_on(bursts::measure(&mut report))?;
    }
    if arguments.only.contains(&Part::Weather) {
        runtime.block_on(weather::measure(&extent, &mut report))?;
    }
    if arguments.only.contains(&Part::Workloads) {
        runtime.block_on(workloads::measure(&mut report))?;
    }
    if arguments.only.contains(&Part::Replicas) {
        runtime.block_on(replicas::measure(&extent, &mut report))?;
    }
    if wanted(Part::Operations) {
        runtime.block_on(operations::measure(&extent, &mut report))?;
    }
    report.targets();
    match &arguments.markdown {
        Some(file) => report.write(file),
        None => Ok(()),
    }
}

#[expect(clippy::print_stdout, reason = "the benchmark's results, and what its processes tell each other")]
fn say(text: &str) {
    println!("{text}");
}
