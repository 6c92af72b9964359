//! Whether the service answers.

use actix_web::HttpResponse;
use actix_web::http::Method;

use super::{Admitted, Description, Endpoint, ResponseDescription, Tag};
use crate::access::Right;
use crate::http::ApiError;
use crate::http::envelope::success;
use crate::http::standing::AnyCaller;

const READY: &str = "Server ready";

pub(super) struct Status;

impl Endpoint for Status {
    type Standing = AnyCaller;
    type Parameters = ();

    const DESCRIPTION: Description = Description {
        name: "status",
        methods: &[Method::GET],
        right: Right::Status,
        tag: Tag::Service,
        summary: "Ask whether the service answers and knows the token",
        about: "No team is involved.",
        response: || ResponseDescription::sentence(READY),
        ..Description::V1
    };

    async fn handle(_: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        Ok(success(READY))
    }
}
