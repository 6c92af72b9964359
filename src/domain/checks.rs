//! What tests and fuzz targets ask of every name: that it stays where it is put in an address.

/// What both kinds of clients make of an address; asserts that each makes something of it.
fn parsed(address: &str) -> Option<(http::Uri, reqwest::Url)> {
    let (uri, url) = (address.parse::<http::Uri>(), reqwest::Url::parse(address));
    assert!(uri.is_ok() && url.is_ok(), "{address:?} is no address");
    uri.ok().zip(url.ok())
}

/// Asserts that `text` is exactly one segment of a path, also for clients that resolve dots.
pub(crate) fn assert_is_one_segment(text: &str) {
    let address = format!("https://api.example/orgs/o/teams/{text}/repos?per_page=100");
    if let Some((uri, url)) = parsed(&address) {
        let expected = ["orgs", "o", "teams", text, "repos"];
        assert_eq!(uri.path().split('/').skip(1).collect::<Vec<_>>(), expected);
        assert_eq!(url.path_segments().map(Iterator::collect), Some(expected.to_vec()));
        assert_eq!((uri.query(), url.query()), (Some("per_page=100"), Some("per_page=100")));
        assert_eq!(
            (uri.host(), url.host_str(), url.fragment()),
            (Some("api.example"), Some("api.example"), None)
        );
    }
}

/// Asserts that `text` is exactly one value of a query string.
pub(crate) fn assert_is_one_query_value(text: &str) {
    let address = format!("https://api.example/runners?name={text}&page=1");
    if let Some((uri, url)) = parsed(&address) {
        assert_eq!((uri.path(), uri.query()), ("/runners", Some(&*format!("name={text}&page=1"))));
        let pairs: Vec<_> = url.query_pairs().collect();
        assert_eq!(pairs, [("name".into(), text.into()), ("page".into(), "1".into())]);
        assert_eq!(url.fragment(), None);
    }
}
