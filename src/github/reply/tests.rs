//! What responses mean, GitHub's and those of others.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::metrics::CallKind;

fn answer_to(call: &Call, status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<Reply, Error> {
    let headers =
        headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    let body = Bytes::copy_from_slice(body.as_bytes());
    call.interpret(StatusCode::from_u16(status).unwrap(), headers, body, 0).0
}

fn answered(status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<Reply, Error> {
    answer_to(&Call::get(CallKind::Team, "/a/path".to_owned()), status, headers, body)
}

fn said(message: &str) -> String {
    json!({ "message": message }).to_string()
}

fn class(status: u16, headers: &[(&'static str, &str)], body: &str) -> Class {
    answered(status, headers, body).unwrap_err().class().clone()
}

fn class_as_caller(status: u16, headers: &[(&'static str, &str)], body: &str) -> Class {
    let call = Call::get(CallKind::User, "/user".to_owned()).for_caller();
    answer_to(&call, status, headers, body).unwrap_err().class().clone()
}

const PAGE: &str = "<html><body>Sign in</body></html>";

#[test]
fn what_github_says_has_a_class_for_each_status() {
    let no = said("no");
    for (status, expected) in [
        (400, Class::Rejected("no".into())),
        (401, Class::Unauthorized),
        (403, Class::Forbidden("no".into())),
        (404, Class::NotFound),
        (409, Class::Conflict),
        (410, Class::NotFound),
        (418, Class::Unexpected),
        (422, Class::Rejected("no".into())),
        (429, Class::RateLimited { retry_after: Duration::from_mins(1), why: Shortage::Hold }),
        (500, Class::Faulty { retry_after: None }),
    ] {
        assert_eq!(class(status, &[], &no), expected, "{status}");
    }
    assert_eq!(
        class(403, &[("retry-after", "7")], &no),
        Class::RateLimited { retry_after: Duration::from_secs(7), why: Shortage::Hold }
    );
    let again = Class::Faulty { retry_after: Some(Duration::from_secs(7)) };
    assert_eq!(class(503, &[("retry-after", "7")], &no), again);
}

#[test]
fn a_refusal_that_is_not_githubs_json_is_somebody_elses() {
    for status in [400, 401, 403, 404, 407, 409, 410, 422] {
        for body in [PAGE, "", "[]", "{\"error\": \"no\"}", "{\"message\": null}", "\"message\""] {
            assert_eq!(class(status, &[], body), Class::NotGithub, "{status} {body}");
        }
        assert_eq!(class(status, &[("x-github-request-id", "A:1")], PAGE), Class::NotGithub);
    }
    for name in ["x-github-request-id", "x-github-media-type"] {
        assert_eq!(class(404, &[(name, "x")], " \n"), Class::NotFound, "an empty answer of GitHub's own");
    }
    assert_eq!(class(502, &[], PAGE), Class::Faulty { retry_after: None });
    assert_eq!(
        class(429, &[], PAGE),
        Class::RateLimited { retry_after: Duration::from_mins(1), why: Shortage::Hold }
    );
}

#[test]
fn a_redirect_leads_away_from_github_save_for_a_renamed_repository() {
    let moved = said("Moved Permanently");
    let renamed = Call::get(CallKind::TeamRepository, "/a/path".to_owned());
    for status in [301, 307, 308] {
        assert_eq!(class(status, &[], &moved), Class::NotGithub);
        assert!(answer_to(&renamed, status, &[], &moved).unwrap_err().is_not_found());
        assert!(!answer_to(&renamed, status, &[], PAGE).unwrap_err().is_not_found());
    }
    assert_eq!(class(302, &[], &moved), Class::NotGithub);
    let location = [("location", "https://sso.example/login?SAMLRequest=secret")];
    let text = answered(302, &location, PAGE).unwrap_err().to_string();
    assert!(text.contains("Location: https://sso.example/login") && text.contains("/api/v3"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    let text = answered(301, &[], &moved).unwrap_err().to_string();
    assert!(text.contains("set org to its new name"), "{text}");
}

#[test]
fn a_success_that_is_a_page_or_no_json_is_not_githubs() {
    let error = answered(200, &[("content-type", "text/html; charset=utf-8")], PAGE).unwrap_err();
    assert_eq!(*error.class(), Class::NotGithub);
    for body in [PAGE, "", "{\"id\": 1"] {
        let error = answered(200, &[], body).unwrap().parse::<super::super::Team>().unwrap_err();
        assert_eq!(*error.class(), Class::NotGithub, "{body}");
        assert!(error.to_string().contains("check github.apiURL"), "{error}");
    }
}

#[test]
fn json_of_another_shape_names_the_field() {
    for (body, named) in [
        (json!({ "id": null, "slug": "a" }), "id"),
        (json!({ "id": [], "slug": "a" }), "id"),
        (json!({ "slug": "a" }), "missing field `id`"),
    ] {
        for text in [body.to_string(), serde_json::to_string_pretty(&body).unwrap()] {
            let error = answered(200, &[], &text).unwrap().parse::<super::super::Team>().unwrap_err();
            assert_eq!(*error.class(), Class::Unexpected);
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}

#[test]
fn a_refusal_of_the_service_says_what_to_do() {
    for (message, advice) in [
        ("This installation has been suspended", "unsuspend"),
        ("Sorry. Your account was suspended.", "suspended"),
        (
            "Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list \
             enabled, and 192.0.2.1 is not permitted to access this resource.",
            "add this service's address",
        ),
        ("Resource protected by organization SAML enforcement.", "single sign-on"),
    ] {
        let error = answered(403, &[], &said(message)).unwrap_err();
        assert_eq!(*error.class(), Class::ServiceRefused, "{message}");
        assert!(error.to_string().contains(advice), "{error}");
    }
}

#[test]
fn with_a_callers_token_only_what_speaks_of_the_token_is_about_it() {
    for message in [
        "Resource not accessible by integration",
        "Sorry. Your account was suspended.",
        "Resource protected by organization SAML enforcement.",
    ] {
        assert_eq!(class_as_caller(403, &[], &said(message)), Class::Forbidden(message.to_owned()));
    }
    let sso = [("x-github-sso", "required; url=https://x")];
    assert_eq!(class_as_caller(403, &sso, &said("no")), Class::Forbidden("no".into()));
    for message in ["Maximum number of login attempts exceeded", "an IP allow list is enabled", "Forbidden"] {
        assert_eq!(class_as_caller(403, &[], &said(message)), Class::ServiceRefused, "{message}");
    }
    assert_eq!(class_as_caller(401, &[], &said("Bad credentials")), Class::Unauthorized);
    for status in [302, 401, 403] {
        assert_eq!(class_as_caller(status, &[], PAGE), Class::NotGithub);
    }
}

#[test]
fn particulars_stand_behind_the_message() {
    for (errors, expected) in [
        (
            json!([{ "field": "labels", "code": "custom", "message": "label quokka is reserved" }]),
            "no: label quokka is reserved",
        ),
        (
            json!([{ "resource": "Runner", "field": "name", "code": "invalid" }, "too long"]),
            "no: name invalid; too long",
        ),
        (json!("a text"), "no: a text"),
        (json!([{ "code": "missing" }, {}, null, 5]), "no: missing"),
        (json!(null), "no"),
        (json!([]), "no"),
    ] {
        let body = json!({ "message": "no", "errors": errors, "documentation_url": 5 }).to_string();
        assert_eq!(class(422, &[], &body), Class::Rejected(expected.to_owned()), "{errors}");
    }
}

#[test]
fn what_github_says_is_repeated_in_one_line_and_not_without_end() {
    let long = "x".repeat(100_000);
    let body = json!({ "message": format!("no\r\n{long}"), "errors": [long] }).to_string();
    let headers = [("x-accepted-oauth-scopes", "admin:org\tx"), ("x-github-request-id", "A:1")];
    let error = answered(422, &headers, &body).unwrap_err();
    let Class::Rejected(message) = error.class() else { panic!("{:?}", error.class()) };
    assert!(message.starts_with("no  xxx") && message.len() == MAX_MESSAGE_CHARS, "{message}");
    assert!(error.to_string().contains("X-Accepted-OAuth-Scopes: admin:org x"), "{error}");
    assert_eq!(error.request_id(), Some("A:1"));

    let body = json!({ "id": "y".repeat(100_000), "slug": "a" }).to_string();
    let error = answered(200, &[], &body).unwrap().parse::<super::super::Team>().unwrap_err();
    assert!(error.to_string().len() < MAX_MESSAGE_CHARS + 100, "{} bytes", error.to_string().len());
}
