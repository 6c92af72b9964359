//! From a request to an answer: who asks, the budget, the operation, and the headers on every answer.

use crate::actor::{Actor, Credential};
use crate::answer::{Answer, Body};
use crate::auth::identify;
use crate::request::Request;
use crate::routes::Route;
use crate::world::{Budget, TokenKind, World};

/// Versions of the API that GitHub knows.
const API_VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

/// Answers one request; `route` is `None` for a path that GitHub does not have.
pub(crate) fn serve(world: &mut World, route: Option<&Route>, request: &mut Request) -> (Answer, Credential) {
    if let Some(refusal) = refuse_early(world, request) {
        return (finish(world, request, refusal), Credential::Nothing);
    }
    match identify(world, request) {
        Err(refusal) => (finish(world, request, refusal), Credential::Bad),
        Ok(actor) => {
            request.actor = actor;
            let credential = request.actor.credential(world);
            let answer = within_budget(world, route, request);
            (finish(world, request, answer), credential)
        }
    }
}

fn refuse_early(world: &World, request: &Request) -> Option<Answer> {
    if request.header("user-agent").is_none_or(str::is_empty) {
        let text = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.";
        return Some(Answer::new(403, Body::Text("text/html; charset=utf-8", text.to_owned())));
    }
    let versions: Vec<&str> = request.header_values("x-github-api-version").collect();
    let known = versions.iter().all(|version| API_VERSIONS.contains(version));
    if known || !world.since(3, 9) {
        return None;
    }
    Some(Answer::error(400, "The API version you requested is not supported."))
}

fn within_budget(world: &mut World, route: Option<&Route>, request: &Request) -> Answer {
    let answer =
        |world: &mut World| route.map_or_else(Answer::not_found, |route| route.serve(world, request));
    let limited = world.rules.enterprise_version.is_none();
    let Some(subject) = request.actor.subject().filter(|_| limited) else { return answer(world) };
    let now = world.now();
    // Asking for the rate limit is free.
    if route.is_some_and(|route| route.template == "/rate_limit") {
        let budget = *world.budgets.at(subject, now);
        return with_budget(answer(world), &budget);
    }
    let (budget, allowed) = world.budgets.spend(subject, now);
    if allowed {
        return with_budget(answer(world), &budget);
    }
    let who = match &request.actor {
        Actor::Installation { id, .. } => format!("installation ID {id}"),
        Actor::User { id, .. } => format!("user ID {id}"),
        Actor::App | Actor::Anonymous => format!("app ID {}", world.app.id),
    };
    let message = format!("API rate limit exceeded for {who}.");
    with_budget(Answer::error(world.budgets.exhausted_status, &message), &budget)
}

pub(crate) fn with_budget(answer: Answer, budget: &Budget) -> Answer {
    answer
        .with_header("x-ratelimit-limit", &budget.limit)
        .with_header("x-ratelimit-remaining", &budget.remaining())
        .with_header("x-ratelimit-used", &budget.used)
        .with_header("x-ratelimit-reset", &budget.reset.timestamp())
        .with_header("x-ratelimit-resource", &"core")
}

/// Adds what GitHub puts on every answer.
pub(crate) fn finish(world: &mut World, request: &Request, answer: Answer) -> Answer {
    let id = world.secrets.hex(20);
    let mut answer = answer.with_header("x-github-request-id", &id).with_header("server", &"github.com");
    let accept = request.header("accept").unwrap_or_default();
    let media = if accept.contains("vnd.github") {
        "github.v3; param=repository; format=json"
    } else {
        "github.v3; format=json"
    };
    answer = answer.with_header("x-github-media-type", &media);
    if let Some((major, minor)) = world.rules.enterprise_version {
        answer = answer.with_header("x-github-enterprise-version", &format!("{major}.{minor}.2"));
    } else if let Some(version) = request.header("x-github-api-version") {
        answer = answer.with_header("x-github-api-version-selected", &version);
    }
    if let Actor::User { kind: TokenKind::Classic | TokenKind::OAuth, scopes, .. } = &request.actor {
        answer = answer.with_header("x-oauth-scopes", &scopes.join(", "));
    }
    if answer.status == 200 && request.method == "GET" {
        answer = answer.with_header("cache-control", &"private, max-age=60, s-maxage=60");
    }
    answer
}
