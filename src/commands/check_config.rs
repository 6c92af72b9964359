//! `check-config`: what is wrong with a configuration and with all that it names, what is dangerous, what is in force.

mod report;

use std::process::ExitCode;

use actions_runner_manager::config::{self, Diagnostic, Noticed, Problems, Sources};
use actions_runner_manager::server;
use clap::Args;

use self::report::{GithubCheck, Report};
use super::output::{EXIT_USAGE, fail, write};
use super::runtime::on_runtime;

// No doc comment: clap would take it for what the command is about.
#[derive(Args, Clone, Copy)]
pub(super) struct Flags {
    #[arg(
        long,
        help = "Ask GitHub as well whether it accepts the credential, and what that may do; the issuers of OIDC tokens; and the \
                store's server"
    )]
    online: bool,
    #[arg(long, help = "Print one JSON object: problems, warnings, and every setting with its source")]
    json: bool,
    #[arg(long, help = "Print problems and warnings only")]
    quiet: bool,
}

/// What the connection to GitHub is made of: with something wrong there, GitHub can't be asked.
const KEYS_OF_CONNECTION: [&str; 3] = ["privateKey", "privateKeyFile", "github.caFile"];

/// Checks, prints, and ends with 2 if anything is wrong.
pub(super) fn run(sources: &Sources, flags: Flags) -> ExitCode {
    on_runtime(async {
        let report = check(sources, flags.online).await;
        let printed = print(&report, flags);
        if report.problems.is_some() { ExitCode::from(EXIT_USAGE) } else { printed }
    })
}

async fn check(sources: &Sources, online: bool) -> Report {
    let mut noticed = Noticed::default();
    let (loaded, wrong) = match config::load_noticing(sources, &mut noticed) {
        Ok(loaded) => (Some(loaded), None),
        Err(problems) => (None, Some(problems)),
    };
    let mut found = server::problems(&noticed.references, loaded.as_ref());
    let blocks = |problem: &Diagnostic| problem.key().is_none_or(|key| KEYS_OF_CONNECTION.contains(&key));
    let to_ask = loaded.as_ref().filter(|_| online && !found.iter().any(blocks));
    if let Some(loaded) = to_ask {
        found.extend(server::ask_github(loaded).await.err());
    }
    let of_store = |problem: &Diagnostic| problem.key().is_some_and(|key| key.starts_with("store."));
    if let Some(loaded) = loaded.as_ref().filter(|_| online && !found.iter().any(of_store)) {
        found.extend(server::ask_store(loaded).await.err());
    }
    let of_issuers = |problem: &Diagnostic| problem.key().is_some_and(|key| key.starts_with("oidc."));
    if let Some(loaded) = loaded.as_ref().filter(|_| online && !found.iter().any(of_issuers)) {
        found.extend(server::ask_issuers(loaded).await);
    }
    let github = match to_ask {
        Some(_) => GithubCheck::Done,
        None if online => GithubCheck::Blocked,
        None => GithubCheck::NotRequested,
    };
    let problems = match wrong {
        Some(problems) => Some(problems.and(found)),
        None => (!found.is_empty()).then(|| Problems::new(found)),
    };
    let warnings = loaded.as_ref().map_or(noticed.warnings, server::warnings);
    Report { loaded, problems, warnings, github }
}

/// Prints for people or programs. What people should see of a wrong configuration belongs on standard error.
fn print(report: &Report, flags: Flags) -> ExitCode {
    match &report.problems {
        _ if flags.json => write(report.json().as_bytes()),
        Some(problems) => {
            let warnings = report.warnings.iter().map(|warning| format!("\nwarning: {warning}"));
            let note = if report.github == GithubCheck::Blocked { NOT_ASKED } else { "" };
            fail(EXIT_USAGE, &format!("{problems}{}{note}", warnings.collect::<String>()))
        }
        None => write(report.text(flags.quiet).as_bytes()),
    }
}

const NOT_ASKED: &str = "\nGitHub was not asked: correct the problems first";
