//! When a token is good, on the service's clock.

use super::*;

#[tokio::test]
async fn a_token_is_good_for_half_a_minute_after_it_expired_and_no_longer() {
    let scene = Scene::new().await;
    let now = scene.clock.unix_seconds();
    assert!(scene.verify(&scene.changed(json!({"iat": now - 60, "exp": now - 29}))).await.is_ok());
    for late in [30, 31, 3_600] {
        let refusal = scene.refusal(json!({"iat": now - 4_000, "exp": now - late})).await;
        assert!(says(&refusal, "expired"), "{late}: {refusal}");
    }
    let token = scene.token(Signer::first());
    scene.clock.advance(Duration::from_secs(329));
    assert!(scene.verify(&token).await.is_ok());
    scene.clock.advance(Duration::from_secs(1));
    assert!(says(&scene.verify(&token).await.unwrap_err(), "expired"));
}

#[tokio::test]
async fn the_issuers_clock_may_be_half_a_minute_ahead() {
    let scene = Scene::new().await;
    let now = scene.clock.unix_seconds();
    for early in [29, 30] {
        assert!(scene.verify(&scene.changed(json!({"iat": now + early}))).await.is_ok());
        assert!(scene.verify(&scene.changed(json!({"nbf": now + early}))).await.is_ok());
    }
    assert!(says(&scene.refusal(json!({"iat": now + 31})).await, "iat"));
    assert!(says(&scene.refusal(json!({"nbf": now + 31})).await, "nbf"));
}

#[tokio::test]
async fn a_token_without_its_times_is_refused() {
    let scene = Scene::new().await;
    assert!(says(&scene.refusal(json!({"exp": null})).await, "exp"));
    assert!(says(&scene.refusal(json!({"iat": null})).await, "iat"));
}

#[tokio::test]
async fn a_time_is_a_number_and_not_a_text_that_looks_like_one() {
    let scene = Scene::new().await;
    let now = scene.clock.unix_seconds();
    for name in ["exp", "nbf", "iat"] {
        for bad in [json!(now.to_string()), json!([now]), json!(true), json!({})] {
            let refusal = scene.refusal(json!({ name: bad })).await;
            assert!(says(&refusal, "not a number"), "{name} {bad}: {refusal}");
        }
        for bad in [json!(-1), json!(-0.5), json!(1e300), json!(u64::MAX), json!(now * 1_000)] {
            let refusal = scene.refusal(json!({ name: bad })).await;
            assert!(says(&refusal, "out of range"), "{name} {bad}: {refusal}");
        }
    }
    // `null` is no number, either; JSON can't be changed to have it by leaving it out.
    let null = scene.claims().to_string().replacen('{', "{\"nbf\": null, ", 1);
    let signer = Signer::first();
    let token = signed(&signer.header(), &null, &signer.private(), signer.algorithm);
    assert!(says(&scene.verify(&token).await.unwrap_err(), "not a number"));
}

#[tokio::test]
async fn fractions_of_a_second_are_read_and_remembered_to_their_end() {
    let scene = Scene::new().await;
    let now = scene.clock.unix_seconds();
    let fraction = |seconds: u64| -> Value { serde_json::from_str(&format!("{seconds}.25")).unwrap() };
    let token = scene.changed(json!({"iat": fraction(now), "exp": fraction(now + 10)}));
    assert_eq!(scene.verify(&token).await.unwrap().expires_at, now + 11);
    assert!(says(&scene.refusal(json!({"iat": fraction(now + 30)})).await, "iat"));
}

#[tokio::test]
async fn a_token_lives_no_longer_than_its_issuer_may_make_it() {
    let scene = Scene::with(|issuer| issuer.max_lifetime = Duration::from_mins(10)).await;
    let now = scene.clock.unix_seconds();
    assert!(scene.verify(&scene.changed(json!({"exp": now + 600}))).await.is_ok());
    assert!(says(&scene.refusal(json!({"exp": now + 601})).await, "lifetime"));
    assert!(says(&scene.refusal(json!({"iat": now - 400, "exp": now + 201})).await, "lifetime"));
    assert!(says(&scene.refusal(json!({"iat": now + 10, "exp": now + 9})).await, "before it was issued"));
}
