//! A call to GitHub before it is sent.

use std::fmt;

use http::{Method, header};
use octocrab::Octocrab;

use super::error::{Class, Error};
use super::lanes::Lane;
use crate::metrics::CallKind;

/// What is sent to GitHub. Paths are built from typed names and numbers only.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) kind: CallKind,
    pub(super) method: Method,
    pub(super) path: String,
    accept: &'static str,
    body: Option<serde_json::Value>,
    pub(super) lane: Lane,
}

impl Call {
    pub(super) fn get(kind: CallKind, path: String) -> Self {
        let accept = "application/vnd.github+json";
        Self { kind, method: Method::GET, path, accept, body: None, lane: Lane::Work }
    }

    pub(super) fn post(kind: CallKind, path: String) -> Self {
        Self { method: Method::POST, ..Self::get(kind, path) }
    }

    pub(super) fn put(kind: CallKind, path: String) -> Self {
        Self { method: Method::PUT, ..Self::get(kind, path) }
    }

    pub(super) fn delete(kind: CallKind, path: String) -> Self {
        Self { method: Method::DELETE, ..Self::get(kind, path) }
    }

    pub(super) fn accepting(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    pub(super) fn with_body(self, body: serde_json::Value) -> Self {
        Self { body: Some(body), ..self }
    }

    pub(super) fn in_lane(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }

    /// The request that carries the client's credential.
    pub(super) fn request(&self, client: &Octocrab) -> Result<http::Request<octocrab::OctoBody>, Error> {
        let builder = http::Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header(header::ACCEPT, self.accept);
        client.build_request(builder, self.body.as_ref()).map_err(|cause| {
            Error::new(Class::Unexpected, format!("{} {} can't be sent: {cause}", self.method, self.path))
        })
    }

    /// The error with which this call fails.
    pub(super) fn fails(&self, class: Class, why: impl fmt::Display) -> Error {
        Error::new(class, format!("{self}: {why}"))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)
    }
}
