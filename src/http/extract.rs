//! From a request to a proof: token, limits, caller, team, maintainer, parameters, policy, in the documented
//! order. One extractor does it all, since actix polls extractors that stand side by side together.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::{Method, header};
use actix_web::web::BytesMut;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::StreamExt;

use super::edge::Notes;
use super::error::ApiError;
use super::operation::Operation;
use super::parameters::{Parameters, invalid};
use crate::access::{Authority, Caller, CallerToken, TokenError};
use crate::audit::Trail;
use crate::domain::names::{OrgName, RepoName, TeamSlug};
use crate::state::Shared;

/// The largest body that is read.
const MOST_BODY_BYTES: usize = 256 << 10;
/// A client has this long to send a body; slow ones must not hold on to memory.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The parameters of an operation beside `team`.
pub(super) trait OperationParameters: Sized + 'static {
    /// Takes what belongs to the operation.
    fn take(parameters: &mut Parameters, org: &OrgName) -> Result<Self, ApiError>;
}

/// No parameters beside `team`.
pub(super) struct TeamOnly;

impl OperationParameters for TeamOnly {
    fn take(_: &mut Parameters, _: &OrgName) -> Result<Self, ApiError> {
        Ok(Self)
    }
}

/// At least one repository.
pub(super) struct SomeRepos(pub(super) Vec<RepoName>);

impl OperationParameters for SomeRepos {
    fn take(parameters: &mut Parameters, org: &OrgName) -> Result<Self, ApiError> {
        let AnyRepos(repos) = AnyRepos::take(parameters, org)?;
        if repos.is_empty() {
            Err(invalid("repos", "expected at least one repository"))
        } else {
            Ok(Self(repos))
        }
    }
}

/// Repositories, none of them twice; a JSON `[]` is none.
pub(super) struct AnyRepos(pub(super) Vec<RepoName>);

impl OperationParameters for AnyRepos {
    fn take(parameters: &mut Parameters, org: &OrgName) -> Result<Self, ApiError> {
        let mut repos: Vec<RepoName> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for (index, item) in parameters.required_list("repos")?.iter().enumerate() {
            let name = RepoName::parse_in(item, org).map_err(|error| {
                invalid("repos", &format!("item {} is not what it should be: {error}", index + 1))
            })?;
            if seen.insert(name.as_str().to_ascii_lowercase()) {
                repos.push(name);
            }
        }
        Ok(Self(repos))
    }
}

/// A request of an active maintainer, with all that the operation needs.
pub(super) struct Authorized<P> {
    /// The shared parts.
    pub(super) state: Shared,
    /// Who acts for which team.
    pub(super) authority: Authority,
    /// The operation's own parameters.
    pub(super) parameters: P,
    /// What the audit line will say.
    pub(super) trail: Trail,
}

impl<P: OperationParameters> FromRequest for Authorized<P> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let entrance = Entrance::of(&request)?;
            let caller = entrance.authenticate(&request).await?;
            let mut parameters = read(&request, payload).await?;
            let Entrance { state, trail, .. } = entrance;
            let slug = TeamSlug::parse(&parameters.required_text("team")?)
                .map_err(|error| invalid("team", &error.to_string()))?;
            trail.note(|record| record.team = Some(slug.to_string()));
            let maintainer = state.teams.maintainer(&state.github, &caller, &slug).await?;
            trail.note(|record| {
                let team = maintainer.team();
                record.team = Some(team.slug().to_string());
                record.team_id = Some(team.id());
                record.group = Some(team.group().to_string());
            });
            let own = P::take(&mut parameters, state.github.org())?;
            parameters.nothing_else()?;
            let authority = maintainer.under(&state.policy.load())?;
            Ok(Self { state, authority, parameters: own, trail })
        })
    }
}

/// A request of a caller whose token is valid; no team is involved.
pub(super) struct Authenticated;

impl FromRequest for Authenticated {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            Entrance::of(&request)?.authenticate(&request).await?;
            read(&request, payload).await?.nothing_else()?;
            Ok(Self)
        })
    }
}

/// What every operation starts with.
struct Entrance {
    state: Shared,
    trail: Trail,
    notes: Notes,
}

impl Entrance {
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let state = request.app_data::<Shared>().cloned().ok_or(ApiError::Internal)?;
        let operation = *request.app_data::<Operation>().ok_or(ApiError::Internal)?;
        let trail = request.extensions().get::<Trail>().cloned().ok_or(ApiError::Internal)?;
        let notes = request.extensions().get::<Notes>().cloned().ok_or(ApiError::Internal)?;
        notes.routed(operation);
        trail.note(|record| record.operation = operation.name());
        Ok(Self { state, trail, notes })
    }

    /// Token present, unknown tokens limited, token valid, user limited.
    async fn authenticate(&self, request: &HttpRequest) -> Result<Caller, ApiError> {
        let token = token(request)?;
        let address = self.trail.so_far().client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let caller = self.state.identities.identify(&self.state.github, &token, address).await?;
        self.trail.note(|record| {
            record.user = Some(caller.login().to_string());
            record.user_id = Some(caller.id());
        });
        let outcome = self.state.users.load().check(caller.id());
        let allowance = outcome.as_ref().map_or_else(|limited| limited.allowance, |allowance| *allowance);
        self.notes.counted(allowance);
        outcome.map_err(ApiError::Limited)?;
        Ok(caller)
    }
}

fn token(request: &HttpRequest) -> Result<CallerToken, ApiError> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let header = headers.next().ok_or(ApiError::MissingToken)?;
    // Two tokens would leave open whose request this is; bytes beyond ASCII are in no token.
    let header = if headers.next().is_none() { header.to_str().ok() } else { None };
    let header = header.ok_or(ApiError::Access(TokenError::Invalid.into()))?;
    CallerToken::from_header(header).map_err(|error| match error {
        TokenError::Missing => ApiError::MissingToken,
        error => ApiError::Access(error.into()),
    })
}

/// The parameters of a request. A GET has no body to speak of.
async fn read(request: &HttpRequest, payload: Payload) -> Result<Parameters, ApiError> {
    let body = if request.method() == Method::GET {
        BytesMut::new()
    } else {
        let broken = |what: &str| ApiError::InvalidBody(what.to_owned());
        tokio::time::timeout(BODY_TIMEOUT, read_body(payload))
            .await
            .map_err(|_| broken("it came too slowly"))??
    };
    Parameters::read(request.query_string(), request.headers(), &body)
}

async fn read_body(mut payload: Payload) -> Result<BytesMut, ApiError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| ApiError::InvalidBody("it broke off".to_owned()))?;
        if body.len() + chunk.len() > MOST_BODY_BYTES {
            return Err(ApiError::PayloadTooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
