//! The tokens that register and remove runners: through v1, and as the stand-alone token proxy did.

use actix_web::HttpResponse;
use actix_web::http::Method;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{Admitted, Description, Endpoint, ResponseDescription, Tag};
use crate::access::Right;
use crate::domain::names::RepoName;
use crate::domain::reason::Reason;
use crate::domain::scope::Scope;
use crate::github::RunnerToken;
use crate::http::ApiError;
use crate::http::envelope::success;
use crate::http::field::{Field, ParameterSet};
use crate::http::standing::{OfScope, OfTeam};
use crate::ops::Work;
use crate::ops::tokens::{self, Purpose};

/// A token on its way to the caller: the one place where it is text again.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
struct Token {
    /// A secret.
    #[schema(min_length = 1)]
    token: String,
    /// When it is no longer good for anything, as GitHub says it: an hour from now.
    #[schema(examples("2026-11-21T13:00:00Z"))]
    expires_at: String,
}

impl From<RunnerToken> for Token {
    fn from(granted: RunnerToken) -> Self {
        Self { token: granted.token.expose_secret().to_owned(), expires_at: granted.expires_at }
    }
}

fn response() -> ResponseDescription {
    ResponseDescription::of::<Token>(json!({ "token": "AABBCC", "expires_at": "2026-11-21T13:00:00Z" }))
}

/// A repository, or none for the whole organisation.
pub(crate) struct MaybeRepository(pub(crate) Option<RepoName>);

impl ParameterSet for MaybeRepository {
    type Fields = (Field<Option<RepoName>>,);

    const FIELDS: Self::Fields = (Field::optional(
        "repo",
        "A repository that the team administers; without it, the whole organisation",
        "shop",
    ),);

    fn from_values((repository,): (Option<RepoName>,)) -> Result<Self, ApiError> {
        Ok(Self(repository))
    }
}

pub(super) struct Register;

impl Endpoint for Register {
    type Standing = OfTeam;
    type Parameters = MaybeRepository;

    const DESCRIPTION: Description = Description {
        name: "token-register",
        summary: "Get a registration token",
        about: "A token with which config.sh registers runners, for an hour. The group need not exist. Without \
                `repo` it is good for the whole organisation: keep it out of logs, and prefer \
                `jitconfig-generate`. With `repo` it reaches that repository alone; the team has to have admin \
                permission on it, and `scopes` have to allow it.",
        ..THROUGH_V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        through_v1(&admitted.work, admitted.parameters, Purpose::Register).await
    }
}

pub(super) struct Remove;

impl Endpoint for Remove {
    type Standing = OfTeam;
    type Parameters = MaybeRepository;

    const DESCRIPTION: Description = Description {
        name: "token-remove",
        summary: "Get a removal token",
        about: "A token with which config.sh removes runners, for an hour. The group need not exist. Without `repo` \
                it is good for the whole organisation: keep it out of logs, and prefer `runners-remove`. With \
                `repo` it reaches that repository alone; the team has to have admin permission on it, and \
                `scopes` have to allow it.",
        ..THROUGH_V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        through_v1(&admitted.work, admitted.parameters, Purpose::Remove).await
    }
}

async fn through_v1(
    work: &Work,
    MaybeRepository(repository): MaybeRepository,
    purpose: Purpose,
) -> Result<HttpResponse, ApiError> {
    let token = match repository {
        None => tokens::for_team(work, purpose).await?,
        Some(name) => {
            work.line().note(|details| details.repositories = vec![name.to_string()]);
            let organisation = work.organisation();
            let holder =
                work.authority().over_repository(&organisation.github, &organisation.name, &name).await?;
            let proof = holder.under(&organisation.scopes.load())?;
            tokens::for_scope(&work.with(proof), purpose).await?
        }
    };
    Ok(success(Token::from(token)))
}

/// What both tokens have in common.
const THROUGH_V1: Description = Description {
    methods: &[Method::POST, Method::GET],
    right: Right::Maintain,
    tag: Tag::Tokens,
    reasons: &[Reason::RepoNotFound],
    response,
    ..Description::V1
};

/// The scope of a token, as the stand-alone proxy called it.
pub(crate) struct ScopeParameter(pub(crate) Scope);

impl AsRef<Scope> for ScopeParameter {
    fn as_ref(&self) -> &Scope {
        &self.0
    }
}

impl ParameterSet for ScopeParameter {
    type Fields = (Field<Scope>,);

    const FIELDS: Self::Fields =
        (Field::required("scope", "The configured organisation, or one of its repositories", "my-org/shop"),);

    fn from_values((scope,): (Scope,)) -> Result<Self, ApiError> {
        Ok(Self(scope))
    }
}

/// What both operations of the proxy have in common.
const AS_PROXY: Description = Description {
    methods: &[Method::POST],
    root: true,
    right: Right::Scope,
    tag: Tag::Tokens,
    about: "As of the stand-alone token proxy: a success has no envelope, a failure has. An organisation's scope \
            takes an owner of it; a repository's somebody with admin permission on it, or, with `team`, a maintainer \
            of a team that has. The administrator has to allow the scope, which nothing is by default.",
    reasons: &[Reason::RepoNotFound],
    response,
    ..Description::V1
};

pub(super) struct ProxyRegister;

impl Endpoint for ProxyRegister {
    type Standing = OfScope;
    type Parameters = ScopeParameter;

    const DESCRIPTION: Description =
        Description { name: "register", summary: "Get a registration token of a scope", ..AS_PROXY };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        let token = tokens::for_scope(&admitted.work, Purpose::Register).await?;
        Ok(HttpResponse::Ok().json(Token::from(token)))
    }
}

pub(super) struct ProxyRemove;

impl Endpoint for ProxyRemove {
    type Standing = OfScope;
    type Parameters = ScopeParameter;

    const DESCRIPTION: Description =
        Description { name: "remove", summary: "Get a removal token of a scope", ..AS_PROXY };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        let token = tokens::for_scope(&admitted.work, Purpose::Remove).await?;
        Ok(HttpResponse::Ok().json(Token::from(token)))
    }
}
