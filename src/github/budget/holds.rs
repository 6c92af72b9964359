//! Until when GitHub asked to wait, and with which calls.

use std::collections::HashMap;
use std::time::Duration;

use crate::github::hold::{Hold, Scope, USUAL_RESOURCE};
use crate::metrics::CallKind;

/// Two secondary limits within this time speak of all calls.
const SECOND_REFUSAL_WITHIN: Duration = Duration::from_mins(1);
/// Names of resources that are remembered; GitHub has about ten.
const MAX_RESOURCES: usize = 50;

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

    /// GitHub asked to wait, in the response to a call that was sent at this time.
    pub(super) fn note(&mut self, hold: Hold, endpoint: CallKind, sent_at: Duration, now: Duration) {
        let until = now + hold.wait;
        let extend = |held: &mut Duration| *held = until.max(*held);
        match hold.scope {
            Scope::Resource(resource) => {
                if self.by_resource.len() >= MAX_RESOURCES {
                    self.by_resource.retain(|_, until| *until > now);
                }
                extend(self.by_resource.entry(resource).or_default());
            }
            Scope::Endpoint => {
                // What was under way when the first refusal came says nothing new.
                let again = self.refused_at.is_some_and(|refused_at| {
                    sent_at > refused_at && now.saturating_sub(refused_at) <= SECOND_REFUSAL_WITHIN
                });
                if again {
                    tracing::warn!(wait = ?hold.wait, "GitHub refused calls twice within a minute: nothing is sent");
                    extend(&mut self.all);
                } else {
                    extend(self.by_endpoint.entry(endpoint).or_default());
                }
                if self.refused_at.is_none_or(|refused_at| sent_at > refused_at) {
                    self.refused_at = Some(now);
                }
            }
        }
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
        holds.note(hold(5, Scope::Endpoint), LISTS, seconds(100), seconds(101));
        assert_eq!(holds.wait(CallKind::Team, seconds(101)), None, "more than a minute later");
        assert_eq!(holds.count(seconds(101)), 1);
    }
}
