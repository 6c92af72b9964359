//! The benchmark's end of the fake GitHub's process.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::Outcome;
use crate::fake::{Calls, Settings};
use crate::sizes::Size;

/// The fake GitHub in a process of its own.
pub(crate) struct Github {
    pub(crate) settings: Settings,
    process: Process,
}

impl Github {
    pub(crate) fn start(size: Size) -> Outcome<Self> {
        Self::start_with(size, &[])
    }

    /// With more that the fake has to be told, by option.
    pub(crate) fn start_with(size: Size, more: &[(&str, u64)]) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("fake");
        let usual =
            [("--groups", size.groups), ("--runners", size.runners), ("--repositories", size.repositories)];
        for (name, value) in usual.iter().chain(more) {
            command.arg(name).arg(value.to_string());
        }
        let mut process = Process::start(command)?;
        let settings = serde_json::from_str(&process.line()?)?;
        Ok(Self { settings, process })
    }

    /// Forgets the calls so far.
    pub(crate) fn clear(&mut self) -> Outcome<()> {
        self.process.order("clear").map(drop)
    }

    /// Makes every answer take at least this long.
    pub(crate) fn set_latency(&mut self, latency: Duration) -> Outcome<()> {
        self.process.order(&format!("latency {}", latency.as_millis())).map(drop)
    }

    /// Makes `GET /user` take so much longer, whoever asks.
    pub(crate) fn slow_down_user(&mut self, by: Duration) -> Outcome<()> {
        self.process.order(&format!("slow-user {}", by.as_millis())).map(drop)
    }

    /// Makes a GET of this path fail with 502, from now on.
    pub(crate) fn break_path(&mut self, path: &str) -> Outcome<()> {
        self.process.order(&format!("broken {path}")).map(drop)
    }

    /// Makes one answer in so many fail; 0 for none.
    pub(crate) fn set_weather(&mut self, one_in: u32) -> Outcome<()> {
        self.process.order(&format!("weather {one_in}")).map(drop)
    }

    /// So many tokens of jobs that were pushed to the main branch of the team's first repository.
    pub(crate) fn tokens(&mut self, count: usize) -> Outcome<Vec<String>> {
        Ok(serde_json::from_str(&self.process.order(&format!("tokens {count}"))?)?)
    }

    /// The calls since `clear`.
    pub(crate) fn calls(&mut self) -> Outcome<Calls> {
        Ok(serde_json::from_str(&self.process.order("calls")?)?)
    }
}

/// A process of ours that answers each line with a line, and ends when its input does.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Outcome<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("the process has no output")?;
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// The next line that it says.
    pub(crate) fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("a process of the benchmark ended early".into());
        }
        Ok(line.trim_end().to_owned())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn order(&mut self, order: &str) -> Outcome<String> {
        let input = self.input.as_mut().ok_or("the process takes no orders any more")?;
        writeln!(input, "{order}")?;
        self.line()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}
