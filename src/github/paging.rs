//! Lists over all their pages. Only page numbers are taken from GitHub's links: its absolute addresses
//! would be followed without the credential, and could lead anywhere.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::de::DeserializeOwned;

use super::call::Call;
use super::reply::Reply;
use super::types::Counted;
use super::{Error, Github};
use crate::metrics::CallKind;

/// The maximum that GitHub gives at once.
pub const PAGE_SIZE: u64 = 100;
/// Pages of one list that are fetched side by side: as many as there are free permits for calls, at least the
/// first of these, so that a busy service shares them out, and at most the second, far below GitHub's bound of
/// 100 concurrent calls.
const PAGES_AT_ONCE: (usize, usize) = (8, 50);
/// A list that claims more pages than this is not followed further: 100,000 entries.
const MAX_PAGES: u64 = 1_000;

/// Something that a list holds, told apart by its id.
pub(super) trait Listed: DeserializeOwned + Send {
    fn id(&self) -> u64;
}

/// One page: its entries, and how many pages there are by what it says itself.
struct Page<T> {
    items: Vec<T>,
    pages: u64,
}

impl Github {
    /// All entries of a list whose pages state a `total_count`.
    pub(super) async fn counted_list<T: Listed>(&self, kind: CallKind, path: &str) -> Result<Vec<T>, Error> {
        self.list(kind, path, |reply, _| Page::counted(reply)).await
    }

    /// All entries of a list that is a plain array, its last page stated in the `Link` header.
    pub(super) async fn linked_list<T: Listed>(&self, kind: CallKind, path: &str) -> Result<Vec<T>, Error> {
        self.list(kind, path, Page::linked).await
    }

    async fn list<T: Listed>(
        &self,
        kind: CallKind,
        path: &str,
        read: impl Fn(&Reply, u64) -> Result<Page<T>, Error> + Copy,
    ) -> Result<Vec<T>, Error> {
        let fetch = async |number: u64| {
            let joint = if path.contains('?') { '&' } else { '?' };
            let page_path = format!("{path}{joint}per_page={PAGE_SIZE}&page={number}");
            read(&self.send(Call::get(kind, page_path)).await?, number)
        };
        let first = fetch(1).await?;
        let stated = first.pages.min(MAX_PAGES);
        let mut pages = vec![first];
        let at_once = self.transport.lanes().free().clamp(PAGES_AT_ONCE.0, PAGES_AT_ONCE.1);
        let rest: Vec<Page<T>> = stream::iter(2..=stated).map(fetch).buffered(at_once).try_collect().await?;
        pages.extend(rest);
        while pages.last().is_some_and(|last| last.goes_on(pages.len() as u64)) {
            pages.push(fetch(pages.len() as u64 + 1).await?);
        }
        Ok(without_duplicates(pages))
    }
}

impl<T: DeserializeOwned> Page<T> {
    /// A page that states how many entries there are in all.
    fn counted(reply: &Reply) -> Result<Self, Error> {
        let page: Counted<T> = reply.parse()?;
        Ok(Self { items: page.items, pages: page.total_count.div_ceil(PAGE_SIZE) })
    }

    /// The page of this number, whose `Link` header leads to the others.
    fn linked(reply: &Reply, number: u64) -> Result<Self, Error> {
        // The last page leads to no other but the ones before it.
        let pages = reply.header("link").and_then(last_page).unwrap_or(number);
        Ok(Self { items: reply.parse()?, pages })
    }
}

impl<T> Page<T> {
    /// Whether there is more behind this page, the last of `fetched`. A count is a hint: the list may have
    /// grown since the first page, and a count below what was fetched is wrong.
    fn goes_on(&self, fetched: u64) -> bool {
        let full = self.items.len() as u64 >= PAGE_SIZE;
        full && self.pages != fetched && fetched < MAX_PAGES
    }
}

/// An entry can move to a later page while the pages are fetched.
fn without_duplicates<T: Listed>(pages: Vec<Page<T>>) -> Vec<T> {
    let mut seen = HashSet::new();
    pages.into_iter().flat_map(|page| page.items).filter(|item| seen.insert(item.id())).collect()
}

/// The page number of the link with `rel="last"` (RFC 8288), or else of the next one: GitHub leaves the last out
/// where counting would take it long.
fn last_page(links: &str) -> Option<u64> {
    page_of(links, "rel=\"last\"").or_else(|| page_of(links, "rel=\"next\""))
}

fn page_of(links: &str, relation: &str) -> Option<u64> {
    // A target may hold commas and semicolons, but no angle bracket.
    let mut links = links.split('<').filter_map(|link| link.split_once('>'));
    let (target, _) =
        links.find(|(_, parameters)| parameters.split([';', ',']).any(|part| part.trim() == relation))?;
    let (_, query) = target.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("page=")).and_then(|number| number.parse().ok())
}

/// Asserts that a list whose every page is this response comes to an end.
#[cfg(any(test, fuzzing))]
pub(super) fn check_pages<T: Listed>(reply: &Reply) {
    for page in [Page::<T>::counted(reply), Page::linked(reply, 1)].into_iter().flatten() {
        let mut fetched = page.pages.clamp(1, MAX_PAGES);
        while page.goes_on(fetched) {
            fetched += 1;
            assert!(fetched <= MAX_PAGES, "it goes on for ever");
        }
        let held = page.items.len();
        assert!(without_duplicates(vec![page]).len() <= held);
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_a_full_page_there_is_more_unless_its_count_is_that_of_the_pages_so_far() {
        for (items, pages, fetched, expected) in [
            (100, 3, 3, false),
            (99, 3, 3, false),
            (99, 4, 3, false),
            (100, 4, 3, true),
            (100, 0, 3, true),
            (100, 2_000, MAX_PAGES, false),
        ] {
            let page = Page { items: vec![(); items], pages };
            assert_eq!(page.goes_on(fetched), expected, "{items} items, {pages} pages, {fetched} fetched");
        }
    }

    #[test]
    fn the_last_page_is_read_from_the_link_header() {
        let link = "<https://h/x?per_page=100&page=2>; rel=\"next\", <https://h/x?page=7&per_page=100>; rel=\"last\"";
        assert_eq!(last_page(link), Some(7));
        for odd in ["", "rel=\"last\"", "<https://h/x>; rel=\"last\"", "<https://h?page=x>; rel=\"last\""] {
            assert_eq!(last_page(odd), None, "{odd}");
        }
    }
}
