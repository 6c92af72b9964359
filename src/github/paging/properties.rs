//! `Link` headers, as GitHub writes them and as nobody should.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::last_page;

/// A link to a page, its query in any order.
fn link(page: u64, rel: &str, before: &str, behind: &str) -> String {
    format!("<https://api.example/organizations/1/teams?{before}page={page}{behind}>; rel=\"{rel}\"")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_last_page_is_read_wherever_its_link_stands(
        last in any::<u64>(),
        others in prop::collection::vec((any::<u64>(), select(vec!["next", "prev", "first"])), 0..4),
        before in select(vec!["", "per_page=100&", "q=a,b&per_page=100&", "last_page=3&"]),
        behind in select(vec!["", "&per_page=100", "&q=a,b", "&after=Y3Vyc29y"]),
        at in any::<Index>(),
    ) {
        let mut links: Vec<_> = others.iter().map(|(page, rel)| link(*page, rel, before, behind)).collect();
        let count = links.len();
        links.insert(at.index(count + 1), link(last, "last", before, behind));
        prop_assert_eq!(last_page(&links.join(", ")), Some(last), "{}", links.join(", "));
    }

    #[test]
    fn without_a_link_to_the_last_page_the_next_one_is_known(
        next in any::<u64>(),
        others in prop::collection::vec((any::<u64>(), select(vec!["prev", "first"])), 0..3),
    ) {
        let mut links: Vec<_> = others.iter().map(|(page, rel)| link(*page, rel, "", "")).collect();
        prop_assert_eq!(last_page(&links.join(", ")), None);
        links.push(link(next, "next", "", ""));
        prop_assert_eq!(last_page(&links.join(", ")), Some(next));
    }

    #[test]
    fn any_other_text_gives_a_page_of_its_own_digits_or_none(
        text in prop_oneof![any::<String>(), "[<>;,?&= \"a-z0-9]{0,60}", "<[^>]{0,30}>; rel=\"last\""],
    ) {
        if let Some(page) = last_page(&text) {
            prop_assert!(text.contains(&page.to_string()));
        }
    }
}
