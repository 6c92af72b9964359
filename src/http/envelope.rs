//! What stands around every answer: of a success, and of a failure.

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use actix_web::web::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

/// The body of every success.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Success<T> {
    code: u16,
    response: T,
}

/// The body of a success.
pub(super) fn body<T: Serialize>(response: T) -> Bytes {
    // What stands in a response is text, numbers and lists of them, which can always be written.
    serde_json::to_vec(&Success { code: 200, response }).map_or_else(|_| Bytes::new(), Bytes::from)
}

/// A success whose body was made before.
pub(super) fn success_with(body: Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::json()).body(body)
}

/// A success, with its answer in the envelope.
pub(super) fn success<T: Serialize>(response: T) -> HttpResponse {
    HttpResponse::Ok().json(Success { code: 200, response })
}

/// The body of every failure.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Failure<'a> {
    /// The HTTP status.
    pub(super) code: u16,
    /// A sentence for people.
    #[schema(min_length = 1)]
    pub(super) error: &'a str,
    /// A word for scripts.
    pub(super) reason: &'a str,
    /// The id that the service's log has, too.
    #[serde(rename = "RequestID")]
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub(super) request_id: &'a str,
    /// Repositories that were done before others failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) done: Option<&'a [String]>,
    /// Repositories that were not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) failed: Option<&'a [String]>,
}
