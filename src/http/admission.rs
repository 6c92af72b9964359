//! From a request to a proof, in the documented order of checks. One extractor does it all: actix polls extractors that
//! stand side by side together, so that a bad body could be answered before a bad token.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::body;
use super::caller::caller_of;
use super::endpoint::{Admitted, Description, Endpoint};
use super::error::ApiError;
use super::field::ParameterSet;
use super::standing::Standing;
use crate::access::{AccessError, CallerToken, Requester, ShownToken, TokenError};
use crate::audit::AuditLine;
use crate::metrics;
use crate::ops::{self, Work};
use crate::request::Context;
use crate::state::{Shared, State};

impl<E: Endpoint> FromRequest for Admitted<E> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { admit(&request, payload).await })
    }
}

/// The order of checks. The route and its method were found before. Whether the group exists, and what depends on it, is
/// looked at afterwards, in `ops`.
async fn admit<E: Endpoint>(request: &HttpRequest, payload: Payload) -> Result<Admitted<E>, ApiError> {
    let arrival = Arrival::new(request, &E::DESCRIPTION)?;
    // A token is there.
    let token = token(request)?;
    // It is valid. An address that sent too many refused ones is turned away.
    let requester = arrival.authenticate(&token).await?;
    body::authenticated(request);
    // The caller is within their limit, and what they do can be written down.
    arrival.limit(&requester).await?;
    // The administrator lets them use the service. Behind the limit, so that a flood of such refusals is bounded, and each
    // says what is left of it.
    arrival.permit(&requester)?;
    // A token that makes one change can make one.
    if E::DESCRIPTION.changes_something() {
        arrival.prepare_change(&requester)?;
    }
    let work = arrival.work();
    // The team, or what else the request is about, is well-formed, and the caller may do this there.
    let mut sent = body::read(request, payload, work.line()).await?;
    let standing = E::Standing::find(&work, &requester, E::DESCRIPTION.right, &mut sent).await?;
    // The other parameters are well-formed, and the operation knows all of them.
    let parameters = E::Parameters::take(&mut sent, &work.organisation().name)?;
    sent.nothing_else()?;
    // The administrator's rules allow it.
    let proof = E::Standing::prove(standing, &work, &parameters).await?;
    Ok(Admitted { work: work.with(proof), parameters })
}

/// A request for an operation, before anybody looked at it.
struct Arrival {
    state: Shared,
    context: Context,
    line: AuditLine,
}

impl Arrival {
    fn new(request: &HttpRequest, description: &Description) -> Result<Self, ApiError> {
        let state = request.app_data::<Shared>().cloned().ok_or(ApiError::Internal)?;
        let context = request.extensions().get::<Context>().cloned().ok_or(ApiError::Internal)?;
        let line = request.extensions().get::<AuditLine>().cloned().ok_or(ApiError::Internal)?;
        context.set_operation(description.name, description.is_older_form(request.method()));
        if description.changes_something() {
            context.account().set_urgent();
        }
        Ok(Self { state, context, line })
    }

    async fn authenticate(&self, token: &ShownToken) -> Result<Requester, ApiError> {
        let requester = self.state.authentication.identify(token, self.context.limited_address()).await?;
        // From here on whatever happens leaves a line, so there has to be room for it.
        let room = self.line.reserve(0);
        self.context.set_caller(caller_of(&requester));
        room.map_err(ops::Error::from)?;
        Ok(requester)
    }

    async fn limit(&self, requester: &Requester) -> Result<(), ApiError> {
        let administrators = &self.state.organisation.administrators;
        let is_administrator = match requester.user() {
            Ok(caller) => administrators.were_lately(caller.id()).await,
            Err(_) => false,
        };
        let limiter = self.state.caller_limiter.load_full();
        let outcome = limiter.check(requester.principal(), is_administrator).await;
        let allowance = outcome.as_ref().map_or_else(|limited| limited.allowance, |allowance| *allowance);
        self.context.set_allowance(allowance);
        outcome.map(drop).map_err(|limited| {
            metrics::limited(metrics::Limiter::User);
            ApiError::Limited(limited)
        })
    }

    fn permit(&self, requester: &Requester) -> Result<(), ApiError> {
        Ok(requester.require_permitted(&self.state.organisation.policy.load())?)
    }

    fn prepare_change(&self, requester: &Requester) -> Result<(), ApiError> {
        if let Requester::Workload(workload) = requester
            && let Some(token) = self.state.used_tokens.spending(workload)?
        {
            self.context.account().set_one_change(token);
        }
        Ok(())
    }

    fn work(self) -> Work<()> {
        let State { organisation, writes, .. } = &*self.state;
        Work::new(organisation.clone(), self.context, self.line, writes.clone())
    }
}

fn token(request: &HttpRequest) -> Result<ShownToken, ApiError> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let header = headers.next().ok_or(ApiError::MissingToken)?;
    // Two tokens would leave open whose request this is.
    if headers.next().is_some() {
        return Err(ApiError::MalformedToken("Send one Authorization header, not several"));
    }
    let header = header.to_str().map_err(|_| ApiError::MalformedToken(CallerToken::EXPECTED))?;
    ShownToken::from_header(header).map_err(|error| match error {
        TokenError::Missing => ApiError::MissingToken,
        TokenError::Malformed(message) => ApiError::MalformedToken(message),
        TokenError::Unsupported => ApiError::Access(AccessError::UnsupportedToken),
    })
}
