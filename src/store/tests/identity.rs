use super::*;
use crate::domain::names::TeamSlug;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_store_belongs_to_the_organisation_that_used_it_first() {
    for site in Site::all().await {
        let store = site.open().await;
        store.bind("https://api.github.com", 7).await.unwrap();
        store.bind("https://API.github.com/", 7).await.unwrap();
        for (url, organisation) in [("https://api.github.com", 8), ("https://ghes.example/api/v3", 7)] {
            let error = store.bind(url, organisation).await.unwrap_err();
            assert!(matches!(error, StoreError::OtherGithub { .. }), "{error}");
            let said = error.to_string();
            let both = ["id 7 at https://api.github.com", &format!("id {organisation} at {url}")];
            assert!(both.iter().all(|words| said.contains(*words)) || url.contains("api.github"), "{said}");
            assert!(said.contains(url) && said.contains(&organisation.to_string()), "{said}");
        }
        store.bind("https://api.github.com", 7).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_administrators_are_the_team_that_had_the_slug_first() {
    for site in Site::all().await {
        let store = site.open().await;
        let slug = TeamSlug::parse("platform").unwrap();
        assert_eq!(store.administrators_of(&slug).await, Ok(None));
        assert_eq!(store.keep_administrators(&slug, TeamId(5)).await, Ok(TeamId(5)));
        assert_eq!(store.keep_administrators(&slug, TeamId(6)).await, Ok(TeamId(5)));
        assert_eq!(store.administrators_of(&slug).await, Ok(Some(TeamId(5))));
        let other = TeamSlug::parse("other").unwrap();
        assert_eq!(store.administrators_of(&other).await, Ok(None));
    }
}
