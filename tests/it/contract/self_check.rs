//! The checker checked: what is planted is found, and nothing else.

use bytes::Bytes;
use fake_github::Exchange;
use serde_json::{Value, json};

use super::client::scene;

/// A good call, changed; what the checker says about it.
fn found(good: &Exchange, change: impl FnOnce(&mut Exchange)) -> String {
    let mut call = good.clone();
    change(&mut call);
    super::check(&[call]).join("\n")
}

fn with_body(call: &mut Exchange, change: impl FnOnce(&mut Value)) {
    let mut body = call.response_json();
    change(&mut body);
    call.response_body = Bytes::from(body.to_string());
}

#[tokio::test]
async fn a_wrong_answer_is_found() {
    let scene = scene();
    scene.get("/orgs/acme/actions/runner-groups?per_page=100").await;
    let good = scene.last_call();
    assert_eq!(found(&good, |_| {}), "");
    let planted = |change: fn(&mut Value)| found(&good, |call| with_body(call, change));
    assert!(planted(|body| body["runner_groups"][0]["id"] = json!("1")).contains("/runner_groups/0/id"));
    assert!(
        planted(|body| drop(body.as_object_mut().map(|all| all.remove("total_count"))))
            .contains("total_count")
    );
    assert!(planted(|body| body["runner_groups"][1]["name"] = Value::Null).contains("/runner_groups/1/name"));
    assert!(found(&good, |call| call.response_body = Bytes::from_static(b"{")).contains("not JSON"));
    assert!(found(&good, |call| call.status = Some(202)).contains("doesn't describe"));
    assert!(found(&good, |call| call.status = Some(500)).contains("no error of GitHub"));
    assert!(found(&good, |call| call.status = Some(204)).contains("has a body"));
    let link = ("link".to_owned(), "<x>".to_owned());
    assert!(found(&good, |call| call.response_headers.push(link)).contains("Link"));
    assert!(found(&good, |call| call.response_headers.clear()).contains("request id"));
}

#[tokio::test]
async fn a_wrong_request_is_found() {
    let scene = scene();
    scene.get("/orgs/acme/actions/runner-groups?per_page=100").await;
    let good = scene.last_call();
    let query = |text: &str| found(&good, |call| text.clone_into(&mut call.query));
    assert!(query("per_page=lots").contains("can't be a per_page"));
    assert!(query("per_page=101").contains("out of bounds"));
    assert!(query("name=x").contains("no parameter"));
    assert!(found(&good, |call| call.request_body = Bytes::from_static(b"{}")).contains("takes no body"));
    let path = |text: &str| found(&good, |call| text.clone_into(&mut call.path));
    assert!(path("/orgs/acme/actions/runner-group").contains("no such operation"));
    assert!(path("/orgs/acme/actions/runner-groups/x").contains("can't be a runner_group_id"));

    scene.send("POST", "/orgs/acme/actions/runner-groups", json!({"name": "x"})).await;
    let good = scene.last_call();
    let body = |body: Value| found(&good, |call| call.request_body = Bytes::from(body.to_string()));
    assert_eq!(body(json!({"name": "x", "visibility": "selected"})), "");
    assert!(body(json!({"name": "x", "colour": "red"})).contains("colour is no field"));
    assert!(body(json!({"name": 7})).contains("/name"));
    assert!(body(json!({"visibility": "all"})).contains("\"name\" is a required property"));
    assert!(found(&good, |call| call.request_body = Bytes::new()).contains("needs a body"));
}

#[tokio::test]
async fn what_may_be_null_and_what_may_be_one_of_two_is_understood() {
    let scene = scene();
    scene.call("GET", "/user", &scene.member, None).await;
    let good = scene.last_call();
    let planted = |change: fn(&mut Value)| found(&good, |call| with_body(call, change));
    assert_eq!(planted(|body| body["bio"] = json!("Octocat")), "");
    assert_eq!(planted(|body| body["bio"] = Value::Null), "");
    assert!(!planted(|body| body["id"] = Value::Null).is_empty());
    assert!(!planted(|body| body["created_at"] = json!("yesterday")).is_empty());
    assert!(!planted(|body| body["url"] = json!("not a url")).is_empty());
}

#[tokio::test]
async fn the_checker_repeats_no_secret() {
    let scene = scene();
    scene.act("POST", "/orgs/acme/actions/runners/registration-token").await;
    let call = scene.last_call();
    let secret = call.response_json()["token"].as_str().expect("a token").to_owned();
    let text = found(&call, |call| with_body(call, |body| body["expires_at"] = body["token"].take()));
    assert!(!text.is_empty() && !text.contains(&secret), "{text}");
}
