//! The HTTP edge: routes, extractors, the envelope. No rule about runner groups lives here.

pub mod admin;
mod admission;
pub mod body;
mod caller;
mod client_address;
mod docs;
mod edge;
mod endpoint;
mod entry_values;
mod envelope;
mod error;
mod field;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod openapi;
mod operations;
mod parameters;
mod request_id;
mod standing;
mod value;

use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::{App, FromRequest, Handler, HttpResponse, Resource, Responder, Route, web};

pub use self::error::ApiError;
pub use self::operations::Operation;
use crate::state::Shared;

/// The application of one worker.
pub fn app(
    state: Shared,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let (legacy_get, docs) = (state.legacy_get, state.docs);
    App::new()
        .app_data(state)
        .configure(|config| routes(config, legacy_get))
        .configure(|config| {
            config.service(read_only(LIVE, async || HttpResponse::Ok().finish()));
            if docs {
                docs::routes(config);
            }
        })
        .default_service(web::to(async || Err::<HttpResponse, _>(ApiError::NotFound)))
        .wrap(from_fn(edge::edge))
}

fn routes(config: &mut web::ServiceConfig, legacy_get: bool) {
    for &operation in Operation::ALL {
        let mut methods = operation.methods(legacy_get);
        if operation.has_head() {
            methods.push(Method::HEAD);
        }
        let allow = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        for path in operation.paths() {
            let mut resource = web::resource(path);
            for method in &methods {
                resource = resource.route(operation.route().method(method.clone()));
            }
            config.service(resource.default_service(reached_by(allow.clone())));
        }
    }
}

/// Where load balancers ask whether the process serves.
const LIVE: &str = "/livez";

/// A path that is read by GET, and by HEAD, whose answer is sent without its body.
fn read_only<H, Args>(path: &str, handler: H) -> Resource
where
    H: Handler<Args>,
    Args: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(reached_by("GET, HEAD".to_owned()))
}

/// Answers requests by methods that a path doesn't have.
fn reached_by(allow: String) -> Route {
    web::to(move || {
        let allow = allow.clone();
        async move { Err::<HttpResponse, _>(ApiError::MethodNotAllowed { allow }) }
    })
}
