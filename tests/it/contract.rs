//! Keeps the fake GitHub honest: every request made to it and every answer it gives is held against GitHub's
//! own description, `tests/github-openapi.json`.
#![expect(clippy::expect_used, reason = "a test that can't go on should say where")]

mod behaviour;
mod client;
mod conditional;
mod description;
mod environments;
mod every_route;
mod faults;
mod issuers;
mod lag;
mod permissions;
mod points;
mod repositories;
mod runs;
mod self_check;

use fake_github::Exchange;
use serde_json::Value;

use description::{Description, Operation};

/// What is wrong with these exchanges, by GitHub's description; nothing, it is to be hoped.
///
/// Answers made by a scripted fault are not looked at; the requests that met it are.
pub(crate) fn check(calls: &[Exchange]) -> Vec<String> {
    let description = Description::of_github();
    calls.iter().flat_map(|call| problems(description, call, true)).collect()
}

/// Like `check`, for calls whose requests were wrong on purpose: only the answers count.
pub(crate) fn check_answers(calls: &[Exchange]) -> Vec<String> {
    let description = Description::of_github();
    calls.iter().flat_map(|call| problems(description, call, false)).collect()
}

fn problems(description: &Description, call: &Exchange, request_too: bool) -> Vec<String> {
    let Some((operation, params)) = description.operation(&call.method, &call.path) else {
        return if request_too {
            vec![format!("{call:?}: GitHub has no such operation")]
        } else {
            Vec::new()
        };
    };
    let mut found = Vec::new();
    if request_too {
        found.extend(operation.wrong_params(&params));
        found.extend(operation.wrong_query(&call.query));
        if call.recorded {
            found.extend(operation.wrong_request_body(&call.request_body));
        }
    }
    if !call.faulted {
        found.extend(wrong_answer(operation, call));
    }
    found.into_iter().map(|problem| format!("{call:?}: {problem}")).collect()
}

fn wrong_answer(operation: &Operation, call: &Exchange) -> Vec<String> {
    let Some(status) = call.status else { return Vec::new() };
    let mut found = Vec::new();
    if call.response_header("x-github-request-id").is_none() {
        found.push("the answer has no request id".to_owned());
    }
    if call.response_header("link").is_some() && !operation.is_linked() {
        found.push("the answer has a Link header, which GitHub doesn't send here".to_owned());
    }
    if status == 301 && call.response_header("location").is_none() {
        found.push("the redirect leads nowhere".to_owned());
    }
    if !call.recorded {
        return found;
    }
    if status == 304 {
        if !call.response_body.is_empty() {
            found.push("a 304 has a body".to_owned());
        }
        if call.response_header("etag").is_none() {
            found.push("a 304 has no etag".to_owned());
        }
        return found;
    }
    if status == 204 {
        if !call.response_body.is_empty() {
            found.push("a 204 has a body".to_owned());
        }
        if !operation.documents(204) {
            found.push("a 204 that GitHub doesn't describe".to_owned());
        }
        return found;
    }
    match serde_json::from_slice::<Value>(&call.response_body) {
        Err(error) => found.push(format!("the body of the {status} is not JSON: {error}")),
        Ok(body) => {
            let older = call.response_header("x-github-enterprise-version").is_some();
            found.extend(operation.wrong_response_body(status, &body, older));
        }
    }
    let kind = call.response_header("content-type").unwrap_or_default();
    if kind != "application/json; charset=utf-8" {
        found.push(format!("the answer's type is {kind:?}"));
    }
    found
}
