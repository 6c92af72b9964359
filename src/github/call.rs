//! A call to GitHub before it is sent.

use std::borrow::Cow;
use std::fmt;

use http::{Method, header};
use octocrab::Octocrab;

use super::error::{Class, Error};
use super::lanes::Lane;
use crate::domain::ids::GroupId;
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
    is_callers: bool,
    group: Option<GroupId>,
    /// GitHub's tag of what is known already.
    tag: Option<Tag>,
}

/// A tag, and the number of the token that it is good for.
#[derive(Debug, Clone)]
struct Tag {
    text: String,
    token: u64,
}

impl Call {
    pub(super) fn get(kind: CallKind, path: String) -> Self {
        let accept = "application/vnd.github+json";
        Self {
            kind,
            method: Method::GET,
            path,
            accept,
            body: None,
            lane: Lane::Work,
            is_callers: false,
            group: None,
            tag: None,
        }
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

    pub(super) fn with_path(self, path: String) -> Self {
        Self { path, ..self }
    }

    pub(super) fn in_lane(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }

    /// The same with a caller's token in place of the service's credential.
    pub(super) fn for_caller(self) -> Self {
        Self { is_callers: true, ..self }
    }

    /// The same, said to be about a group: should GitHub not know one that was just made, it is asked again.
    pub(super) fn about_group(self, group: GroupId) -> Self {
        Self { group: Some(group), ..self }
    }

    /// The same, for what is known already unless it changed since GitHub gave it this tag for the token of this number.
    pub(super) fn if_changed_since(self, tag: &str, token: u64) -> Self {
        Self { tag: Some(Tag { text: tag.to_owned(), token }), ..self }
    }

    /// The same, as it is sent with the token of this number: without a tag that was given for another.
    pub(super) fn with_token_of(&self, token: u64) -> Cow<'_, Self> {
        if self.tag.as_ref().is_some_and(|tag| tag.token != token) {
            Cow::Owned(Self { tag: None, ..self.clone() })
        } else {
            Cow::Borrowed(self)
        }
    }

    /// Whether something is known already.
    pub(super) fn may_be_unchanged(&self) -> bool {
        self.tag.is_some()
    }

    /// The group without which this call is a 404.
    pub(super) fn group(&self) -> Option<GroupId> {
        self.group
    }

    /// Whether it carries a caller's token.
    pub(super) fn is_callers(&self) -> bool {
        self.is_callers
    }

    /// Whether GitHub may see it twice: it reads, or mints a token, which changes nothing.
    pub(super) fn is_repeatable(&self) -> bool {
        self.method == Method::GET || self.kind == CallKind::InstallationToken
    }

    /// Whether it names one repository, which may have been renamed.
    pub(super) fn is_about_one_repository(&self) -> bool {
        matches!(
            self.kind,
            CallKind::TeamRepository
                | CallKind::RepositoryPermission
                | CallKind::Environment
                | CallKind::RepositoryRegistrationToken
                | CallKind::RepositoryRemovalToken
        )
    }

    /// The request that carries the client's credential.
    pub(super) fn request(&self, client: &Octocrab) -> Result<http::Request<octocrab::OctoBody>, Error> {
        let mut builder = http::Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header(header::ACCEPT, self.accept);
        if let Some(tag) = &self.tag {
            builder = builder.header(header::IF_NONE_MATCH, &tag.text);
        }
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
