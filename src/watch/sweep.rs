//! Periodic work: removes runners that have been offline for long. What was seen is kept in memory alone, so a
//! restart, or another process that sweeps from now on, only delays; and each runner is looked at again before it is removed.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::work;
use crate::access::ManagedGroup;
use crate::clock::Clock;
use crate::config::OfflineSweep;
use crate::domain::ids::RunnerId;
use crate::github::Runner;
use crate::metrics;
use crate::ops::offline;
use crate::ops::runners::Touched;
use crate::state::Shared;

/// Runners that one run removes at most, so that a mistake stays small.
const MAX_REMOVED: usize = 100;
/// A runner that nobody looked at for so many intervals may have been online meanwhile.
const LONGEST_GAP: u32 = 3;
/// A run begins up to this part of the interval early or late, so that services don't sweep in step.
const JITTER: f64 = 0.1;

/// The sweep of offline runners, with what it saw so far.
pub struct Sweep {
    state: Shared,
    settings: OfflineSweep,
    clock: Clock,
    /// Runners that were offline whenever they were looked at.
    offline: HashMap<RunnerId, Offline>,
}

/// When a runner was seen offline, on the clock.
#[derive(Clone, Copy)]
struct Offline {
    first: Duration,
    last: Duration,
}

/// What one run did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Runners that were removed, or with `dryRun` would have been.
    pub removed: usize,
    /// Runners that are offline, but not for long enough, or that are left for the next run.
    pub waiting: usize,
}

impl Sweep {
    /// Has seen nothing yet.
    pub fn new(state: Shared, settings: OfflineSweep, clock: Clock) -> Self {
        Self { state, settings, clock, offline: HashMap::new() }
    }

    /// Sweeps again and again; ends only with the task that it runs in.
    pub async fn run(mut self) {
        loop {
            tokio::time::sleep(with_jitter(self.settings.every)).await;
            // Of several processes one sweeps.
            if !self.state.organisation.replicas.hold_lease() {
                continue;
            }
            let report = self.once().await;
            metrics::sweep(if self.settings.dry_run { 0 } else { report.removed });
            tracing::info!(
                removed = report.removed,
                waiting = report.waiting,
                dry_run = self.settings.dry_run,
                "swept offline runners"
            );
        }
    }

    /// One run. What can't be read or removed is left for the next.
    pub async fn once(&mut self) -> Report {
        let groups = match offline::runners(&work(&self.state, "sweep"), &self.settings.groups).await {
            Ok(groups) => groups,
            Err(error) => {
                metrics::sweep_failed();
                tracing::warn!(%error, "the groups can't be read; the next sweep tries again");
                return Report::default();
            }
        };
        let due = self.see(groups);
        let mut report = Report::default();
        for (group, runners) in due {
            if !self.state.organisation.replicas.hold_lease() {
                tracing::warn!("another process sweeps from now on");
                break;
            }
            let left = MAX_REMOVED.saturating_sub(report.removed);
            let now: Vec<_> = runners.into_iter().take(left).collect();
            report.removed += self.remove(&group, now).await;
        }
        report.waiting = self.offline.len();
        report
    }

    /// Takes note of who is offline; gives the runners that have been for long enough.
    fn see(&mut self, groups: Vec<offline::Read>) -> Vec<(ManagedGroup, Vec<Runner>)> {
        let now = self.clock.now();
        let longest_gap = self.settings.every.saturating_mul(LONGEST_GAP);
        let everything_was_read = groups.iter().all(|(_, runners)| runners.is_some());
        let mut still_there = HashSet::new();
        let mut due = Vec::new();
        for (group, runners) in groups {
            let mut due_here = Vec::new();
            for runner in runners.into_iter().flatten() {
                if runner.is_online() {
                    self.offline.remove(&runner.id);
                    continue;
                }
                still_there.insert(runner.id);
                let seen = self.offline.entry(runner.id).or_insert(Offline { first: now, last: now });
                if now.saturating_sub(seen.last) > longest_gap {
                    seen.first = now;
                }
                seen.last = now;
                if now.saturating_sub(seen.first) >= self.settings.offline_for && !runner.busy {
                    due_here.push(runner);
                }
            }
            due.push((group, due_here));
        }
        // Runners that are gone are forgotten, but not those of a group that couldn't be read this time.
        if everything_was_read {
            self.offline.retain(|id, _| still_there.contains(id));
        }
        due.retain(|(_, runners)| !runners.is_empty());
        due
    }

    async fn remove(&mut self, group: &ManagedGroup, runners: Vec<Runner>) -> usize {
        let names: Vec<_> = runners.iter().map(|runner| runner.name.as_str()).collect();
        if self.settings.dry_run {
            tracing::info!(group = group.name(), runners = names.join(","), "would remove offline runners");
            return names.len();
        }
        match offline::remove(&work(&self.state, "sweep"), group, runners).await {
            Ok((outcome, returned)) => {
                for id in returned.into_iter().chain(outcome.done.iter().map(Touched::id)) {
                    self.offline.remove(&id);
                }
                outcome.done.len()
            }
            Err(error) => {
                tracing::warn!(%error, group = group.name(), "offline runners can't be removed");
                0
            }
        }
    }
}

fn with_jitter(every: Duration) -> Duration {
    every.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_begin_up_to_a_tenth_early_or_late() {
        for _ in 0..100 {
            let wait = with_jitter(Duration::from_mins(10)).as_secs_f64();
            assert!((540.0..=660.0).contains(&wait), "{wait}");
        }
    }
}
