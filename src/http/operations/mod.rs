//! The table of operations, and what an operation consists of. Each resource has a file, with the parameters, the
//! description and the handler of its operations.

mod groups;
mod jit_configs;
mod repositories;
mod runners;
mod status;
mod tokens;

#[cfg(any(test, fuzzing))]
pub(crate) use self::groups::DeleteParameters;
#[cfg(any(test, fuzzing))]
pub(crate) use self::repositories::{AnyRepositories, SomeRepositories};
#[cfg(any(test, fuzzing))]
pub(crate) use self::runners::{RemoveParameters, TransferParameters};
#[cfg(any(test, fuzzing))]
pub(crate) use self::tokens::{MaybeRepository, ScopeParameter};
use actix_web::http::Method;
use actix_web::{HttpResponse, Route, web};
use serde_json::{Value as Json, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use super::ApiError;
use super::admission::Admitted;
use super::field::{FieldDescription, FieldTuple, ParameterSet, Presence};
use super::parameters::invalid;
use super::standing::Standing;
use crate::access::{Authority, Right};
use crate::domain::names::TeamSlug;
use crate::domain::reason::Reason;
use crate::ops::Work;

/// Where the operations of the API's first version are.
const BASE_PATH: &str = "/api/v1";

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident: $endpoint:ty,)*) => {
        /// An operation of the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Operation {
            $($(#[$doc])* $name,)*
        }

        impl Operation {
            /// Every operation.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$name => const { &Entry::of::<$endpoint>() },)*
                }
            }
        }
    };
}

operations! {
    /// Creates the team's group.
    GroupAdd: groups::Add,
    /// Deletes it.
    GroupDelete: groups::Delete,
    /// Lists what is in it.
    GroupList: groups::List,
    /// Shows it in full.
    GroupShow: groups::Show,
    /// Adds repositories to it.
    ReposAdd: repositories::Add,
    /// Removes repositories from it.
    ReposRemove: repositories::Remove,
    /// Replaces its repositories.
    ReposSet: repositories::Set,
    /// Hands out a registration token.
    TokenRegister: tokens::Register,
    /// Hands out a removal token.
    TokenRemove: tokens::Remove,
    /// Hands out a registration token as the stand-alone token proxy did.
    ProxyRegister: tokens::ProxyRegister,
    /// Hands out a removal token as the stand-alone token proxy did.
    ProxyRemove: tokens::ProxyRemove,
    /// Registers a runner for one job.
    JitconfigGenerate: jit_configs::Generate,
    /// Lists the runners of the group.
    RunnersList: runners::List,
    /// Removes runners of the group.
    RunnersRemove: runners::Remove,
    /// Moves runners to another team's group.
    RunnersTransfer: runners::Transfer,
    /// Reports whether the caller's token works here.
    Status: status::Status,
}

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
    /// What most operations of the API's first version have in common. Every one replaces the empty parts.
    const V1: Self = Self {
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
    Service,
}

impl Tag {
    pub(super) const ALL: [Self; 5] =
        [Self::Groups, Self::Repositories, Self::Runners, Self::Tokens, Self::Service];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Groups => "Groups",
            Self::Repositories => "Repositories",
            Self::Runners => "Runners",
            Self::Tokens => "Tokens",
            Self::Service => "Service",
        }
    }

    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Groups => "The runner group of a team.",
            Self::Repositories => "The repositories that may use the group.",
            Self::Runners => "The self-hosted runners in the group.",
            Self::Tokens => "Tokens with which runners are registered and removed.",
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
    fn of<T: ToSchema>(example: Json) -> Self {
        let mut components = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut components);
        let schema = json!({ "$ref": format!("#/components/schemas/{}", T::name()) });
        Self { schema, example, components }
    }

    /// Always this sentence.
    fn sentence(text: &str) -> Self {
        Self {
            schema: json!({ "type": "string", "const": text }),
            example: json!(text),
            components: Vec::new(),
        }
    }

    /// A sentence that begins like this and ends with the group's name.
    fn sentence_about_group(begins: &str) -> Self {
        Self {
            schema: json!({ "type": "string", "pattern": format!("^{begins}.+") }),
            example: json!(format!("{begins}payments")),
            components: Vec::new(),
        }
    }
}

/// An operation as the table keeps it.
struct Entry {
    description: Description,
    route: fn() -> Route,
    fields: fn() -> Vec<FieldDescription>,
}

impl Entry {
    const fn of<E: Endpoint>() -> Self {
        Self { description: E::DESCRIPTION, route: route::<E>, fields: fields::<E> }
    }
}

fn route<E: Endpoint>() -> Route {
    web::to(E::handle)
}

/// Those that must be given come first.
fn fields<E: Endpoint>() -> Vec<FieldDescription> {
    let standing = <E::Standing as Standing<E::Parameters>>::field().into_iter();
    let mut fields: Vec<_> = standing.chain(<E::Parameters as ParameterSet>::FIELDS.descriptions()).collect();
    fields.sort_by_key(|field| field.presence != Presence::Required);
    fields
}

impl Operation {
    /// The name in the path, in logs and in audit lines.
    pub fn name(self) -> &'static str {
        self.entry().description.name
    }

    pub(super) fn description(self) -> &'static Description {
        &self.entry().description
    }

    /// What there is to say about its parameters, the team's first.
    pub(super) fn fields(self) -> Vec<FieldDescription> {
        (self.entry().fields)()
    }

    /// Its handler.
    pub(super) fn route(self) -> Route {
        (self.entry().route)()
    }

    /// Where it is reached: below the base path, and under a second name where the earlier service had one; the
    /// token proxy's operations at the root.
    pub fn paths(self) -> Vec<String> {
        let Description { name, alias, root, .. } = self.description();
        let base = if *root { "" } else { BASE_PATH };
        std::iter::once(name).chain(alias).map(|name| format!("{base}/{name}")).collect()
    }

    /// Whether this method is the older form of the operation.
    pub(super) fn is_older_form(self, method: &Method) -> bool {
        *method == Method::GET && self.description().legacy_get
    }

    /// Whether it only reads. HEAD is served for these alone: where GET changes something, or hands out a token, whoever
    /// sends HEAD expects that nothing happens.
    pub(super) fn has_head(self) -> bool {
        self.description().methods == [Method::GET]
    }

    /// The methods that are served and described; HEAD is not among them, since it is GET without its body.
    pub fn methods(self, legacy_get: bool) -> Vec<Method> {
        let description = self.description();
        let mut methods = description.methods.to_vec();
        if legacy_get && description.legacy_get {
            methods.push(Method::GET);
        }
        methods
    }
}

/// The authority over a second team, which the caller has to maintain, too.
async fn other_team(work: &Work, parameter: &'static str, slug: &TeamSlug) -> Result<Authority, ApiError> {
    if slug == work.authority().team().slug() {
        return Err(invalid(parameter, "expected another team than the one that the request is about"));
    }
    Ok(work.authority_over(slug).await?)
}
