//! What a response of GitHub's means: what was asked for, or the class of the refusal; and how long to wait.

use std::fmt::Write;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::call::Call;
use super::error::{Class, Error, Shortage};
use super::hold::{self, Hold};
use super::types::ErrorBody;
use crate::domain::text::one_line;

/// GitHub's own message is cut to this many characters; its longest ones are a few sentences.
const MAX_MESSAGE_CHARS: usize = 1_000;
/// A header that lists what a call requires is cut to this many characters.
const MAX_HEADER_CHARS: usize = 200;
/// GitHub's id of a request is cut to this many characters; it has about 40.
const MAX_ID_CHARS: usize = 100;
/// What to do where something else responds.
const NOT_GITHUB: &str = "; this is not GitHub's API: check github.apiURL (GitHub Enterprise Server serves the API \
                          below /api/v3) and what stands in between";
/// What to do where GitHub says that everything moved.
const MOVED: &str =
    "; if the organisation was renamed, set org to its new name; if the API moved, set github.apiURL";
/// What to do where a proxy wants to know who asks.
const PROXY: &str = "; the proxy wants credentials: put them into HTTPS_PROXY";

/// Refusals of the service itself, by a part of what GitHub says, and what to do about each.
const REFUSALS_OF_THE_SERVICE: [(&str, &str); 6] = [
    ("installation has been suspended", "; an organisation owner can unsuspend the App in GitHub's settings"),
    ("account was suspended", "; the account behind the credential is suspended"),
    ("ip allow list", "; add this service's address to the organisation's IP allow list"),
    (
        "login attempts",
        "; GitHub got too many bad credentials from here, and accepts good ones again after a while",
    ),
    ("saml", "; authorise the configured token for the organisation's single sign-on"),
    ("forbids access via", "; the organisation doesn't allow tokens of the configured kind"),
];

/// A successful response.
#[derive(Debug)]
pub(super) struct Reply {
    /// Whether GitHub only said that what is known already didn't change.
    is_unchanged: bool,
    body: Bytes,
    headers: HeaderMap,
    what: String,
}

impl Reply {
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|cause| self.unreadable(&cause))
    }

    fn unreadable(&self, cause: &serde_json::Error) -> Error {
        // A value of a wrong type is quoted, even if it is as long as the response.
        let said = one_line(&cause.to_string(), MAX_MESSAGE_CHARS);
        let (class, detail) = if serde_json::from_slice::<IgnoredAny>(&self.body).is_ok() {
            let field = field_before(&self.body, cause).unwrap_or_default();
            let field = if field.is_empty() { field } else { format!(" (at \"{field}\")") };
            let detail = format!("{}: the answer is not what GitHub documents: {said}{field}", self.what);
            (Class::Unexpected, detail)
        } else {
            (Class::NotGithub, format!("{}: the answer is no JSON: {said}{NOT_GITHUB}", self.what))
        };
        Error::new(class, detail).with_request_id(self.request_id())
    }

    pub(super) fn is_unchanged(&self) -> bool {
        self.is_unchanged
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn request_id(&self) -> Option<String> {
        request_id(&self.headers)
    }
}

/// The name of the field that was read when the parser gave up: it says only what it found there.
fn field_before(body: &[u8], cause: &serde_json::Error) -> Option<String> {
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(cause.line().checked_sub(1)?).map(<[u8]>::len).sum();
    let read = body.get(..(before + cause.column()).min(body.len()))?;
    let colon = read.windows(2).rposition(|pair| pair == b"\":")?;
    let start = read.get(..colon)?.iter().rposition(|byte| *byte == b'"')? + 1;
    Some(one_line(&String::from_utf8_lossy(read.get(start..colon)?), MAX_HEADER_CHARS))
}

/// What a response that is no success says.
pub(super) struct Refusal {
    /// GitHub's message with its particulars, fit for a log line or a response: short and in one line.
    pub(super) message: String,
    /// The page about it.
    pub(super) documentation: String,
    /// Whether it is JSON of GitHub's form.
    is_githubs_json: bool,
    /// Whether it is GitHub's word at all: a page for people, or another server's JSON, is not.
    is_githubs_word: bool,
}

impl Refusal {
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let said = serde_json::from_slice::<ErrorBody>(body).ok();
        let is_githubs_json = said.is_some();
        let is_bare = body.trim_ascii().is_empty()
            && ["x-github-request-id", "x-github-media-type"].iter().any(|name| headers.contains_key(*name));
        let ErrorBody { message, errors, documentation_url } = said.unwrap_or_default();
        let documentation = documentation_url.as_str().unwrap_or_default().to_owned();
        let message = one_line(&format!("{message}{}", particulars(&errors, &message)), MAX_MESSAGE_CHARS);
        Self { message, documentation, is_githubs_json, is_githubs_word: is_githubs_json || is_bare }
    }

    fn says(&self, part: &str) -> bool {
        self.message.to_ascii_lowercase().contains(part)
    }
}

/// What GitHub's `errors` say, to stand behind its message: sentences, or which field has what fault.
fn particulars(errors: &serde_json::Value, message: &str) -> String {
    let one = |error: &serde_json::Value| -> Option<String> {
        if let Some(text) = error.as_str().or_else(|| error["message"].as_str()) {
            return Some(text.to_owned());
        }
        let (field, code) = (error["field"].as_str(), error["code"].as_str());
        let words: Vec<_> = [field, code].into_iter().flatten().collect();
        if words.is_empty() { None } else { Some(words.join(" ")) }
    };
    let mut listed: Vec<_> = match errors.as_array() {
        Some(all) => all.iter().filter_map(one).collect(),
        None => one(errors).into_iter().collect(),
    };
    listed.retain(|particular| particular != message);
    if listed.is_empty() { String::new() } else { format!(": {}", listed.join("; ")) }
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
        if status == StatusCode::NOT_MODIFIED && self.may_be_unchanged() {
            let hold = Hold::read(status, &headers, None, now);
            return (Ok(Reply { is_unchanged: true, body, headers, what: self.to_string() }), hold);
        }
        if status.is_success() {
            let hold = Hold::read(status, &headers, None, now);
            if is_page(&headers) {
                let why = format!("{} with a page for people{NOT_GITHUB}", status.as_u16());
                return (Err(self.fails(Class::NotGithub, why).with_request_id(request_id(&headers))), hold);
            }
            return (Ok(Reply { is_unchanged: false, body, headers, what: self.to_string() }), hold);
        }
        let refusal = Refusal::read(&headers, &body);
        let hold = Hold::read(status, &headers, Some(&refusal), now);
        let class = self.classify(status, &headers, &refusal, hold.as_ref(), now);
        let advice = advice(&class, status, &refusal);
        let why = format!(
            "GitHub answered {} \"{}\"{}{advice}",
            status.as_u16(),
            refusal.message,
            requirements(&headers)
        );
        let error = self.fails(class, why).with_request_id(request_id(&headers));
        (Err(error.with_enterprise_version(enterprise_version(&headers))), hold)
    }

    fn classify(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        refusal: &Refusal,
        hold: Option<&Hold>,
        now: u64,
    ) -> Class {
        match (status.as_u16(), hold) {
            (403 | 429, Some(hold)) => Class::RateLimited { retry_after: hold.wait, why: Shortage::Hold },
            (500..=599, _) => Class::Faulty { retry_after: hold::of_a_failure(headers, now) },
            (301 | 307 | 308, _) if refusal.is_githubs_json && self.is_about_one_repository() => {
                Class::NotFound
            }
            (300..=399 | 407, _) => Class::NotGithub,
            (400..=499, _) if !refusal.is_githubs_word => Class::NotGithub,
            (404 | 410, _) => Class::NotFound,
            (401, _) => Class::Unauthorized,
            (403, _) => self.forbidden(headers, refusal),
            (409, _) => Class::Conflict,
            (400 | 422, _) => Class::Rejected(refusal.message.clone()),
            _ => Class::Unexpected,
        }
    }

    /// Whom a 403 is about: with a caller's token the token, if it says so; else the service, if it says so.
    fn forbidden(&self, headers: &HeaderMap, refusal: &Refusal) -> Class {
        let is_about_the_token = ["integration", "suspend", "saml"].iter().any(|part| refusal.says(part))
            || headers.contains_key("x-github-sso");
        let is_about_the_service = REFUSALS_OF_THE_SERVICE.iter().any(|(part, _)| refusal.says(part));
        let refuses_the_service = if self.is_callers() { !is_about_the_token } else { is_about_the_service };
        if refuses_the_service { Class::ServiceRefused } else { Class::Forbidden(refusal.message.clone()) }
    }
}

/// What an administrator can do about it, for the log.
fn advice(class: &Class, status: StatusCode, refusal: &Refusal) -> &'static str {
    match class {
        Class::NotGithub if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED => PROXY,
        Class::NotGithub if status.is_redirection() && refusal.is_githubs_json => MOVED,
        Class::NotGithub => NOT_GITHUB,
        Class::ServiceRefused => {
            let known = REFUSALS_OF_THE_SERVICE.iter().find(|(part, _)| refusal.says(part));
            known.map_or("", |(_, advice)| advice)
        }
        _ => "",
    }
}

/// Whether a browser would show it. GitHub's API never sends such a thing with a success.
fn is_page(headers: &HeaderMap) -> bool {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    said.to_ascii_lowercase().contains("html")
}

/// GitHub's id of the request.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    Some(one_line(headers.get("x-github-request-id")?.to_str().ok()?, MAX_ID_CHARS))
}

/// The permissions and scopes that the refused call requires according to GitHub's headers, and where a redirect leads,
/// for the log.
fn requirements(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut listed = String::new();
    for (name, end) in [
        ("X-Accepted-GitHub-Permissions", ""),
        ("X-Accepted-OAuth-Scopes", ""),
        ("X-OAuth-Scopes", ""),
        // Behind these stands what lets its bearer go on.
        ("X-GitHub-SSO", "; url="),
        ("Location", "?"),
    ] {
        let whole = text(name);
        let value = if end.is_empty() { whole } else { whole.split(end).next().unwrap_or_default() };
        let value = one_line(value, MAX_HEADER_CHARS);
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
mod tests;
