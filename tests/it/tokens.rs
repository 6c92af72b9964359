//! `token-register`, `token-remove` and `status`.

use serde_json::json;

use crate::harness::App;
use crate::scene::acme;

#[tokio::test]
async fn a_maintainer_gets_tokens_by_each_method_without_a_group() {
    let (world, cast) = acme();
    let app = App::start(world).await.settled().await;
    for operation in ["token-register", "token-remove"] {
        for method in ["POST", "GET"] {
            let answer = app.call(method, operation, &cast.ada, &[("team", "payments")]).await;
            let response = answer.response();
            assert!(!response["token"].as_str().unwrap().is_empty());
            let expires = response["expires_at"].as_str().unwrap();
            assert!(chrono::DateTime::parse_from_rfc3339(expires).is_ok(), "{expires}");
            assert_eq!(response.as_object().unwrap().len(), 2);
            assert_eq!(answer.header("deprecation"), "", "GET is no legacy here");
        }
    }
    assert!(app.calls().iter().all(|call| !call.contains("runner-groups")), "the group is not looked up");
}

#[tokio::test]
async fn the_administrator_can_switch_tokens_off() {
    let (world, cast) = acme();
    let policy = json!({ "policy": { "registrationTokens": false, "removalTokens": false } });
    let app = App::with(world, policy).await;
    for operation in ["token-register", "token-remove"] {
        let answer = app.call("POST", operation, &cast.ada, &[("team", "payments")]).await;
        answer.is_refused(403, "denied_by_policy");
    }
    assert!(app.fake.world(|world| world.runner_tokens().is_empty()));
}

#[tokio::test]
async fn status_needs_a_valid_token_and_no_team() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    assert_eq!(app.call("GET", "status", &cast.sam, &[]).await.response(), "Server ready");
    app.call("GET", "status", "", &[]).await.is_refused(401, "missing_token");
    app.call("GET", "status", "ghp_unknown", &[]).await.is_refused(401, "invalid_token");
    app.call("GET", "status", &cast.sam, &[("team", "x")]).await.is_refused(400, "unknown_parameter");
}
