//! No secret in any output, whatever is asked and however GitHub answers, at the most verbose level.

use fake_github::{Fault, TokenStyle};
use serde_json::json;

use crate::harness::send;
use crate::process::{Service, no_secret_in};
use crate::scene::acme;

const OPERATIONS: [(&str, &str); 13] = [
    ("POST", "group-add?team=payments"),
    ("PATCH", "repos-add?team=payments&repos=web,api"),
    ("PATCH", "repos-set?team=payments&repos=web"),
    ("PATCH", "repos-remove?team=payments&repos=web"),
    ("GET", "group-list?team=payments"),
    ("POST", "token-register?team=payments"),
    ("GET", "token-remove?team=payments"),
    ("POST", "jitconfig-generate?team=payments&labels=linux&name=payments-1"),
    ("GET", "runners-list?team=payments"),
    ("POST", "jitconfig-generate?team=payments&labels=linux&name=payments-1"),
    ("DELETE", "runners-remove?team=payments&names=payments-1"),
    ("DELETE", "group-delete?team=payments"),
    ("GET", "status"),
];

#[tokio::test]
async fn no_token_key_or_jit_config_is_in_any_line() {
    for style in [TokenStyle::Short, TokenStyle::Stateless] {
        let (mut world, cast) = acme();
        world.set_token_style(style);
        let service = Service::with(world, json!({ "server": { "unknownTokenRate": 1000 } })).await;
        service.binary.stdout.with("GitHub accepts the credential").await;
        let mut statuses = Vec::new();
        for (method, path) in OPERATIONS {
            statuses.push(service.call(method, path, &format!("Bearer {}", cast.ada)).await.status);
            service.call(method, path, &cast.bob).await;
            service.call(method, path, "ghp_0000000000000000unknown").await;
        }
        assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 200, 409, 200, 200, 200]);
        let doubled = service.request("GET", "status", &cast.ada).header("authorization", &cast.bob);
        assert_eq!(send(doubled).await.status, 401);
        assert!(service.fake.world(|world| world.jit_configs().len()) >= 1);
        service.stop().await;
        let output = service.binary.stdout.text();
        assert!(output.contains("\"debug\"") && output.contains("\"audit\""), "{output}");
        assert!(!output.contains("0000000000000000unknown"));
        no_secret_in(&output, &service.fake);
    }
}

#[tokio::test]
async fn answers_with_secrets_that_go_wrong_are_logged_without_them() {
    let (world, cast) = acme();
    let service = Service::start(world).await;
    service.binary.stdout.with("GitHub accepts the credential").await;
    service.call("POST", "group-add?team=payments", &cast.ada).await.response();
    let faults: [fn(Fault) -> Fault; 4] =
        [Fault::truncated, Fault::reset, Fault::html, |fault| fault.error(500, "Server Error")];
    for (number, fault) in faults.into_iter().enumerate() {
        // Each took effect, so there is a secret that nobody was given.
        service.fake.inject(fault(Fault::on("POST", "*").after_effect()));
        let jit = format!("jitconfig-generate?team=payments&labels=linux&name=payments-{number}");
        for path in ["token-register?team=payments", "token-remove?team=payments", &jit] {
            let answer = service.call("POST", path, &cast.ada).await;
            assert!(answer.status >= 500, "{path}: {}", answer.text);
            service.fake.world(|world| world.secrets()).iter().for_each(|secret| {
                assert!(!answer.text.contains(secret), "{path}");
            });
        }
        service.fake.clear_faults();
        // A good answer in between, so that this is not taken for an outage.
        service.call("GET", "group-list?team=payments", &cast.ada).await.response();
    }
    service.stop().await;
    no_secret_in(&service.binary.stdout.text(), &service.fake);
}
