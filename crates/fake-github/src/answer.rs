//! What the fake sends back, before it is turned into HTTP.

use serde_json::{Value, json};

const JSON: &str = "application/json; charset=utf-8";
const DOCS: &str = "https://docs.github.com/rest";

/// The body of an answer.
pub(crate) enum Body {
    Nothing,
    Json(Value),
    Text(&'static str, String),
}

/// A status, headers and a body. Handlers return it on both sides of a `Result`, so that `?` ends them.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
}

/// What every handler returns; the error is an answer like any other.
pub(crate) type Outcome = Result<Answer, Answer>;

impl Answer {
    pub(crate) fn new(status: u16, body: Body) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self::new(status, Body::Json(body))
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    pub(crate) fn created(body: Value) -> Self {
        Self::json(201, body)
    }

    pub(crate) fn no_content() -> Self {
        Self::new(204, Body::Nothing)
    }

    /// GitHub's usual error: a message, a link to the documentation, and the status as text.
    pub(crate) fn error(status: u16, message: &str) -> Self {
        let body = json!({"message": message, "documentation_url": DOCS, "status": status.to_string()});
        Self::json(status, body)
    }

    /// 404, which is also GitHub's answer for what the caller may not see.
    pub(crate) fn not_found() -> Self {
        Self::error(404, "Not Found")
    }

    pub(crate) fn invalid(message: &str) -> Self {
        Self::error(422, message)
    }

    /// 422 of the operations that list what is wrong with each field.
    pub(crate) fn invalid_field(resource: &str, field: &str, message: &str) -> Self {
        let error = json!({"resource": resource, "field": field, "code": "invalid", "message": message});
        let body = json!({
            "message": "Validation Failed",
            "errors": [error],
            "documentation_url": DOCS,
            "status": "422",
        });
        Self::json(422, body)
    }

    /// Says something else at the top of a JSON error.
    pub(crate) fn with_message(mut self, message: &str) -> Self {
        if let Body::Json(body) = &mut self.body {
            body["message"] = json!(message);
        }
        self
    }

    pub(crate) fn with_header(mut self, name: &str, value: &(impl ToString + ?Sized)) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Turns JSON into text, so that it is written only once.
    pub(crate) fn render(&mut self) {
        if let Body::Json(value) = &self.body {
            self.body = Body::Text(JSON, value.to_string());
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        match &self.body {
            Body::Nothing => Vec::new(),
            Body::Json(value) => value.to_string().into_bytes(),
            Body::Text(_, text) => text.clone().into_bytes(),
        }
    }

    pub(crate) fn content_type(&self) -> Option<&'static str> {
        match self.body {
            Body::Nothing => None,
            Body::Json(_) => Some(JSON),
            Body::Text(kind, _) => Some(kind),
        }
    }
}
