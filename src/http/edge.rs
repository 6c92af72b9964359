//! The outermost layer: gives each request its id, catches panics, puts every failure into the envelope, adds
//! the headers of every answer, and writes the access line and the audit line of a refusal.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, ResponseError};
use futures_util::FutureExt;
use tracing::Instrument;

use super::client_address::client_address;
use super::error::{ApiError, seconds_rounded_up};
use super::operation::Operation;
use crate::audit::Trail;
use crate::limits::Allowance;
use crate::state::Shared;

/// Since when the GET forms are deprecated: 2026-11-21, in RFC 9745's form.
const DEPRECATED_SINCE: &str = "@1795219200";
const DEPRECATION_LINK: &str = "</docs>; rel=\"deprecation\"; type=\"text/html\"";
/// A caller's own request id, and a path, are logged up to this length.
const MOST_LOGGED: usize = 200;

/// Where the inner layers leave what the edge adds to the answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted(pub(super) Allowance);

/// The operation that the router chose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Routed(pub(super) Operation);

/// What the access line says about the request itself.
struct Asked {
    started: Instant,
    method: Method,
    path: String,
    client_request_id: Option<String>,
}

/// See the module. To be registered last, so that it runs first.
pub(super) async fn edge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let request_id = uuid::Uuid::now_v7().simple().to_string();
    let trail = Trail::new(request_id.clone());
    let Some(state) = request.app_data::<Shared>() else {
        return Err(actix_web::error::ErrorInternalServerError("the state is missing"));
    };
    let deadline = state.request_deadline;
    let client = client_address(&request, &state.trusted_proxies);
    trail.note(|record| record.client = client);
    request.extensions_mut().insert(trail.clone());
    let asked = Asked::of(&request);
    let span = tracing::info_span!("request", request_id);
    let answer = AssertUnwindSafe(next.call(request).instrument(span.clone())).catch_unwind();
    let outcome = tokio::time::timeout(deadline, answer).await;
    let _entered = span.enter();
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(_) => Ok(Err(ApiError::Deadline.into())),
    };
    match outcome {
        Ok(Ok(response)) => Ok(finish(response, &trail, &request_id, &asked)),
        Ok(Err(error)) => {
            let error = error.as_error::<ApiError>().cloned().unwrap_or(ApiError::Internal);
            Err(Abandoned::new(error, &trail, &request_id, &asked).into())
        }
        Err(_) => {
            tracing::error!("a handler panicked");
            Err(Abandoned::new(ApiError::Internal, &trail, &request_id, &asked).into())
        }
    }
}

impl Asked {
    fn of(request: &ServiceRequest) -> Self {
        let own_id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok());
        Self {
            started: Instant::now(),
            method: request.method().clone(),
            path: shortened(request.path()),
            client_request_id: own_id.map(shortened),
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MOST_LOGGED).collect()
}

/// Completes an answer, whatever the inner layers made of the request.
fn finish(
    response: ServiceResponse<impl MessageBody + 'static>,
    trail: &Trail,
    request_id: &str,
    asked: &Asked,
) -> ServiceResponse<BoxBody> {
    let (request, response) = response.into_parts();
    let allowance = request.extensions().get::<Counted>().map(|counted| counted.0);
    let error = match response.error() {
        Some(error) => Some(error.as_error::<ApiError>().cloned().unwrap_or_else(|| of_framework(&response))),
        None if response.status().is_client_error() || response.status().is_server_error() => {
            Some(of_framework(&response))
        }
        None => None,
    };
    let mut response = match &error {
        Some(error) => error.respond(request_id),
        None => response.map_into_boxed_body(),
    };
    let routed = request.extensions().get::<Routed>().map(|routed| routed.0);
    let legacy = routed.is_some_and(Operation::has_legacy_get) && request.method() == Method::GET;
    add_headers(&mut response, request_id, allowance, legacy);
    write_lines(error.as_ref(), response.status(), trail, asked);
    ServiceResponse::new(request, response)
}

/// A failure that actix-web itself answered.
fn of_framework<B>(response: &HttpResponse<B>) -> ApiError {
    match response.status() {
        StatusCode::NOT_FOUND => ApiError::NotFound,
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::PayloadTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ApiError::UnsupportedMediaType,
        status if status.is_client_error() => ApiError::InvalidBody("the request is malformed".to_owned()),
        _ => ApiError::Internal,
    }
}

fn add_headers(response: &mut HttpResponse, request_id: &str, allowance: Option<Allowance>, legacy: bool) {
    let headers = response.headers_mut();
    let mut insert = |name: &'static str, value: header::HeaderValue| {
        headers.insert(header::HeaderName::from_static(name), value);
    };
    if let Ok(request_id) = header::HeaderValue::from_str(request_id) {
        insert("x-request-id", request_id);
    }
    insert("cache-control", header::HeaderValue::from_static("no-store"));
    insert("x-content-type-options", header::HeaderValue::from_static("nosniff"));
    if let Some(allowance) = allowance {
        insert("ratelimit-limit", allowance.limit.into());
        insert("ratelimit-remaining", allowance.remaining.into());
        insert("ratelimit-reset", seconds_rounded_up(allowance.reset).into());
    }
    if legacy {
        insert("deprecation", header::HeaderValue::from_static(DEPRECATED_SINCE));
        insert("link", header::HeaderValue::from_static(DEPRECATION_LINK));
    }
}

/// The access line, and the audit line of a refusal once the caller is known.
fn write_lines(error: Option<&ApiError>, status: StatusCode, trail: &Trail, asked: &Asked) {
    let reason = error.map(|error| error.answer().reason);
    let known = trail.so_far();
    if let Some(reason) = reason
        && known.user_id.is_some()
    {
        trail.write(if status.is_server_error() { "failed" } else { "refused" }, Some(reason));
    }
    if let Some(error) = error {
        let detail = error.detail();
        if status.is_server_error() {
            tracing::error!(detail, "the request failed");
        } else {
            tracing::debug!(detail, "the request was refused");
        }
    }
    tracing::info!(
        target: "access",
        method = asked.method.as_str(),
        path = asked.path,
        operation = known.operation,
        status = status.as_u16(),
        reason,
        duration_ms = u64::try_from(asked.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        client = known.client.map(tracing::field::display),
        client_request_id = asked.client_request_id,
        user = known.user,
        team = known.team,
        "request",
    );
}

/// An error without a request to answer it with: the request is gone after a panic.
#[derive(Debug)]
struct Abandoned {
    error: ApiError,
    request_id: String,
}

impl Abandoned {
    fn new(error: ApiError, trail: &Trail, request_id: &str, asked: &Asked) -> Self {
        write_lines(Some(&error), error.status_code(), trail, asked);
        Self { error, request_id: request_id.to_owned() }
    }
}

impl std::fmt::Display for Abandoned {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(formatter)
    }
}

impl ResponseError for Abandoned {
    fn status_code(&self) -> StatusCode {
        self.error.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.error.respond(&self.request_id);
        add_headers(&mut response, &self.request_id, None, false);
        response
    }
}
