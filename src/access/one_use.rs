//! Tokens that make one change. Such a token is good for minutes and easily logged by a step of a job; a new one costs nothing.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{AccessError, Records, Workload};
use crate::account::Spend;
use crate::clock::Clock;
use crate::domain::hash::sha256;

/// A token is accepted for so long after its end.
const LEEWAY: u64 = 30;
/// How long a request waits for the store; then this process alone knows of the change.
const STORE_LIMIT: Duration = Duration::from_secs(1);
/// After so many changes, tokens are forgotten that are over.
const TIDIED_AFTER: usize = 1_000;

/// Tokens that made their change.
pub struct UsedTokens {
    /// Here, until when they would be accepted: seconds since 1970.
    here: Mutex<Used>,
    /// Where all processes note them.
    records: Option<Arc<Records>>,
    clock: Clock,
}

#[derive(Default)]
struct Used {
    until: HashMap<[u8; 32], u64>,
    since_tidied: usize,
}

/// A token that makes one change.
struct OneUse {
    used: Arc<UsedTokens>,
    hash: [u8; 32],
    until: u64,
}

impl UsedTokens {
    /// None yet.
    pub fn new(records: Option<Arc<Records>>, clock: Clock) -> Self {
        Self { here: Mutex::default(), records, clock }
    }

    /// What the account of a request asks before a change, if its token makes one only.
    ///
    /// # Errors
    /// The token has no id, so it makes no change.
    pub fn spending(self: &Arc<Self>, workload: &Workload) -> Result<Option<Box<dyn Spend>>, AccessError> {
        if !workload.issuer().single_use {
            return Ok(None);
        }
        let jti = workload.jti().ok_or(AccessError::TokenWithoutId)?;
        let hash = sha256(format!("{}\n{jti}", workload.issuer().url).as_bytes());
        let until = workload.expires_at().saturating_add(LEEWAY);
        Ok(Some(Box::new(OneUse { used: self.clone(), hash, until })))
    }

    /// Notes a change here. False if there was one.
    fn note(&self, hash: [u8; 32], until: u64) -> bool {
        let mut used = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        used.since_tidied += 1;
        if used.since_tidied >= TIDIED_AFTER {
            let now = self.clock.unix_seconds();
            used.since_tidied = 0;
            used.until.retain(|_, until| *until >= now);
        }
        used.until.insert(hash, until).is_none()
    }

    async fn spend(&self, hash: [u8; 32], until: u64) -> bool {
        if !self.note(hash, until) {
            return false;
        }
        let Some(records) = self.records.as_ref().filter(|records| records.is_usable()) else { return true };
        let noted = tokio::time::timeout(STORE_LIMIT, records.store().use_token(hash, until)).await;
        match noted {
            Ok(Ok(is_first)) => is_first,
            Ok(Err(error)) => {
                tracing::debug!(%error, "this process alone knows that a token made its change");
                true
            }
            Err(_) => true,
        }
    }
}

impl Spend for OneUse {
    fn spend(&self) -> BoxFuture<'_, bool> {
        self.used.spend(self.hash, self.until).boxed()
    }
}

impl fmt::Debug for OneUse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OneUse")
    }
}
