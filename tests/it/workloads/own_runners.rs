//! An entry removes the runners whose JIT configs it was given, and no other.

use serde_json::json;

use super::{OF_MAIN, add, generate, run, start, token, with};
use crate::binary::Binary;
use crate::process::Service;
use crate::scene::acme_with_groups;

#[tokio::test]
async fn an_entry_reaches_only_runners_that_it_was_given() {
    let (app, cast) = start(json!({})).await;
    let fields = with(&OF_MAIN, &[("operations", "jitconfig-generate,runners-remove")]);
    add(&app, &cast, &fields).await;
    add(&app, &cast, &with(&fields, &[("ref", "refs/heads/topic")])).await;
    let name = async |token: &str| {
        let response = generate(&app, token).await.response();
        response["runner"]["name"].as_str().unwrap().to_owned()
    };
    let own = name(&token(&app, &run())).await;
    let of_the_other = name(&token(&app, &run().git_ref("refs/heads/topic"))).await;
    let of_ada = name(&cast.ada).await;
    let remove = async |others: &[(&str, &str)]| {
        let parameters: Vec<_> = [("team", "payments")].iter().chain(others).copied().collect();
        app.call("DELETE", "runners-remove", &token(&app, &run()), &parameters).await
    };
    for name in [&of_the_other, &of_ada] {
        remove(&[("names", name)]).await.is_refused(404, "runner_not_found");
    }
    let removed = remove(&[("offline", "true")]).await.response();
    assert_eq!(removed["removed"].as_array().unwrap().len(), 1, "{removed}");
    assert_eq!(removed["removed"][0]["name"], own);
    let left = crate::jit::names(&app);
    assert!(left.contains(&of_the_other) && left.contains(&of_ada) && !left.contains(&own), "{left:?}");
}

#[tokio::test]
async fn after_a_restart_it_is_known_whose_runners_are_and_which_tokens_are_used() {
    let (world, cast, _) = acme_with_groups();
    let service = Service::with(world, super::actions(&json!({}))).await;
    let fields = with(&OF_MAIN, &[("team", "payments"), ("operations", "jitconfig-generate,runners-remove")]);
    let query: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let path = |operation: &str, query: &str| format!("{operation}?team=payments&{query}");
    let added = service.call("POST", &format!("access-add?{}", query.join("&")), &cast.ada).await;
    added.response();
    let token = || format!("Bearer {}", service.fake.actions_token(&run(), super::AUDIENCE));
    let first = token();
    service.call("POST", &path("jitconfig-generate", "labels=linux"), &first).await.response();
    service.call("POST", &path("jitconfig-generate", "labels=linux"), &cast.ada).await.response();
    service.stop().await;
    let again = Binary::start(&[], &[], service.folder.path());
    let port = crate::process::port_of(&again.stdout.with("\"serving\"").await);
    let call = async |method: &str, path: &str, token: &str| {
        let url = format!("https://localhost:{port}/api/v1/{path}");
        let request = service.http.request(method.parse().unwrap(), url).header("authorization", token);
        crate::harness::send(request).await
    };
    call("POST", &path("jitconfig-generate", "labels=linux"), &first).await.is_refused(401, "token_used");
    let removed = call("DELETE", &path("runners-remove", "offline=true"), &token()).await.response();
    assert_eq!(removed["removed"].as_array().unwrap().len(), 1, "{removed}");
    again.signal("TERM");
    assert_eq!(again.ended().await.code, 0);
}
