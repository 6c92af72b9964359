//! Requests as programs of all kinds write them: taken where it is plain what is meant, and otherwise told what is wrong.

use fake_github::World;
use serde_json::{Value, json};

use crate::harness::{Answer, App, send};
use crate::scene::{Cast, acme_with_groups, acme_with_runners};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Sends a body just so. Unlike [`send`] this doesn't ask whether the description foresees it.
async fn post(
    app: &App,
    operation: &str,
    token: &str,
    content_type: &str,
    body: impl Into<Vec<u8>>,
) -> Answer {
    let mut request = app.request("POST", &format!("/api/v1/{operation}"), token).body(body.into());
    if !content_type.is_empty() {
        request = request.header("content-type", content_type);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

async fn app_with(change: impl FnOnce(&mut World, &Cast)) -> (App, Cast) {
    let (mut world, cast, _) = acme_with_groups();
    change(&mut world, &cast);
    (App::start(world).await, cast)
}

#[tokio::test]
async fn null_means_that_a_parameter_is_not_given() {
    let (app, cast) = app_with(|_, _| {}).await;
    let token =
        app.call_json("POST", "token-register", &cast.ada, json!({ "team": "payments", "repo": null }));
    assert!(token.await.response()["token"].is_string());
    let labels = json!({ "team": "payments", "labels": ["linux"], "name": null, "work_folder": null });
    let made = app.call_json("POST", "jitconfig-generate", &cast.ada, labels).await.response();
    let id = made["runner"]["id"].clone();
    let removed = json!({ "team": "payments", "ids": [id], "names": null, "labels": null, "offline": null, "dry_run": null });
    let removed = app.call_json("DELETE", "runners-remove", &cast.ada, removed).await.response();
    assert_eq!(removed["removed"][0]["id"], id);
    let left = json!({ "team": "payments", "transfer_to": null, "remove_runners": null });
    app.call_json("DELETE", "group-delete", &cast.ada, left).await.response();
    for (body, name) in [
        (json!({ "team": null, "repos": ["web"] }), "team"),
        (json!({ "team": "payments", "repos": null }), "repos"),
    ] {
        let answer = app.call_json("PATCH", "repos-add", &cast.ada, body).await;
        answer.is_refused(400, "missing_parameter");
        assert!(answer.text.contains(&format!("\\\"{name}\\\"")), "{}", answer.text);
    }
    let answer =
        app.call_json("POST", "token-register", &cast.ada, json!({ "team": "payments", "repository": null }));
    answer.await.is_refused(400, "unknown_parameter");
}

#[tokio::test]
async fn a_slug_of_digits_may_come_as_a_number() {
    let (app, cast) = app_with(|world, cast| {
        let team = world.add_team("20240712");
        world.add_maintainer(team, cast.ada_id);
    })
    .await;
    let answer = post(&app, "group-add", &cast.ada, JSON, r#"{"team": 20240712}"#).await;
    assert_eq!(answer.response(), "Runner group created successfully: 20240712");
    for team in ["2.0240712e7", "20240712.0", "true", "[20240712]", "{\"slug\": \"20240712\"}"] {
        let answer = post(&app, "group-list", &cast.ada, JSON, format!("{{\"team\": {team}}}")).await;
        answer.is_refused(405, "method_not_allowed");
        let answer = post(&app, "token-register", &cast.ada, JSON, format!("{{\"team\": {team}}}")).await;
        answer.is_refused(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn an_id_may_come_as_a_number_with_a_point() {
    let (world, cast, _) = acme_with_runners();
    let app = App::start(world).await;
    let listed = app.call("GET", "runners-list", &cast.ada, &[("team", "payments")]).await.response();
    let id = listed["runners"][0]["id"].as_u64().unwrap();
    for ids in [format!("[{id}.0]"), format!("{id}.0"), format!("[\"{id}\"]"), format!("\"{id}, {id}\"")] {
        let body = format!("{{\"team\": \"payments\", \"ids\": {ids}, \"dry_run\": true}}");
        let found = post(&app, "runners-remove", &cast.ada, JSON, body).await.response();
        let all =
            [&found["removed"], &found["skipped"]].map(|list| list.as_array().unwrap().clone()).concat();
        assert!(all.iter().any(|runner| runner["id"] == id), "{ids}: {found}");
    }
    for ids in ["1.5", "[-1]", "1e300", "[\"1.0\"]", "\"1e2\"", "[null]", "[true]", "\"1,\"", "[[1]]"] {
        let body = format!("{{\"team\": \"payments\", \"ids\": {ids}, \"dry_run\": true}}");
        post(&app, "runners-remove", &cast.ada, JSON, body).await.is_refused(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn a_body_is_read_under_every_name_of_its_kind_and_with_marks() {
    let (app, cast) = app_with(|_, _| {}).await;
    let object = r#"{"team": "payments", "repos": ["web", "api"]}"#;
    let wide: Vec<u8> = format!("\u{feff}{object}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (content_type, body) in [
        (JSON, object.as_bytes().to_vec()),
        (JSON, format!("\u{feff}{object}").into()),
        (JSON, format!("\r\n{object}\r\n").into()),
        (JSON, wide),
        ("Application/JSON; charset=utf-8", object.into()),
        ("text/json", object.into()),
        ("application/hal+json", object.into()),
        ("", object.into()),
        (FORM, format!("\u{feff} {object}\n").into()),
        (FORM, b"team=payments&repos=web,api\r\n".to_vec()),
        (FORM, b"team=payments&repos=web%2C+api\n".to_vec()),
        ("Application/X-WWW-Form-URLencoded; charset=UTF-8", b"team=payments&repos=web,%20api".to_vec()),
    ] {
        let answer = post(&app, "repos-set", &cast.ada, content_type, body.clone()).await;
        assert_eq!(answer.status, 200, "{content_type} {}: {}", String::from_utf8_lossy(&body), answer.text);
    }
    let in_query = "repos-set?team=payments&repos=web,%20api";
    post(&app, in_query, &cast.ada, "", "").await.response();
    // A content type without a body is no matter.
    let empty = app.request("POST", "/api/v1/token-register?team=payments", &cast.ada);
    send(empty.header("content-type", JSON)).await.response();
}

/// Content type and body, status and reason, and words of the message.
type Refused = (&'static str, &'static [u8], (u16, &'static str), &'static str);

const UNSUPPORTED: (u16, &str) = (415, "unsupported_media_type");
const UNREADABLE: (u16, &str) = (400, "invalid_body");
const INVALID: (u16, &str) = (400, "invalid_parameter");

#[rustfmt::skip]
const REFUSED: &[Refused] = &[
    ("text/plain", b"{\"team\": \"payments\"}", UNSUPPORTED, "application/json"),
    ("multipart/form-data; boundary=x", b"--x", UNSUPPORTED, "application/json"),
    ("", b"team=payments", UNSUPPORTED, "application/json"),
    (JSON, b"team=payments", UNREADABLE, "not valid JSON"),
    (JSON, b"{'team': 'payments'}", UNREADABLE, "line 1 column 2"),
    (JSON, b"{\"team\": \"payments\",}", UNREADABLE, "not valid JSON"),
    (JSON, b"[{\"team\": \"payments\"}]", UNREADABLE, "expected a JSON object"),
    (JSON, b"{\"team\": 1e999}", UNREADABLE, "not valid JSON"),
    (JSON, b"{\0\"\0a\0\"\0:\0\"\0b\0\"\0}\0", UNREADABLE, "UTF-16"),
    (JSON, b"{\"team\": \"p\xe4yments\"}", UNREADABLE, "UTF-8"),
    (JSON, b"{\"team\": \"payments\", \"team\": null}", (400, "conflicting_parameter"), "more than once"),
    (JSON, b"{\"team\": \"payments\\n\"}", INVALID, "white space or a line break around it"),
    (JSON, b"{\"team\": \"pay\\u200bments\"}", INVALID, "an invisible character in it"),
    (FORM, b"team=payments%0D", INVALID, "white space or a line break around it"),
    (FORM, b"team=payments&repo=", INVALID, "repo"),
    (FORM, b"team=payments&team[]=a", (400, "unknown_parameter"), "team[]"),
];

#[tokio::test]
async fn a_body_that_is_not_plain_is_refused_with_what_is_wrong() {
    let (app, cast) = app_with(|_, _| {}).await;
    for (content_type, body, (status, reason), words) in REFUSED {
        let answer = post(&app, "token-register", &cast.ada, content_type, *body).await;
        answer.is_refused(*status, reason);
        assert!(answer.text.contains(words), "{}: {}", String::from_utf8_lossy(body), answer.text);
    }
}

#[tokio::test]
async fn a_list_with_a_gap_is_refused_since_something_may_be_missing() {
    let (app, cast) = app_with(|_, _| {}).await;
    for (repos, words) in
        [("web,", "item 2 is empty"), ("web,,api", "item 2 is empty"), (",web", "item 1 is empty")]
    {
        let answer =
            app.call("PATCH", "repos-set", &cast.ada, &[("team", "payments"), ("repos", repos)]).await;
        answer.is_refused(400, "invalid_parameter");
        assert!(answer.text.contains(words), "{repos}: {}", answer.text);
    }
    assert_eq!(repositories(&app, &cast).await, json!(["web"]), "nothing was changed");
}

async fn repositories(app: &App, cast: &Cast) -> Value {
    let listed = app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
    listed["repos"].clone()
}

#[tokio::test]
async fn a_header_without_a_usable_token_is_refused_with_what_is_wrong_and_nobody_is_asked() {
    let (app, cast) = app_with(|_, _| {}).await;
    let app = app.settled().await;
    for (header, words) in [
        ("Basic dXNlcjpwYXNz".to_owned(), "Basic authentication isn't supported; use Bearer"),
        (format!("basic {}", cast.ada), "Basic authentication isn't supported; use Bearer"),
        (format!("\"{}\"", cast.ada), "quotes around it"),
        (format!("Bearer '{}'", cast.ada), "quotes around it"),
        ("Bearer $GITHUB_TOKEN".to_owned(), "put the header in double quotes"),
        (format!("Bearer Bearer {}", cast.ada), "Send the token alone"),
        (format!("Bearer {},", cast.ada), "Send the token alone"),
        ("ghr_refresh".to_owned(), "refresh token"),
    ] {
        let answer = app.call("GET", "status", &header, &[]).await;
        answer.is_refused(401, "invalid_token");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert!(answer.text.contains(words), "{header:.12}: {}", answer.text);
    }
    assert_eq!(app.fake.total_calls(), 0);
    app.call("GET", "status", &format!("  bearer \t{} ", cast.ada), &[]).await.response();
}
