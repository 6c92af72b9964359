//! Certificates that no system trusts, as administrators of an Enterprise Server make them.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use tokio::net::TcpStream;

use crate::binary::{Binary, run};
use crate::process::outbound::{Site, serve_tls, serve_tunnels};

/// What `openssl req -x509` makes: self-signed, and an authority's (CA:TRUE). Certificate and key.
fn as_openssl_makes_it(names: &[&str]) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "localhost");
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

async fn site_with(shown: &(String, String), authorities: &str) -> Site {
    let site = Site::showing(Some((&shown.0, &shown.1)), Some("ca.pem")).await;
    std::fs::write(site.folder.path().join("ca.pem"), authorities).unwrap();
    site
}

#[tokio::test]
async fn a_self_signed_authority_that_the_server_shows_itself_is_trusted() {
    let shown = as_openssl_makes_it(&["localhost"]);
    site_with(&shown, &shown.0).await.works(&[]).await;
}

#[tokio::test]
async fn it_is_found_among_others_with_comments_and_line_breaks_of_any_kind() {
    let (shown, other) = (as_openssl_makes_it(&["localhost"]), as_openssl_makes_it(&["other.example"]));
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let bundle = format!("\u{feff}# Ours\n{}{damaged}Certificate:\n    Data:\n{}", other.0, shown.0);
    let site = site_with(&shown, &bundle.replace('\n', "\r\n")).await;
    site.works(&[]).await;
    let binary = Binary::start(&[], &[], site.folder.path());
    let line = binary.stdout.with("certificate 2 can't be used").await;
    assert!(line.contains("\"warn\"") && line.contains("\"setting\":\"github.caFile\""), "{line}");
}

#[tokio::test]
async fn an_older_one_with_a_common_name_alone_is_trusted() {
    let shown = as_openssl_makes_it(&[]);
    site_with(&shown, &shown.0).await.works(&[]).await;
}

#[tokio::test]
async fn another_one_or_one_of_another_name_is_not_believed_and_the_log_says_what_to_do() {
    let shown = as_openssl_makes_it(&["localhost"]);
    let other = as_openssl_makes_it(&["localhost"]);
    let elsewhere = as_openssl_makes_it(&["ghes.example"]);
    for (shown, authorities, reason) in
        [(&shown, &other.0, "github.caFile"), (&elsewhere, &elsewhere.0, "not valid for name")]
    {
        let site = site_with(shown, authorities).await;
        let binary = Binary::start(&[], &[], site.folder.path());
        let line = binary.stdout.with("not ready yet").await;
        assert!(line.contains(reason), "{line}");
        assert_eq!(site.fake.total_calls(), 0);
    }
}

#[tokio::test]
async fn a_proxy_with_a_certificate_of_a_private_authority_is_used() {
    let (shown, of_proxy) = (as_openssl_makes_it(&["localhost"]), as_openssl_makes_it(&["localhost"]));
    let site = site_with(&shown, &format!("{}{}", of_proxy.0, shown.0)).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tls.crt"), &of_proxy.0).unwrap();
    std::fs::write(folder.path().join("tls.key"), &of_proxy.1).unwrap();
    let (tunnels, asked) = serve_tunnels().await;
    let proxy = serve_tls(folder.path(), move || TcpStream::connect(tunnels)).await;
    let expected = format!("CONNECT localhost:{} HTTP/1.1", site.front.port());
    for (before, behind) in [("", ""), ("\"", "\""), (" ", "\r\n")] {
        let address = format!("{before}https://localhost:{}{behind}", proxy.port());
        site.works(&[("HTTPS_PROXY", &address)]).await;
        let asked = std::mem::take(&mut *asked.lock().unwrap());
        assert!(!asked.is_empty() && asked.iter().all(|line| *line == expected), "{asked:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_cannot_be_read_stops_the_start_instead_of_being_passed_over() {
    let shown = as_openssl_makes_it(&["localhost"]);
    let site = site_with(&shown, &shown.0).await;
    for address in ["socks5://localhost:1080", "http://s3cret@", "http://localhost:port"] {
        let ended = run(&[], &[("HTTPS_PROXY", address)], site.folder.path()).await;
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains("HTTPS_PROXY: expected a proxy's URL"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("s3cret"), "{}", ended.stderr);
    }
    assert_eq!(site.fake.total_calls(), 0);
}
