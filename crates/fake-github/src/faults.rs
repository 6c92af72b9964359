//! Scripted trouble: GitHub slow, broken, over its limits, or cut off, either instead of an operation or after
//! it took effect.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::answer::{Answer, Body};
use crate::serve::SECONDARY_LIMIT;

/// What a client sees in place of the operation's own answer.
#[derive(Clone)]
pub(crate) enum Trouble {
    /// The operation's own answer, only later.
    JustLate,
    Status {
        status: u16,
        headers: Vec<(String, String)>,
        body: Value,
    },
    Html(u16),
    Reset,
    Truncated,
    Huge(usize),
    Changed(Change),
}

/// Changes the JSON and the headers of an answer.
type Change = Arc<dyn Fn(&mut Value, &mut Vec<(String, String)>) + Send + Sync>;

/// One rule of the script. It applies to every matching request for ever, unless `times` says otherwise.
/// For example `Fault::on("GET", "/user").times(2).error(502, "Server Error")`.
#[derive(Clone)]
pub struct Fault {
    method: String,
    pattern: String,
    left: Option<usize>,
    delay: Duration,
    gate: Option<Arc<Gate>>,
    trouble: Trouble,
    after_effect: bool,
}

impl Fault {
    /// For requests with this method (`*`: any) and this path template, path, or `*`.
    pub fn on(method: &str, pattern: &str) -> Self {
        Self {
            method: method.to_owned(),
            pattern: pattern.to_owned(),
            left: None,
            delay: Duration::ZERO,
            gate: None,
            trouble: Trouble::JustLate,
            after_effect: false,
        }
    }

    /// For every request.
    pub fn everywhere() -> Self {
        Self::on("*", "*")
    }

    /// Only for the first `count` matching requests.
    #[must_use]
    pub fn times(mut self, count: usize) -> Self {
        self.left = Some(count);
        self
    }

    /// Only for the first matching request.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// The operation takes effect first, so the client can't know that it did.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        self.after_effect = true;
        self
    }

    /// The answer comes this much later.
    #[must_use]
    pub fn delay(mut self, by: Duration) -> Self {
        self.delay = by;
        self
    }

    /// Requests wait until `hold` is released (or dropped).
    #[must_use]
    pub fn hold(mut self, hold: &Hold) -> Self {
        self.gate = Some(Arc::clone(&hold.gate));
        self
    }

    /// This status and JSON body.
    #[must_use]
    pub fn status(mut self, status: u16, body: Value) -> Self {
        self.trouble = Trouble::Status { status, headers: Vec::new(), body };
        self
    }

    /// GitHub's usual error with this status and message.
    #[must_use]
    pub fn error(self, status: u16, message: &str) -> Self {
        let documentation = "https://docs.github.com/rest";
        self.status(
            status,
            json!({"message": message, "documentation_url": documentation, "status": status.to_string()}),
        )
    }

    /// One more header, on an answer made by `status`, `error` or a limit.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Trouble::Status { headers, .. } = &mut self.trouble {
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        self
    }

    /// 302 to another address.
    #[must_use]
    pub fn redirect(self, location: &str) -> Self {
        self.status(302, json!({"message": "Found"})).header("location", location)
    }

    /// 502 with a page for people, as a gateway sends it.
    #[must_use]
    pub fn html(mut self) -> Self {
        self.trouble = Trouble::Html(502);
        self
    }

    /// The connection is reset before any answer.
    #[must_use]
    pub fn reset(mut self) -> Self {
        self.trouble = Trouble::Reset;
        self
    }

    /// The body ends before its announced length.
    #[must_use]
    pub fn truncated(mut self) -> Self {
        self.trouble = Trouble::Truncated;
        self
    }

    /// A body of so many bytes, without an announced length; it is JSON.
    #[must_use]
    pub fn huge(mut self, bytes: usize) -> Self {
        self.trouble = Trouble::Huge(bytes);
        self
    }

    /// The operation's own answer with its JSON and its headers (names in lower case) changed, for example with a count
    /// that is wrong or without `link`. An answer without a body has null for its JSON.
    #[must_use]
    pub fn changed(
        mut self,
        change: impl Fn(&mut Value, &mut Vec<(String, String)>) + Send + Sync + 'static,
    ) -> Self {
        self.trouble = Trouble::Changed(Arc::new(change));
        self
    }

    /// 200 with JSON that has nothing to do with what was asked.
    #[must_use]
    pub fn wrong_shape(self) -> Self {
        self.status(200, json!({"unexpected": ["shape"]}))
    }

    /// The secondary rate limit: 403 and `Retry-After`.
    #[must_use]
    pub fn secondary_limit(self, retry_after: Duration) -> Self {
        self.error(403, SECONDARY_LIMIT).header("retry-after", &retry_after.as_secs().to_string())
    }

    /// The primary rate limit: 403, nothing remaining, and when it ends (seconds since 1970).
    #[must_use]
    pub fn primary_limit(self, reset: i64) -> Self {
        self.error(403, "API rate limit exceeded for installation.")
            .header("x-ratelimit-limit", "5000")
            .header("x-ratelimit-remaining", "0")
            .header("x-ratelimit-used", "5000")
            .header("x-ratelimit-reset", &reset.to_string())
            .header("x-ratelimit-resource", "core")
    }

    fn fits(&self, method: &str, template: Option<&str>, path: &str) -> bool {
        let pattern = self.pattern.as_str();
        (self.method == "*" || self.method == method)
            && (pattern == "*" || pattern == path || Some(pattern) == template)
    }

    pub(crate) fn trouble(&self) -> &Trouble {
        &self.trouble
    }

    pub(crate) fn is_after_effect(&self) -> bool {
        self.after_effect
    }

    /// Waits as long as the script says.
    pub(crate) async fn wait(&self) {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        if let Some(gate) = &self.gate {
            gate.pass().await;
        }
    }
}

impl Trouble {
    /// The answer, for trouble that is one.
    pub(crate) fn answer(&self) -> Option<Answer> {
        match self {
            Self::Status { status, headers, body } => {
                let mut answer = Answer::json(*status, body.clone());
                answer.headers.clone_from(headers);
                Some(answer)
            }
            Self::Html(status) => {
                let page = "<html><head><title>502 Bad Gateway</title></head><body>Unicorn!</body></html>";
                Some(Answer::new(*status, Body::Text("text/html; charset=utf-8", page.to_owned())))
            }
            Self::JustLate | Self::Reset | Self::Truncated | Self::Huge(_) | Self::Changed(_) => None,
        }
    }

    /// Whether the client sees the answer of the operation, changed or not.
    pub(crate) fn keeps_answer(&self) -> bool {
        matches!(self, Self::JustLate | Self::Changed(_))
    }

    /// Changes the operation's own answer, for trouble that does.
    pub(crate) fn change(&self, answer: &mut Answer) {
        let Self::Changed(change) = self else { return };
        let mut json = match &mut answer.body {
            Body::Json(json) => json.take(),
            Body::Nothing | Body::Text(..) => Value::Null,
        };
        change(&mut json, &mut answer.headers);
        if !json.is_null() || matches!(answer.body, Body::Json(_)) {
            answer.body = Body::Json(json);
        }
    }
}

/// A place where requests wait until the test lets them go on.
pub struct Hold {
    gate: Arc<Gate>,
}

struct Gate {
    waiting: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

/// Leaves the count right when a waiting request is given up.
struct Waiting<'g>(&'g Gate);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Gate {
    async fn pass(&self) {
        let mut open = self.open.subscribe();
        self.waiting.send_modify(|count| *count += 1);
        let waiting = Waiting(self);
        // The sender lives in `self`, so this can only end by opening.
        let _ = open.wait_for(|open| *open).await;
        drop(waiting);
    }
}

impl Default for Hold {
    fn default() -> Self {
        Self::new()
    }
}

impl Hold {
    /// A closed gate, to be put into a `Fault`.
    pub fn new() -> Self {
        Self { gate: Arc::new(Gate { waiting: watch::Sender::new(0), open: watch::Sender::new(false) }) }
    }

    /// Resolves as soon as `count` requests are waiting at the gate.
    pub async fn arrived(&self, count: usize) {
        let mut waiting = self.gate.waiting.subscribe();
        let _ = waiting.wait_for(|waiting| *waiting >= count).await;
    }

    /// How many requests are waiting now.
    pub fn waiting(&self) -> usize {
        *self.gate.waiting.borrow()
    }

    /// Opens the gate, for good.
    pub fn release(&self) {
        self.gate.open.send_replace(true);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release();
    }
}

/// The script.
#[derive(Default)]
pub(crate) struct Faults {
    rules: Mutex<Vec<Fault>>,
}

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    pub(crate) fn clear(&self) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The first rule for this request that is not used up.
    pub(crate) fn next(&self, method: &str, template: Option<&str>, path: &str) -> Option<Fault> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let place = rules.iter().position(|rule| rule.fits(method, template, path))?;
        let fault = rules.get_mut(place)?;
        let taken = fault.clone();
        if let Some(left) = &mut fault.left {
            *left = left.saturating_sub(1);
        }
        rules.retain(|rule| rule.left != Some(0));
        Some(taken)
    }
}
