//! The documented secondary limit: 900 points a minute for each endpoint, 5 for a write.

use std::time::Duration;

use serde_json::json;

use super::client::{Scene, scene};

const GROUPS: &str = "/orgs/acme/actions/runner-groups";
const REGISTRATION: &str = "/orgs/acme/actions/runners/registration-token";

async fn statuses(scene: &Scene, method: &str, path: &str, times: usize) -> Vec<u16> {
    let mut seen = Vec::new();
    for _ in 0..times {
        seen.push(scene.act(method, path).await.status);
    }
    seen
}

#[tokio::test]
async fn the_181st_write_within_a_minute_is_refused() {
    let scene = scene();
    assert!(statuses(&scene, "POST", REGISTRATION, 180).await.iter().all(|status| *status == 201));
    let refused = scene.act("POST", REGISTRATION).await;
    assert_eq!((refused.status, refused.header("retry-after")), (403, "60"));
    assert!(
        refused.message().starts_with("You have exceeded a secondary rate limit"),
        "{}",
        refused.message()
    );
    assert_eq!(refused.header("x-ratelimit-remaining"), "4820");
    assert_eq!(scene.get(GROUPS).await.status, 200, "another endpoint has points of its own");
    scene.fake.advance(Duration::from_secs(61));
    assert_eq!(scene.act("POST", REGISTRATION).await.status, 201);
    scene.assert_in_order();
}

#[tokio::test]
async fn all_methods_and_all_things_of_one_template_count_together() {
    let scene = scene();
    scene.fake.world(|world| world.set_endpoint_points(Some(12)));
    let runner = format!("/orgs/acme/actions/runners/{}", scene.runner);
    assert_eq!(statuses(&scene, "GET", &runner, 3).await, [200, 200, 200]);
    assert_eq!(scene.act("DELETE", &runner).await.status, 204);
    assert_eq!(statuses(&scene, "GET", "/orgs/acme/actions/runners/777", 5).await, [404, 404, 404, 404, 403]);
    scene.assert_in_order();
}

#[tokio::test]
async fn the_minute_slides() {
    let scene = scene();
    scene.fake.world(|world| world.set_endpoint_points(Some(2)));
    assert_eq!(scene.get(GROUPS).await.status, 200);
    scene.fake.advance(Duration::from_secs(40));
    assert_eq!(statuses(&scene, "GET", GROUPS, 2).await, [200, 403]);
    scene.fake.advance(Duration::from_secs(25));
    assert_eq!(
        statuses(&scene, "GET", GROUPS, 2).await,
        [200, 403],
        "the first is over a minute old, not the second"
    );
    scene.assert_in_order();
}

#[tokio::test]
async fn users_and_the_app_have_no_such_limit() {
    let scene = scene();
    scene.fake.world(|world| world.set_endpoint_points(Some(1)));
    for _ in 0..3 {
        assert_eq!(scene.call("GET", "/user", &scene.member, None).await.status, 200);
        assert_eq!(scene.call("GET", "/app", &scene.jwt(), None).await.status, 200);
    }
    scene.assert_in_order();
}

#[tokio::test]
async fn worlds_for_benchmarks_and_enterprise_servers_have_no_such_limit() {
    let arrangements: [fn(&mut fake_github::World); 3] = [
        |world| world.set_rate_limit(1_000_000),
        |world| world.set_enterprise_version(3, 16),
        |world| world.set_endpoint_points(None),
    ];
    for arrange in arrangements {
        let scene = scene();
        scene.fake.world(arrange);
        assert!(statuses(&scene, "POST", REGISTRATION, 200).await.iter().all(|status| *status == 201));
        scene.assert_in_order();
    }
}

#[tokio::test]
async fn the_hourly_limit_is_refused_before_the_points() {
    let scene = scene();
    let installation = fake_github::Subject::Installation(scene.installation);
    scene.fake.world(|world| {
        world.set_endpoint_points(Some(0));
        world.set_remaining(installation, 0);
    });
    let refused = scene.send("POST", GROUPS, json!({"name": "x"})).await;
    assert!(refused.message().starts_with("API rate limit exceeded"), "{}", refused.message());
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    scene.assert_in_order();
}
