//! What the verification of a token costs: `cargo test --release --lib oidc::tests::speed -- --ignored --nocapture`.

use std::time::Instant;

use super::*;

const VERIFICATIONS: u32 = 10_000;

#[tokio::test]
#[ignore = "it measures, and tests nothing"]
async fn a_warm_token_is_verified_in_microseconds() {
    let scene = Scene::new().await;
    let token = scene.token(Signer::first());
    assert!(scene.verify(&token).await.is_ok());
    let started = Instant::now();
    for _ in 0..VERIFICATIONS {
        assert!(scene.verify(&token).await.is_ok());
    }
    let each = started.elapsed() / VERIFICATIONS;
    println!("{} bytes, RS256: {:.1} µs each", token.len(), each.as_secs_f64() * 1e6);
}
