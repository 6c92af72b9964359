//! `fake-github`: a small GitHub on a loopback port, to try programs against.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use fake_github::{AppKey, Demo, FakeGithub, Options, demo};

/// Serves a small stateful GitHub on 127.0.0.1: an organisation with people, teams, repositories, runner groups,
/// runners and a GitHub App. It starts anew each time.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    /// The port on 127.0.0.1, 0 for any free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Where to write the App's private key (PEM); readable by its owner alone
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Also print tokens of two runs of a workflow for this audience, good for an hour
    #[arg(long, value_name = "URL")]
    audience: Option<String>,
}

fn main() -> ExitCode {
    match serve(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(io::stderr(), "error: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until the process is ended, or standard output is closed.
fn serve(arguments: &Arguments) -> io::Result<()> {
    let mut organisation = demo();
    let key = AppKey::generate().map_err(|_| io::Error::other("the system provides no random numbers"))?;
    organisation.world.set_app_key(&key);
    if let Some(file) = &arguments.key_file {
        write_private(file, &key.private_pem())?;
    }
    let description = describe(&organisation);
    let workflow = organisation.workflow;
    let github =
        FakeGithub::start(organisation.world, &Options { port: arguments.port, ..Options::default() })?;
    let mut out = io::stdout();
    writeln!(out, "Serving {} (as an Enterprise Server: {})", github.url(), github.enterprise_url())?;
    out.write_all(description.as_bytes())?;
    writeln!(out, "Issuer of the tokens of runs: {}", github.actions_issuer())?;
    if let Some(audience) = &arguments.audience {
        writeln!(out, "{} a push to main", workflow.token(&github, audience))?;
        writeln!(out, "{} a pull request", workflow.token_of_pull_request(&github, audience))?;
    }
    out.flush()?;
    loop {
        std::thread::park();
    }
}

fn describe(demo: &Demo) -> String {
    let mut text = format!(
        "Organisation {}, App {} with installation {}\n",
        demo.org,
        demo.world.app_id(),
        demo.world.installation_id()
    );
    let people =
        [&demo.maintainer, &demo.other_maintainer, &demo.member, &demo.pending, &demo.owner, &demo.stranger];
    for person in people {
        // Writing into a string can't fail.
        let _ = writeln!(text, "{} {} {}", person.token, person.login, person.about);
    }
    text
}

#[cfg(unix)]
fn write_private(file: &std::path::Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?
        .write_all(text.as_bytes())
}
