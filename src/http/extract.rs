//! From a request to a proof: token, limits, caller, team, maintainer, parameters, policy, in the documented
//! order. One extractor does it all, since actix polls extractors that stand side by side together.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::body::{self, read};
use super::edge::Notes;
use super::error::ApiError;
use super::operation::Operation;
use super::operation_parameters::OperationParameters;
use super::parameters::{Parameters, invalid, malformed};
use crate::access::{AccessError, Authority, Caller, CallerToken, ManagedTeam, Reach, TokenError};
use crate::audit::Trail;
use crate::domain::names::{OrgName, TeamSlug};
use crate::metrics;
use crate::ops;
use crate::state::Shared;

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
            let Asking { state, trail, caller, team, mut rest } = Asking::of(&request, payload).await?;
            let slug = slug(&team, &trail)?;
            let maintainer = state.teams.maintainer(&state.github, &caller, &slug).await?;
            note(&trail, maintainer.team());
            let parameters = own_parameters(&mut rest, state.github.org())?;
            let authority = maintainer.under(&state.policy.load())?;
            Ok(Self { state, authority, parameters, trail })
        })
    }
}

impl<P> Authorized<P> {
    /// The authority over a second team, which the caller has to maintain, too.
    pub(super) async fn other_team(
        &self,
        parameter: &'static str,
        slug: &TeamSlug,
    ) -> Result<Authority, ApiError> {
        if slug == self.authority.team().slug() {
            return Err(invalid(parameter, "expected another team than the one that the request is about"));
        }
        self.trail.note(|record| record.to_team = Some(slug.to_string()));
        let maintainer =
            self.state.teams.maintainer(&self.state.github, self.authority.caller(), slug).await?;
        Ok(maintainer.under(&self.state.policy.load())?)
    }
}

/// A request that administrators, too, may send: for their own team's group, for any team's, or for all.
pub(super) struct Reaching<P> {
    /// The shared parts.
    pub(super) state: Shared,
    /// Which groups it is about.
    pub(super) reach: Reach,
    /// The operation's own parameters.
    pub(super) parameters: P,
    /// What the audit line will say.
    pub(super) trail: Trail,
}

/// The `team` that stands for all of them.
const EVERY_TEAM: &str = "*";

impl<P: OperationParameters> FromRequest for Reaching<P> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let Asking { state, trail, caller, team, mut rest } = Asking::of(&request, payload).await?;
            if let (EVERY_TEAM, Some(administrators)) = (team.as_str(), &state.administrators) {
                trail.note(|record| record.team = Some(team.clone()));
                let oversight = state.teams.oversight(&state.github, &caller, administrators).await?;
                trail.note(|record| record.as_administrator = true);
                let parameters = own_parameters(&mut rest, state.github.org())?;
                return Ok(Self { reach: Reach::Everything(oversight), parameters, state, trail });
            }
            let slug = slug(&team, &trail)?;
            let authority = authority_over(&state, &trail, &caller, &slug).await;
            // What the policy says comes behind the parameters.
            if let Err(error) = &authority
                && !matches!(error, AccessError::TeamDenied)
            {
                return Err(error.clone().into());
            }
            let parameters = own_parameters(&mut rest, state.github.org())?;
            let authority = authority?;
            Ok(Self { reach: Reach::Team(Box::new(authority)), parameters, state, trail })
        })
    }
}

impl<P> Reaching<P> {
    /// To be called when it is done. What changes nothing leaves no audit line, unless it took an
    /// administrator's rights.
    pub(super) fn is_done(&self) {
        if self.trail.look(|record| record.as_administrator) {
            self.trail.write("success", None);
        }
    }
}

/// The authority of a maintainer, or else of an administrator.
async fn authority_over(
    state: &Shared,
    trail: &Trail,
    caller: &Caller,
    slug: &TeamSlug,
) -> Result<Authority, AccessError> {
    let (teams, github) = (&state.teams, &state.github);
    let own = teams.maintainer(github, caller, slug).await.and_then(|maintainer| {
        note(trail, maintainer.team());
        maintainer.under(&state.policy.load())
    });
    let (Err(AccessError::NotAMaintainer | AccessError::TeamDenied), Some(administrators)) =
        (&own, &state.administrators)
    else {
        return own;
    };
    let oversight = match teams.oversight(github, caller, administrators).await {
        Ok(oversight) => oversight,
        Err(AccessError::NotAMaintainer) => return own,
        Err(error) => return Err(error),
    };
    trail.note(|record| record.as_administrator = true);
    let authority = teams.overseen(github, caller, slug, &oversight).await?;
    note(trail, authority.team());
    Ok(authority)
}

/// A request of a known caller, before anybody looked at the team.
struct Asking {
    state: Shared,
    trail: Trail,
    caller: Caller,
    team: String,
    rest: Parameters,
}

impl Asking {
    async fn of(request: &HttpRequest, payload: Payload) -> Result<Self, ApiError> {
        let entrance = Entrance::of(request)?;
        let caller = entrance.authenticate(request).await?;
        let mut rest = read(&entrance, request, payload).await?;
        let team = rest.required_text("team")?;
        Ok(Self { state: entrance.state, trail: entrance.trail, caller, team, rest })
    }
}

pub(super) fn slug(team: &str, trail: &Trail) -> Result<TeamSlug, ApiError> {
    let slug = TeamSlug::parse(team).map_err(|error| malformed("team", team, &error.to_string()))?;
    trail.note(|record| record.team = Some(slug.to_string()));
    Ok(slug)
}

pub(super) fn note(trail: &Trail, team: &ManagedTeam) {
    trail.note(|record| {
        record.team = Some(team.slug().to_string());
        record.team_id = Some(team.id());
        record.group = Some(team.group().to_string());
    });
}

/// The operation's own parameters, and none that it doesn't know.
pub(super) fn own_parameters<P: OperationParameters>(
    rest: &mut Parameters,
    org: &OrgName,
) -> Result<P, ApiError> {
    let parameters = P::take(rest, org)?;
    rest.nothing_else()?;
    Ok(parameters)
}

/// A request of a caller whose token is valid; no team is involved.
pub(super) struct Authenticated;

impl FromRequest for Authenticated {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let entrance = Entrance::of(&request)?;
            entrance.authenticate(&request).await?;
            read(&entrance, &request, payload).await?.nothing_else()?;
            Ok(Self)
        })
    }
}

/// What every operation starts with.
pub(super) struct Entrance {
    pub(super) state: Shared,
    pub(super) trail: Trail,
    notes: Notes,
}

impl Entrance {
    pub(super) fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let state = request.app_data::<Shared>().cloned().ok_or(ApiError::Internal)?;
        let operation = *request.app_data::<Operation>().ok_or(ApiError::Internal)?;
        let trail = request.extensions().get::<Trail>().cloned().ok_or(ApiError::Internal)?;
        let notes = request.extensions().get::<Notes>().cloned().ok_or(ApiError::Internal)?;
        notes.routed(operation);
        trail.note(|record| record.operation = operation.name());
        Ok(Self { state, trail, notes })
    }

    /// Token present, unknown tokens limited, token valid, user limited.
    pub(super) async fn authenticate(&self, request: &HttpRequest) -> Result<Caller, ApiError> {
        let token = token(request)?;
        let address = self.trail.look(|record| record.client).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let caller = self.state.identities.identify(&self.state.github, &token, address).await?;
        body::authenticated(request);
        // From here on whatever happens leaves a line, so there has to be room for it.
        let room = self.trail.reserve(&self.state.audit_room, 0);
        self.trail.note(|record| {
            record.user = Some(caller.login().to_string());
            record.user_id = Some(caller.id());
        });
        room.map_err(ops::Error::from)?;
        let outcome = self.state.users.load().check(caller.id());
        let allowance = outcome.as_ref().map_or_else(|limited| limited.allowance, |allowance| *allowance);
        self.notes.counted(allowance);
        outcome.map_err(|limited| {
            metrics::limited(metrics::Limiter::User);
            ApiError::Limited(limited)
        })?;
        Ok(caller)
    }
}

fn token(request: &HttpRequest) -> Result<CallerToken, ApiError> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let header = headers.next().ok_or(ApiError::MissingToken)?;
    // Two tokens would leave open whose request this is.
    if headers.next().is_some() {
        return Err(ApiError::MalformedToken("Send one Authorization header, not several"));
    }
    let header = header.to_str().map_err(|_| ApiError::MalformedToken(CallerToken::EXPECTED))?;
    CallerToken::from_header(header).map_err(|error| match error {
        TokenError::Missing => ApiError::MissingToken,
        TokenError::Malformed(message) => ApiError::MalformedToken(message),
        TokenError::Unsupported => ApiError::Access(AccessError::UnsupportedToken),
    })
}
