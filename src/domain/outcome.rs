//! How an operation ended, in the words of audit lines.

use super::words::words;

words! {
    /// How an operation ended.
    pub enum Outcome {
        /// All of it was done.
        Success = "success",
        /// Some of it was done.
        Partial = "partial",
        /// Nothing was done, since the caller may not, or what they asked for can't be.
        Refused = "refused",
        /// It went wrong; how much was done is not always known.
        Failed = "failed",
    }
}
