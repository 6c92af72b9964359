//! Tokens of runs of workflows: what they say, how they are signed, and what a forger can make of them.

use fake_github::{DISCOVERY, FakeGithub, Fault, Hold, KEYS, KeyKind, RepoVisibility, Run, SigningKey};
use octocrab::jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::JwkSet};
use serde_json::{Value, json};

use super::client::{http, scene};
use super::issuers::parts;

const AUDIENCE: &str = "https://arm.example.com";

async fn keys_of(fake: &FakeGithub) -> JwkSet {
    let url = format!("{}/.well-known/jwks", fake.actions_issuer());
    http().get(url).send().await.expect("an answer").json().await.expect("a key set")
}

/// Whether one of the published keys has the token's `kid` and made its signature.
fn verifies(keys: &JwkSet, token: &str) -> bool {
    let kid = parts(token).0["kid"].clone();
    let Some(key) = kid.as_str().and_then(|kid| keys.find(kid)) else { return false };
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&[AUDIENCE]);
    decode::<Value>(token, &DecodingKey::from_jwk(key).expect("a key"), &rules).is_ok()
}

#[tokio::test]
async fn the_issuer_describes_itself_as_enterprise_servers_do() {
    let scene = scene();
    let issuer = format!("{}/_services/token", scene.fake.url());
    assert_eq!(scene.fake.actions_issuer(), issuer);
    let reply = scene.call("GET", "/_services/token/.well-known/openid-configuration", "", None).await;
    assert_eq!(reply.header("content-type"), "application/json; charset=utf-8");
    let document = reply.json();
    assert_eq!(document["issuer"], issuer);
    assert_eq!(document["jwks_uri"], format!("{issuer}/.well-known/jwks"));
    assert_eq!(document["subject_types_supported"], json!(["public", "pairwise"]));
    assert_eq!(document["response_types_supported"], json!(["id_token"]));
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["RS256"]));
    assert_eq!(document["scopes_supported"], json!(["openid"]));
    let run = Run::of("acme", "widgets").environment("runners").enterprise("acme-corp", 7);
    let (_, claims) = parts(&scene.fake.actions_token(&run, AUDIENCE));
    let stated = document["claims_supported"].as_array().expect("a list");
    for name in claims.as_object().expect("claims").keys() {
        assert!(stated.contains(&json!(name)), "{name}");
    }
}

#[tokio::test]
async fn what_the_issuer_is_asked_is_no_call_of_the_api() {
    let scene = scene();
    scene.call("GET", "/_services/token/.well-known/openid-configuration", "", None).await;
    for _ in 0..2 {
        scene.call("GET", "/_services/token/.well-known/jwks", "", None).await;
    }
    assert_eq!(scene.call("GET", "/_services/token/elsewhere", "", None).await.status, 404);
    assert_eq!((scene.fake.discovery_fetches(), scene.fake.key_fetches()), (1, 2));
    assert_eq!((scene.fake.total_calls(), scene.fake.issuer_calls().len()), (0, 4));
    scene.fake.clear_calls();
    assert_eq!((scene.fake.discovery_fetches(), scene.fake.key_fetches()), (0, 0));
    scene.assert_in_order();
}

#[tokio::test]
async fn a_token_says_what_githubs_documentation_shows() {
    let scene = scene();
    let run =
        Run::of("acme", "widgets").event("workflow_dispatch").actor("mona").number(10, 2).at(1_800_000_000);
    let (header, claims) = parts(&scene.fake.actions_token(&run, AUDIENCE));
    assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("JWT")));
    assert_eq!(header["kid"], scene.fake.actions_key().kid());
    let org = scene.fake.world(|world| world.org_id());
    for (name, value) in [
        ("iss", scene.fake.actions_issuer()),
        ("aud", AUDIENCE.to_owned()),
        ("sub", "repo:acme/widgets:ref:refs/heads/main".to_owned()),
        ("repository", "acme/widgets".to_owned()),
        ("repository_id", scene.repo.to_string()),
        ("repository_owner", "acme".to_owned()),
        ("repository_owner_id", org.to_string()),
        ("repository_visibility", "private".to_owned()),
        ("actor", "mona".to_owned()),
        ("actor_id", scene.mona.to_string()),
        ("event_name", "workflow_dispatch".to_owned()),
        ("ref", "refs/heads/main".to_owned()),
        ("ref_type", "branch".to_owned()),
        ("ref_protected", "false".to_owned()),
        ("head_ref", String::new()),
        ("base_ref", String::new()),
        ("workflow", "CI".to_owned()),
        ("workflow_ref", "acme/widgets/.github/workflows/ci.yml@refs/heads/main".to_owned()),
        ("job_workflow_ref", "acme/widgets/.github/workflows/ci.yml@refs/heads/main".to_owned()),
        ("run_number", "10".to_owned()),
        ("run_attempt", "2".to_owned()),
        ("runner_environment", "github-hosted".to_owned()),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    for name in ["run_id", "check_run_id"] {
        assert!(claims[name].as_str().is_some_and(|id| id.parse::<u64>().is_ok()), "{name}");
    }
    for name in ["sha", "workflow_sha", "job_workflow_sha"] {
        assert_eq!(claims[name].as_str().map(str::len), Some(40), "{name}");
    }
    assert_eq!(claims["iat"], 1_800_000_000_u64);
    assert_eq!(claims["exp"], 1_800_000_300_u64);
    assert_eq!(claims["nbf"], 1_799_999_400_u64);
    for name in ["environment", "environment_node_id", "enterprise", "enterprise_id"] {
        assert_eq!(claims.get(name), None, "{name}");
    }
}

#[tokio::test]
async fn each_token_has_an_id_of_its_own() {
    let scene = scene();
    let run = Run::of("acme", "widgets");
    let id = || parts(&scene.fake.actions_token(&run, AUDIENCE)).1["jti"].as_str().expect("an id").to_owned();
    let (one, other) = (id(), id());
    assert_ne!(one, other);
    let lengths: Vec<usize> = one.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
}

#[tokio::test]
async fn the_subject_names_the_environment_or_the_pull_request_or_the_ref() {
    let scene = scene();
    let base = || Run::of("acme", "widgets");
    for (run, context) in [
        (base().git_ref("refs/tags/v1"), "ref:refs/tags/v1"),
        (base().pull_request(7, "topic", "main"), "pull_request"),
        (base().event("pull_request_target"), "ref:refs/heads/main"),
        (base().environment("runners"), "environment:runners"),
        (base().environment("a:b"), "environment:a%3Ab"),
        (base().pull_request(7, "topic", "main").environment("runners"), "environment:runners"),
    ] {
        let (_, claims) = parts(&scene.fake.actions_token(&run, AUDIENCE));
        assert_eq!(claims["sub"], format!("repo:acme/widgets:{context}"));
    }
    let shaped = scene.fake.token_of(&base(), AUDIENCE).subject("environment:prod").sign();
    assert_eq!(parts(&shaped).1["sub"], "environment:prod");
}

#[tokio::test]
async fn a_pull_request_runs_on_its_merge_and_names_both_branches() {
    let scene = scene();
    let run = Run::of("acme", "widgets").pull_request(15, "topic", "main");
    let (_, claims) = parts(&scene.fake.actions_token(&run, AUDIENCE));
    assert_eq!(
        (&claims["event_name"], &claims["ref"]),
        (&json!("pull_request"), &json!("refs/pull/15/merge"))
    );
    assert_eq!((&claims["head_ref"], &claims["base_ref"]), (&json!("topic"), &json!("main")));
    assert_eq!(claims["workflow_ref"], "acme/widgets/.github/workflows/ci.yml@refs/pull/15/merge");
}

#[tokio::test]
async fn a_called_workflow_is_named_beside_the_callers() {
    let scene = scene();
    let called = "acme/shared/.github/workflows/build.yml@refs/tags/v2";
    let run = Run::of("acme", "widgets").workflow(".github/workflows/release.yml").job_workflow(called);
    let (_, claims) = parts(&scene.fake.actions_token(&run.self_hosted().property("tier", "1"), AUDIENCE));
    assert_eq!(claims["job_workflow_ref"], called);
    assert_eq!(claims["workflow_ref"], "acme/widgets/.github/workflows/release.yml@refs/heads/main");
    assert_ne!(claims["job_workflow_sha"], claims["workflow_sha"]);
    assert_eq!(
        (&claims["runner_environment"], &claims["repo_property_tier"]),
        (&json!("self-hosted"), &json!("1"))
    );
}

#[tokio::test]
async fn a_job_makes_the_environment_that_it_names() {
    let scene = scene();
    let path = "/repos/acme/widgets/environments/runners";
    assert_eq!(scene.get(path).await.status, 404);
    let run = Run::of("acme", "widgets").environment("Runners");
    let (_, claims) = parts(&scene.fake.actions_token(&run, AUDIENCE));
    let made = scene.get(path).await.json();
    assert_eq!(
        (&claims["environment"], &claims["environment_node_id"]),
        (&json!("Runners"), &made["node_id"])
    );
    assert_eq!(made["protection_rules"], json!([]));
    scene.assert_in_order();
}

#[tokio::test]
async fn the_same_name_elsewhere_is_another_repository_of_another_owner() {
    let scene = scene();
    scene.fake.world(|world| world.add_repository_of("evil", "widgets", RepoVisibility::Public));
    let of = |owner| parts(&scene.fake.actions_token(&Run::of(owner, "widgets"), AUDIENCE)).1;
    let (ours, theirs) = (of("acme"), of("evil"));
    for name in ["repository_id", "repository_owner_id", "repository_owner"] {
        assert_ne!(ours[name], theirs[name], "{name}");
    }
}

#[tokio::test]
async fn earlier_keys_are_good_until_they_are_retired() {
    let scene = scene();
    let run = Run::of("acme", "widgets");
    let early = scene.fake.actions_token(&run, AUDIENCE);
    let before = keys_of(&scene.fake).await;
    assert!(verifies(&before, &early));
    scene.fake.rotate_actions_key();
    let late = scene.fake.actions_token(&run, AUDIENCE);
    assert!(!verifies(&before, &late));
    let both = keys_of(&scene.fake).await;
    assert!(both.keys.len() == 2 && verifies(&both, &early) && verifies(&both, &late));
    scene.fake.retire_actions_keys();
    let after = keys_of(&scene.fake).await;
    assert!(!verifies(&after, &early) && verifies(&after, &late));
}

#[tokio::test]
async fn a_forged_token_does_not_verify() {
    let scene = scene();
    let keys = keys_of(&scene.fake).await;
    let other = SigningKey::generate(KeyKind::Rsa);
    let token = || scene.fake.token_of(&Run::of("acme", "widgets"), AUDIENCE);
    let own = scene.fake.actions_key();
    for (what, forged) in [
        ("signed by another key", token().signed_by(&other).sign()),
        ("of an unknown key", token().kid("unknown").sign()),
        ("without a kid", token().without_header("kid").sign()),
        ("without a signature", token().unsigned().sign()),
        ("signed with the public key", token().signed_by_secret(own.public_bytes()).sign()),
        ("with another algorithm", token().algorithm("RS512").sign()),
        ("expired", token().at(1_000_000).sign()),
    ] {
        assert!(!verifies(&keys, &forged), "{what}");
    }
    assert!(verifies(&keys, &token().sign()));
}

#[tokio::test]
async fn every_part_of_a_token_can_be_changed() {
    let scene = scene();
    let token = scene.fake.token_of(&Run::of("acme", "widgets"), AUDIENCE).at(2_000_000_000).lifetime(3600);
    let token = token.claim("exp", json!("123")).claim("aud", json!([AUDIENCE, "x"])).without("jti");
    let (header, claims) = parts(&token.header("crit", json!(["b64"])).without_header("typ").sign());
    assert_eq!((&claims["exp"], &claims["aud"]), (&json!("123"), &json!([AUDIENCE, "x"])));
    assert_eq!((&claims["iat"], claims.get("jti")), (&json!(2_000_000_000), None));
    assert_eq!((&header["crit"], header.get("typ")), (&json!(["b64"]), None));
    let (header, claims) = parts(&scene.fake.token_of(&Run::of("acme", "widgets"), "x").unsigned().sign());
    assert_eq!((&header["alg"], &claims["aud"]), (&json!("none"), &json!("x")));
}

#[tokio::test]
async fn signed_tokens_are_among_the_secrets() {
    let scene = scene();
    let token = scene.fake.actions_token(&Run::of("acme", "widgets"), AUDIENCE);
    assert!(scene.fake.world(|world| world.secrets()).contains(&token));
}

#[tokio::test]
async fn the_issuer_has_troubles_of_its_own() {
    let scene = scene();
    let keys = "/_services/token/.well-known/jwks";
    scene.fake.inject(Fault::on("GET", KEYS).once().error(503, "Unavailable"));
    scene.fake.inject(Fault::on("GET", KEYS).once().reset());
    scene.fake.inject(Fault::on("GET", keys).once().redirect("http://127.0.0.1:1/keys"));
    scene.fake.inject(Fault::on("GET", KEYS).once().huge(200 * 1024));
    let other =
        |json: &mut Value, _: &mut Vec<(String, String)>| json["issuer"] = json!("https://evil.example.com");
    scene.fake.inject(Fault::on("GET", DISCOVERY).once().changed(other));
    assert_eq!(scene.get("/orgs/acme/teams").await.status, 200);
    assert_eq!(scene.call("GET", keys, "", None).await.status, 503);
    assert!(scene.try_call("GET", keys, "", None).await.is_err());
    let moved = scene.call("GET", keys, "", None).await;
    assert_eq!((moved.status, moved.header("location")), (302, "http://127.0.0.1:1/keys"));
    assert!(scene.call("GET", keys, "", None).await.body.len() > 200 * 1024);
    let discovery = "/_services/token/.well-known/openid-configuration";
    let shown = |reply: super::client::Reply| reply.json()["issuer"].clone();
    assert_eq!(shown(scene.call("GET", discovery, "", None).await), "https://evil.example.com");
    assert_eq!(shown(scene.call("GET", discovery, "", None).await), scene.fake.actions_issuer());
    assert_eq!(scene.fake.key_fetches(), 4);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_slow_issuer_can_be_held() {
    let scene = scene();
    let hold = Hold::new();
    scene.fake.inject(Fault::on("GET", KEYS).hold(&hold));
    let asked = keys_of(&scene.fake);
    let release = async {
        hold.arrived(1).await;
        assert_eq!(scene.get("/orgs/acme/teams").await.status, 200);
        hold.release();
    };
    let (keys, ()) = tokio::join!(asked, release);
    assert_eq!(keys.keys.len(), 1);
}
