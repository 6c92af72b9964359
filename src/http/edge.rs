//! The outermost layer: gives each request its id, catches panics, puts every failure into the envelope, adds
//! the headers of every answer, and writes the access line and the audit line of a refusal.

use std::cell::Cell;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Instant;

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
use super::operation::Operation;
use super::request_id;
use crate::audit::Trail;
use crate::limits::Allowance;
use crate::metrics;
use crate::state::Shared;

/// Since when the GET forms are deprecated: 2026-11-21, in RFC 9745's form.
pub(super) const DEPRECATED_SINCE: &str = "@1795219200";
pub(super) const DEPRECATION_LINK: &str = "</docs>; rel=\"deprecation\"; type=\"text/html\"";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATE_LIMIT_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
/// How the access line calls the end of a request whose caller hung up: as nginx does.
const HUNG_UP: (u16, &str) = (499, "caller_hung_up");
/// A caller's own request id, and a path, are logged up to this length.
const MOST_LOGGED: usize = 200;

/// What the inner layers find out for the edge. Cloning gives the same notes; they outlive the request.
#[derive(Clone, Default)]
pub(super) struct Notes(Rc<Inner>);

#[derive(Default)]
struct Inner {
    operation: Cell<Option<Operation>>,
    allowance: Cell<Option<Allowance>>,
}

impl Notes {
    /// The operation that the router chose.
    pub(super) fn routed(&self, operation: Operation) {
        self.0.operation.set(Some(operation));
    }

    /// What the caller has left.
    pub(super) fn counted(&self, allowance: Allowance) {
        self.0.allowance.set(Some(allowance));
    }
}

/// A request as the edge sees it, for as long as it takes to answer.
struct Asked {
    state: Option<Shared>,
    trail: Trail,
    notes: Notes,
    request_id: String,
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
    let mut asked = Asked::of(&request, state.clone());
    let span = asked.span.clone();
    let Some(state) = state else {
        return Err(asked.abandon(ApiError::Internal));
    };
    if asked.is_probe() {
        return asked.pass(request, next).await;
    }
    if let Some(client) = client_address(&request, &state.trusted_proxies) {
        asked.trail.note(|record| record.client = Some(client.address));
        asked.has_unreadable_hop = client.has_unreadable_hop;
    }
    request.extensions_mut().insert(asked.trail.clone());
    request.extensions_mut().insert(asked.notes.clone());
    let answer = AssertUnwindSafe(next.call(request).instrument(span.clone())).catch_unwind();
    let outcome = tokio::select! {
        biased;
        outcome = tokio::time::timeout(state.request_deadline, answer) => outcome,
        () = state.writes.until_given_up() => {
            let _entered = span.enter();
            return Err(asked.abandon(ApiError::ShuttingDown));
        }
    };
    let _entered = span.enter();
    match outcome {
        Ok(Ok(Ok(response))) => Ok(asked.finish(response)),
        Ok(Ok(Err(error))) => {
            Err(asked.abandon(error.as_error::<ApiError>().cloned().unwrap_or(ApiError::Internal)))
        }
        Ok(Err(_)) => {
            tracing::error!("a handler panicked");
            Err(asked.abandon(ApiError::Internal))
        }
        Err(_) => Err(asked.abandon(ApiError::Deadline)),
    }
}

impl Asked {
    fn of(request: &ServiceRequest, state: Option<Shared>) -> Self {
        let request_id = request_id::new();
        let own_id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok());
        Self {
            state,
            trail: Trail::new(request_id.clone()),
            notes: Notes::default(),
            span: tracing::info_span!("request", request_id),
            request_id,
            started: Instant::now(),
            method: request.method().clone(),
            path: shortened(request.path()),
            client_request_id: own_id.map(shortened),
            has_unreadable_hop: false,
            access_line_written: Cell::new(false),
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
            Some(error) => error.respond(&self.request_id),
            None => response.map_into_boxed_body(),
        };
        self.add_headers(&mut response);
        self.write_lines(error.as_ref(), response.status());
        ServiceResponse::new(request, response)
    }

    /// An answer to a request that is gone, as it is after a panic or when its time is over.
    fn abandon(self, error: ApiError) -> actix_web::Error {
        self.write_lines(Some(&error), error.status_code());
        Abandoned { error, asked: self }.into()
    }

    fn add_headers(&self, response: &mut HttpResponse) {
        if self.state.as_ref().is_some_and(|state| state.draining.load(Ordering::Relaxed)) {
            // Whoever keeps the connection must not send another request into nothing.
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        let headers = response.headers_mut();
        if let Ok(request_id) = HeaderValue::from_str(&self.request_id) {
            headers.insert(REQUEST_ID, request_id);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(allowance) = self.notes.0.allowance.get() {
            headers.insert(RATE_LIMIT, allowance.limit.into());
            headers.insert(RATE_LIMIT_REMAINING, allowance.remaining.into());
            headers.insert(RATE_LIMIT_RESET, seconds_rounded_up(allowance.reset).into());
        }
        let operation = self.notes.0.operation.get();
        if operation.is_some_and(|operation| operation.is_older_form(&self.method)) {
            headers.insert(DEPRECATION, HeaderValue::from_static(DEPRECATED_SINCE));
            headers.insert(header::LINK, HeaderValue::from_static(DEPRECATION_LINK));
        }
    }

    /// The access line, and the audit line of a refusal once the caller is known.
    fn write_lines(&self, error: Option<&ApiError>, status: StatusCode) {
        let reason = error.map(|error| error.answer().reason);
        if let Some(reason) = reason
            && self.trail.look(|record| record.user_id.is_some())
        {
            match &self.state {
                Some(state) if status == StatusCode::TOO_MANY_REQUESTS => {
                    state.limited_callers.count(&self.trail, reason);
                }
                _ if status.is_server_error() => self.trail.write_refusal("failed", reason),
                _ => self.trail.write_refusal("refused", reason),
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
        self.write_access_line(status.as_u16(), reason);
    }

    fn write_access_line(&self, status: u16, reason: Option<&'static str>) {
        self.access_line_written.set(true);
        let took = self.started.elapsed();
        self.trail.look(|known| {
            metrics::request(known.operation, status, reason, took);
            tracing::info!(
                target: "access",
                method = self.method.as_str(),
                path = self.path,
                operation = known.operation,
                status,
                reason,
                duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                client = known.client.map(tracing::field::display),
                client_unreadable_hop = self.has_unreadable_hop.then_some(true),
                client_request_id = self.client_request_id,
                user = known.user,
                team = known.team,
                "request",
            );
        });
    }
}

/// When the caller hangs up, the request is dropped wherever it stands.
impl Drop for Asked {
    fn drop(&mut self) {
        if !self.access_line_written.get() {
            let _entered = self.span.enter();
            let (status, reason) = HUNG_UP;
            // Whoever asked what they may not, and didn't wait for the answer, is written down, too.
            if self.trail.look(|record| record.user_id.is_some()) {
                self.trail.write_refusal("refused", reason);
            }
            self.write_access_line(status, Some(reason));
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MOST_LOGGED).collect()
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
    asked: Asked,
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
        let mut response = self.error.respond(&self.asked.request_id);
        self.asked.add_headers(&mut response);
        response
    }
}
