//! What a response of GitHub's means: what was asked for, or the class of the refusal; and how long to wait.

use std::fmt::Write;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::call::Call;
use super::error::{Class, Error, Shortage};
use super::hold::Hold;
use super::types::ErrorBody;
use crate::domain::text::one_line;

/// GitHub's own message is cut to this many characters; its longest ones are a few sentences.
const MAX_MESSAGE_CHARS: usize = 1_000;
/// A header that lists what a call requires is cut to this many characters.
const MAX_HEADER_CHARS: usize = 200;
/// GitHub's id of a request is cut to this many characters; it has about 40.
const MAX_ID_CHARS: usize = 100;

/// A successful response.
#[derive(Debug)]
pub(super) struct Reply {
    body: Bytes,
    headers: HeaderMap,
    what: String,
}

impl Reply {
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|cause| {
            // A value of a wrong type is quoted, even if it is as long as the response.
            let cause = one_line(&cause.to_string(), MAX_MESSAGE_CHARS);
            let detail = format!("{}: the answer is not what GitHub documents: {cause}", self.what);
            Error::new(Class::Unexpected, detail).with_request_id(self.request_id())
        })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn request_id(&self) -> Option<String> {
        request_id(&self.headers)
    }
}

impl Call {
    /// What a response to this call means, and how long GitHub asks to wait. `now` is in seconds since 1970.
    pub(super) fn interpret(
        &self,
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
        now: u64,
    ) -> (Result<Reply, Error>, Option<Hold>) {
        let hold = Hold::read(status, &headers, now);
        if status.is_success() {
            return (Ok(Reply { body, headers, what: self.to_string() }), hold);
        }
        let message = message_of(&body);
        let class = classify(status, &message, hold.as_ref());
        let hold = match class {
            Class::RateLimited { retry_after, .. } => Some(Hold::for_the_next(retry_after)),
            _ => None,
        };
        let why = format!("GitHub answered {} \"{message}\"{}", status.as_u16(), requirements(&headers));
        let error = self.fails(class, why).with_request_id(request_id(&headers));
        (Err(error.with_enterprise_version(enterprise_version(&headers))), hold)
    }
}

fn classify(status: StatusCode, message: &str, hold: Option<&Hold>) -> Class {
    let limited = || Class::RateLimited { retry_after: Hold::wait_of(hold), why: Shortage::Hold };
    let secondary = message.to_ascii_lowercase().contains("secondary rate limit");
    match status.as_u16() {
        429 => limited(),
        503 if hold.is_some() => limited(),
        403 if hold.is_some() || secondary => limited(),
        300..=399 | 404 | 410 => Class::NotFound,
        401 => Class::Unauthorized,
        403 => Class::Forbidden(message.to_owned()),
        409 => Class::Conflict,
        400 | 422 => Class::Rejected(message.to_owned()),
        500 | 502 | 503 | 504 => Class::Faulty,
        _ => Class::Unexpected,
    }
}

/// GitHub's id of the request.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    Some(one_line(headers.get("x-github-request-id")?.to_str().ok()?, MAX_ID_CHARS))
}

/// GitHub's own message in a refusal, fit for a log line or a response: short and in one line.
fn message_of(body: &[u8]) -> String {
    one_line(&serde_json::from_slice::<ErrorBody>(body).unwrap_or_default().message, MAX_MESSAGE_CHARS)
}

/// The permissions and scopes that the refused call requires according to GitHub's headers, for the log.
fn requirements(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut listed = String::new();
    for name in ["X-Accepted-GitHub-Permissions", "X-Accepted-OAuth-Scopes", "X-OAuth-Scopes", "X-GitHub-SSO"]
    {
        // Behind the semicolon is an address that lets its bearer go on.
        let value = one_line(text(name).split("; url=").next().unwrap_or_default(), MAX_HEADER_CHARS);
        if !value.is_empty() {
            let _ = write!(listed, ", {name}: {value}");
        }
    }
    listed
}

/// The major and minor version of an Enterprise Server.
fn enterprise_version(headers: &HeaderMap) -> Option<(u32, u32)> {
    let version = headers.get("x-github-enterprise-version")?.to_str().ok()?;
    let mut parts = version.trim().split('.').map(str::parse::<u32>);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::CallKind;

    #[test]
    fn a_403_is_a_rate_limit_only_when_it_says_so() {
        let minute = Hold::for_the_next(Duration::from_mins(1));
        let minute = Some(&minute);
        let class = |status, message, hold| classify(StatusCode::from_u16(status).unwrap(), message, hold);
        let limited = Class::RateLimited { retry_after: Duration::from_mins(1), why: Shortage::Hold };
        assert_eq!(class(403, "", minute), limited);
        assert_eq!(class(403, "You have exceeded a secondary rate limit.", None), limited);
        assert_eq!(class(429, "", None), limited);
        assert_eq!(
            class(403, "Must have admin rights", None),
            Class::Forbidden("Must have admin rights".into())
        );
        assert_eq!(class(301, "Moved Permanently", None), Class::NotFound);
        assert_eq!(class(418, "", None), Class::Unexpected);
        assert_eq!(class(503, "", None), Class::Faulty);
        assert_eq!(class(503, "", minute), limited);
    }

    fn answered(status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<Reply, Error> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let call = Call::get(CallKind::Team, "/a/path".to_owned());
        call.interpret(StatusCode::from_u16(status).unwrap(), map, Bytes::copy_from_slice(body.as_bytes()), 0)
            .0
    }

    #[test]
    fn what_github_says_is_repeated_in_one_line_and_not_without_end() {
        let body = serde_json::json!({ "message": format!("no\r\n{}", "x".repeat(100_000)) }).to_string();
        let headers = [("x-accepted-oauth-scopes", "admin:org\tx"), ("x-github-request-id", "A:1")];
        let error = answered(422, &headers, &body).unwrap_err();
        let Class::Rejected(message) = error.class() else { panic!("{:?}", error.class()) };
        assert!(message.starts_with("no  xxx") && message.len() == MAX_MESSAGE_CHARS, "{message}");
        assert!(error.to_string().contains("X-Accepted-OAuth-Scopes: admin:org x"), "{error}");
        assert_eq!(error.request_id(), Some("A:1"));

        let body = serde_json::json!({ "id": "y".repeat(100_000), "slug": "a" }).to_string();
        let error = answered(200, &[], &body).unwrap().parse::<super::super::Team>().unwrap_err();
        assert!(error.to_string().len() < MAX_MESSAGE_CHARS + 100, "{} bytes", error.to_string().len());
    }
}
