//! Requests of each caller, counted over all processes by the generic cell rate algorithm.

use std::time::Duration;

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

/// One statement, so that those who count at once wait for each other's row and nothing is counted twice.
const TAKE: &str = "\
    INSERT INTO arm_limits AS kept (caller, clean_at, passed) \
    VALUES ($1, statement_timestamp() + make_interval(secs => $2), TRUE) \
    ON CONFLICT (caller) DO UPDATE SET \
        passed = kept.clean_at <= statement_timestamp() + make_interval(secs => $3), \
        clean_at = CASE WHEN kept.clean_at <= statement_timestamp() + make_interval(secs => $3) \
            THEN GREATEST(kept.clean_at, statement_timestamp()) + make_interval(secs => $2) ELSE kept.clean_at END \
    RETURNING passed, EXTRACT(EPOCH FROM clean_at - statement_timestamp())::DOUBLE PRECISION";

impl Store {
    /// Counts one request of a caller who may send one in each `interval`, and `burst` of them at once.
    ///
    /// # Errors
    /// The store doesn't respond within 50 ms, or was slow a moment ago.
    pub async fn take(&self, caller: &str, interval: Duration, burst: u32) -> Result<Taken, StoreError> {
        let ahead = interval.as_secs_f64() * f64::from(burst.saturating_sub(1));
        let interval = interval.as_secs_f64();
        let take = Box::pin(async {
            let mut transaction = self.database.quick().await?;
            let row = query!(&mut transaction, fetch_optional(bool, f64), TAKE, caller, interval, ahead)?;
            transaction.commit().await?;
            row.ok_or_else(|| StoreError::Unexpected("a request was not counted".to_owned()))
        });
        let (passed, clean_in) = self.quick.run(take).await?;
        Ok(Taken { passed, clean_in: seconds(clean_in) })
    }
}
