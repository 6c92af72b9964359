//! Tokens that are not what they say.

use fake_github::{KeyKind, Run, SigningKey};
use serde_json::json;

use super::{AUDIENCE, OF_MAIN, add, generate, run, start, token};

#[tokio::test]
async fn an_issuer_that_is_not_configured_is_asked_nothing() {
    let stranger = fake_github::OidcIssuer::start(&fake_github::IssuerOptions::default()).unwrap();
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    app.fake.clear_calls();
    let now = app.clock.unix_seconds();
    generate(&app, &stranger.token("x", AUDIENCE).at(now).sign()).await.is_refused(401, "unsupported_token");
    for iss in ["https://token.actions.githubusercontent.com", "", "x", "http://127.0.0.1:1"] {
        let forged = app.fake.token_of(&run().at(now), AUDIENCE).claim("iss", iss).sign();
        generate(&app, &forged).await.is_refused(401, "unsupported_token");
    }
    // By a single character.
    let slash = format!("{}/", app.fake.actions_issuer());
    let forged = app.fake.token_of(&run().at(now), AUDIENCE).claim("iss", slash).sign();
    generate(&app, &forged).await.is_refused(401, "unsupported_token");
    assert_eq!(stranger.calls().len(), 0);
    assert_eq!((app.calls(), app.fake.key_fetches()), (Vec::new(), 0));
}

#[tokio::test]
async fn a_flood_of_unknown_keys_has_keys_fetched_once_a_minute() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    generate(&app, &token(&app, &run())).await.response();
    app.fake.clear_calls();
    let stranger = SigningKey::generate(KeyKind::Rsa);
    for minute in 1..=3 {
        for number in 0..100 {
            let forged = app.fake.token_of(&run().at(app.clock.unix_seconds()), AUDIENCE);
            let forged = forged.signed_by(&stranger).kid(&format!("made-up-{minute}-{number}")).sign();
            let status = generate(&app, &forged).await.status;
            assert!(matches!(status, 401 | 429), "{status}");
        }
        assert!(app.fake.key_fetches() <= minute, "{}", app.fake.key_fetches());
        app.clock.advance(std::time::Duration::from_mins(1));
    }
    generate(&app, &token(&app, &run())).await.response();
}

#[tokio::test]
async fn tokens_that_are_forged_expired_or_for_others_are_refused_and_count_against_the_address() {
    let (app, cast) = start(json!({ "server": { "unknownTokenRate": 0.001 } })).await;
    add(&app, &cast, &OF_MAIN).await;
    generate(&app, &token(&app, &run())).await.response();
    let now = app.clock.unix_seconds();
    let made = || app.fake.token_of(&run().at(now), AUDIENCE);
    let public = app.fake.actions_key().public_bytes().to_vec();
    let forged = [
        ("none", made().unsigned()),
        ("HS256 with the public key", made().signed_by_secret(&public)),
        (
            "another key",
            made().signed_by(&SigningKey::generate(KeyKind::Rsa)).kid(app.fake.actions_key().kid()),
        ),
        ("another audience", app.fake.token_of(&run().at(now), "https://github.com/acme")),
        ("ours and another audience", made().claim("aud", json!([AUDIENCE, "x"]))),
        ("a string as date", made().claim("exp", (now + 300).to_string())),
        ("expired", app.fake.token_of(&run().at(now - 331), AUDIENCE)),
        ("not yet issued", app.fake.token_of(&run().at(now + 31), AUDIENCE)),
        ("too long", made().lifetime(3_601)),
        ("crit", made().header("crit", json!(["exp"]))),
        ("no kid", made().without_header("kid")),
        ("no owner", made().without("repository_owner_id")),
        ("another owner", made().claim("repository_owner_id", "1")),
        ("an owner that is a number", made().claim("repository_owner_id", 1)),
        ("no repository", made().without("repository_id")),
    ];
    for (what, token) in forged {
        let answer = generate(&app, &token.sign()).await;
        assert_eq!(answer.refusal(), (401, "invalid_token".to_owned()), "{what}");
    }
    for _ in 0..5 {
        generate(&app, &made().unsigned().sign()).await.is_refused(401, "invalid_token");
    }
    generate(&app, &made().unsigned().sign()).await.is_refused(429, "rate_limited");
    // What is good is checked whatever the count; also at the edges of what clocks may differ by.
    generate(&app, &token(&app, &run())).await.response();
    for at in [now - 329, now + 29] {
        generate(&app, &app.fake.actions_token(&run().at(at), AUDIENCE)).await.response();
    }
}

#[tokio::test]
async fn a_repository_of_another_organisation_with_the_same_name_costs_no_call_and_leaves_no_line() {
    let (mut world, cast, _) = crate::scene::acme_with_groups();
    world.add_repository_of("evil", "web", fake_github::RepoVisibility::Public);
    let app = super::in_world(world, json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    generate(&app, &token(&app, &run())).await.response();
    app.fake.clear_calls();
    let answer = generate(&app, &token(&app, &Run::of("evil", "web"))).await;
    answer.is_refused(401, "invalid_token");
    assert_eq!((app.calls(), answer.audit()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn whoever_no_entry_fits_leaves_a_line_but_nothing_in_the_store() {
    let (app, cast) = start(json!({})).await;
    add(&app, &cast, &OF_MAIN).await;
    let store = app.server.state().organisation.store.clone().unwrap();
    store.flush().await;
    let before = store.events(None, None, 100).await.unwrap().len();
    let answer = generate(&app, &token(&app, &Run::of("acme", "index"))).await;
    answer.is_refused(403, "not_trusted");
    let line = &answer.audit()[0];
    assert_eq!(
        (&line["reason"], &line["workload"]["repository"]),
        (&json!("not_trusted"), &json!("acme/index"))
    );
    store.flush().await;
    assert_eq!(store.events(None, None, 100).await.unwrap().len(), before);
}

#[tokio::test]
async fn hostile_values_of_every_field_are_no_defect_and_reach_no_other_path() {
    let (app, cast) = start(json!({
        "oidc": { "issuers": { "cluster": { "url": "https://oidc.example.com/id/1" } } },
        "server": { "rateLimit": 1_000_000 },
    }))
    .await;
    let of_cluster = [
        ("kind", "oidc"),
        ("issuer", "cluster"),
        ("subject", "x"),
        ("operations", "demand"),
        ("labels", "linux"),
    ];
    let fields = [
        "kind",
        "operations",
        "labels",
        "repository",
        "ref",
        "environment",
        "workflow",
        "job_workflow",
        "events",
        "runner_environment",
        "issuer",
        "subject",
        "claims",
        "per_hour",
        "expires_in",
        "note",
    ];
    for field in fields {
        for value in crate::attacks::hostile() {
            let usual = if matches!(field, "issuer" | "subject" | "claims") { &of_cluster } else { &OF_MAIN };
            let mut others = vec![(field, value.as_str())];
            if field == "environment" {
                others.push(("ref", ""));
            }
            let answer = super::try_add(&app, &cast, &super::with(usual, &others)).await;
            assert!(answer.status < 500, "{field} {value:?}: {}", answer.text);
            if answer.status == 200 {
                let id = answer.response()["access"]["id"].as_str().unwrap().to_owned();
                let removed = [("team", "payments"), ("id", id.as_str())];
                app.call("DELETE", "access-remove", &cast.ada, &removed).await.response();
            }
        }
    }
    for value in crate::attacks::hostile() {
        let parameters = [("team", "payments"), ("id", value.as_str())];
        app.call("DELETE", "access-remove", &cast.ada, &parameters)
            .await
            .is_refused(400, "invalid_parameter");
    }
    for call in app.fake.calls() {
        let parts: Vec<_> = call.path.split('/').collect();
        let is_environment = call.path.starts_with("/repos/acme/web/environments/") && parts.len() == 6;
        assert!(!parts.contains(&"..") && (is_environment || !call.path.contains('%')), "{}", call.path);
    }
}
