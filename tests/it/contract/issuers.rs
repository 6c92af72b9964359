//! Issuers that are not GitHub's, on ports of their own.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fake_github::{DISCOVERY, Fault, IssuerOptions, KEYS, KeyKind, OidcIssuer};
use octocrab::jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::JwkSet};
use serde_json::{Value, json};

use super::client::http;

/// The header and the claims of a token, unverified.
pub(super) fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64");
        serde_json::from_slice(&bytes).unwrap_or_default()
    });
    (parts.next().expect("a header"), parts.next().expect("claims"))
}

async fn fetch(url: &str, bearer: Option<&str>) -> (u16, Value) {
    let mut request = http().get(url);
    if let Some(bearer) = bearer {
        request = request.bearer_auth(bearer);
    }
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn an_issuer_publishes_the_keys_that_its_tokens_are_signed_with() {
    for (kind, algorithm) in [
        (KeyKind::Rsa, Algorithm::RS256),
        (KeyKind::P256, Algorithm::ES256),
        (KeyKind::P384, Algorithm::ES384),
    ] {
        let options = IssuerOptions { path: "/id/1".to_owned(), kind, ..IssuerOptions::default() };
        let issuer = OidcIssuer::start(&options).expect("the issuer starts");
        let token =
            issuer.token("system:serviceaccount:payments:scaler", "arm").claim("ns", "payments").sign();
        let (_, document) = fetch(&format!("{}/.well-known/openid-configuration", issuer.url()), None).await;
        assert_eq!(
            (&document["issuer"], &document["jwks_uri"]),
            (&json!(issuer.url()), &json!(issuer.keys_url()))
        );
        assert_eq!(document["id_token_signing_alg_values_supported"], json!([format!("{algorithm:?}")]));
        let (_, published) = fetch(&issuer.keys_url(), None).await;
        assert_eq!(published, issuer.key_set());
        let keys: JwkSet = serde_json::from_value(published).expect("a key set");
        let key = keys.find(issuer.key().kid()).expect("the key");
        let mut rules = Validation::new(algorithm);
        rules.set_audience(&["arm"]);
        rules.set_issuer(&[issuer.url()]);
        let key = DecodingKey::from_jwk(key).expect("a key");
        let claims = decode::<Value>(&token, &key, &rules).expect("a good token").claims;
        assert_eq!(
            (&claims["sub"], &claims["ns"]),
            (&json!("system:serviceaccount:payments:scaler"), &json!("payments"))
        );
        assert_eq!((issuer.discovery_fetches(), issuer.key_fetches()), (1, 1));
        assert!(issuer.secrets().contains(&token));
    }
}

#[tokio::test]
async fn another_algorithm_of_the_same_key_is_stated_and_used() {
    let issuer = OidcIssuer::start(&IssuerOptions::default()).expect("the issuer starts");
    for (name, algorithm) in
        [("RS384", Algorithm::RS384), ("PS256", Algorithm::PS256), ("PS512", Algorithm::PS512)]
    {
        let token = issuer.token("x", "arm").algorithm(name).sign();
        assert_eq!(parts(&token).0["alg"], name);
        let set: JwkSet = serde_json::from_value(issuer.key_set()).expect("a key set");
        let mut rules = Validation::new(algorithm);
        rules.set_audience(&["arm"]);
        let key = DecodingKey::from_jwk(&set.keys[0]).expect("a key");
        assert!(decode::<Value>(&token, &key, &rules).is_ok(), "{name}");
    }
}

#[tokio::test]
async fn an_issuer_whose_url_ends_with_a_slash_is_found() {
    let options =
        IssuerOptions { path: "/tenant/".to_owned(), kind: KeyKind::P256, ..IssuerOptions::default() };
    let issuer = OidcIssuer::start(&options).expect("the issuer starts");
    assert!(issuer.url().ends_with("/tenant/"), "{}", issuer.url());
    let (status, document) = fetch(&format!("{}.well-known/openid-configuration", issuer.url()), None).await;
    assert_eq!((status, &document["issuer"]), (200, &json!(issuer.url())));
}

#[tokio::test]
async fn an_issuer_can_ask_for_a_token_and_have_no_discovery() {
    let options = IssuerOptions {
        keys_path: "/openid/v1/jwks".to_owned(),
        kind: KeyKind::P256,
        discovery: false,
        bearer: Some("service-account".to_owned()),
        ..IssuerOptions::default()
    };
    let issuer = OidcIssuer::start(&options).expect("the issuer starts");
    assert_eq!(fetch(&issuer.keys_url(), None).await.0, 401);
    assert_eq!(fetch(&issuer.keys_url(), Some("another")).await.0, 401);
    assert_eq!(fetch(&issuer.keys_url(), Some("service-account")).await, (200, issuer.key_set()));
    let discovery = format!("{}/.well-known/openid-configuration", issuer.url());
    assert_eq!(fetch(&discovery, Some("service-account")).await.0, 404);
    let credentials =
        |call: &fake_github::Exchange| call.request_header("authorization").map(ToOwned::to_owned);
    assert!(issuer.calls().iter().all(|call| credentials(call).is_none()));
}

#[tokio::test]
async fn an_issuer_can_change_its_keys_and_fail() {
    let options = IssuerOptions { kind: KeyKind::P256, ..IssuerOptions::default() };
    let issuer = OidcIssuer::start(&options).expect("the issuer starts");
    let first = issuer.key();
    issuer.rotate_key(KeyKind::P256);
    assert_ne!(first.kid(), issuer.key().kid());
    assert_eq!(issuer.key_set()["keys"].as_array().map(Vec::len), Some(2));
    issuer.retire_keys();
    assert_eq!(issuer.key_set()["keys"], json!([issuer.key().jwk()]));
    issuer.inject(Fault::on("GET", KEYS).once().error(500, "broken"));
    issuer.inject(Fault::on("GET", DISCOVERY).error(500, "broken"));
    assert_eq!(fetch(&issuer.keys_url(), None).await.0, 500);
    assert_eq!(fetch(&issuer.keys_url(), None).await.0, 200);
    issuer.go_down();
    assert!(http().get(issuer.keys_url()).send().await.is_err());
    issuer.come_back();
    issuer.clear_faults();
    let discovery = format!("{}/.well-known/openid-configuration", issuer.url());
    assert_eq!(fetch(&discovery, None).await.0, 200);
    assert_eq!((issuer.key_fetches(), issuer.discovery_fetches()), (2, 1));
}
