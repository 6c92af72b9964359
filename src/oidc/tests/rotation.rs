//! Keys that come and go, issuers that are down, and who has to wait for what.

use futures_util::future::join_all;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use super::*;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Waits until the keys that are in force are others, or the failure to get them is settled.
async fn settled(scene: &Scene, requests: usize) {
    scene.server.until(requests).await;
    while scene.verifier.keys[0].is_fetching() {
        tokio::task::yield_now().await;
    }
}

fn unavailable(outcome: Result<Verified, Refusal>) -> Duration {
    match outcome {
        Err(Refusal::IssuerUnavailable { retry_after }) => retry_after,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn many_who_come_first_share_one_fetch() {
    let scene = Scene::new().await;
    let token = scene.token(Signer::first());
    let outcomes = join_all((0..100).map(|_| scene.verify(&token))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!((scene.server.count(DISCOVERY), scene.server.count(JWKS)), (1, 1));
}

#[tokio::test]
async fn made_up_keys_cause_one_fetch_a_minute_at_most() {
    let scene = Scene::new().await;
    assert!(scene.is_good(Signer::first()).await);
    for minute in 0..3 {
        for number in 0..1_000 / 3 {
            let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let header = json!({ "alg": "RS256", "kid": format!("{minute}-{number}") });
            let token = format!("{}.{}.c2ln", encoded(&header), encoded(&scene.claims()));
            assert!(says(&scene.verify(&token).await.unwrap_err(), "kid"));
        }
        assert_eq!(scene.server.count(JWKS), minute + 1);
        assert!(scene.is_good(Signer::first()).await);
        scene.clock.advance(MINUTE);
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it_and_an_old_one_goes_with_it() {
    let scene = Scene::new().await;
    assert!(scene.is_good(Signer::first()).await);
    scene.server.publish(&[Signer::second()]);
    assert!(!scene.is_good(Signer::second()).await, "the last fetch was less than a minute ago");
    scene.clock.advance(MINUTE);
    let token = scene.token(Signer::second());
    let outcomes = join_all((0..100).map(|_| scene.verify(&token))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(scene.server.count(JWKS), 2);
    assert!(!scene.is_good(Signer::first()).await, "it is no key of the issuer's any more");
}

#[tokio::test]
async fn keys_are_renewed_every_hour_while_callers_are_served() {
    let scene = Scene::new().await;
    assert!(scene.is_good(Signer::first()).await);
    scene.server.publish(&[Signer::second()]);
    scene.clock.advance(Duration::from_secs(3_599));
    assert!(scene.is_good(Signer::first()).await);
    assert_eq!(scene.server.count(JWKS), 1);
    scene.clock.advance(Duration::from_secs(1));
    scene.server.set(JWKS, Response::Silence);
    assert!(scene.is_good(Signer::first()).await, "nobody waits");
    scene.server.until(4).await;
    scene.server.publish(&[Signer::second()]);
    scene.clock.advance(MINUTE);
    settled(&scene, 4).await;
    assert!(scene.is_good(Signer::first()).await, "that fetch failed");
    settled(&scene, 6).await;
    assert!(!scene.is_good(Signer::first()).await);
    assert!(scene.is_good(Signer::second()).await);
}

#[tokio::test]
async fn after_a_quiet_night_the_first_caller_waits_for_the_keys_of_the_day() {
    let scene = Scene::new().await;
    assert!(scene.is_good(Signer::first()).await);
    scene.server.publish(&[Signer::second()]);
    scene.clock.advance(8 * HOUR);
    assert!(!scene.is_good(Signer::first()).await);
    assert_eq!(scene.server.count(JWKS), 2);
    scene.server.fail();
    scene.clock.advance(8 * HOUR);
    assert!(scene.is_good(Signer::second()).await, "the issuer is down in the morning");
    assert_eq!(scene.server.count(JWKS), 3);
}

#[tokio::test]
async fn keys_are_good_for_a_day_while_the_issuer_is_down() {
    let scene = Scene::new().await;
    assert!(scene.is_good(Signer::first()).await);
    scene.server.fail();
    for hour in 1..24 {
        scene.clock.advance(HOUR);
        assert!(scene.is_good(Signer::first()).await, "hour {hour}");
        settled(&scene, 2 + 2 * hour).await;
    }
    scene.clock.advance(2 * HOUR);
    let token = scene.token(Signer::first());
    assert!(unavailable(scene.verify(&token).await) <= Duration::from_secs(10));
    scene.server.publish(&[Signer::first()]);
    scene.clock.advance(Duration::from_secs(10));
    assert!(scene.is_good(Signer::first()).await);
}

#[tokio::test]
async fn a_made_up_key_is_refused_as_ever_while_the_issuer_is_down() {
    let scene = Scene::new().await;
    assert!(scene.is_good(Signer::first()).await);
    scene.server.fail();
    scene.clock.advance(MINUTE);
    let refusal = scene.verify(&scene.token(Signer::second())).await.unwrap_err();
    assert!(says(&refusal, "kid"), "{refusal}");
}

#[tokio::test]
async fn an_issuer_that_was_never_reached_is_asked_every_ten_seconds_at_most() {
    let scene = Scene::new().await;
    scene.server.fail();
    let token = scene.token(Signer::first());
    let outcomes = join_all((0..100).map(|_| scene.verify(&token))).await;
    for outcome in outcomes {
        assert_eq!(unavailable(outcome), Duration::from_secs(10));
    }
    scene.clock.advance(Duration::from_secs(9));
    assert_eq!(unavailable(scene.verify(&token).await), Duration::from_secs(1));
    assert_eq!(scene.server.count(JWKS), 1);
    scene.server.publish(&[Signer::first()]);
    scene.clock.advance(Duration::from_secs(1));
    assert!(scene.verify(&token).await.is_ok());
    assert_eq!(scene.server.count(JWKS), 2);
}

#[tokio::test]
async fn whoever_hangs_up_cancels_nothing_that_others_wait_for() {
    let scene = Scene::new().await;
    let token = scene.token(Signer::first());
    {
        let first = scene.verify(&token);
        tokio::pin!(first);
        tokio::select! {
            biased;
            _ = &mut first => panic!("nothing was fetched yet"),
            () = tokio::task::yield_now() => {}
        }
    }
    assert!(scene.verify(&token).await.is_ok());
    assert_eq!(scene.server.count(JWKS), 1);
}

#[tokio::test]
async fn the_log_has_one_line_when_it_begins_to_fail_and_one_when_it_works_again() {
    let scene = Scene::new().await;
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines.clone()));
    scene.server.fail();
    for _ in 0..5 {
        assert!(!scene.is_good(Signer::first()).await);
        scene.clock.advance(Duration::from_secs(10));
    }
    scene.server.publish(&[Signer::first()]);
    for _ in 0..5 {
        assert!(scene.is_good(Signer::first()).await);
        scene.clock.advance(HOUR);
    }
    let lines = lines.0.lock().unwrap();
    let [failing, again] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(
        failing.starts_with("ERROR") && failing.contains("example") && failing.contains("503"),
        "{failing}"
    );
    assert!(again.starts_with("INFO") && again.contains("can be read again"), "{again}");
}

/// What this crate logs.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target().starts_with(env!("CARGO_CRATE_NAME")) {
            let mut words = vec![event.metadata().level().to_string()];
            event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                words.push(format!("{field}={value:?}"));
            });
            self.0.lock().unwrap().push(words.join(" "));
        }
    }
}
