//! Tokens that make one change, and made it.

use super::Store;
use super::error::StoreError;
use super::records::to_signed;
use crate::domain::hash::hexadecimal;

impl Store {
    /// Notes that a token, known by this hash, makes its one change; it expires at this time (in seconds since 1970). False if it
    /// made it before, in whatever process.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn use_token(&self, hash: [u8; 32], expires_at: u64) -> Result<bool, StoreError> {
        let token = hexadecimal(&hash);
        let mut transaction = self.database.write_few(1).await?;
        let insert =
            "INSERT INTO arm_used_tokens (token, expires_at) VALUES ($1, $2) ON CONFLICT (token) DO NOTHING";
        let is_first = execute!(&mut transaction, insert, token, to_signed(expires_at)?)? > 0;
        transaction.commit().await?;
        Ok(is_first)
    }
}
