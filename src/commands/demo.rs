//! `demo`: a small GitHub on a loopback port, the real service over TLS in front of it, and a tour of curl
//! lines that work as printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use actions_runner_manager::clock::Clock;
use actions_runner_manager::config::{self, Sources};
use actions_runner_manager::server::{self, Configuration, DRAIN, StartError};
use actions_runner_manager::telemetry;
use fake_github::{AppKey, Demo, DemoPerson, DemoWorkflow, FakeGithub, Options};

use super::output::print;
use super::serve::{Signals, run_until_stopped, watch};

/// What tokens of GitHub Actions have to be made for.
const AUDIENCE: &str = "https://arm.example.com";

/// Runs the demo until it is told to stop.
pub(super) async fn run(port: u16) -> Result<(), String> {
    let mut signals = Signals::new()?;
    let mut demo = fake_github::demo();
    let key = AppKey::generate().map_err(|_| "the system gives no random numbers".to_owned())?;
    demo.world.set_app_key(&key);
    let mut people = People::of(&demo);
    let workflow = demo.workflow.clone();
    let settings = (demo.world.app_id(), demo.world.installation_id().0);
    let github = FakeGithub::start(demo.world, &Options::default())
        .map_err(|cause| format!("the demo's GitHub can't start: {cause}"))?;
    people.sign(&workflow, &github);
    let folder = tempfile::Builder::new()
        .prefix("actions-runner-manager-demo-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .map_err(|cause| format!("no temporary folder can be made: {cause}"))?;
    write_files(folder.path(), &key, &configuration(demo.org, settings, github.url(), port))?;
    let sources = Sources {
        path: Some(folder.path().join("config.yml")),
        environment: BTreeMap::new(),
        working_directory: folder.path().to_owned(),
    };
    let loaded = config::load(&sources).map_err(|problems| problems.to_string())?;
    let telemetry = telemetry::init(&loaded.config.logging).map_err(|error| error.to_string())?;
    let mut server =
        server::start(&loaded.config, Clock::system()).await.map_err(|error| explain(&error, port))?;
    server
        .adopt_groups_by_name()
        .await
        .map_err(|error| format!("the demo's groups can't be adopted: {error}"))?;
    watch(&mut server, &telemetry, Configuration::of(sources, loaded));
    print(&tour(&people, server.address().port(), &folder.path().join("tls.crt")));
    let outcome = run_until_stopped(&mut signals, &server, &telemetry).await;
    server.stop(DRAIN).await;
    telemetry.flush();
    outcome
}

/// Who appears in the tour.
struct People {
    maintainer: DemoPerson,
    other_maintainer: DemoPerson,
    member: DemoPerson,
    stranger: DemoPerson,
    workflow: DemoPerson,
    pull_request: DemoPerson,
}

impl People {
    fn of(demo: &Demo) -> Self {
        // Their tokens are signed by the demo's GitHub, which is not started yet.
        let job = |login, about| DemoPerson { login, about, token: String::new() };
        Self {
            maintainer: demo.maintainer.clone(),
            other_maintainer: demo.other_maintainer.clone(),
            member: demo.member.clone(),
            stranger: demo.stranger.clone(),
            workflow: job("a job on main", "of the repository platform-api"),
            pull_request: job("a job of a pull request", "in the same repository"),
        }
    }

    /// Gives the jobs the tokens that GitHub Actions would give them.
    fn sign(&mut self, workflow: &DemoWorkflow, github: &FakeGithub) {
        self.workflow.token = workflow.token(github, AUDIENCE);
        self.pull_request.token = workflow.token_of_pull_request(github, AUDIENCE);
    }
}

fn configuration(org: &str, (app, installation): (u64, u64), github: &str, port: u16) -> String {
    format!(
        "org: {org}\n\
         appID: {app}\n\
         installationID: {installation}\n\
         privateKeyFile: key.pem\n\
         github: {{apiURL: \"{github}\"}}\n\
         store: {{url: \"sqlite::memory:\"}}\n\
         oidc: {{audience: \"{AUDIENCE}\", issuers: {{github-actions: {{}}}}}}\n\
         logging: {{level: error, format: text}}\n\
         server:\n  address: 127.0.0.1\n  port: {port}\n  rateLimit: 50\n  \
         tls: {{certFile: tls.crt, keyFile: tls.key}}\n...\n"
    )
}

/// Writes files that only their owner may read. The keys are of no use elsewhere, but people copy what they see here.
fn write_files(folder: &Path, key: &AppKey, configuration: &str) -> Result<(), String> {
    let (certificate, certificate_key) =
        fake_github::self_signed(&["localhost", "127.0.0.1"]).map_err(|error| error.to_string())?;
    for (name, text) in [
        ("config.yml", configuration),
        ("key.pem", &key.private_pem()),
        ("tls.crt", &certificate),
        ("tls.key", &certificate_key),
    ] {
        let file = folder.join(name);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)
            .and_then(|mut opened| opened.write_all(text.as_bytes()));
        written.map_err(|cause| format!("cannot write {}: {cause}", file.display()))?;
    }
    Ok(())
}

fn explain(error: &StartError, port: u16) -> String {
    match error {
        StartError::Listen { cause, .. } if cause.kind() == ErrorKind::AddrInUse => {
            format!("port {port} is in use; choose another with --port, or any free one with --port 0")
        }
        error => error.to_string(),
    }
}

/// Quotes a text as one word for a shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A request of the tour: who sends it, its method, what it is for, and what comes of it.
type Step<'a> = (&'a DemoPerson, &'static str, &'static str, &'static str);

fn steps(people: &People) -> [Step<'_>; 17] {
    let People { maintainer, other_maintainer, member, stranger, .. } = people;
    let workflow_steps = steps_of_workflows(people);
    [
        (stranger, "GET", "status", "any valid token is told that the server is ready"),
        (maintainer, "GET", "group-list?team=platform", "what is in the group of a team you maintain"),
        (other_maintainer, "POST", "group-add?team=payments", "a new group for your team"),
        (
            other_maintainer,
            "PATCH",
            "repos-add?team=payments&repos=checkout,build-tools",
            "two of the team's repositories",
        ),
        (other_maintainer, "GET", "group-list?team=payments", "there they are"),
        (
            maintainer,
            "POST",
            "jitconfig-generate?team=platform&labels=self-hosted,linux",
            "a config for run.sh: one runner, one job, in your group alone",
        ),
        workflow_steps[0],
        workflow_steps[1],
        workflow_steps[2],
        (maintainer, "GET", "runners-list?team=platform&status=idle", "the runners that wait for a job"),
        (
            maintainer,
            "DELETE",
            "runners-remove?team=platform&names=platform-2,platform-3&dry_run=true",
            "what would be removed, and what not since a job runs on it",
        ),
        (
            other_maintainer,
            "POST",
            "token-register?team=payments",
            "a token for config.sh (it reaches the whole organisation)",
        ),
        (
            other_maintainer,
            "PATCH",
            "repos-add?team=payments&repos=models",
            "refused: another team's repository",
        ),
        (other_maintainer, "DELETE", "group-delete?team=payments", "an empty group can go"),
        (maintainer, "DELETE", "group-delete?team=platform", "refused: it still has runners"),
        (member, "GET", "group-list?team=platform", "refused: a plain member"),
        (stranger, "GET", "group-list?team=../../user", "refused: not a name"),
    ]
}

/// What a workflow may do, and what not.
fn steps_of_workflows(people: &People) -> [Step<'_>; 3] {
    let People { maintainer, workflow, pull_request, .. } = people;
    [
        (
            maintainer,
            "POST",
            "access-add?team=platform&kind=github-actions&repository=platform-api&environment=runners\
             &operations=jitconfig-generate&labels=linux",
            "jobs with the protected environment `runners` may have JIT configs, and nothing else",
        ),
        (
            workflow,
            "POST",
            "jitconfig-generate?team=platform&labels=linux",
            "with the token that GitHub gave the job and nobody's own; it makes one change, so only once",
        ),
        (
            pull_request,
            "POST",
            "jitconfig-generate?team=platform&labels=linux",
            "refused: the entry is for pushes and the like",
        ),
    ]
}

/// The requests as curl lines that work as printed.
fn tour(people: &People, port: u16, certificate: &Path) -> String {
    let mut text = format!(
        "Actions Runner Manager is serving https://localhost:{port} in front of a small GitHub of its own.\n\
         Try it from another terminal; Ctrl-C ends it and forgets everything.\n\
         In a browser, https://localhost:{port}/docs explains the API and tries it, with one of the tokens below. The\n\
         browser will warn: the certificate is the demo's own.\n"
    );
    for (who, method, what, outcome) in steps(people) {
        let _ = write!(
            text,
            "\n# {} ({}): {outcome}\ncurl -sS --cacert {} -X {method} -H 'Authorization: Bearer {}' \
             'https://localhost:{port}/api/v1/{what}'\n",
            who.login,
            who.about,
            quote(&certificate.display().to_string()),
            who.token,
        );
    }
    text
}
