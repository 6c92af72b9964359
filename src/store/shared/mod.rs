//! What processes that share a PostgreSQL database tell each other. Each statement is good through a pooler of transactions,
//! and times are the database's alone. A file has one process, which needs none of this.

mod group_writes;
mod lease;
mod limits;
mod pulse;
mod quick;
mod tidy;
mod turns;

use std::time::Duration;

pub use self::group_writes::GroupWrites;
pub use self::limits::Taken;
pub use self::pulse::{Pulse, ToldHold};
pub(super) use self::quick::Quick;
pub(super) use self::tidy::tidy;

/// Seconds of the database as a duration; what has passed is none.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
