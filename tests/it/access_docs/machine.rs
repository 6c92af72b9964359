//! Where examples run: a folder, a shell and curl, which finds the hosts of the page on the loopback.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::harness::App;

/// Keeps what is on command lines, then does what it is asked to.
const CURL: &str =
    "#!/bin/sh\nprintf '%s\\n' \"$@\" >> \"$RECORDS/curl\"\nPATH=$REAL_PATH exec curl \"$@\"\n";
/// Says how it got its config, and does no job.
const RUN_SH: &str = "#!/bin/sh\nprintf '%s' \"${ACTIONS_RUNNER_INPUT_JITCONFIG-}\" > \"$RECORDS/config\"\n";

/// A machine with the service, and maybe a platform, in its reach.
pub struct Machine {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Machine {
    /// `hosts` are those of the platform, with the ports that stand in for them.
    pub fn new(app: &App, hosts: &[(&str, u16)]) -> Self {
        for program in ["bash", "curl", "sed"] {
            let found = Command::new(program).arg("--version").output();
            assert!(found.is_ok_and(|output| output.status.success()), "{program} is needed for this test");
        }
        let path = std::env::var("PATH").unwrap();
        let mut machine = Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() };
        for folder in ["bin", "records", "work"] {
            fs::create_dir(machine.at(folder)).unwrap();
        }
        fs::write(machine.at("ca.pem"), &app.certificate).unwrap();
        let mut curlrc = vec![
            format!("cacert = \"{}\"", machine.at("ca.pem").display()),
            format!("connect-to = \"arm.example.com:8443:localhost:{}\"", app.server.address().port()),
        ];
        curlrc
            .extend(hosts.iter().map(|(host, port)| format!("connect-to = \"{host}:80:127.0.0.1:{port}\"")));
        fs::write(machine.at(".curlrc"), curlrc.join("\n")).unwrap();
        machine.program("bin/curl", CURL);
        machine.program("work/run.sh", RUN_SH);
        for (name, value) in [
            ("PATH", format!("{}:{path}", machine.at("bin").display())),
            ("REAL_PATH", path),
            ("CURL_HOME", machine.folder.path().display().to_string()),
            ("RECORDS", machine.at("records").display().to_string()),
        ] {
            machine.set(name, &value);
        }
        machine
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_default()
    }

    pub fn program(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Sets a variable for all that runs from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Runs a shell in the working folder; aside, since the service works in this thread.
    pub async fn shell(&self, arguments: &[&str]) -> Output {
        let (program, arguments) = arguments.split_first().unwrap();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.at("work")).env_clear();
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Runs a script as somebody who pastes it would. Gives what it prints.
    pub async fn run(&self, script: &str) -> String {
        let output = self.shell(&["bash", "-c", script]).await;
        let (out, error) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{script}\n{out}\n{error}");
        out
    }

    /// Nothing of this may have been on a command line, or be left in a file other than these.
    #[track_caller]
    pub fn hides(&self, secrets: &[&str], files: &[&str]) {
        for secret in secrets {
            assert!(!self.text("records/curl").contains(secret), "{secret:.8}… was on a command line");
        }
        let mut left: Vec<_> =
            fs::read_dir(self.at("work")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        let mut expected: Vec<_> = files.iter().chain(&["run.sh"]).map(std::ffi::OsString::from).collect();
        expected.sort();
        assert_eq!(left, expected);
        for file in files {
            let mode = fs::metadata(self.at("work").join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "others can read {file}");
        }
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
