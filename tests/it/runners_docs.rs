//! The examples of `docs/runners.md`, run as they stand there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use fake_github::GroupId;
use tempfile::TempDir;

use crate::harness::App;
use crate::scene::acme_with_groups;

/// Says how it got its config, and does no job.
const RUN_SH: &str = r#"#!/bin/sh
printf '%s' "${ACTIONS_RUNNER_INPUT_JITCONFIG-}" > "$RECORDS/config"
printf '%s\n' "$0" "$@" > "$RECORDS/arguments"
ls "$RECORDS/.." "$TMPDIR" > "$RECORDS/files"
"#;

/// Becomes nobody else.
const RUNUSER: &str = r#"#!/bin/sh
printf '%s\n' "$@" > "$RECORDS/runuser"
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"#;

/// Runs a container's command here, with the mounted file where it really is.
const DOCKER: &str = r#"#!/bin/sh
printf '%s\n' "$@" > "$RECORDS/docker"
while [ "$1" != --volume ]; do shift; done
mounted=${2%%:/run/jitconfig:ro}
while [ "$1" != -c ]; do shift; done
stat -c %a "$mounted" > "$RECORDS/mode"
cd "$SOFTWARE"
exec sh -c "$(printf '%s' "$2" | sed "s|/run/jitconfig|$mounted|g")"
"#;

/// The runnable block of the page that is called so in its first line.
fn example(name: &str) -> String {
    let page = include_str!("../../docs/runners.md");
    let head = format!("```sh\n# example: {name}\n");
    let (_, rest) = page.split_once(&head).unwrap_or_else(|| panic!("no example called {name}"));
    rest.split_once("```").unwrap().0.to_owned()
}

/// A folder to work in, with stubs of what the examples call beside curl, and the runner's software.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new(app: &App) -> Self {
        let curl = Command::new("curl").arg("--version").output();
        assert!(curl.is_ok_and(|output| output.status.success()), "curl is needed for this test");
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["bin", "software", "records", "work", "tmp"] {
            fs::create_dir(machine.at(folder)).unwrap();
        }
        fs::write(machine.at("ca.pem"), &app.certificate).unwrap();
        machine.program("bin/docker", DOCKER);
        machine.program("bin/runuser", RUNUSER);
        machine.program("software/run.sh", RUN_SH);
        machine.program("software/start.sh", &example("start.sh"));
        machine
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    fn program(&self, path: &str, text: &str) {
        fs::write(self.at(path), text).unwrap();
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn record(&self, name: &str) -> String {
        fs::read_to_string(self.at("records").join(name)).unwrap_or_default()
    }

    /// Runs a script in the working folder; aside, since the service's writes go on in this thread.
    async fn run(&self, app: &App, token: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new("sh");
        command
            .args(arguments)
            .current_dir(self.at("work"))
            .env_clear()
            .env("PATH", format!("{}:{}", self.at("bin").display(), std::env::var("PATH").unwrap()))
            .env("ARM", app.url("/api/v1"))
            .env("AUTH", format!("Authorization: Bearer {token}"))
            .env("CURL_CA_BUNDLE", self.at("ca.pem"))
            .env("TMPDIR", self.at("tmp"))
            .env("RECORDS", self.at("records"))
            .env("SOFTWARE", self.at("software"));
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[track_caller]
fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The one config that GitHub gave out, which the runner has to have got by its environment alone.
#[track_caller]
fn the_runner_got_its_config(app: &App, machine: &Machine, group: GroupId) {
    let configs = app.fake.world(|world| world.jit_configs().to_vec());
    assert_eq!(configs.len(), 1);
    assert_eq!(machine.record("config"), configs[0]);
    assert_eq!(machine.record("arguments"), "./run.sh\n");
    for record in ["arguments", "docker", "runuser"] {
        assert!(!machine.record(record).contains(&configs[0]), "on a command line of {record}");
    }
    app.fake.world(|world| assert_eq!(world.runners_of(group).len(), 1));
}

#[tokio::test]
async fn the_virtual_machine_example_works_as_printed() {
    let (world, cast, group) = acme_with_groups();
    let app = App::start(world).await;
    let machine = Machine::new(&app);
    succeeded(&machine.run(&app, &cast.ada, &["-c", &example("cloud-init")]).await);
    let user_data = fs::read_to_string(machine.at("work/user-data")).unwrap();
    assert_eq!(fs::metadata(machine.at("work/user-data")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(machine.at("work")).unwrap().count(), 1, "nothing else is left");
    assert!(!user_data.contains(&cast.ada), "a machine holds no GitHub token");
    // What cloud-init does with it.
    let lines: Vec<_> = user_data.lines().map(str::trim).collect();
    assert_eq!(lines[0], "#cloud-config");
    let content = lines.iter().find_map(|line| line.strip_prefix("content: ")).unwrap();
    assert!(lines.contains(&"permissions: \"0600\"") && lines.contains(&"- path: /run/runner/jitconfig"));
    assert!(lines.contains(&"- [sh, /opt/actions-runner/start.sh, /run/runner/jitconfig]"));
    let (file, start) = (machine.at("jitconfig"), machine.at("software/start.sh"));
    fs::write(&file, format!("{content}\n")).unwrap();
    let arguments = [start.to_str().unwrap(), file.to_str().unwrap()];
    succeeded(&machine.run(&app, "no-token-here", &arguments).await);
    the_runner_got_its_config(&app, &machine, group);
    assert!(!file.exists() && !machine.record("files").contains("jitconfig"), "removed before it ran");
    assert_eq!(machine.record("runuser"), "-u\nrunner\n--\n./run.sh\n");
}

#[tokio::test]
async fn the_container_example_works_as_printed() {
    let (world, cast, group) = acme_with_groups();
    let app = App::start(world).await;
    let machine = Machine::new(&app);
    succeeded(&machine.run(&app, &cast.ada, &["-c", &example("container")]).await);
    the_runner_got_its_config(&app, &machine, group);
    let docker = machine.record("docker");
    assert!(docker.starts_with("run\n--rm\n") && !docker.contains(&cast.ada), "{docker}");
    assert_eq!(machine.record("mode").trim(), "644", "the container's user is another one than ours");
    assert!(is_empty(&machine.at("tmp")) && is_empty(&machine.at("work")), "nothing is left");
}

#[tokio::test]
async fn a_refusal_ends_the_examples_and_nothing_is_started() {
    let (world, cast, group) = acme_with_groups();
    let app = App::start(world).await;
    for name in ["cloud-init", "container"] {
        let machine = Machine::new(&app);
        let output = machine.run(&app, &cast.bob, &["-c", &example(name)]).await;
        assert!(!output.status.success(), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("403"), "{name}: {output:?}");
        assert!(!machine.at("work/user-data").exists() && is_empty(&machine.at("tmp")), "{name}");
        assert!(is_empty(&machine.at("records")), "{name}");
    }
    assert!(app.fake.world(|world| world.runners_of(group).is_empty()));
}
