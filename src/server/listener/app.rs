//! The application as a connection sees it: says where a request begins and where its response ends.

use actix_http::body::{BoxBody, MessageBody};
use actix_http::{ConnectionType, Request, Response};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, apply_fn_factory, map_config};
use actix_web::dev::{AppConfig, ServiceRequest, ServiceResponse};
use actix_web::{App, Error};

use super::exchange::{Framing, SharedExchange};
use super::pieces::{Answer, Pieces};
use super::places::Places;

/// The service of HTTP requests that the application is for a connection.
pub(super) fn factory<T, B>(
    app: App<T>,
    places: Places,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = Response<Pieces>,
    Error = Error,
    InitError = (),
    Service = impl Service<Request, Response = Response<Pieces>, Error = Error, Future: 'static> + 'static,
    Future: 'static,
>
where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    let app = map_config(app.into_factory(), |()| AppConfig::default());
    apply_fn_factory(app, move |mut request: Request, app: &_| {
        let exchange = request.conn_data::<SharedExchange>().cloned();
        if let Some(exchange) = &exchange {
            exchange.begin(Framing::of(&mut request));
        }
        let answering = Service::call(app, request);
        let places = places.clone();
        async move {
            let response: Response<BoxBody> = match answering.await {
                Ok(response) => Response::from(response).map_body(|_, body| body.boxed()),
                Err(error) => error.into(),
            };
            let answer = exchange.map(Answer::of);
            let mut response = response.map_body(|_, body| Pieces::new(body, answer));
            if places.are_scarce() {
                // So that those who wait for a place get one.
                response.head_mut().set_connection_type(ConnectionType::Close);
            }
            Ok(response)
        }
    })
}
