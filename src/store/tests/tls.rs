use super::*;
use crate::domain::store_url::{PostgresHost, TlsMode};

/// The authority of the server's certificate, which is for localhost and no other name.
const AUTHORITY: &str = "ARM_TEST_POSTGRES_CA";

/// What is wrong with a store at this host, if anything is.
async fn problem(site: &Site, host: &str, with_authority: bool) -> Option<String> {
    let mut settings = site.settings.clone();
    let StoreUrl::Postgres(url) = &mut settings.url else { unreachable!() };
    (url.host, url.tls) = (PostgresHost::Network(host.to_owned()), TlsMode::VerifyFull);
    settings.ca_file = std::env::var_os(AUTHORITY).filter(|_| with_authority).map(Into::into);
    let store = Store::open(&settings, site.clock.clone()).await.unwrap();
    let asked = Store::ask(&settings, &site.clock).await.err().map(|error| error.to_string());
    if asked.is_none() {
        let mut transaction = store.database.read().await.unwrap();
        let statement = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let encrypted = query!(&mut transaction, fetch_optional(bool,), statement).unwrap();
        assert_eq!(encrypted, Some((true,)));
    }
    assert_eq!(*store.health().borrow() == Health::Good, asked.is_none());
    store.close().await;
    asked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_has_to_show_a_certificate_of_a_trusted_authority_for_its_name() {
    let Some(site) =
        Site::on_servers().await.into_iter().next().filter(|_| std::env::var_os(AUTHORITY).is_some())
    else {
        return;
    };
    assert_eq!(problem(&site, "localhost", true).await, None);
    let said = problem(&site, "localhost", false).await.unwrap();
    assert!(said.contains("certificate") && said.contains("UnknownIssuer"), "{said}");
    let said = problem(&site, "127.0.0.1", true).await.unwrap();
    assert!(said.contains("certificate") && said.contains("not valid for name"), "{said}");
}
