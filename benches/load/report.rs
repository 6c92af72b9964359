//! What the benchmark found: tables that read well on a terminal and are markdown, and the list of targets.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::{Outcome, say};

/// Results go between these in a document.
const MARKERS: (&str, &str) = ("<!-- results -->", "<!-- end of results -->");

/// A table that grows by rows.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(ToString::to_string).collect()] }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn text(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            text.push('|');
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Writing to a String can't fail.
                let _ = match column {
                    0 => write!(text, " {cell:width$} |"),
                    _ => write!(text, " {cell:>width$} |"),
                };
            }
            text.push('\n');
            if index == 0 {
                text.push('|');
                for (column, width) in widths.iter().enumerate() {
                    let line = "-".repeat(width + 1);
                    let _ = if column == 0 { write!(text, ":{line}|") } else { write!(text, "{line}:|") };
                }
                text.push('\n');
            }
        }
        text
    }
}

/// Everything that was found so far.
pub(crate) struct Report {
    text: String,
    targets: Table,
    missed: usize,
}

impl Report {
    /// Begins with the machine.
    pub(crate) fn new() -> Outcome<Self> {
        let targets = Table::new(&["target", "wanted", "measured", ""]);
        let mut report = Self { text: String::new(), targets, missed: 0 };
        let memory = std::fs::read_to_string("/proc/meminfo")?;
        let kibibytes =
            memory.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let processors = std::thread::available_parallelism()?;
        let options: Vec<_> = std::env::args().skip(1).filter(|option| option != "--bench").collect();
        report.say(&format!(
            "{}, {processors} processors, {} GiB; `cargo bench --bench load -- {}`",
            chrono::Utc::now().format("%Y-%m-%d"),
            kibibytes >> 20,
            options.join(" ")
        ));
        Ok(report)
    }

    /// Adds a paragraph.
    pub(crate) fn say(&mut self, text: &str) {
        say(&format!("{text}\n"));
        self.text.push_str(text);
        self.text.push_str("\n\n");
    }

    /// Adds a table under a heading.
    pub(crate) fn table(&mut self, heading: &str, table: &Table) {
        self.say(&format!("### {heading}"));
        self.say(table.text().trim_end());
    }

    /// Notes whether something is as it should be.
    pub(crate) fn target(&mut self, what: &str, wanted: &str, measured: &str, holds: bool) {
        let verdict = if holds { "holds" } else { "MISSED" };
        self.missed += usize::from(!holds);
        self.targets.row([what, wanted, measured, verdict].map(str::to_owned).to_vec());
    }

    /// Notes whether a time is short enough.
    pub(crate) fn at_most(&mut self, what: &str, most: Duration, measured: Duration) {
        let text = |time| format!("{} ms", crate::figures::millis(time));
        self.target(what, &format!("≤ {}", text(most)), &text(measured), measured <= most);
    }

    /// Ends with all targets.
    pub(crate) fn targets(&mut self) {
        let targets = std::mem::replace(&mut self.targets, Table::new(&[]));
        self.table("Targets", &targets);
        if self.missed > 0 {
            self.say(&format!("{} missed", self.missed));
        }
    }

    /// Puts everything into a file, between the markers if it has them.
    pub(crate) fn write(&self, file: &Path) -> Outcome<()> {
        let old = std::fs::read_to_string(file).unwrap_or_default();
        let parts = old
            .split_once(MARKERS.0)
            .and_then(|(before, rest)| Some((before, rest.split_once(MARKERS.1)?.1)));
        let text = match parts {
            Some((before, after)) => {
                format!("{before}{}\n\n{}\n{}{after}", MARKERS.0, self.text.trim_end(), MARKERS.1)
            }
            None if old.is_empty() => self.text.clone(),
            None => return Err(format!("{} has no {}", file.display(), MARKERS.0).into()),
        };
        Ok(std::fs::write(file, text)?)
    }
}
