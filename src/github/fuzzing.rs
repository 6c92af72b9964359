//! A response of GitHub's, through the code that reads it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::de::DeserializeOwned;

use super::budget::Budget;
use super::call::Call;
use super::error::{Class, Error};
use super::hold::Hold;
use super::paging::check_pages;
use super::reply::Reply;
use super::types::{
    CollaboratorPermission, Installation, InstallationToken, JitRunner, Membership, OrgMembership,
    Repository, Runner, RunnerGroup, RunnerToken, Team, User,
};
use crate::clock::Clock;
use crate::domain::checks::assert_is_one_segment;
use crate::domain::names::{Label, Login, TeamSlug};
use crate::metrics::CallKind;

/// The longest that callers are held back: an hour, GitHub's longest window.
const MAX_WAIT: Duration = Duration::from_hours(1);
/// An error repeats at most this many characters of a response.
const MAX_DETAIL_CHARS: usize = 4_000;

/// The first line is a status, the lines up to an empty one are headers, the rest is a body.
///
/// # Panics
/// When something doesn't hold that should hold of every response.
pub fn github_answer(input: &[u8]) {
    let (status, headers, body) = parts(input);
    for call in
        [Call::get(CallKind::User, "/a/path".to_owned()), Call::post(CallKind::User, "/a/path".to_owned())]
    {
        let body = Bytes::copy_from_slice(body);
        let (outcome, hold) = call.interpret(status, headers.clone(), body, 1_700_000_000);
        check_hold(&call, hold.as_ref());
        match outcome {
            Ok(reply) => {
                assert!(status.is_success());
                check_reply(&reply);
            }
            Err(error) => {
                assert!(!status.is_success() || *error.class() == Class::NotGithub);
                check_error(&error, hold.as_ref());
            }
        }
    }
}

fn parts(input: &[u8]) -> (StatusCode, HeaderMap, &[u8]) {
    let mut status = None;
    let mut headers = HeaderMap::new();
    let mut rest = input;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        if status.is_none() {
            status = Some(StatusCode::from_bytes(line).unwrap_or(StatusCode::OK));
            continue;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { break };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            // As hyper does, which bounds the number of headers.
            let _ = headers.try_append(name, value);
        }
    }
    (status.unwrap_or(StatusCode::OK), headers, rest)
}

fn check_hold(call: &Call, hold: Option<&Hold>) {
    let clock = Clock::manual();
    let budget = Budget::of_one(clock.clone());
    if let Some(hold) = hold {
        budget.note(call, hold.clone(), clock.now());
        assert!((Duration::from_secs(1)..=MAX_WAIT).contains(&hold.wait), "{hold:?}");
    }
    clock.advance(MAX_WAIT);
    assert_eq!(budget.hold(call), None, "it ends by itself");
}

fn check_error(error: &Error, hold: Option<&Hold>) {
    let is_limited = matches!(error.class(), Class::RateLimited { .. });
    assert!(!is_limited || hold.is_some(), "a hold goes with a rate limit");
    match error.class() {
        Class::Forbidden(message) | Class::Rejected(message) => check_text(message),
        Class::RateLimited { retry_after, .. } => assert!(*retry_after <= MAX_WAIT),
        Class::Faulty { retry_after } => assert!(retry_after.is_none_or(|wait| wait <= MAX_WAIT)),
        Class::NotFound
        | Class::Unauthorized
        | Class::ServiceRefused
        | Class::NotGithub
        | Class::Conflict
        | Class::Unexpected => {}
        Class::Overloaded
        | Class::ShareSpent { .. }
        | Class::Timeout
        | Class::TokenUsed
        | Class::Unreachable { .. } => {
            assert!(!is_limited, "a response tells nothing of the kind");
        }
    }
    check_text(&error.to_string());
}

/// Fit for one line of a log.
fn check_text(text: &str) {
    assert!(text.chars().count() <= MAX_DETAIL_CHARS, "{} characters", text.chars().count());
    assert!(!text.contains(char::is_control), "{text:?}");
}

fn check_reply(reply: &Reply) {
    fn read<T: DeserializeOwned>(reply: &Reply) -> Option<T> {
        match reply.parse::<T>() {
            Ok(value) => Some(value),
            Err(error) => {
                assert!(matches!(error.class(), Class::Unexpected | Class::NotGithub));
                check_text(&error.to_string());
                None
            }
        }
    }
    if let Some(user) = read::<User>(reply) {
        let _ = Login::parse(&user.login).inspect(|login| assert_is_one_segment(login.as_str()));
    }
    if let Some(team) = read::<Team>(reply) {
        let _ = TeamSlug::parse(&team.slug).inspect(|slug| assert_is_one_segment(slug.as_str()));
    }
    if let Some(membership) = read::<Membership>(reply) {
        let is_told = membership.role == "maintainer" && membership.state == "active";
        assert_eq!(membership.is_active_maintainer(), is_told);
        if let Some(id) = membership.team_id() {
            assert!(membership.url.contains(&id.to_string()));
        }
    }
    if let (Some(runner), Ok(label)) = (read::<Runner>(reply), Label::parse("linux")) {
        assert_eq!(runner.is_online(), runner.status == "online");
        let held = runner.labels.iter().any(|own| own.name.eq_ignore_ascii_case("linux"));
        assert!(!held || runner.has_label(&label));
    }
    read::<OrgMembership>(reply);
    read::<CollaboratorPermission>(reply);
    read::<RunnerGroup>(reply);
    read::<Repository>(reply);
    read::<JitRunner>(reply);
    read::<RunnerToken>(reply);
    read::<Installation>(reply);
    read::<InstallationToken>(reply);
    check_pages::<Runner>(reply);
    check_pages::<RunnerGroup>(reply);
    check_pages::<Repository>(reply);
    check_pages::<Team>(reply);
}
