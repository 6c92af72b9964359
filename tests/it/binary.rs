//! The real binary as a child process: its output line by line, signals to it, and how it ended.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

/// Anything that has not happened after this long never will, however busy the machine is.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often a condition is looked at that nobody announces.
pub const LOOKED_AT_EVERY: Duration = Duration::from_millis(10);

/// A running process; dropping it kills it.
pub struct Binary {
    pid: u32,
    pub stdout: Lines,
    pub stderr: Lines,
    /// The exit code, once it ended; -1 if a signal ended it.
    ended: watch::Receiver<Option<i32>>,
    threads: Vec<JoinHandle<()>>,
}

/// What a process wrote so far.
pub struct Lines(watch::Receiver<Vec<String>>);

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Binary {
    /// Starts it in `folder`, with these environment variables and no others.
    pub fn start(arguments: &[&str], environment: &[(&str, &str)], folder: &Path) -> Self {
        let environment = environment.iter().map(|(name, value)| (OsStr::new(*name), OsStr::new(*value)));
        Self::start_as(None, arguments, environment, folder)
    }

    /// The same with variables that need not be text, and as another user, which takes root.
    pub fn start_as<'a>(
        user: Option<u32>,
        arguments: &[&str],
        environment: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>,
        folder: &Path,
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_actions-runner-manager"));
        command.args(arguments).env_clear().envs(environment).current_dir(folder);
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let (stdout, out) = Lines::of(child.stdout.take().unwrap());
        let (stderr, err) = Lines::of(child.stderr.take().unwrap());
        let (end, ended) = watch::channel(None);
        let waiting = std::thread::spawn(move || {
            let code = child.wait().unwrap().code().unwrap_or(-1);
            // Everything that it wrote is there when its end is told.
            out.join().unwrap();
            err.join().unwrap();
            end.send_replace(Some(code));
        });
        Self { pid, stdout, stderr, ended, threads: vec![waiting] }
    }

    /// What the system says about it under `/proc`.
    pub fn proc(&self, name: &str) -> std::path::PathBuf {
        Path::new("/proc").join(self.pid.to_string()).join(name)
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.pid);
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
    }

    /// Its number, for what the system says of it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn is_running(&self) -> bool {
        self.ended.borrow().is_none()
    }

    /// Waits for its end.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        let code = within("the end of the process", ended.wait_for(Option::is_some)).await;
        let code = code.map(|code| code.unwrap()).unwrap();
        Ended { code, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        if self.is_running() {
            self.signal("KILL");
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> (Self, JoinHandle<()>) {
        let (sender, lines) = watch::channel(Vec::new());
        let reading = std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let line = line.unwrap();
                sender.send_modify(|lines: &mut Vec<String>| lines.push(line));
            }
        });
        (Self(lines), reading)
    }

    /// Waits for the first line that holds `text`.
    pub async fn with(&self, text: &str) -> String {
        self.nth_with(1, text).await
    }

    /// Waits for the line that is the `nth` to hold `text`, counted from 1.
    pub async fn nth_with(&self, nth: usize, text: &str) -> String {
        let pick =
            |lines: &Vec<String>| lines.iter().filter(|line| line.contains(text)).nth(nth - 1).cloned();
        let mut lines = self.0.clone();
        let found = within(text, lines.wait_for(|lines| pick(lines).is_some())).await.is_ok();
        let lines = self.0.borrow();
        pick(&lines).filter(|_| found).unwrap_or_else(|| panic!("no \"{text}\" in {lines:#?}"))
    }

    /// All lines so far.
    pub fn so_far(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    pub fn text(&self) -> String {
        self.so_far().join("\n")
    }

    /// All lines so far, each of which must be a JSON object.
    pub fn json(&self) -> Vec<Value> {
        json_lines(&self.text())
    }
}

pub fn json_lines(text: &str) -> Vec<Value> {
    let parse = |line: &str| match serde_json::from_str(line) {
        Ok(value @ Value::Object(_)) => value,
        _ => panic!("a line is no JSON object: {line}"),
    };
    text.lines().map(parse).collect()
}

/// Runs it to its end.
pub async fn run(arguments: &[&str], environment: &[(&str, &str)], folder: &Path) -> Ended {
    Binary::start(arguments, environment, folder).ended().await
}

/// Waits for something that is sure to come.
pub async fn within<T>(what: &str, coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, coming).await.unwrap_or_else(|_| panic!("waited in vain for: {what}"))
}

/// Waits for a condition that nobody announces.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let mut ticks = tokio::time::interval(LOOKED_AT_EVERY);
    let holds = async {
        while !condition() {
            ticks.tick().await;
        }
    };
    within(what, holds).await;
}
