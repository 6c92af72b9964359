//! The admin listener: health and metrics, in plain HTTP, never on the public port.

use std::sync::atomic::Ordering;

use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::ContentType;
use actix_web::{App, HttpResponse, web};
use serde::Serialize;

use super::{LIVE, read_only};
use crate::github::{CircuitState, StartupProblem, TokenState};
use crate::metrics;
use crate::state::{Check, Obstacle, Shared};

/// What `/readyz` answers: each part, and what is wrong with it.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    draining: bool,
    certificate: Part,
    credential: Part,
    permissions: Part,
    github: Part,
    store: Part,
    audit: Part,
    log: Part,
}

/// One part of readiness.
#[derive(Debug, Default, Serialize)]
struct Part {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_seconds: Option<i64>,
}

impl Part {
    fn fine() -> Self {
        Self { ok: true, ..Self::default() }
    }

    fn bad(problem: &str) -> Self {
        Self { problem: Some(problem.to_owned()), ..Self::default() }
    }
}

const NOT_CHECKED: &str = "not_checked_yet";

/// The application of the admin listener.
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
    App::new()
        .app_data(web::Data::new(state))
        .service(read_only(LIVE, async || {
            HttpResponse::Ok().content_type(ContentType::plaintext()).body("ok\n")
        }))
        .service(read_only("/readyz", ready))
        .service(read_only("/metrics", scrape))
}

async fn ready(state: web::Data<Shared>) -> HttpResponse {
    let readiness = readiness(&state);
    if readiness.ready {
        HttpResponse::Ok().json(readiness)
    } else {
        HttpResponse::ServiceUnavailable().json(readiness)
    }
}

async fn scrape(state: web::Data<Shared>) -> HttpResponse {
    let readiness = readiness(&state);
    metrics::ready(readiness.ready);
    metrics::credential_accepted(is_accepted(&state.check.borrow()));
    let (in_flight, queued) = state.organisation.github.load();
    metrics::github_load(in_flight, queued);
    state.organisation.github.report_scarcity();
    let (in_flight, queued) = state.organisation.github.look_ups();
    metrics::token_lookups(in_flight, queued);
    metrics::github_circuit(state.organisation.github.circuit() != CircuitState::Closed);
    if let Some(certificates) = &state.certificates {
        metrics::certificate_expiry(certificates.not_after().timestamp());
    }
    match metrics::handle() {
        Some(handle) => {
            HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(handle.render())
        }
        None => HttpResponse::InternalServerError().finish(),
    }
}

/// By GitHub's last answer.
fn is_accepted(check: &Check) -> bool {
    match check {
        Check::Pending | Check::Failed(Obstacle::Credential(_)) => false,
        Check::Passed | Check::Failed(_) => true,
    }
}

/// From what is known already: probes must cost GitHub nothing, nor wait for it.
fn readiness(state: &Shared) -> Readiness {
    let draining = state.draining.load(Ordering::SeqCst);
    let check = state.check.borrow().clone();
    // A word for each problem. The sentences are in the log: they hold GitHub's words, and names of accounts.
    let permissions = match &check {
        Check::Failed(Obstacle::Credential(StartupProblem::PermissionsMissing(missing))) => {
            Part::bad(&missing.join(", "))
        }
        Check::Pending => Part::bad(NOT_CHECKED),
        Check::Passed | Check::Failed(_) => Part::fine(),
    };
    let credential = match &check {
        Check::Failed(problem) => Part::bad(problem.word()),
        Check::Pending => Part::bad(NOT_CHECKED),
        Check::Passed => {
            let token = state.organisation.github.token_state();
            if token != TokenState::Good {
                // Renews it, beside this and without haste.
                state.organisation.github.doubt_credential();
            }
            if token == TokenState::Missing { Part::bad("no_token") } else { Part::fine() }
        }
    };
    let github = match state.organisation.github.circuit() {
        CircuitState::Closed => Part::fine(),
        CircuitState::Open => Part::bad("down"),
    };
    let certificate = certificate(state);
    let audit = state.audit_log.audit_problem().map_or_else(Part::fine, Part::bad);
    // Named from here on, but no reason to be sent no requests: they are served and audited.
    let log = state.audit_log.log_problem().map_or_else(Part::fine, Part::bad);
    // Likewise: a store that is down must not take all replicas out of service.
    let store = store(state);
    // What GitHub says later is the same for all replicas: were they all taken out, callers would not even be told.
    let was_accepted = state.was_accepted.load(Ordering::SeqCst);
    let ready = !draining && certificate.ok && was_accepted && audit.ok;
    Readiness { ready, draining, certificate, credential, permissions, github, store, audit, log }
}

fn store(state: &Shared) -> Part {
    match state.organisation.store.as_ref().map(|store| store.is_good()) {
        Some(false) => Part::bad("down"),
        Some(true) | None => Part::fine(),
    }
}

fn certificate(state: &Shared) -> Part {
    let Some(certificates) = &state.certificates else { return Part::fine() };
    let expires = certificates.not_after();
    let left = (expires - chrono::Utc::now()).num_seconds();
    let part = if left > 0 { Part::fine() } else { Part::bad("expired") };
    Part { expires_at: Some(expires.to_rfc3339()), expires_in_seconds: Some(left), ..part }
}
