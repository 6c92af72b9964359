//! How much is measured: sizes of organisations, and how long each measurement takes.

use std::time::Duration;

/// An organisation, and the one group in it that matters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Runner groups of the organisation, Default included.
    pub(crate) groups: u64,
    /// Runners in the team's group.
    pub(crate) runners: u64,
    /// Repositories in the team's group; the team has access to as many.
    pub(crate) repositories: u64,
}

/// What GitHub gives at once.
const PAGE: u64 = 100;

impl Size {
    pub(crate) const fn new(groups: u64, runners: u64) -> Self {
        Self { groups, runners, repositories: 300 }
    }

    pub(crate) fn group_pages(self) -> u64 {
        self.groups.div_ceil(PAGE)
    }

    pub(crate) fn runner_pages(self) -> u64 {
        self.runners.div_ceil(PAGE)
    }

    pub(crate) fn repository_pages(self) -> u64 {
        self.repositories.div_ceil(PAGE)
    }
}

/// The size that the targets in milliseconds are about.
pub(crate) const USUAL: Size = Size::new(1_000, 250);

/// How far a run goes.
pub(crate) struct Extent {
    pub(crate) sizes: Vec<Size>,
    /// How long GitHub takes where it is slow.
    pub(crate) latency: Duration,
    /// How often an operation is measured against a slow GitHub.
    pub(crate) slow_samples: u64,
    /// How long throughput is measured.
    pub(crate) busy: Duration,
    /// How often the better of several runs is looked for.
    pub(crate) runs: usize,
    /// How often the service is started to see how long that takes.
    pub(crate) starts: usize,
    pub(crate) bogus_tokens: u64,
    /// How long a legitimate user is watched before the flood.
    pub(crate) calm: Duration,
    /// How long another team is watched before an attack, and during it. Longer than what is cached for a minute, so that
    /// both have to renew it once.
    pub(crate) fair: Duration,
    /// How long the bad weather lasts.
    pub(crate) weather: Duration,
}

/// Connections of a loaded service.
pub(crate) const CONNECTIONS: usize = 32;

impl Extent {
    pub(crate) fn new(quick: bool, bogus_tokens: Option<u64>) -> Self {
        let seconds = Duration::from_secs;
        let chosen = if quick {
            vec![Size::new(10, 10), USUAL, Size::new(10_000, 5_000)]
        } else {
            let all = [10, 1_000, 10_000].map(|groups| [10, 250, 5_000].map(|of| Size::new(groups, of)));
            all.into_iter().flatten().collect()
        };
        Self {
            sizes: chosen,
            latency: Duration::from_millis(50),
            slow_samples: if quick { 15 } else { 40 },
            busy: if quick { Duration::from_millis(500) } else { seconds(2) },
            runs: if quick { 2 } else { 5 },
            starts: if quick { 5 } else { 20 },
            bogus_tokens: bogus_tokens.unwrap_or(if quick { 100_000 } else { 1_000_000 }),
            calm: if quick { seconds(3) } else { seconds(15) },
            fair: if quick { seconds(12) } else { seconds(65) },
            weather: if quick { seconds(60) } else { seconds(900) },
        }
    }
}
