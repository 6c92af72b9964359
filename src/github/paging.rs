//! Lists over all their pages. Only page numbers are taken from GitHub's links: its absolute addresses
//! would be followed without the credential, and could lead anywhere.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::de::DeserializeOwned;

use super::transport::{Call, Reply};
use super::types::Counted;
use super::{Error, Github};

/// The most that GitHub gives at once.
const PAGE_SIZE: u64 = 100;
/// Pages of one list that are fetched side by side.
const PAGES_AT_ONCE: usize = 8;
/// A list that claims more pages than this is not followed further: 100,000 entries.
const MOST_PAGES: u64 = 1_000;

/// Something that a list holds, told apart by its id.
pub(super) trait Listed: DeserializeOwned + Send {
    fn id(&self) -> u64;
}

/// One page: its entries, and how many pages there seem to be.
struct Page<T> {
    items: Vec<T>,
    pages: u64,
}

impl Github {
    /// All entries of a list whose pages state a `total_count`.
    pub(super) async fn counted_list<T: Listed>(&self, path: &str) -> Result<Vec<T>, Error> {
        self.list(path, |reply| {
            let page: Counted<T> = reply.parse()?;
            Ok(Page { items: page.items, pages: page.total_count.div_ceil(PAGE_SIZE) })
        })
        .await
    }

    /// All entries of a list that is a plain array, its last page stated in the `Link` header.
    pub(super) async fn linked_list<T: Listed>(&self, path: &str) -> Result<Vec<T>, Error> {
        self.list(path, |reply| {
            let pages = reply.header("link").and_then(last_page).unwrap_or(1);
            Ok(Page { items: reply.parse()?, pages })
        })
        .await
    }

    async fn list<T: Listed>(
        &self,
        path: &str,
        read: impl Fn(&Reply) -> Result<Page<T>, Error> + Copy,
    ) -> Result<Vec<T>, Error> {
        let fetch = async |number: u64| {
            let page_path = format!("{path}?per_page={PAGE_SIZE}&page={number}");
            read(&self.send(Call::get(page_path)).await?)
        };
        let first = fetch(1).await?;
        let stated = first.pages.min(MOST_PAGES);
        let mut pages = vec![first.items];
        let rest: Vec<Page<T>> =
            stream::iter(2..=stated).map(fetch).buffered(PAGES_AT_ONCE).try_collect().await?;
        pages.extend(rest.into_iter().map(|page| page.items));
        // The count is a hint: a list that grew meanwhile goes on behind a full last page.
        while pages.last().is_some_and(|page| page.len() as u64 >= PAGE_SIZE)
            && (pages.len() as u64) < MOST_PAGES
        {
            pages.push(fetch(pages.len() as u64 + 1).await?.items);
        }
        Ok(without_duplicates(pages))
    }
}

/// An entry can move to a later page while the pages are fetched.
fn without_duplicates<T: Listed>(pages: Vec<Vec<T>>) -> Vec<T> {
    let mut seen = HashSet::new();
    pages.into_iter().flatten().filter(|item| seen.insert(item.id())).collect()
}

/// The page number of the link with `rel="last"` (RFC 8288).
fn last_page(link: &str) -> Option<u64> {
    let target = link.split(',').find(|part| part.contains("rel=\"last\""))?.split('>').next()?;
    let query = target.split_once('?')?.1;
    query.split('&').find_map(|pair| pair.strip_prefix("page=")).and_then(|number| number.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_is_read_from_the_link_header() {
        let link = "<https://h/x?per_page=100&page=2>; rel=\"next\", <https://h/x?page=7&per_page=100>; rel=\"last\"";
        assert_eq!(last_page(link), Some(7));
        for odd in ["", "rel=\"last\"", "<https://h/x>; rel=\"last\"", "<https://h?page=x>; rel=\"last\""] {
            assert_eq!(last_page(odd), None, "{odd}");
        }
    }
}
