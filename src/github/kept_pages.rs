//! Pages of lists that were read, with the tags by which GitHub says that they didn't change. Asking with a tag costs none of the
//! hour's calls if it still fits.

use std::any::Any;
use std::sync::Arc;

use moka::sync::Cache;

/// All pages together take about so many bytes at most.
const MAX_BYTES: u64 = 32 << 20;
/// A tag of GitHub's has about 70 characters.
const MAX_TAG: usize = 200;

/// Pages by their paths.
pub(super) struct KeptPages(Cache<String, Arc<Kept>>);

/// A page as it was read, whatever it holds.
pub(super) struct Kept {
    /// The token that it was read with: tags are good for one token alone.
    token: u64,
    tag: String,
    page: Arc<dyn Any + Send + Sync>,
    bytes: usize,
}

impl KeptPages {
    pub(super) fn new() -> Self {
        let weight = |path: &String, kept: &Arc<Kept>| {
            u32::try_from(path.len() + kept.tag.len() + kept.bytes).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(MAX_BYTES).weigher(weight).build())
    }

    /// The page that was read with this token.
    pub(super) fn get(&self, path: &str, token: u64) -> Option<Arc<Kept>> {
        self.0.get(path).filter(|kept| kept.token == token)
    }

    /// Keeps a page of about so many bytes.
    pub(super) fn keep<P: Send + Sync + 'static>(
        &self,
        path: String,
        token: u64,
        tag: &str,
        page: Arc<P>,
        bytes: usize,
    ) {
        if tag.len() <= MAX_TAG {
            self.0.insert(path, Arc::new(Kept { token, tag: tag.to_owned(), page, bytes }));
        }
    }
}

impl Kept {
    /// What GitHub is asked with.
    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    /// The page, if it is one of this type.
    pub(super) fn page<P: Send + Sync + 'static>(&self) -> Option<Arc<P>> {
        self.page.clone().downcast().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_good_for_the_token_that_it_was_read_with_and_what_is_kept_is_bounded() {
        let pages = KeptPages::new();
        pages.keep("/a".to_owned(), 1, "W/\"x\"", Arc::new(vec![7_u8]), 100);
        let kept = pages.get("/a", 1).unwrap();
        assert_eq!((kept.tag(), kept.page::<Vec<u8>>().as_deref()), ("W/\"x\"", Some(&vec![7])));
        assert!(kept.page::<String>().is_none() && pages.get("/a", 2).is_none());
        pages.keep("/long".to_owned(), 1, &"x".repeat(MAX_TAG + 1), Arc::new(()), 0);
        assert!(pages.get("/long", 1).is_none());
        for number in 0..100 {
            pages.keep(format!("/{number}"), 1, "", Arc::new(()), 1 << 20);
        }
        pages.0.run_pending_tasks();
        assert!(pages.0.weighted_size() <= MAX_BYTES, "{} bytes", pages.0.weighted_size());
    }
}
