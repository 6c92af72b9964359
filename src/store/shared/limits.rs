//! Requests of each caller, counted over all processes by the generic cell rate algorithm.

use std::time::Duration;

use super::quick::{Statement, Value};
use super::seconds;
use crate::store::Store;
use crate::store::error::StoreError;

/// Whether a request is within its caller's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Whether it is.
    pub passed: bool,
    /// How long until the caller has made up for all requests that were let through.
    pub clean_in: Duration,
}

/// Further ahead nobody's requests reach, whatever the limit: the database's times end somewhere.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// One statement, so that those who count at once wait for each other's row and nothing is counted twice.
const TAKE: &str = "\
    INSERT INTO arm_limits AS kept (caller, clean_at, passed) \
    VALUES ({caller}, statement_timestamp() + make_interval(secs => {interval}), TRUE) \
    ON CONFLICT (caller) DO UPDATE SET \
        passed = kept.clean_at <= statement_timestamp() + make_interval(secs => {ahead}), \
        clean_at = CASE WHEN kept.clean_at <= statement_timestamp() + make_interval(secs => {ahead}) \
            THEN GREATEST(kept.clean_at, statement_timestamp()) + make_interval(secs => {interval}) ELSE kept.clean_at END \
    RETURNING passed, EXTRACT(EPOCH FROM clean_at - statement_timestamp())::DOUBLE PRECISION";

impl Store {
    /// Counts one request of a caller, of this kind and with this id, who may send one in each `interval`, and `burst` of them
    /// at once.
    ///
    /// # Errors
    /// The store doesn't respond within 50 ms, or was slow a moment ago.
    pub async fn take(
        &self,
        kind: &'static str,
        id: u64,
        interval: Duration,
        burst: u32,
    ) -> Result<Taken, StoreError> {
        let ahead = interval.saturating_mul(burst.saturating_sub(1)).min(LONGEST);
        let values = [
            ("caller", Value::Numbered(kind, id)),
            ("interval", Value::Seconds(interval)),
            ("ahead", Value::Seconds(ahead)),
        ];
        let (passed, clean_in) = self.quick.row(&self.database, Statement::of(TAKE, &values)).await?;
        Ok(Taken { passed, clean_in: seconds(clean_in) })
    }
}
