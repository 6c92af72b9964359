//! Until when GitHub asked to wait, and with which calls.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use crate::github::hold::{Hold, Scope, USUAL_RESOURCE};
use crate::metrics::CallKind;

/// Two secondary limits within this time speak of all calls.
const SECOND_REFUSAL_WITHIN: Duration = Duration::from_mins(1);
/// Two waits that end within this time of each other are the same.
const SAME: Duration = Duration::from_secs(1);
/// Names of resources that are remembered; GitHub has about ten.
const MAX_RESOURCES: usize = 50;

/// What waits, as processes tell each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    All,
    Endpoint(CallKind),
    /// A resource, and an endpoint whose calls are counted for it.
    Resource(String, CallKind),
}

impl Told {
    /// Nothing if it is the word of a version that knows more.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let endpoint = |name: &str| CallKind::ALL.iter().copied().find(|kind| kind.as_str() == name);
        let mut words = text.split(':');
        let told = match (words.next()?, words.next(), words.next()) {
            ("all", None, None) => Self::All,
            ("endpoint", Some(name), None) => Self::Endpoint(endpoint(name)?),
            ("resource", Some(resource), Some(name)) => Self::Resource(resource.to_owned(), endpoint(name)?),
            _ => return None,
        };
        words.next().is_none().then_some(told)
    }
}

impl fmt::Display for Told {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("all"),
            Self::Endpoint(endpoint) => write!(formatter, "endpoint:{}", endpoint.as_str()),
            Self::Resource(resource, endpoint) => {
                write!(formatter, "resource:{resource}:{}", endpoint.as_str())
            }
        }
    }
}

/// All holds of one credential, in time of the service's clock.
#[derive(Debug, Default)]
pub(super) struct Holds {
    all: Duration,
    by_resource: HashMap<String, Duration>,
    by_endpoint: HashMap<CallKind, Duration>,
    /// The resource that an endpoint's calls were last counted for, where it isn't the usual one.
    resources: HashMap<CallKind, String>,
    refused_at: Option<Duration>,
}

impl Holds {
    /// How long a call to this endpoint has to wait.
    pub(super) fn wait(&self, endpoint: CallKind, now: Duration) -> Option<Duration> {
        let resource = self.resources.get(&endpoint).map_or(USUAL_RESOURCE, String::as_str);
        let of_resource = self.by_resource.get(resource).copied().unwrap_or_default();
        let of_endpoint = self.by_endpoint.get(&endpoint).copied().unwrap_or_default();
        let left = self.all.max(of_resource).max(of_endpoint).saturating_sub(now);
        (!left.is_zero()).then_some(left)
    }

    /// A response said which resource the endpoint's calls are counted for.
    pub(super) fn learn(&mut self, endpoint: CallKind, resource: &str) {
        if resource == USUAL_RESOURCE {
            self.resources.remove(&endpoint);
        } else if self.resources.get(&endpoint).is_none_or(|known| known != resource) {
            self.resources.insert(endpoint, resource.to_owned());
        }
    }

    /// GitHub asked to wait, in the response to a call that was sent at this time. What other processes should know of it, if
    /// it is new.
    pub(super) fn note(
        &mut self,
        hold: Hold,
        endpoint: CallKind,
        sent_at: Duration,
        now: Duration,
    ) -> Option<Told> {
        let until = now + hold.wait;
        let told = match hold.scope {
            Scope::Resource(resource) => Told::Resource(resource, endpoint),
            Scope::Endpoint => {
                // What was under way when the first refusal came says nothing new.
                let again = self.refused_at.is_some_and(|refused_at| {
                    sent_at > refused_at && now.saturating_sub(refused_at) <= SECOND_REFUSAL_WITHIN
                });
                if again {
                    tracing::warn!(wait = ?hold.wait, "GitHub refused calls twice within a minute: nothing is sent");
                }
                if self.refused_at.is_none_or(|refused_at| sent_at > refused_at) {
                    self.refused_at = Some(now);
                }
                if again { Told::All } else { Told::Endpoint(endpoint) }
            }
        };
        self.extend(&told, until, now).then_some(told)
    }

    /// Another process was asked to wait.
    pub(super) fn hear(&mut self, told: &Told, wait: Duration, now: Duration) {
        if let Told::Resource(resource, endpoint) = told {
            self.learn(*endpoint, resource);
        }
        let is_new = self.extend(told, now + wait, now);
        // Refused here as well, it is the second time.
        if is_new && matches!(told, Told::Endpoint(_)) {
            self.refused_at = Some(now);
        }
    }

    /// Whether that is longer than was known.
    fn extend(&mut self, told: &Told, until: Duration, now: Duration) -> bool {
        let held = match told {
            Told::All => &mut self.all,
            Told::Endpoint(endpoint) => self.by_endpoint.entry(*endpoint).or_default(),
            Told::Resource(resource, _) => {
                if self.by_resource.len() >= MAX_RESOURCES {
                    self.by_resource.retain(|_, until| *until > now);
                }
                self.by_resource.entry(resource.clone()).or_default()
            }
        };
        let is_longer = until > *held + SAME;
        *held = until.max(*held);
        is_longer
    }

    /// How many endpoints or resources wait; everything counts as one.
    pub(super) fn count(&self, now: Duration) -> usize {
        let held = |until: &&Duration| **until > now;
        let of_resources = self.by_resource.values().filter(held).count();
        of_resources + self.by_endpoint.values().filter(held).count() + usize::from(self.all > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: CallKind = CallKind::GroupRunners;
    const TOKENS: CallKind = CallKind::RegistrationToken;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn hold(wait: u64, scope: Scope) -> Hold {
        Hold { wait: seconds(wait), scope }
    }

    #[test]
    fn a_spent_resource_holds_back_what_is_counted_for_it_and_nothing_else() {
        let mut holds = Holds::default();
        let runners = "actions_runner_registration";
        holds.learn(TOKENS, runners);
        holds.note(hold(1_800, Scope::Resource(runners.to_owned())), TOKENS, seconds(0), seconds(1));
        assert_eq!(holds.wait(TOKENS, seconds(1)), Some(seconds(1_800)));
        assert_eq!(holds.wait(LISTS, seconds(1)), None);
        holds.learn(TOKENS, USUAL_RESOURCE);
        assert_eq!(holds.wait(TOKENS, seconds(1)), None);
    }

    #[test]
    fn a_secondary_limit_holds_back_its_endpoint_and_the_second_within_a_minute_all() {
        let mut holds = Holds::default();
        holds.note(hold(10, Scope::Endpoint), LISTS, seconds(4), seconds(5));
        holds.note(hold(10, Scope::Endpoint), LISTS, seconds(4), seconds(6));
        assert_eq!(holds.wait(LISTS, seconds(6)), Some(seconds(10)));
        assert_eq!(holds.wait(TOKENS, seconds(6)), None, "both were under way at once");
        holds.note(hold(30, Scope::Endpoint), TOKENS, seconds(20), seconds(21));
        assert_eq!(holds.wait(CallKind::Team, seconds(21)), Some(seconds(30)));
        let told = holds.note(hold(5, Scope::Endpoint), LISTS, seconds(100), seconds(101));
        assert_eq!(told, Some(Told::Endpoint(LISTS)));
        let told = holds.note(hold(5, Scope::Endpoint), LISTS, seconds(100), seconds(101));
        assert_eq!(told, None, "the others know that");
        assert_eq!(holds.wait(CallKind::Team, seconds(101)), None, "more than a minute later");
        assert_eq!(holds.count(seconds(101)), 1);
    }

    #[test]
    fn what_one_process_was_asked_to_wait_for_holds_back_another() {
        let (mut one, mut other) = (Holds::default(), Holds::default());
        let runners = "actions_runner_registration".to_owned();
        for (scope, endpoint) in [(Scope::Resource(runners), TOKENS), (Scope::Endpoint, LISTS)] {
            let told = one.note(hold(60, scope), endpoint, seconds(0), seconds(1)).unwrap();
            let heard = Told::parse(&told.to_string());
            assert_eq!(heard.as_ref(), Some(&told));
            other.hear(&told, seconds(59), seconds(10));
            assert_eq!(other.wait(endpoint, seconds(10)), Some(seconds(59)));
        }
        assert_eq!(other.wait(CallKind::Team, seconds(10)), None);
        let told = other.note(hold(60, Scope::Endpoint), CallKind::Team, seconds(11), seconds(12));
        assert_eq!(told, Some(Told::All), "it is the second refusal within a minute");
        for word in ["", "all:1", "endpoint:no_such", "resource:core", "resource:core:team:1", "some"] {
            assert_eq!(Told::parse(word), None, "{word}");
        }
    }
}
