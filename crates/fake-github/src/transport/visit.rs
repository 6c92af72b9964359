//! One exchange on its way into the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Shared, Target};
use crate::actor::Credential;
use crate::log::{CallLog, Exchange};
use crate::request::Request;

/// Writes the exchange to the log at the end, however it ends.
pub(super) struct Visit {
    shared: Arc<Shared>,
    of_issuer: bool,
    pub(super) exchange: Option<Exchange>,
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(mut exchange) = self.exchange.take() {
            exchange.took = exchange.at.elapsed();
            self.log().leave(exchange);
        }
    }
}

impl Visit {
    pub(super) fn begin(shared: Arc<Shared>, request: &Request, target: Target) -> Self {
        let mut visit = Self { shared, of_issuer: matches!(target, Target::Issuer(_)), exchange: None };
        let (sequence, in_flight, recorded) = visit.log().arrive();
        let mut request_headers = request.headers.clone();
        request_headers.retain(|(name, _)| name != "authorization");
        visit.exchange = Some(Exchange {
            sequence,
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            template: target.template(),
            credential: Credential::Nothing,
            request_headers,
            request_body: request.body.clone(),
            status: None,
            response_headers: Vec::new(),
            response_body: Bytes::new(),
            faulted: false,
            recorded,
            at: Instant::now(),
            took: Duration::ZERO,
            in_flight,
        });
        visit
    }

    fn log(&self) -> &CallLog {
        if self.of_issuer { &self.shared.issuer_log } else { &self.shared.log }
    }

    pub(super) fn note(&mut self, note: impl FnOnce(&mut Exchange)) {
        if let Some(exchange) = &mut self.exchange {
            note(exchange);
        }
    }
}
