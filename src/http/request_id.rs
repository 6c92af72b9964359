//! The ids of requests: UUIDs of version 7, which sort by the time when they were made.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::{Builder, Uuid};

/// Random bytes of this process: they keep its ids apart from those of others. Drawn once, since asking the
/// system for each request takes longer than all else about an id.
static PROCESS: LazyLock<[u8; 6]> = LazyLock::new(|| {
    let [.., a, b, c, d, e, f] = Uuid::new_v4().into_bytes();
    [a, b, c, d, e, f]
});
/// Keeps the ids of one millisecond apart.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A new id, in hexadecimal without hyphens.
pub(super) fn new() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    let mut bytes = [0; 10];
    let (process, count) = bytes.split_at_mut(PROCESS.len());
    process.copy_from_slice(&*PROCESS);
    count.copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let id = Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid();
    id.simple().encode_lower(&mut Uuid::encode_buffer()).to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_different_sorted_by_time_and_of_version_7() {
        let ids: Vec<_> = (0..10_000).map(|_| new()).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert!(ids.is_sorted());
        for id in &ids {
            assert_eq!(id.parse::<Uuid>().unwrap().get_version_num(), 7);
            assert_eq!(id.len(), 32);
        }
    }
}
