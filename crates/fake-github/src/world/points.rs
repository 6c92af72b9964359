//! The documented secondary limit: points a minute for each endpoint and installation.

use std::collections::{HashMap, VecDeque};

use super::{InstallationId, World};
use chrono::{DateTime, TimeDelta, Utc};

/// GitHub's points a minute for one endpoint.
const DOCUMENTED_POINTS: u64 = 900;
/// The largest hourly limit that GitHub gives an installation; a world with more is a benchmark's.
const MAX_HOURLY_LIMIT: u64 = 15_000;
/// What a GET costs; HEAD and OPTIONS cost the same.
const READ_POINTS: u64 = 1;
/// What any other method costs.
const WRITE_POINTS: u64 = 5;

/// Which limit applies.
enum Limit {
    /// GitHub's, where GitHub has one.
    Documented,
    /// This one, or none.
    Fixed(Option<u64>),
}

/// When requests were made and what each cost.
type Recent = VecDeque<(DateTime<Utc>, u64)>;

/// The requests of the last minute, by who made them and to which path template; all methods count together.
pub(super) struct Points {
    limit: Limit,
    recent: HashMap<(InstallationId, &'static str), Recent>,
}

impl Points {
    pub(super) fn new() -> Self {
        Self { limit: Limit::Documented, recent: HashMap::new() }
    }

    /// Counts a request, unless it goes beyond the limit.
    fn take(
        &mut self,
        endpoint: (InstallationId, &'static str),
        cost: u64,
        limit: u64,
        now: DateTime<Utc>,
    ) -> bool {
        let recent = self.recent.entry(endpoint).or_default();
        let expired = now - TimeDelta::minutes(1);
        while recent.front().is_some_and(|(at, _)| *at <= expired) {
            recent.pop_front();
        }
        let spent: u64 = recent.iter().map(|(_, points)| points).sum();
        let allowed = spent + cost <= limit;
        if allowed {
            recent.push_back((now, cost));
        }
        allowed
    }
}

impl World {
    /// Changes the points that an installation has for each endpoint in any 60 seconds (a GET costs 1, anything else 5);
    /// `None` for no limit. Without this call it is GitHub's documented 900, unless this is an Enterprise Server or the
    /// hourly limit is more than GitHub's largest, 15,000.
    pub fn set_endpoint_points(&mut self, points: Option<u64>) {
        self.points.limit = Limit::Fixed(points);
    }

    fn endpoint_points(&self) -> Option<u64> {
        match self.points.limit {
            Limit::Fixed(points) => points,
            Limit::Documented => {
                let limited =
                    self.rules.enterprise_version.is_none() && self.budgets.default_limit <= MAX_HOURLY_LIMIT;
                limited.then_some(DOCUMENTED_POINTS)
            }
        }
    }

    /// Counts a request to an endpoint; false when it goes beyond the secondary limit.
    pub(crate) fn take_points(
        &mut self,
        installation: InstallationId,
        template: &'static str,
        method: &str,
    ) -> bool {
        let Some(limit) = self.endpoint_points() else { return true };
        let read = matches!(method, "GET" | "HEAD" | "OPTIONS");
        let now = self.now();
        self.points.take((installation, template), if read { READ_POINTS } else { WRITE_POINTS }, limit, now)
    }
}
