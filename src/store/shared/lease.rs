//! What only one process should do: whoever has the lease does it.

use std::time::Duration;

use crate::store::Store;
use crate::store::error::StoreError;

const TAKE: &str = "\
    INSERT INTO arm_leases AS kept (name, holder, until) \
    VALUES ($1, $2, statement_timestamp() + make_interval(secs => $3)) \
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until \
    WHERE kept.holder = excluded.holder OR kept.until < statement_timestamp()";
const GIVE_UP: &str = "DELETE FROM arm_leases WHERE name = $1 AND holder = $2";

impl Store {
    /// Takes a lease that nobody has, or renews one's own. Whether it is held now.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn take_lease(&self, name: &str, holder: &str, time: Duration) -> Result<bool, StoreError> {
        let mut transaction = self.database.write().await?;
        let changed = execute!(&mut transaction, TAKE, name, holder, time.as_secs_f64())?;
        transaction.commit().await?;
        Ok(changed > 0)
    }

    /// Lets others have a lease at once.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn give_up_lease(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        let mut transaction = self.database.write().await?;
        execute!(&mut transaction, GIVE_UP, name, holder)?;
        transaction.commit().await
    }
}
