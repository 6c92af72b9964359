//! The answers of operations: bodies, headers, and which reasons a failure may have.

use actix_web::http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use super::Described;
use super::reasons::{self, Explained};
use crate::domain::reason::Reason;
use crate::http::Operation;
use crate::http::edge::{DEPRECATED_SINCE, DEPRECATION_LINK};
use crate::http::envelope::Failure;
use crate::http::error::{Answer, status_of};

/// The schema of a failure, by name.
pub(super) fn failure_schema() -> (String, Value) {
    (Failure::name().into_owned(), serde_json::to_value(Failure::schema()).unwrap_or_default())
}

/// Sent with every answer.
const ALWAYS: [&str; 3] = ["X-Request-ID", "Cache-Control", "X-Content-Type-Options"];
/// Sent once the token was found valid.
const RATE_LIMIT: [&str; 3] = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];
/// Sent on the older GET form.
const DEPRECATED: [&str; 2] = ["Deprecation", "Link"];
/// How a request's id looks, in answers.
const REQUEST_ID: &str = "0196335b0f3c7d0e8a1b2c3d4e5f6071";

/// The headers that the service sends.
pub(super) fn headers() -> Value {
    let header = |required: bool, schema: Value, about: &str| json!({ "required": required, "schema": schema, "description": about });
    let whole = || json!({ "type": "integer", "minimum": 0 });
    let is = |text: &str| json!({ "type": "string", "const": text });
    json!({
        "X-Request-ID": header(
            true,
            json!({ "type": "string", "pattern": "^[0-9a-f]{32}$" }),
            "The request's id, also in the service's log. One that the caller sends is logged beside it, never adopted.",
        ),
        "Cache-Control": header(true, is("no-store"), "Answers are not to be kept."),
        "X-Content-Type-Options": header(true, is("nosniff"), "The content type is what it says."),
        "RateLimit-Limit": header(false, whole(), "Requests that may be sent at once. With every answer after the token was found valid; named as in drafts of the IETF's RateLimit fields."),
        "RateLimit-Remaining": header(false, whole(), "Requests that may be sent now."),
        "RateLimit-Reset": header(false, whole(), "Whole seconds until RateLimit-Limit requests may be sent again."),
        "Retry-After": header(true, whole(), "Whole seconds to wait before the next try."),
        "WWW-Authenticate": header(true, is("Bearer"), "How to send a token."),
        "Allow": header(true, json!({ "type": "string" }), "The methods that reach this path."),
        "Deprecation": header(false, is(DEPRECATED_SINCE), "Since when the older GET form is deprecated (RFC 9745)."),
        "Link": header(false, is(DEPRECATION_LINK), "Where to read what to use instead."),
    })
}

/// The failures of all operations, put together once each.
pub(super) struct Failures {
    reasons: Vec<Explained>,
    components: Map<String, Value>,
}

impl Failures {
    pub(super) fn new() -> Self {
        Self { reasons: reasons::all(), components: Map::new() }
    }

    /// What the document's `components/responses` are.
    pub(super) fn into_components(self) -> Map<String, Value> {
        self.components
    }

    /// All answers of an operation by this method.
    pub(super) fn responses(
        &mut self,
        operation: Operation,
        method: &Method,
        described: &Described,
    ) -> Value {
        let is_older_form = operation.is_older_form(method);
        let possible = possible(operation, method, described);
        let mut responses = Map::new();
        responses.insert("200".to_owned(), success(is_older_form, described));
        let mut statuses: Vec<_> = Reason::ALL.iter().map(|reason| reason.status()).collect();
        statuses.dedup();
        for status in statuses {
            let is_given = |reason: &&Reason| reason.status() == status && possible.contains(reason);
            let given: Vec<_> = Reason::ALL.iter().filter(is_given).copied().collect();
            if let Some(first) = given.first() {
                let name = self.component(status_of(*first), &given, is_older_form);
                responses
                    .insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{name}") }));
            }
        }
        Value::Object(responses)
    }

    /// The name of the component for a status with these reasons.
    fn component(&mut self, status: StatusCode, given: &[Reason], is_older_form: bool) -> String {
        let older = if is_older_form { ".older_form" } else { "" };
        let words: Vec<_> = given.iter().map(|reason| reason.as_str()).collect();
        let name = format!("{}.{}{older}", status.as_u16(), words.join("."));
        if !self.components.contains_key(&name) {
            let reasons: Vec<_> =
                self.reasons.iter().filter(|reason| given.contains(&reason.example.reason)).collect();
            self.components.insert(name.clone(), failure(status, &reasons, is_older_form));
        }
        name
    }
}

/// The reasons that an operation may give by this method.
fn possible(operation: Operation, method: &Method, described: &Described) -> Vec<Reason> {
    let mut reasons = vec![
        Reason::MissingToken,
        Reason::InvalidToken,
        Reason::UnsupportedToken,
        Reason::DeniedByPolicy,
        Reason::RateLimited,
        Reason::Internal,
        Reason::GithubError,
        Reason::GithubRateLimited,
        Reason::GithubUnavailable,
        Reason::ShuttingDown,
        Reason::Overloaded,
        Reason::GithubTimeout,
        Reason::UnknownParameter,
        Reason::IssuerUnavailable,
        Reason::StoreUnavailable,
    ];
    let is_for_users_alone = described.description.is_for_users_alone();
    if !described.parameters.is_empty() {
        reasons.extend([Reason::MissingParameter, Reason::InvalidParameter, Reason::ConflictingParameter]);
        reasons.push(Reason::NotAMaintainer);
        if !is_for_users_alone {
            reasons.push(Reason::NotTrusted);
        }
    }
    if method != Method::GET {
        reasons.extend([Reason::InvalidBody, Reason::PayloadTooLarge, Reason::UnsupportedMediaType]);
    }
    if operation.is_older_form(method) {
        reasons.push(Reason::MethodNotAllowed);
    }
    let about_groups = [Reason::GroupNotFound, Reason::GroupExists];
    if described.description.reasons.iter().any(|reason| about_groups.contains(reason)) {
        reasons.push(Reason::NotConfigured);
    }
    if described.description.changes_something() && described.description.is_for_entries() {
        reasons.push(Reason::TokenUsed);
    }
    reasons.extend(described.description.reasons);
    reasons
}

fn references<'a>(names: impl IntoIterator<Item = &'a str>) -> Map<String, Value> {
    let reference = |name: &str| json!({ "$ref": format!("#/components/headers/{name}") });
    names.into_iter().map(|name| (name.to_owned(), reference(name))).collect()
}

/// The success; within the envelope, but for the token proxy's.
fn success(is_older_form: bool, described: &Described) -> Value {
    let (schema, example) = if described.description.root {
        (described.response.schema.clone(), described.response.example.clone())
    } else {
        let schema = json!({
            "type": "object",
            "required": ["Code", "Response"],
            "properties": { "Code": { "type": "integer", "const": 200 }, "Response": described.response.schema },
        });
        (schema, json!({ "Code": 200, "Response": described.response.example }))
    };
    let mut names = [ALWAYS, RATE_LIMIT].concat();
    if is_older_form {
        names.extend(DEPRECATED);
    }
    json!({
        "description": "Done.",
        "headers": references(names),
        "content": { "application/json": { "schema": schema, "example": example } },
    })
}

fn failure(status: StatusCode, reasons: &[&Explained], is_older_form: bool) -> Value {
    let code = status.as_u16();
    let words: Vec<_> = reasons.iter().map(|reason| reason.example.reason).collect();
    let meanings: Vec<_> =
        reasons.iter().map(|reason| format!("- `{}`: {}", reason.example.reason, reason.meaning)).collect();
    let examples: Map<_, _> = reasons
        .iter()
        .map(|reason| {
            let Answer { reason, message, .. } = &reason.example;
            let body = json!({ "Code": code, "Error": message, "Reason": reason, "RequestID": REQUEST_ID });
            (reason.to_string(), json!({ "value": body }))
        })
        .collect();
    let mut names = ALWAYS.to_vec();
    match status {
        StatusCode::UNAUTHORIZED => names.push("WWW-Authenticate"),
        StatusCode::METHOD_NOT_ALLOWED => names.push("Allow"),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => names.push("Retry-After"),
        _ => {}
    }
    // Before that there is no operation by this method.
    if status != StatusCode::METHOD_NOT_ALLOWED {
        names.extend(RATE_LIMIT);
    }
    if is_older_form && status != StatusCode::METHOD_NOT_ALLOWED {
        names.extend(DEPRECATED);
    }
    json!({
        "description": meanings.join("\n"),
        "headers": references(names),
        "content": { "application/json": {
            "schema": {
                "allOf": [{ "$ref": "#/components/schemas/Failure" }],
                "properties": {
                    "Code": { "type": "integer", "const": code },
                    "Reason": { "type": "string", "enum": words },
                },
            },
            "examples": examples,
        } },
    })
}
