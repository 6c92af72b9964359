//! Where keys come from, and what is refused there.

use std::io::Write;
use std::path::Path;

use super::*;

async fn is_unavailable(scene: &Scene) -> bool {
    matches!(scene.verify(&scene.token(Signer::first())).await, Err(Refusal::IssuerUnavailable { .. }))
}

#[tokio::test]
async fn a_discovery_document_must_be_of_the_issuer_and_name_a_safe_address() {
    let scene = Scene::new().await;
    let (url, keys) = (scene.server.url.clone(), format!("{}{JWKS}", scene.server.url));
    for bad in [
        json!({"issuer": format!("{url}/"), "jwks_uri": keys}),
        json!({"issuer": "https://elsewhere.example.com", "jwks_uri": keys}),
        json!({"issuer": url}),
        json!({"jwks_uri": keys}),
        json!({"issuer": url, "jwks_uri": "http://keys.example.com/jwks"}),
        json!({"issuer": url, "jwks_uri": "file:///etc/passwd"}),
        json!({"issuer": url, "jwks_uri": 7}),
        json!([]),
    ] {
        scene.server.set(DISCOVERY, Response::Json(bad.to_string()));
        assert!(is_unavailable(&scene).await, "{bad}");
        scene.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(scene.server.count(JWKS), 0);
}

#[tokio::test]
async fn an_issuer_whose_url_ends_with_a_slash_has_its_document_in_the_usual_place() {
    let server = Server::start().await;
    let url = format!("{}/tenant/", server.url);
    let metadata = json!({ "issuer": url, "jwks_uri": format!("{}{JWKS}", server.url) });
    server.set("/tenant/.well-known/openid-configuration", Response::Json(metadata.to_string()));
    server.publish(&[Signer::first()]);
    let clock = Clock::manual();
    let verifier = Verifier::new(Issuers::new(vec![issuer(&url)]), clock.clone()).unwrap();
    let scene = Scene { clock, server, verifier: Arc::new(verifier) };
    assert!(scene.verify(&scene.changed(json!({ "iss": url }))).await.is_ok());
}

#[tokio::test]
async fn responses_other_than_a_key_set_are_refused() {
    let scene = Scene::new().await;
    let elsewhere = Server::start().await;
    elsewhere.publish(&[Signer::first()]);
    let redirect = format!("302 Found\r\nlocation: {}{JWKS}", elsewhere.url);
    let padding = " ".repeat(100 << 10);
    for bad in [
        Response::Head(redirect.leak()),
        Response::Head("204 No Content"),
        Response::Head("404 Not Found"),
        Response::Json(format!("{padding}{}", key_set(&[Signer::first()]))),
        Response::Json("{}".to_owned()),
        Response::Json("[]".to_owned()),
        Response::Json(key_set(&[])),
        Response::Json(key_set(&[&Signer::elliptic("first", Signing::ES256)])),
    ] {
        scene.server.set(JWKS, bad);
        assert!(is_unavailable(&scene).await);
        scene.clock.advance(Duration::from_secs(10));
    }
    assert_eq!((scene.server.count(JWKS), elsewhere.requests.borrow().len()), (8, 0));
}

#[tokio::test]
async fn a_small_response_that_inflates_beyond_the_limit_is_refused() {
    let scene = Scene::new().await;
    let padded = format!("{}{}", key_set(&[Signer::first()]), " ".repeat(1 << 20));
    assert!(packed(&padded).len() < 10_000);
    scene.server.set(JWKS, Response::Packed(packed(&padded)));
    assert!(is_unavailable(&scene).await);
    scene.server.set(JWKS, Response::Packed(packed(&key_set(&[Signer::first()]))));
    scene.clock.advance(Duration::from_secs(10));
    assert!(scene.is_good(Signer::first()).await, "compressed responses are read");
}

fn packed(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[tokio::test]
async fn a_fetch_ends_after_five_seconds() {
    let scene = Scene::new().await;
    scene.server.set(JWKS, Response::Silence);
    let token = scene.token(Signer::first());
    let verifier = scene.verifier.clone();
    let waiting = tokio::spawn(async move { verifier.verify(&token).await });
    scene.server.until(2).await;
    scene.clock.advance(Duration::from_millis(4_999));
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    scene.clock.advance(Duration::from_millis(1));
    assert!(matches!(waiting.await.unwrap(), Err(Refusal::IssuerUnavailable { .. })));
}

#[tokio::test]
async fn keys_at_a_url_are_asked_for_with_the_token_of_that_moment() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_owned();
    let scene = Scene::with(|issuer| {
        let url = format!("{}{JWKS}", issuer.url);
        issuer.keys = KeySource::Url { url, token_file: Some(path) };
    })
    .await;
    std::fs::write(file.path(), "one\n").unwrap();
    assert!(scene.is_good(Signer::first()).await);
    std::fs::write(file.path(), "two\n").unwrap();
    scene.clock.advance(Duration::from_hours(3));
    assert!(scene.is_good(Signer::first()).await);
    let requests = scene.server.requests.borrow().clone();
    assert_eq!(requests.len(), 2, "no discovery document");
    assert!(requests[0].to_lowercase().contains("authorization: bearer one\r\n"), "{requests:?}");
    assert!(requests[1].to_lowercase().contains("authorization: bearer two\r\n"), "{requests:?}");
}

async fn with_file(path: &Path) -> Scene {
    Scene::with(|issuer| issuer.keys = KeySource::File(path.to_owned())).await
}

#[tokio::test]
async fn a_file_of_keys_is_read_again_and_a_bad_one_changes_nothing() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), key_set(&[Signer::first()])).unwrap();
    let scene = with_file(file.path()).await;
    assert!(scene.is_good(Signer::first()).await);
    for bad in ["", "{\"keys\": [", "{\"keys\": []}"] {
        std::fs::write(file.path(), bad).unwrap();
        scene.clock.advance(Duration::from_secs(30));
        assert!(scene.is_good(Signer::first()).await, "{bad}");
        assert!(!scene.is_good(Signer::second()).await, "{bad}");
    }
    scene.clock.advance(Duration::from_hours(48));
    assert!(scene.is_good(Signer::first()).await, "nobody is down");
    std::fs::write(file.path(), key_set(&[Signer::second()])).unwrap();
    scene.clock.advance(Duration::from_mins(1));
    assert!(scene.is_good(Signer::second()).await);
    assert!(!scene.is_good(Signer::first()).await);
    assert_eq!(scene.server.requests.borrow().len(), 0);
}

#[tokio::test]
async fn what_is_no_file_of_keys_is_an_issuer_that_is_down() {
    let folder = tempfile::tempdir().unwrap();
    assert!(is_unavailable(&with_file(folder.path()).await).await);
    assert!(is_unavailable(&with_file(&folder.path().join("missing")).await).await);
    let large = folder.path().join("large");
    std::fs::write(&large, format!("{}{}", key_set(&[Signer::first()]), " ".repeat(100 << 10))).unwrap();
    assert!(is_unavailable(&with_file(&large).await).await);
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_used_is_named_with_its_setting() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut issuer = issuer("https://issuer.example.com");
    issuer.ca_file = Some(file.path().to_owned());
    let Err(error) = Verifier::new(Issuers::new(vec![issuer]), Clock::manual()) else { panic!() };
    let error = error.to_string();
    assert!(error.starts_with("oidc.issuers.example.caFile: /"), "{error}");
    assert!(error.ends_with("expected PEM certificates: no certificate in it"), "{error}");
}

#[tokio::test]
async fn keys_are_fetched_from_a_server_with_a_private_certificate_if_the_ca_file_has_it() {
    let key = KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let shown = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let server = Server::start_with(Some(TlsAcceptor::from(Arc::new(shown)))).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), certificate.pem()).unwrap();
    let trusting = Scene::at(server.clone(), |issuer| issuer.ca_file = Some(file.path().to_owned()));
    assert!(trusting.is_good(Signer::first()).await);
    assert!(is_unavailable(&Scene::at(server, |_| {})).await);
}

#[test]
fn outside_of_a_runtime_there_is_no_verifier() {
    let made = Verifier::new(Issuers::default(), Clock::manual());
    assert!(matches!(made, Err(super::super::SetupError::NoRuntime)));
}
