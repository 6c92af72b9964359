//! Periodic work, which no request is behind: it calls `ops` as handlers do.

mod records;
mod sweep;

pub use self::records::RecordWatch;
pub use self::sweep::{Report, Sweep};
