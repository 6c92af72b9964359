//! Lists come in pages, with links to the others.

use crate::request::Request;

const DEFAULT_PER_PAGE: usize = 30;
const MOST_PER_PAGE: usize = 100;

/// One page of a list.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) total: usize,
    /// The `Link` header, when there is more than this page.
    pub(crate) link: Option<String>,
}

/// Cuts the page that the request asks for out of `items`, of which there are `total`.
pub(crate) fn page_of<T>(request: &Request, total: usize, items: impl Iterator<Item = T>) -> Page<T> {
    let wanted = |name| {
        request.query_value(name).and_then(|text| text.parse::<usize>().ok()).filter(|count| *count > 0)
    };
    let size = wanted("per_page").unwrap_or(DEFAULT_PER_PAGE).min(MOST_PER_PAGE);
    let page = wanted("page").unwrap_or(1);
    let items = items.skip(size.saturating_mul(page - 1)).take(size).collect();
    Page { items, total, link: link(request, page, total.div_ceil(size).max(1)) }
}

fn link(request: &Request, page: usize, last: usize) -> Option<String> {
    let others: Vec<&str> =
        request.query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("page=")).collect();
    let to = |number: usize, rel: &str| {
        let mut pairs = others.clone();
        let number = format!("page={number}");
        pairs.push(&number);
        format!("<{}{}?{}>; rel=\"{rel}\"", request.base, request.path, pairs.join("&"))
    };
    let mut links = Vec::new();
    if page > 1 {
        links.push(to((page - 1).min(last), "prev"));
    }
    if page < last {
        links.push(to(page + 1, "next"));
        links.push(to(last, "last"));
    }
    if page > 1 {
        links.push(to(1, "first"));
    }
    (!links.is_empty()).then(|| links.join(", "))
}
