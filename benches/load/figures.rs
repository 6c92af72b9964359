//! Latencies, and how figures are written.

use std::time::Duration;

/// How long each of many requests took, shortest first.
#[derive(Default, Clone)]
pub(crate) struct Latencies(Vec<Duration>);

impl From<Vec<Duration>> for Latencies {
    fn from(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }
}

impl Latencies {
    /// The time within which `percent` of the requests were answered.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get((self.0.len() * percent / 100).min(last)).copied().unwrap_or_default()
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
        self.0.sort_unstable();
    }

    pub(crate) fn p50(&self) -> Duration {
        self.percentile(50)
    }

    pub(crate) fn p99(&self) -> Duration {
        self.percentile(99)
    }
}

/// Milliseconds with as many digits as mean something.
pub(crate) fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    if millis < 10.0 { format!("{millis:.2}") } else { format!("{millis:.0}") }
}

/// Events in a second.
pub(crate) fn rate(count: u64, time: Duration) -> f64 {
    // A benchmark's counts are far below where a float gets coarse.
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    f64::from(count) / time.as_secs_f64().max(f64::EPSILON)
}

/// A rate, rounded to what can be repeated.
pub(crate) fn per_second(rate: f64) -> String {
    if rate < 1_000.0 { format!("{rate:.0}") } else { format!("{:.1}k", rate / 1e3) }
}

/// A number with its thousands set apart.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Memory in MiB.
pub(crate) fn mebibytes(kibibytes: u64) -> String {
    format!("{}.{} MiB", kibibytes >> 10, ((kibibytes & 1023) * 10) >> 10)
}
