//! Removes what processes said that are gone, or that is over.

use crate::store::database::Transaction;
use crate::store::error::StoreError;

/// Everything is of no use any more long before.
const OVER: [&str; 5] = [
    "DELETE FROM arm_limits WHERE clean_at < statement_timestamp() - INTERVAL '1 hour'",
    "DELETE FROM arm_holds WHERE until < statement_timestamp() - INTERVAL '1 hour'",
    "DELETE FROM arm_replicas WHERE seen < statement_timestamp() - INTERVAL '1 hour'",
    "DELETE FROM arm_turns WHERE until < statement_timestamp() - INTERVAL '1 hour'",
    // A read that began before it was written lasts for seconds.
    "DELETE FROM arm_group_writes WHERE latest < statement_timestamp() - INTERVAL '1 day'",
];

/// Removes it.
pub(in crate::store) async fn tidy(transaction: &mut Transaction) -> Result<(), StoreError> {
    for statement in OVER {
        execute!(transaction, statement)?;
    }
    Ok(())
}
