//! Places for calls under way are shared out fairly.

use fake_github::{Fault, Hold};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::*;
use crate::scene::acme;

#[tokio::test]
async fn twenty_slow_calls_of_one_keep_nobody_else_out() {
    let (world, cast) = acme();
    let app = with_admin(world, json!({ "github": { "concurrency": 4 } })).await;
    register(&app, &cast.ada, "payments").await.response();
    register(&app, &cast.eve, "search").await.response();
    app.fake.clear_calls();
    let before = scarce(&app, "places").await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("POST", REGISTRATION).hold(&hold).times(4));
    let mut flood: FuturesUnordered<_> = (0..20).map(|_| register(&app, &cast.ada, "payments")).collect();
    let other = async {
        hold.arrived(4).await;
        crate::binary::until("all others of the flood wait", || {
            app.server.state().organisation.github.load() == (4, 16)
        })
        .await;
        app.call("POST", "token-remove", &cast.eve, &SEARCH).await
    };
    let flooded = async {
        // The queue is full, so the other's call takes the place of one of these.
        let turned_away = flood.next().await.unwrap();
        turned_away.is_refused(503, "overloaded");
        hold.release();
        while let Some(answer) = flood.next().await {
            answer.response();
        }
    };
    let (other, ()) = tokio::join!(other, flooded);
    other.response();
    let calls = apps_calls(&app);
    let place = calls.iter().position(|call| *call == format!("POST {REMOVAL}")).unwrap();
    assert!((4..8).contains(&place), "it is among the next four: {calls:?}");
    assert_eq!(calls.len(), 4 + 15 + 1);
    assert!(scarce(&app, "places").await > before);
}
