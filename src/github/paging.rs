//! Lists over all their pages. Only page numbers are taken from GitHub's links: its absolute addresses
//! would be followed without the credential, and could lead anywhere.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::de::DeserializeOwned;

use super::call::Call;
use super::reply::Reply;
use super::types::Counted;
use super::{Error, Github};

/// The maximum that GitHub gives at once.
pub const PAGE_SIZE: u64 = 100;
/// Pages of one list that are fetched side by side: as many as there are free permits for calls, at least the
/// first of these, so that a busy service shares them out, and at most the second, far below GitHub's bound of
/// 100 concurrent calls.
const PAGES_AT_ONCE: (usize, usize) = (8, 50);
/// A list of more pages than this, 100,000 entries, is none that the service can work with.
const MAX_PAGES: u64 = 1_000;

/// Something that a list holds, told apart by its id.
pub(super) trait Listed: DeserializeOwned + Clone + Send + Sync + 'static {
    fn id(&self) -> u64;

    /// About how much memory it takes.
    fn bytes(&self) -> usize;
}

/// What a list is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// A write depends on it: it is read anew.
    Write,
    /// It is shown, or each entry is looked at again: pages that didn't change aren't read again.
    Show,
}

/// One page: its entries, and what it says itself about the list.
struct Page<T> {
    items: Vec<Arc<T>>,
    /// How many entries it has, those included that hold nothing.
    length: usize,
    /// The last page, or the next, by its links.
    linked: Option<u64>,
    /// Whether it has links, and none leads on.
    is_linked_last: bool,
    /// How many entries the list has in all.
    count: Option<u64>,
}

/// What has been read of a list. What pages say of the list is a hint that can be missing or wrong: unless a full page is the
/// last one by what it says, a next one is asked for; and an empty one ends the list.
struct Pages<T> {
    read: Vec<Arc<Page<T>>>,
}

impl Github {
    /// All entries of a list whose pages state a `total_count`.
    pub(super) async fn counted_list<T: Listed>(&self, call: &Call) -> Result<Vec<T>, Error> {
        Ok(owned(self.list(call, Use::Write, Page::counted).await?))
    }

    /// The same, unless entries are missing by what GitHub counts, also when it is asked twice.
    pub(super) async fn whole_list<T: Listed>(&self, call: &Call) -> Result<Option<Vec<T>>, Error> {
        let pages = self.settled_pages(call, Use::Write, Page::counted).await?;
        Ok((!pages.lacks_entries()).then(|| owned(without_duplicates(&pages.read))))
    }

    /// The same to be shown.
    pub(super) async fn shown_list<T: Listed>(&self, call: &Call) -> Result<Vec<Arc<T>>, Error> {
        self.list(call, Use::Show, Page::counted).await
    }

    /// All entries of a list that is a plain array, its last page stated in the `Link` header.
    pub(super) async fn linked_list<T: Listed>(&self, call: &Call) -> Result<Vec<T>, Error> {
        Ok(owned(self.list(call, Use::Write, Page::linked).await?))
    }

    async fn list<T: Listed>(
        &self,
        call: &Call,
        used_for: Use,
        read: impl Fn(&Reply) -> Result<Page<T>, Error> + Copy,
    ) -> Result<Vec<Arc<T>>, Error> {
        Ok(without_duplicates(&self.settled_pages(call, used_for, read).await?.read))
    }

    /// All pages; read once more if entries moved between them meanwhile.
    async fn settled_pages<T: Listed>(
        &self,
        call: &Call,
        used_for: Use,
        read: impl Fn(&Reply) -> Result<Page<T>, Error> + Copy,
    ) -> Result<Pages<T>, Error> {
        let first = self.pages(call, used_for, read).await?;
        if first.may_have_moved() { self.pages(call, used_for, read).await } else { Ok(first) }
    }

    async fn pages<T: Listed>(
        &self,
        call: &Call,
        used_for: Use,
        read: impl Fn(&Reply) -> Result<Page<T>, Error> + Copy,
    ) -> Result<Pages<T>, Error> {
        let fetch = async |number: u64| {
            let joint = if call.path.contains('?') { '&' } else { '?' };
            let path = format!("{}{joint}per_page={PAGE_SIZE}&page={number}", call.path);
            let call = call.clone().with_path(path);
            match used_for {
                Use::Write => read(&self.send(call).await?).map(Arc::new),
                Use::Show => self.page_if_changed(call, read).await,
            }
        };
        let mut pages = Pages { read: vec![fetch(1).await?] };
        loop {
            let at_once = self.transport.lanes().free().clamp(PAGES_AT_ONCE.0, PAGES_AT_ONCE.1);
            let wanted = pages.next(at_once as u64);
            if wanted.is_empty() {
                return Ok(pages);
            }
            let batch: Vec<_> = stream::iter(wanted).map(fetch).buffered(at_once).try_collect().await?;
            pages.read.extend(batch);
            if pages.are_too_many() {
                return Err(Error::unexpected(format!("{call}: the list goes on behind {MAX_PAGES} pages")));
            }
        }
    }
}

impl Github {
    /// The page as it was read before, if GitHub says that it didn't change; that costs none of the hour's calls.
    async fn page_if_changed<T: Listed>(
        &self,
        call: Call,
        read: impl Fn(&Reply) -> Result<Page<T>, Error>,
    ) -> Result<Arc<Page<T>>, Error> {
        let token = self.credential.token_number();
        let path = call.path.clone();
        let kept = self.kept_pages.get(&path, token).and_then(|kept| Some((kept.page::<Page<T>>()?, kept)));
        let call = match &kept {
            Some((_, kept)) => call.if_changed_since(kept.tag(), token),
            None => call,
        };
        let reply = self.send(call).await?;
        match kept {
            Some((page, _)) if reply.is_unchanged() => Ok(page),
            _ => self.keep_page(&reply, path, token, read),
        }
    }

    fn keep_page<T: Listed>(
        &self,
        reply: &Reply,
        path: String,
        token: u64,
        read: impl Fn(&Reply) -> Result<Page<T>, Error>,
    ) -> Result<Arc<Page<T>>, Error> {
        let page = Arc::new(read(reply)?);
        // The token may have been renewed on the way, so that nobody knows whose tag it is.
        if let Some(tag) = reply.header("etag").filter(|_| self.credential.token_number() == token) {
            let bytes = page.items.iter().map(|item| item.bytes()).sum();
            self.kept_pages.keep(path, token, tag, page.clone(), bytes);
        }
        Ok(page)
    }
}

impl<T: DeserializeOwned> Page<T> {
    /// A page that states how many entries there are in all.
    fn counted(reply: &Reply) -> Result<Self, Error> {
        let page: Counted<T> = reply.parse()?;
        let Some(items) = page.items.or_else(|| page.total_count.is_none_or(|all| all == 0).then(Vec::new))
        else {
            return Err(Error::unexpected("the list is null, though it has entries by its total_count"));
        };
        Ok(Self { count: page.total_count, ..Self::with(items, reply) })
    }

    /// A page whose `Link` header leads to the others.
    fn linked(reply: &Reply) -> Result<Self, Error> {
        Ok(Self::with(reply.parse()?, reply))
    }

    fn with(items: Vec<Option<T>>, reply: &Reply) -> Self {
        let links = reply.header("link").filter(|links| !links.trim().is_empty());
        let linked = links.and_then(last_page);
        let is_linked_last = links.is_some() && linked.is_none();
        let length = items.len();
        let items = items.into_iter().flatten().map(Arc::new).collect();
        Self { items, length, linked, is_linked_last, count: None }
    }
}

impl<T> Page<T> {
    fn is_full(&self) -> bool {
        self.length as u64 >= PAGE_SIZE
    }

    /// The last page by what this one says.
    fn stated(&self) -> u64 {
        self.linked.max(self.count.map(|all| all.div_ceil(PAGE_SIZE))).unwrap_or(0)
    }
}

impl<T> Pages<T> {
    /// The numbers of the pages to read next. Behind a page that is not full there is hardly more whatever it says, so that
    /// only one is tried.
    fn next(&self, at_once: u64) -> std::ops::RangeInclusive<u64> {
        let read = self.read.len() as u64;
        let next = read + 1;
        let nothing = next..=read;
        let Some(last) = self.read.last() else { return nothing };
        if read > 1 && self.read.iter().any(|page| page.length == 0) {
            return nothing;
        }
        let stated = self.read.iter().map(|page| page.stated()).max().unwrap_or(0);
        // As many as the last page counts, or no link on from it. Anything else behind a full page is not to be relied on.
        let is_complete = last.count == Some(read * PAGE_SIZE) || last.is_linked_last;
        match (last.is_full() && !is_complete, stated > read) {
            (true, true) => next..=stated.min(read + at_once).min(MAX_PAGES.max(next)),
            (true, false) | (false, true) => next..=next,
            (false, false) => nothing,
        }
    }
}

impl<T> Pages<T> {
    fn are_too_many(&self) -> bool {
        self.read.len() as u64 > MAX_PAGES && self.read.last().is_some_and(|last| last.length > 0)
    }
}

impl<T: Listed> Pages<T> {
    /// Whether entries may have moved between pages while they were read, so that some are on none of them.
    fn may_have_moved(&self) -> bool {
        self.read.len() > 1 && self.lacks_entries()
    }

    /// Whether there are fewer than the last page counts.
    fn lacks_entries(&self) -> bool {
        let counted = self.read.last().and_then(|last| last.count).unwrap_or(0);
        let distinct: HashSet<_> =
            self.read.iter().flat_map(|page| &page.items).map(|item| item.id()).collect();
        (distinct.len() as u64) < counted
    }
}

/// An entry can move to a later page while the pages are fetched.
fn without_duplicates<T: Listed>(pages: &[Arc<Page<T>>]) -> Vec<Arc<T>> {
    let mut seen = HashSet::new();
    let items = pages.iter().flat_map(|page| &page.items);
    let distinct: Vec<_> = items.filter(|item| seen.insert(item.id())).cloned().collect();
    distinct
}

/// Entries that nobody else holds, or copies of them.
fn owned<T: Clone>(items: Vec<Arc<T>>) -> Vec<T> {
    items.into_iter().map(Arc::unwrap_or_clone).collect()
}

/// The page number of the link with `rel="last"` (RFC 8288), or else of the next one: GitHub leaves the last out
/// where counting would take it long.
fn last_page(links: &str) -> Option<u64> {
    page_of(links, "last").or_else(|| page_of(links, "next"))
}

fn page_of(links: &str, relation: &str) -> Option<u64> {
    // A target may hold commas and semicolons, but no angle bracket.
    let mut links = links.split('<').filter_map(|link| link.split_once('>'));
    let (target, _) =
        links.find(|(_, parameters)| parameters.split([';', ',']).any(|part| is_relation(part, relation)))?;
    let (_, query) = target.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("page=")).and_then(|number| number.parse().ok())
}

/// `rel="last"`, without quotes, or one of several in the same quotes.
fn is_relation(parameter: &str, relation: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("rel")
        && value.trim().trim_matches('"').split_whitespace().any(|one| one.eq_ignore_ascii_case(relation))
}

/// Asserts that a list whose every page is this response comes to an end, by itself or by being too long.
#[cfg(any(test, fuzzing))]
pub(super) fn check_pages<T: Listed>(reply: &Reply) {
    for page in [Page::<T>::counted(reply), Page::linked(reply)].into_iter().flatten().map(Arc::new) {
        let mut pages = Pages { read: vec![page.clone()] };
        loop {
            let wanted = pages.next(50);
            if wanted.is_empty() || pages.are_too_many() {
                break;
            }
            assert!(*wanted.end() <= MAX_PAGES + 1, "{wanted:?}");
            pages.read.extend(wanted.map(|_| page.clone()));
        }
        let held = page.items.len();
        assert!(without_duplicates(&[page]).len() <= held);
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of which so many entries were read on each page, with what the last page says.
    fn read(sizes: &[usize], linked: Option<u64>, count: Option<u64>) -> Pages<()> {
        let page = |length: &usize| {
            Arc::new(Page { items: Vec::new(), length: *length, linked, is_linked_last: false, count })
        };
        Pages { read: sizes.iter().map(page).collect() }
    }

    fn numbers(sizes: &[usize], linked: Option<u64>, count: Option<u64>) -> Vec<u64> {
        read(sizes, linked, count).next(8).collect()
    }

    #[test]
    fn a_full_page_has_a_next_one_asked_for_unless_it_is_the_last_by_what_it_says() {
        for (linked, count) in [(None, None), (None, Some(0)), (None, Some(90)), (Some(1), None)] {
            assert_eq!(numbers(&[100], linked, count), [2], "{linked:?} {count:?}");
            assert!(numbers(&[99], linked, count).is_empty());
            assert!(numbers(&[100, 0], linked, count).is_empty());
        }
        assert!(numbers(&[100], None, Some(100)).is_empty());
        assert_eq!(numbers(&[100], Some(2), Some(100)), [2], "its links know better");
    }

    #[test]
    fn what_is_stated_is_read_in_batches_and_an_empty_page_ends_it() {
        let million = Some(1_000_000);
        assert_eq!(numbers(&[100], None, Some(320)), [2, 3, 4]);
        assert_eq!(numbers(&[100], Some(4), None), [2, 3, 4]);
        assert_eq!(numbers(&[100], None, million), [2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(numbers(&[30], None, million), [2], "one try is enough");
        assert_eq!(numbers(&[100, 30], None, million), [3]);
        assert!(numbers(&[100, 30, 0], None, million).is_empty());
        assert!(numbers(&[100, 100, 20], None, Some(220)).is_empty());
        assert!(numbers(&[0], None, Some(5)).is_empty());
    }

    #[test]
    fn behind_the_thousandth_page_one_more_tells_whether_the_list_is_too_long() {
        let nearly = vec![100; 998];
        assert_eq!(numbers(&nearly, None, Some(1_000_000)), [999, 1_000]);
        let thousand = vec![100; 1_000];
        assert_eq!(numbers(&thousand, None, Some(1_000_000)), [1_001]);
        assert!(!read(&thousand, None, None).are_too_many());
        assert!(!read(&[thousand.clone(), vec![0]].concat(), None, None).are_too_many());
        assert!(read(&[thousand, vec![1]].concat(), None, None).are_too_many());
    }

    #[test]
    fn the_last_page_is_read_from_the_link_header() {
        for last in ["rel=\"last\"", "rel=last", "Rel = last", "rel=\"last archive\"", "title=x; rel=last"] {
            let link = format!(
                "<https://h/x?per_page=100&page=2>; rel=\"next\", <https://h/x?page=7&per_page=100>; {last}"
            );
            assert_eq!(last_page(&link), Some(7), "{last}");
        }
        for odd in [
            "",
            "rel=\"last\"",
            "<https://h/x>; rel=\"last\"",
            "<https://h?page=x>; rel=\"last\"",
            "<https://h?page=2>; rel=lasting",
        ] {
            assert_eq!(last_page(odd), None, "{odd}");
        }
    }
}
