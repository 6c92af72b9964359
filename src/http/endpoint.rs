//! What an operation consists of.

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde_json::{Value as Json, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use super::error::ApiError;
use super::field::ParameterSet;
use super::standing::Standing;
use crate::access::Right;
use crate::domain::entry::EntryOperation;
use crate::domain::reason::Reason;
use crate::ops::Work;

/// One operation: what it is called, what it takes, and what it does.
pub(super) trait Endpoint: Sized + 'static {
    /// Who may call it.
    type Standing: Standing<Self::Parameters>;
    /// Its parameters, in addition to the team.
    type Parameters: ParameterSet;

    /// All there is to say about it.
    const DESCRIPTION: Description;

    /// Does it.
    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError>;
}

/// What an operation is called, who may call it, and how the API's description presents it.
#[derive(Clone, Copy)]
pub(super) struct Description {
    /// The name in the path, in logs and in audit lines.
    pub(super) name: &'static str,
    /// A second name in the path, which the earlier service had.
    pub(super) alias: Option<&'static str>,
    /// Whether it is reached at the root and responds without an envelope, as the stand-alone token proxy did.
    pub(super) root: bool,
    /// The methods, the documented one first; GET only where it is no legacy.
    pub(super) methods: &'static [Method],
    /// Whether GET is an older form of it, which changes something.
    pub(super) legacy_get: bool,
    /// What the caller needs to be allowed.
    pub(super) right: Right,
    pub(super) tag: Tag,
    pub(super) summary: &'static str,
    pub(super) about: &'static str,
    /// Reasons of refusals, in addition to those of every operation.
    pub(super) reasons: &'static [Reason],
    pub(super) response: fn() -> ResponseDescription,
}

impl Description {
    /// Whether this method is the older form of the operation.
    pub(super) fn is_older_form(&self, method: &Method) -> bool {
        *method == Method::GET && self.legacy_get
    }

    /// Whether no access entry is even looked at for it.
    pub(super) fn is_for_users_alone(&self) -> bool {
        self.right == Right::Administer || matches!(self.tag, Tag::Access)
    }

    /// Whether an access entry can hold it.
    pub(super) fn is_for_entries(&self) -> bool {
        EntryOperation::ALL.iter().any(|operation| Right::from(*operation) == self.right)
    }

    /// Whether it does more than to read.
    pub(super) fn changes_something(&self) -> bool {
        self.methods != [Method::GET]
    }

    /// What most operations of the API's first version have in common. Every one replaces the empty parts.
    pub(super) const V1: Self = Self {
        name: "",
        alias: None,
        root: false,
        methods: &[],
        legacy_get: false,
        right: Right::Maintain,
        tag: Tag::Service,
        summary: "",
        about: "",
        reasons: &[],
        response: || ResponseDescription::sentence(""),
    };
}

/// The headings of the API's description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Groups,
    Repositories,
    Runners,
    Tokens,
    Access,
    Service,
}

impl Tag {
    pub(super) const ALL: [Self; 6] =
        [Self::Groups, Self::Repositories, Self::Runners, Self::Tokens, Self::Access, Self::Service];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Groups => "Groups",
            Self::Repositories => "Repositories",
            Self::Runners => "Runners",
            Self::Tokens => "Tokens",
            Self::Access => "Access",
            Self::Service => "Service",
        }
    }

    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Groups => "The runner group of a team.",
            Self::Repositories => "The repositories that may use the group.",
            Self::Runners => "The self-hosted runners in the group.",
            Self::Tokens => "Tokens with which runners are registered and removed.",
            Self::Access => {
                "What callers may do who are no users: workflows, other workloads, holders of team tokens."
            }
            Self::Service => "The service itself.",
        }
    }
}

/// The response of a success: its schema, within the envelope if it has one, and an example.
pub(super) struct ResponseDescription {
    pub(super) schema: Json,
    pub(super) example: Json,
    /// The schemas that `schema` refers to, by name.
    pub(super) components: Vec<(String, RefOr<Schema>)>,
}

impl ResponseDescription {
    /// A value of this type.
    pub(super) fn of<T: ToSchema>(example: Json) -> Self {
        let mut components = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut components);
        let schema = json!({ "$ref": format!("#/components/schemas/{}", T::name()) });
        Self { schema, example, components }
    }

    /// Always this sentence.
    pub(super) fn sentence(text: &str) -> Self {
        Self {
            schema: json!({ "type": "string", "const": text }),
            example: json!(text),
            components: Vec::new(),
        }
    }

    /// A sentence that begins like this and ends with the id of an access entry.
    pub(super) fn sentence_about_entry(begins: &str) -> Self {
        Self {
            schema: json!({ "type": "string", "pattern": format!("^{begins}[0-9a-f]{{16}}$") }),
            example: json!(format!("{begins}9f2c4e6a8b0d1f35")),
            components: Vec::new(),
        }
    }

    /// A sentence that begins like this and ends with the group's name.
    pub(super) fn sentence_about_group(begins: &str) -> Self {
        Self {
            schema: json!({ "type": "string", "pattern": format!("^{begins}.+") }),
            example: json!(format!("{begins}payments")),
            components: Vec::new(),
        }
    }
}

/// A request of somebody who may make it, with all that the operation needs.
pub(super) struct Admitted<E: Endpoint> {
    /// The organisation, the proof that the caller may, and the audit line.
    pub(super) work: Work<<E::Standing as Standing<E::Parameters>>::Proof>,
    /// The operation's own parameters.
    pub(super) parameters: E::Parameters,
}
