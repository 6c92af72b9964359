//! Every form in which GitHub asks to wait.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use super::reply::Refusal;

/// The wait that GitHub asks for when it names no time.
const UNSTATED_WAIT: Duration = Duration::from_mins(1);
/// GitHub's longest window is an hour; a longer wait is a misreading or a wrong clock.
pub(super) const MAX_WAIT: Duration = Duration::from_hours(1);
/// The resource that calls are counted for unless GitHub says otherwise.
pub(super) const USUAL_RESOURCE: &str = "core";
/// GitHub's longest name of a resource has about 30 characters.
const MAX_RESOURCE_CHARS: usize = 60;
/// What GitHub says of a spent budget where no header does.
const SPENT: &str = "rate limit exceeded";
/// What it says of a secondary limit, today and in earlier years.
const SECONDARY: [&str; 3] = ["secondary rate limit", "abuse detection", "submitted too quickly"];

/// How long GitHub asked to wait, and what with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) wait: Duration,
    pub(super) scope: Scope,
}

/// What a wait is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// The hour's budget of a resource is spent; GitHub's name of it.
    Resource(String),
    /// The endpoint was asked too often in a short time: a secondary limit.
    Endpoint,
}

impl Hold {
    /// What a response says about waiting. `now` is in seconds since 1970.
    pub(super) fn read(
        status: StatusCode,
        headers: &HeaderMap,
        refusal: Option<&Refusal>,
        now: u64,
    ) -> Option<Self> {
        let is_spent = number(headers, "x-ratelimit-remaining") == Some(0);
        let is_limit = is_limit(status, headers, refusal);
        if !is_limit && !is_spent {
            return None;
        }
        let now = githubs_now(headers, now);
        let is_primary = is_spent || refusal.is_some_and(says_spent);
        let scope = if is_primary { Scope::Resource(resource(headers).to_owned()) } else { Scope::Endpoint };
        let stated = if is_limit { retry_after(headers, now) } else { None };
        let wait = stated.or_else(|| until_reset(headers, now, is_limit)).unwrap_or(UNSTATED_WAIT);
        Some(Self { wait: bounded(wait), scope })
    }
}

/// When to send a call again that failed at GitHub. That concerns this call alone, and is no limit.
pub(super) fn of_a_failure(headers: &HeaderMap, now: u64) -> Option<Duration> {
    retry_after(headers, githubs_now(headers, now)).map(bounded)
}

/// Whether a refusal is a limit, and no missing permission.
fn is_limit(status: StatusCode, headers: &HeaderMap, refusal: Option<&Refusal>) -> bool {
    match status {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::FORBIDDEN => {
            headers.contains_key(header::RETRY_AFTER)
                || number(headers, "x-ratelimit-remaining") == Some(0)
                || refusal.is_some_and(|said| says_spent(said) || says_too_fast(said))
        }
        _ => false,
    }
}

fn says_spent(refusal: &Refusal) -> bool {
    let text = refusal.message.to_ascii_lowercase();
    text.contains(SPENT) && !SECONDARY.iter().any(|secondary| text.contains(secondary))
}

fn says_too_fast(refusal: &Refusal) -> bool {
    let text = refusal.message.to_ascii_lowercase();
    let documentation = refusal.documentation.to_ascii_lowercase();
    SECONDARY.iter().any(|said| text.contains(said))
        || ["rate-limit", "rate_limit", "ratelimit"].iter().any(|page| documentation.contains(page))
}

/// The resource that the call was counted for.
pub(super) fn resource(headers: &HeaderMap) -> &str {
    let said = headers.get("x-ratelimit-resource").and_then(|value| value.to_str().ok());
    let is_name = |name: &&str| {
        let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        !name.is_empty() && name.len() <= MAX_RESOURCE_CHARS && name.bytes().all(is_usual)
    };
    said.map(str::trim).filter(is_name).unwrap_or(USUAL_RESOURCE)
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap, now: u64) -> Option<Duration> {
    let seconds = number(headers, header::RETRY_AFTER.as_str())
        .or_else(|| Some(date(headers, header::RETRY_AFTER.as_str())?.saturating_sub(now)));
    seconds.map(Duration::from_secs)
}

/// Until the budget is new. A refusal after that time means that the time is wrong.
fn until_reset(headers: &HeaderMap, now: u64, is_limit: bool) -> Option<Duration> {
    if number(headers, "x-ratelimit-remaining") != Some(0) {
        return None;
    }
    let reset = number(headers, "x-ratelimit-reset")?;
    if is_limit && reset < now {
        return None;
    }
    Some(Duration::from_secs(reset.saturating_sub(now)))
}

/// GitHub's own clock where it states the time, since ours may be off.
pub(super) fn githubs_now(headers: &HeaderMap, now: u64) -> u64 {
    date(headers, header::DATE.as_str()).unwrap_or(now)
}

pub(super) fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn date(headers: &HeaderMap, name: &str) -> Option<u64> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    u64::try_from(chrono::DateTime::parse_from_rfc2822(text).ok()?.timestamp()).ok()
}

fn bounded(wait: Duration) -> Duration {
    wait.clamp(Duration::from_secs(1), MAX_WAIT)
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn held(status: u16, pairs: &[(&'static str, &str)], body: &serde_json::Value) -> Option<(u64, Scope)> {
        let headers = headers(pairs);
        let status = StatusCode::from_u16(status).unwrap();
        let refusal = (!status.is_success()).then(|| Refusal::read(&headers, body.to_string().as_bytes()));
        let hold = Hold::read(status, &headers, refusal.as_ref(), 1_000)?;
        Some((hold.wait.as_secs(), hold.scope))
    }

    fn seconds(status: u16, pairs: &[(&'static str, &str)]) -> Option<u64> {
        held(status, pairs, &serde_json::json!({ "message": "no" })).map(|(wait, _)| wait)
    }

    const SPENT_UNTIL_1090: [(&str, &str); 2] =
        [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1090")];

    #[test]
    fn retry_after_comes_first_then_the_reset_of_a_spent_budget() {
        let spent = SPENT_UNTIL_1090;
        assert_eq!(seconds(403, &[("retry-after", "7"), spent[0], spent[1]]), Some(7));
        assert_eq!(seconds(403, &spent), Some(90));
        assert_eq!(seconds(403, &[("x-ratelimit-remaining", "12"), ("x-ratelimit-reset", "1090")]), None);
        assert_eq!(seconds(200, &[("retry-after", "7")]), None);
        for status in [200, 204, 404, 422, 502] {
            assert_eq!(seconds(status, &spent), Some(90), "the last call of the budget was {status}");
        }
    }

    #[test]
    fn a_wait_is_bounded_and_measured_by_githubs_own_clock() {
        assert_eq!(seconds(429, &[("retry-after", "999999999")]), Some(3_600));
        assert_eq!(seconds(429, &[("retry-after", "0")]), Some(1));
        assert_eq!(seconds(429, &[("retry-after", "soon")]), Some(60));
        let (date, later) = ("Thu, 01 Jan 1970 00:20:00 GMT", "Thu, 01 Jan 1970 00:20:30 GMT");
        let reset = ("x-ratelimit-reset", "1230");
        assert_eq!(seconds(403, &[("x-ratelimit-remaining", "0"), reset, ("date", date)]), Some(30));
        assert_eq!(seconds(429, &[("retry-after", later), ("date", date)]), Some(30));
        assert_eq!(seconds(429, &[("retry-after", date)]), Some(200), "without a date, by ours");
    }

    #[test]
    fn a_spent_budget_without_a_sensible_reset_is_waited_for_a_minute() {
        let spent = ("x-ratelimit-remaining", "0");
        for status in [200, 403, 429] {
            assert_eq!(seconds(status, &[spent]), Some(60), "{status}");
        }
        assert_eq!(seconds(403, &[spent, ("x-ratelimit-reset", "900")]), Some(60));
        assert_eq!(seconds(200, &[spent, ("x-ratelimit-reset", "900")]), Some(1), "it is new by now");
    }

    #[test]
    fn a_limit_is_recognised_in_every_wording_and_a_missing_permission_is_none() {
        let core = || Scope::Resource("core".to_owned());
        for (message, scope) in [
            ("You have exceeded a secondary rate limit. Please wait.", Scope::Endpoint),
            ("You have triggered an abuse detection mechanism. Please wait.", Scope::Endpoint),
            ("was submitted too quickly", Scope::Endpoint),
            ("API rate limit exceeded for installation ID 5.", core()),
            ("API Rate Limit Exceeded for 192.0.2.1", core()),
        ] {
            let body = serde_json::json!({ "message": message });
            assert_eq!(held(403, &[], &body), Some((60, scope)), "{message}");
            assert_eq!(held(404, &[], &body), None);
        }
        for page in
            ["v3/#abuse-rate-limits", "rest/overview/rate-limits-for-the-rest-api", "v3/#rate-limiting"]
        {
            let body = serde_json::json!({ "message": "Please wait", "documentation_url": format!("https://docs.github.com/{page}") });
            assert_eq!(held(403, &[], &body), Some((60, Scope::Endpoint)), "{page}");
        }
        let lacking = serde_json::json!({ "message": "Must have admin rights", "documentation_url": "https://docs.github.com/rest" });
        assert_eq!(held(403, &[], &lacking), None);
        assert_eq!(held(429, &[], &serde_json::json!("a page")), Some((60, Scope::Endpoint)));
    }

    #[test]
    fn the_spent_resource_is_named() {
        let body = serde_json::json!({});
        for (said, named) in [
            ("actions_runner_registration", "actions_runner_registration"),
            ("core", "core"),
            ("", "core"),
            ("a b\"", "core"),
        ] {
            let pairs = [SPENT_UNTIL_1090[0], SPENT_UNTIL_1090[1], ("x-ratelimit-resource", said)];
            assert_eq!(held(201, &pairs, &body), Some((90, Scope::Resource(named.to_owned()))));
        }
    }

    #[test]
    fn a_failure_of_githubs_says_only_when_to_send_that_call_again() {
        assert_eq!(seconds(503, &[("retry-after", "7")]), None);
        let again = |value: &str| of_a_failure(&headers(&[("retry-after", value)]), 1_000);
        assert_eq!(again("7"), Some(Duration::from_secs(7)));
        assert_eq!(again("Thu, 01 Jan 1970 00:17:00 GMT"), Some(Duration::from_secs(20)));
        assert_eq!(again("99999"), Some(MAX_WAIT));
        assert_eq!(again("soon"), None);
    }
}
