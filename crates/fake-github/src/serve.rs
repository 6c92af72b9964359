//! From a request to an answer: who asks, the budget, the operation, and the headers on every answer.

use crate::actor::{Actor, Credential};
use crate::answer::{Answer, Body};
use crate::auth::identify;
use crate::conditional::revalidate;
use crate::faults::Fault;
use crate::request::Request;
use crate::routes::Route;
use crate::world::{Budget, Subject, TokenKind, World};

/// Versions of the API that GitHub knows.
const API_VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

/// GitHub's words for a secondary limit.
pub(crate) const SECONDARY_LIMIT: &str =
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
/// How long GitHub says to wait after a secondary limit, in seconds.
const SECONDARY_WAIT: u64 = 60;

/// Answers one request; `route` is `None` for a path that GitHub does not have. A fault may change the answer.
pub(crate) fn serve(
    world: &mut World,
    route: Option<&Route>,
    request: &mut Request,
    fault: Option<&Fault>,
) -> (Answer, Credential) {
    let mut counted = None;
    let (answer, credential) = match refuse_early(world, request) {
        Some(refusal) => (refusal, Credential::Nothing),
        None => match identify(world, request) {
            Err(refusal) => (refusal, Credential::Bad),
            Ok(actor) => {
                request.actor = actor;
                let answer;
                (answer, counted) = within_budget(world, route, request);
                (answer, request.actor.credential(world))
            }
        },
    };
    let mut answer = finish(world, request, answer);
    if let Some(fault) = fault {
        fault.trouble().change(&mut answer);
    }
    let unchanged = revalidate(request, &mut answer);
    if let Some(subject) = counted.filter(|_| unchanged) {
        give_back(world, subject, &mut answer);
    }
    (answer, credential)
}

/// A 304 costs nothing of the hour's budget.
fn give_back(world: &mut World, subject: Subject, answer: &mut Answer) {
    let now = world.now();
    let budget = world.budgets.give_back(subject, now);
    for (name, value) in &mut answer.headers {
        match name.as_str() {
            "x-ratelimit-remaining" => *value = budget.remaining().to_string(),
            "x-ratelimit-used" => *value = budget.used.to_string(),
            _ => {}
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

/// The answer, and whose budget paid for it.
fn within_budget(world: &mut World, route: Option<&Route>, request: &Request) -> (Answer, Option<Subject>) {
    let answer =
        |world: &mut World| route.map_or_else(Answer::not_found, |route| route.serve(world, request));
    let limited = world.rules.enterprise_version.is_none();
    let Some(subject) = request.actor.subject().filter(|_| limited) else { return (answer(world), None) };
    let now = world.now();
    // Asking for the rate limit is free.
    if route.is_some_and(|route| route.template == "/rate_limit") {
        let budget = *world.budgets.at(subject, now);
        return (with_budget(answer(world), &budget), None);
    }
    if let Some(refusal) = beyond_points(world, route, request, subject) {
        return (refusal, None);
    }
    let (budget, allowed) = world.budgets.spend(subject, now);
    if allowed {
        return (with_budget(answer(world), &budget), Some(subject));
    }
    let who = match &request.actor {
        Actor::Installation { id, .. } => format!("installation ID {id}"),
        Actor::User { id, .. } => format!("user ID {id}"),
        Actor::App | Actor::Anonymous => format!("app ID {}", world.app.id),
    };
    let message = format!("API rate limit exceeded for {who}.");
    (with_budget(Answer::error(world.budgets.exhausted_status, &message), &budget), None)
}

/// The refusal of an installation that asks one endpoint too often; it costs nothing of the hour's budget.
fn beyond_points(
    world: &mut World,
    route: Option<&Route>,
    request: &Request,
    subject: Subject,
) -> Option<Answer> {
    let (Some(route), Subject::Installation(installation)) = (route, subject) else { return None };
    let now = world.now();
    let budget = *world.budgets.at(subject, now);
    // The primary limit is refused first.
    if budget.remaining() == 0 || world.take_points(installation, route.template, &request.method) {
        return None;
    }
    let refusal = Answer::error(403, SECONDARY_LIMIT).with_header("retry-after", &SECONDARY_WAIT);
    Some(with_budget(refusal, &budget))
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
