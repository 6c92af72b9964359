//! The HTTP edge: routes, extractors, the envelope. No rule about runner groups lives here.

pub mod admin;
pub mod body;
mod client_address;
mod docs;
mod edge;
mod envelope;
mod error;
mod extract;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod groups;
pub mod openapi;
mod operation;
mod operation_parameters;
mod parameters;
mod repos;
mod request_id;
mod runners;
mod scope_request;
mod tokens;

use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::{App, FromRequest, Handler, HttpResponse, Resource, Responder, Route, web};

use self::envelope::success;
pub use self::error::ApiError;
use self::extract::Authenticated;
pub use self::operation::Operation;
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
    for operation in Operation::ALL {
        let mut route = Place { config, operation, legacy_get };
        match operation {
            Operation::GroupAdd => route.to(groups::add),
            Operation::GroupDelete => route.to(groups::delete),
            Operation::GroupList => route.to(groups::list),
            Operation::ReposAdd => route.to(repos::add),
            Operation::ReposRemove => route.to(repos::remove),
            Operation::ReposSet => route.to(repos::set),
            Operation::TokenRegister => route.to(tokens::register),
            Operation::TokenRemove => route.to(tokens::remove),
            Operation::ProxyRegister => route.to(tokens::proxy_register),
            Operation::ProxyRemove => route.to(tokens::proxy_remove),
            Operation::JitconfigGenerate => route.to(runners::jit_config),
            Operation::RunnersList => route.to(runners::list),
            Operation::RunnersRemove => route.to(runners::remove),
            Operation::RunnersTransfer => route.to(runners::transfer),
            Operation::Status => route.to(status),
        }
    }
}

const SERVER_READY: &str = "Server ready";

async fn status(_: Authenticated) -> impl Responder {
    success(SERVER_READY)
}

/// Where an operation is about to be registered.
struct Place<'a> {
    config: &'a mut web::ServiceConfig,
    operation: Operation,
    legacy_get: bool,
}

impl Place<'_> {
    #[expect(clippy::needless_pass_by_value, reason = "as actix-web's own `to`; callers name functions")]
    fn to<H, Args>(&mut self, handler: H)
    where
        H: Handler<Args>,
        Args: FromRequest + 'static,
        H::Output: Responder + 'static,
    {
        let mut methods = self.operation.methods(self.legacy_get);
        if self.operation.has_head() {
            methods.push(Method::HEAD);
        }
        let allow = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        for path in self.operation.paths() {
            let mut resource = web::resource(path).app_data(self.operation);
            for method in &methods {
                resource = resource.route(web::method(method.clone()).to(handler.clone()));
            }
            self.config.service(resource.default_service(reached_by(allow.clone())));
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
