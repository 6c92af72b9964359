//! The table of operations. Each resource has a file, with the parameters, the
//! description and the handler of its operations.

mod access;
mod groups;
mod jit_configs;
mod records;
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
use actix_web::{Route, web};

use super::ApiError;
pub(super) use super::endpoint::{Admitted, Description, Endpoint, ResponseDescription, Tag};
use super::field::{FieldDescription, FieldTuple, ParameterSet, Presence};
use super::parameters::invalid;
use super::standing::Standing;
use crate::access::Authority;
use crate::domain::reference::TeamReference;
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
    /// Gives groups that exist to teams.
    GroupAdopt: records::Adopt,
    /// Takes a group from its team.
    GroupRelease: records::Release,
    /// Lets callers act who are no users.
    AccessAdd: access::Add,
    /// Lists who may.
    AccessList: access::List,
    /// Lets some no longer.
    AccessRemove: access::Remove,
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
        self.description().is_older_form(method)
    }

    /// Whether it only reads. HEAD is served for these alone: where GET changes something, or hands out a token, whoever
    /// sends HEAD expects that nothing happens.
    pub(super) fn has_head(self) -> bool {
        !self.description().changes_something()
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
async fn other_team(
    work: &Work,
    parameter: &'static str,
    team: &TeamReference,
) -> Result<Authority, ApiError> {
    let own = work.authority().team();
    let same = || invalid(parameter, "expected another team than the one that the request is about");
    if team.is(own.slug(), own.id()) {
        return Err(same());
    }
    let other = work.authority_over(team).await?;
    // A slug that the team had before is remembered for a while.
    if other.team().id() == own.id() { Err(same()) } else { Ok(other) }
}
