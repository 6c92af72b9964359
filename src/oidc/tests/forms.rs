//! What a token looks like, who signed it, and for whom it is.

use rcgen::PublicKeyData;

use super::*;

#[tokio::test]
async fn a_good_token_says_who_shows_it() {
    let scene = Scene::new().await;
    let verified = scene.verify(&scene.token(Signer::first())).await.unwrap();
    assert_eq!((verified.subject.as_str(), verified.jti.as_deref()), ("somebody", Some("1")));
    assert_eq!(verified.expires_at, scene.clock.unix_seconds() + 300);
    assert_eq!((verified.issuer.name.as_str(), verified.claims.text("aud")), ("example", Some(AUDIENCE)));
    for without in [json!({"jti": null}), json!({"jti": 7}), json!({"jti": ""})] {
        assert_eq!(scene.verify(&scene.changed(without)).await.unwrap().jti, None);
    }
}

#[tokio::test]
async fn a_token_of_an_unknown_issuer_makes_no_call() {
    let scene = Scene::new().await;
    let url = scene.server.url.clone();
    for issuer in [
        json!(format!("{url}/")),
        json!(url.to_uppercase()),
        json!(format!(" {url}")),
        json!("https://elsewhere.example.com"),
        json!([url]),
        json!(7),
        json!(""),
        json!(null),
    ] {
        assert_eq!(scene.refusal(json!({ "iss": issuer })).await, Refusal::UnknownIssuer, "{issuer}");
    }
    assert_eq!(scene.server.requests.borrow().len(), 0);
}

#[tokio::test]
async fn a_text_that_is_no_token_makes_no_call() {
    let scene = Scene::new().await;
    let good = scene.token(Signer::first());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let claims = scene.claims().to_string();
    let twice = URL_SAFE_NO_PAD.encode(claims.replacen('{', "{\"sub\": \"another\", ", 1));
    for bad in [
        String::new(),
        signed.to_owned(),
        format!("{good}.x"),
        format!("{good}="),
        format!("{good} "),
        format!("ghs_{good}"),
        format!("{header}.{twice}.{signature}"),
        format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode("[]")),
        format!("{header}.{payload}.a"),
        format!("{good}{}", "a".repeat(16 << 10)),
    ] {
        assert!(matches!(scene.verify(&bad).await, Err(Refusal::Invalid(_))), "{bad}");
    }
    assert_eq!(scene.server.requests.borrow().len(), 0);
}

#[tokio::test]
async fn a_header_must_name_a_key_and_a_configured_algorithm_or_no_call_is_made() {
    let scene = Scene::new().await;
    let signer = Signer::first();
    for (header, reason) in [
        (json!({"alg": "RS256"}), "kid"),
        (json!({"alg": "RS256", "kid": ""}), "kid"),
        (json!({"alg": "RS256", "kid": 7}), "kid"),
        (json!({"kid": "first"}), "alg"),
        (json!({"alg": "none", "kid": "first"}), "alg"),
        (json!({"alg": "None", "kid": "first"}), "alg"),
        (json!({"alg": "rs256", "kid": "first"}), "alg"),
        (json!({"alg": "RS512", "kid": "first"}), "alg"),
        (json!({"alg": "HS256", "kid": "first"}), "alg"),
        (json!({"alg": "RS256", "kid": "first", "crit": ["exp"]}), "crit"),
        (json!({"alg": "RS256", "kid": "first", "crit": []}), "crit"),
        (json!({"alg": "RS256", "kid": "first", "crit": null}), "crit"),
        (json!([]), "header"),
    ] {
        let token = signer.sign(&header, &scene.claims());
        let refusal = scene.verify(&token).await.unwrap_err();
        assert!(says(&refusal, reason), "{header}: {refusal}");
        let (unsigned, _) = token.rsplit_once('.').unwrap();
        assert!(scene.verify(&format!("{unsigned}.")).await.is_err(), "{header}");
    }
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let twice = r#"{"alg": "none", "kid": "first", "alg": "RS256"}"#;
    let twice = format!("{}.{}.c2ln", encoded(twice), encoded(&scene.claims().to_string()));
    assert!(says(&scene.verify(&twice).await.unwrap_err(), "distinct names"));
    assert_eq!(scene.server.requests.borrow().len(), 0);
}

#[tokio::test]
async fn the_public_key_is_no_secret_that_signs() {
    // Even where such an algorithm could be configured, and a set has a symmetric key.
    let scene = Scene::new().await;
    let pair = &Signer::first().pair;
    let secret = json!({"kty": "oct", "kid": "shared", "k": "c2VjcmV0", "alg": "RS256"});
    scene.server.set(JWKS, Response::Json(json!({"keys": [secret, Signer::first().jwk()]}).to_string()));
    let payload = scene.claims().to_string();
    for kid in ["first", "shared"] {
        for secret in [
            pair.public_key_pem().into_bytes(),
            pair.public_key_pem().trim().as_bytes().to_vec(),
            pair.subject_public_key_info(),
            pair.der_bytes().to_vec(),
            b"secret".to_vec(),
        ] {
            let secret = EncodingKey::from_secret(&secret);
            for alg in ["HS256", "RS256"] {
                let header = json!({ "alg": alg, "kid": kid });
                let token = signed(&header, &payload, &secret, Signing::HS256);
                assert!(matches!(scene.verify(&token).await, Err(Refusal::Invalid(_))), "{header}");
            }
        }
    }
    assert!(scene.is_good(Signer::first()).await);
}

#[tokio::test]
async fn keys_that_a_token_brings_along_are_ignored() {
    let scene = Scene::new().await;
    let stranger = Server::start().await;
    stranger.publish(&[Signer::second()]);
    let url = format!("{}{JWKS}", stranger.url);
    let own = json!({
        "alg": "RS256", "kid": "first", "jwk": Signer::second().jwk(), "jku": url, "x5u": url, "x5c": ["MIIB"], "x5t": 7,
    });
    let forged = Signer::second().sign(&own, &scene.claims());
    assert!(says(&scene.verify(&forged).await.unwrap_err(), "signature"));
    assert!(scene.verify(&Signer::first().sign(&own, &scene.claims())).await.is_ok(), "they do no harm");
    assert_eq!(stranger.requests.borrow().len(), 0);
}

#[tokio::test]
async fn what_was_changed_after_it_was_signed_is_refused() {
    let scene = Scene::new().await;
    let good = scene.token(Signer::first());
    let parts: Vec<&str> = good.split('.').collect();
    let mut claims = scene.claims();
    claims["sub"] = json!("somebody-else");
    let other = URL_SAFE_NO_PAD.encode(claims.to_string());
    let another = Signer::second().sign(&Signer::first().header(), &scene.claims());
    for bad in [
        format!("{}.{other}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.c2ln", parts[0], parts[1]),
        another,
    ] {
        assert!(says(&scene.verify(&bad).await.unwrap_err(), "signature"), "{bad}");
    }
}

#[tokio::test]
async fn a_token_must_be_for_this_service_alone() {
    let scene = Scene::new().await;
    for good in [json!(AUDIENCE), json!([AUDIENCE])] {
        assert!(scene.verify(&scene.changed(json!({ "aud": good }))).await.is_ok());
    }
    for bad in [
        json!("https://github.com/acme"),
        json!(format!("{AUDIENCE}/")),
        json!("https://ARM.example.com"),
        json!(""),
        json!([]),
        json!([AUDIENCE, AUDIENCE]),
        json!([AUDIENCE, "https://elsewhere.example.com"]),
        json!([[AUDIENCE]]),
        json!({ AUDIENCE: true }),
        json!(null),
    ] {
        let refusal = scene.refusal(json!({ "aud": bad })).await;
        assert!(says(&refusal, "aud"), "{bad}: {refusal}");
    }
}

#[tokio::test]
async fn a_token_must_be_about_somebody() {
    let scene = Scene::new().await;
    for bad in [json!(null), json!(""), json!(7), json!(["somebody"])] {
        assert!(says(&scene.refusal(json!({ "sub": bad })).await, "sub"), "{bad}");
    }
}

#[tokio::test]
async fn every_algorithm_works_where_it_is_configured_and_nowhere_else() {
    let others: [(Algorithm, Signing, &Signer); 7] = [
        (Algorithm::Rs384, Signing::RS384, Signer::first()),
        (Algorithm::Rs512, Signing::RS512, Signer::first()),
        (Algorithm::Ps256, Signing::PS256, Signer::first()),
        (Algorithm::Ps384, Signing::PS384, Signer::first()),
        (Algorithm::Ps512, Signing::PS512, Signer::first()),
        (Algorithm::Es256, Signing::ES256, &Signer::elliptic("first", Signing::ES256)),
        (Algorithm::Es384, Signing::ES384, &Signer::elliptic("first", Signing::ES384)),
    ];
    for (algorithm, signing, signer) in others {
        let scene = Scene::with(|issuer| issuer.algorithms = vec![algorithm]).await;
        let mut key = signer.jwk();
        key["alg"] = json!(signing);
        scene.server.set(JWKS, Response::Json(json!({ "keys": [key] }).to_string()));
        let header = json!({ "alg": signing, "kid": "first" });
        let payload = scene.claims().to_string();
        let good = signed(&header, &payload, &signer.private(), signing);
        assert!(scene.verify(&good).await.is_ok(), "{algorithm}");
        assert!(!scene.is_good(Signer::first()).await, "RS256 is not configured beside {algorithm}");
        let (unsigned, signature) = good.rsplit_once('.').unwrap();
        let cut = &signature[..signature.len() / 2];
        assert!(scene.verify(&format!("{unsigned}.{cut}")).await.is_err(), "{algorithm}");
        assert!(Scene::new().await.verify(&good).await.is_err(), "{algorithm} is not configured");
    }
}

#[tokio::test]
async fn a_key_signs_by_algorithms_of_its_kind_alone() {
    let elliptic = Signer::elliptic("elliptic", Signing::ES256);
    let scene = Scene::with(|issuer| issuer.algorithms = vec![Algorithm::Rs256, Algorithm::Es256]).await;
    scene.server.publish(&[Signer::first(), &elliptic]);
    assert!(scene.is_good(&elliptic).await && scene.is_good(Signer::first()).await);
    for (kid, signer) in [("first", &elliptic), ("elliptic", Signer::first())] {
        let header = json!({ "alg": signer.algorithm, "kid": kid });
        let refusal = scene.verify(&signer.sign(&header, &scene.claims())).await.unwrap_err();
        assert!(says(&refusal, "kid"), "{refusal}");
    }
}

#[tokio::test]
async fn of_several_keys_of_one_name_any_may_have_signed() {
    let scene = Scene::new().await;
    let mut namesake = Signer::second().jwk();
    namesake["kid"] = json!("first");
    scene.server.set(JWKS, Response::Json(json!({"keys": [namesake, Signer::first().jwk()]}).to_string()));
    assert!(scene.is_good(Signer::first()).await);
    let token = Signer::second().sign(&Signer::first().header(), &scene.claims());
    assert!(scene.verify(&token).await.is_ok());
}

#[tokio::test]
async fn a_refusal_repeats_nothing_of_the_token() {
    let scene = Scene::new().await;
    let header = json!({"alg": "s3cret-alg", "kid": "s3cret-kid"});
    let token = Signer::first().sign(&header, &scene.claims());
    let refusals = [
        scene.verify(&token).await.unwrap_err(),
        scene.refusal(json!({"aud": "s3cret", "sub": "s3cret"})).await,
        scene.refusal(json!({"iss": "s3cret"})).await,
    ];
    for refusal in refusals {
        assert!(!format!("{refusal:?} {refusal}").contains("s3cret"), "{refusal:?}");
    }
}
