//! The outermost layer: gives each request its id, catches panics, puts every failure into the envelope, adds
//! the headers of every answer, and writes the access line and the audit line of a refusal.

use std::cell::Cell;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, ResponseError};
use futures_util::FutureExt;
use tracing::{Instrument, Span};

use super::LIVE;
use super::client_address::client_address;
use super::error::{ApiError, seconds_rounded_up};
use super::request_id;
use crate::account::Account;
use crate::audit::{AuditLine, AuditLog};
use crate::domain::outcome::Outcome;
use crate::domain::reason::Cause;
use crate::metrics::{self, CallerKind};
use crate::request::{Caller, Context};
use crate::state::Shared;

/// Since when the GET forms are deprecated: 2026-11-21, in RFC 9745's form.
pub(super) const DEPRECATED_SINCE: &str = "@1795219200";
pub(super) const DEPRECATION_LINK: &str = "</docs>; rel=\"deprecation\"; type=\"text/html\"";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATE_LIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
/// A caller's own request id, and a path, are logged up to this length.
const MAX_LOGGED: usize = 200;

/// A request as the edge sees it, for as long as it takes to answer.
struct Exchange {
    state: Option<Shared>,
    context: Context,
    line: AuditLine,
    span: Span,
    started: Instant,
    method: Method,
    path: String,
    client_request_id: Option<String>,
    /// Whether the caller stays unknown behind a proxy.
    has_unreadable_hop: bool,
    access_line_written: Cell<bool>,
}

/// See the module. To be registered last, so that it runs first.
pub(super) async fn edge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let state = request.app_data::<Shared>().cloned();
    let exchange = Exchange::new(&request, state.clone());
    let span = exchange.span.clone();
    let Some(state) = state else {
        return Err(exchange.abandon(ApiError::Internal));
    };
    if exchange.is_probe() {
        return exchange.pass(request, next).await;
    }
    request.extensions_mut().insert(exchange.context.clone());
    request.extensions_mut().insert(exchange.line.clone());
    let answer = exchange.context.account().clone().scope(next.call(request));
    let answer = AssertUnwindSafe(answer.instrument(span.clone())).catch_unwind();
    let outcome = tokio::select! {
        biased;
        outcome = tokio::time::timeout(state.request_deadline, answer) => outcome,
        () = state.writes.until_given_up() => {
            let _entered = span.enter();
            return Err(exchange.abandon(ApiError::ShuttingDown));
        }
    };
    let _entered = span.enter();
    match outcome {
        Ok(Ok(Ok(response))) => Ok(exchange.finish(response)),
        Ok(Ok(Err(error))) => {
            Err(exchange.abandon(error.as_error::<ApiError>().cloned().unwrap_or(ApiError::Internal)))
        }
        Ok(Err(_)) => {
            tracing::error!("a handler panicked");
            Err(exchange.abandon(ApiError::Internal))
        }
        Err(_) => Err(exchange.abandon(ApiError::Deadline)),
    }
}

impl Exchange {
    fn new(request: &ServiceRequest, state: Option<Shared>) -> Self {
        let request_id = request_id::new();
        let span = tracing::info_span!("request", request_id);
        let trusted = state.as_ref().map(|state| state.trusted_proxies.as_slice());
        let client = client_address(request, trusted.unwrap_or_default());
        let time = state.as_ref().map_or(Duration::ZERO, |state| state.request_deadline);
        let account = Account::of_request(tokio::time::Instant::now() + time);
        let context = Context::new(request_id, client.as_ref().map(|client| client.address), account);
        let log = state.as_ref().map_or_else(AuditLog::unbounded, |state| state.audit_log.clone());
        let own_id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok());
        Self {
            line: AuditLine::new(context.clone(), log),
            context,
            span,
            started: Instant::now(),
            method: request.method().clone(),
            path: shortened(request.path()),
            client_request_id: own_id.map(shortened),
            has_unreadable_hop: client.is_some_and(|client| client.has_unreadable_hop),
            access_line_written: Cell::new(false),
            state,
        }
    }

    /// Whether a load balancer asks whether anybody is here. It does so every few seconds, so that leaves no trace.
    fn is_probe(&self) -> bool {
        self.path == LIVE && matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Answers a probe, whatever else goes on.
    async fn pass(
        self,
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
        self.access_line_written.set(true);
        let mut response = next.call(request).await?.map_into_boxed_body();
        self.add_headers(response.response_mut());
        Ok(response)
    }

    /// Completes an answer, whatever the inner layers made of the request.
    fn finish(&self, response: ServiceResponse<impl MessageBody + 'static>) -> ServiceResponse<BoxBody> {
        let (request, response) = response.into_parts();
        let failed = response.status().is_client_error() || response.status().is_server_error();
        let typed = response.error().and_then(|error| error.as_error::<ApiError>().cloned());
        let error = typed.or_else(|| failed.then(|| of_framework(response.status())));
        let mut response = match &error {
            Some(error) => error.respond(self.context.id()),
            None => response.map_into_boxed_body(),
        };
        self.add_headers(&mut response);
        self.write_lines(error.as_ref(), response.status());
        ServiceResponse::new(request, response)
    }

    /// An answer to a request that is gone, as it is after a panic or when its time is over.
    fn abandon(self, error: ApiError) -> actix_web::Error {
        self.write_lines(Some(&error), error.status_code());
        Abandoned { error, exchange: self }.into()
    }

    fn add_headers(&self, response: &mut HttpResponse) {
        if self.state.as_ref().is_some_and(|state| state.draining.load(Ordering::Relaxed)) {
            // Whoever keeps the connection must not send another request into nothing.
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        let headers = response.headers_mut();
        if let Ok(request_id) = HeaderValue::from_str(self.context.id()) {
            headers.insert(REQUEST_ID, request_id);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(allowance) = self.context.allowance() {
            headers.insert(RATE_LIMIT, allowance.limit.into());
            headers.insert(RATE_LIMIT_REMAINING, allowance.remaining.into());
            headers.insert(RATE_LIMIT_RESET, seconds_rounded_up(allowance.reset).into());
        }
        if self.context.is_older_form() {
            headers.insert(DEPRECATION, HeaderValue::from_static(DEPRECATED_SINCE));
            headers.insert(header::LINK, HeaderValue::from_static(DEPRECATION_LINK));
        }
    }

    /// The access line, and the audit line of a refusal once the caller is known.
    fn write_lines(&self, error: Option<&ApiError>, status: StatusCode) {
        let cause = error.map(|error| Cause::Reason(error.answer().reason));
        if let (Some(cause), Some(_)) = (cause, self.context.caller()) {
            match &self.state {
                Some(state) if status == StatusCode::TOO_MANY_REQUESTS => {
                    state.limited_callers.count(&self.line, cause);
                }
                _ if status.is_server_error() => self.line.write_refusal(Outcome::Failed, cause),
                _ => self.line.write_refusal(Outcome::Refused, cause),
            }
        }
        if let Some(error) = error {
            // Within the macros, so that it is made only for a line that is written.
            if status.is_server_error() {
                tracing::error!(detail = error.detail(), "the request failed");
            } else {
                tracing::debug!(detail = error.detail(), "the request was refused");
            }
        }
        self.write_access_line(status.as_u16(), cause);
    }

    fn write_access_line(&self, status: u16, cause: Option<Cause>) {
        self.access_line_written.set(true);
        let took = self.started.elapsed();
        let context = &self.context;
        let kind = context.caller().map_or(CallerKind::Unknown, Caller::kind);
        metrics::request(context.operation(), kind, status, cause, took);
        tracing::info!(
            target: "access",
            method = self.method.as_str(),
            path = self.path,
            operation = context.operation().unwrap_or_default(),
            status,
            reason = cause.map(Cause::as_str),
            duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            client = context.client().map(tracing::field::display),
            client_unreadable_hop = self.has_unreadable_hop.then_some(true),
            client_request_id = self.client_request_id,
            user = context.caller().map(Caller::name).as_deref(),
            caller = context.caller().map(|caller| caller.kind().as_str()),
            entry = context.entry().map(tracing::field::display),
            team = context.team_name(),
            "request",
        );
    }
}

/// When the caller hangs up, the request is dropped wherever it stands.
impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.access_line_written.get() {
            let _entered = self.span.enter();
            let cause = Cause::CallerHungUp;
            // Whoever asked what they may not, and didn't wait for the response, is written down, too.
            if self.context.caller().is_some() {
                self.line.write_refusal(Outcome::Refused, cause);
            }
            self.write_access_line(cause.status(), Some(cause));
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_LOGGED).collect()
}

/// A failure that actix-web itself answered.
fn of_framework(status: StatusCode) -> ApiError {
    match status {
        StatusCode::NOT_FOUND => ApiError::NotFound,
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::PayloadTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ApiError::UnsupportedMediaType,
        status if status.is_client_error() => ApiError::InvalidBody("the request is malformed".to_owned()),
        _ => ApiError::Internal,
    }
}

/// A failure that actix-web answers for the edge, since there is no request left to answer it with.
struct Abandoned {
    error: ApiError,
    exchange: Exchange,
}

impl fmt::Debug for Abandoned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(formatter)
    }
}

impl fmt::Display for Abandoned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, formatter)
    }
}

impl ResponseError for Abandoned {
    fn status_code(&self) -> StatusCode {
        self.error.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.error.respond(self.exchange.context.id());
        self.exchange.add_headers(&mut response);
        response
    }
}
