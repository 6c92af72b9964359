//! Rules about permissions, caches and the sweep.

use std::time::Duration;

use super::{Facts, warn_if};
use crate::config::GroupProof;
use crate::domain::ids::{TeamId, UserId};
use crate::domain::pattern::Pattern;
use crate::domain::policy::{AdministratorsTeam, RepositoryPermission};
use crate::domain::subject::Subject;
use crate::domain::sweep::SweepScope;

/// A role that was revoked should not remain valid for much longer than this.
const LONG_KEPT: Duration = Duration::from_mins(10);
/// A machine takes this long to boot, or to come back from an update.
const BOOT_TIME: Duration = Duration::from_mins(10);
/// A sweep reads every list of runners anew.
const FREQUENT: Duration = Duration::from_mins(1);

pub(super) fn name_without_id(facts: &Facts<'_>) -> Vec<String> {
    let name = facts.value("groups.name");
    warn_if(facts.config.group_proof() == Some(GroupProof::TrustedNames), || {
        format!(
            "groups.name is \"{name}\", without {{id}}, and names are trusted: a maintainer who renames their team gets the \
             group of the new name, whoever made it. Set store.url, or put {{id}} into groups.name"
        )
    })
}

fn kept(facts: &Facts<'_>, key: &str, span: Duration, long: &str, none: &str) -> Vec<String> {
    let value = facts.value(key);
    if span.is_zero() {
        return warn_if(!none.is_empty(), || format!("{key} is 0: {none}"));
    }
    warn_if(span > LONG_KEPT, || format!("{key} is {value}: {long} for that long"))
}

pub(super) fn identity_kept(facts: &Facts<'_>) -> Vec<String> {
    let (long, none) =
        ("a token that was revoked is accepted", "each request has GitHub asked whose its token is");
    kept(facts, "cache.identity", facts.config.cache.identity, long, none)
}

pub(super) fn refused_identity_kept(facts: &Facts<'_>) -> Vec<String> {
    let (long, none) =
        ("a token that GitHub refused once is refused", "GitHub is asked about a bad token at each request");
    kept(facts, "cache.refusedIdentity", facts.config.cache.refused_identity, long, none)
}

pub(super) fn team_kept(facts: &Facts<'_>) -> Vec<String> {
    let (long, none) =
        ("a slug stands for the team that had it", "each request has GitHub asked for its team");
    kept(facts, "cache.team", facts.config.cache.team, long, none)
}

pub(super) fn membership_kept(facts: &Facts<'_>) -> Vec<String> {
    let (long, none) = (
        "somebody who is no maintainer any more goes on as one",
        "each request has GitHub asked for its caller's role",
    );
    kept(facts, "cache.membership", facts.config.cache.membership, long, none)
}

pub(super) fn refused_membership_kept(facts: &Facts<'_>) -> Vec<String> {
    let (long, none) =
        ("a new maintainer who asked too early is refused", "refusals cost calls to GitHub at each request");
    kept(facts, "cache.refusedMembership", facts.config.cache.refused_membership, long, none)
}

pub(super) fn registration_tokens(facts: &Facts<'_>) -> Vec<String> {
    warn_if(facts.config.policy.registration_tokens, || {
        "policy.registrationTokens is on: with such a token a maintainer can register a runner into any group of the \
         organisation. Set it to false once all use jitconfig-generate"
            .to_owned()
    })
}

pub(super) fn removal_tokens(facts: &Facts<'_>) -> Vec<String> {
    warn_if(facts.config.policy.removal_tokens, || {
        "policy.removalTokens is on: with such a token a maintainer can remove any runner of the organisation. Set it to \
         false once all use runners-remove"
            .to_owned()
    })
}

/// A list of subjects, and what the sentences about it are made of.
struct List<'a, I> {
    key: &'a str,
    subjects: &'a [Subject<I>],
    /// As in "no team may use the service".
    kind: &'a str,
    /// What a name is called, and who can change it.
    name: &'a str,
}

impl<I: Copy + PartialEq> List<'_, I> {
    fn nobody_allowed(&self) -> Vec<String> {
        let Self { key, subjects, kind, .. } = self;
        warn_if(subjects.is_empty(), || format!("{key} is empty: no {kind} may use the service"))
    }

    fn everybody_denied(&self) -> Vec<String> {
        let Self { key, subjects, kind, .. } = self;
        warn_if(subjects.iter().any(Subject::is_everybody), || {
            format!("{key} denies every {kind}: nobody may use the service")
        })
    }

    fn by_name(&self, is_dangerous: fn(&Subject<I>) -> bool, danger: &str) -> Vec<String> {
        let Self { key, subjects, kind, name } = self;
        warn_if(subjects.iter().any(is_dangerous), || {
            format!(
                "{key} goes by {name} can change: {danger}. An id cannot be changed: give each {kind} as id:123 instead"
            )
        })
    }
}

fn teams<'a>(key: &'a str, subjects: &'a [Subject<TeamId>]) -> List<'a, TeamId> {
    List { key, subjects, kind: "team", name: "a team's name, which its maintainers" }
}

fn users<'a>(key: &'a str, subjects: &'a [Subject<UserId>]) -> List<'a, UserId> {
    List { key, subjects, kind: "user", name: "a user's login, which its owner" }
}

/// Rules about whom a list denies.
fn denied<I: Copy + PartialEq>(list: &List<'_, I>) -> Vec<String> {
    let everybody = list.everybody_denied();
    if everybody.is_empty() {
        list.by_name(Subject::goes_by_name, "a new name is no longer denied")
    } else {
        everybody
    }
}

/// Rules about whom a list allows.
fn allowed<I: Copy + PartialEq>(list: &List<'_, I>) -> Vec<String> {
    let nobody = list.nobody_allowed();
    if nobody.is_empty() {
        list.by_name(Subject::goes_by_many_names, "any new name that fits is allowed")
    } else {
        nobody
    }
}

pub(super) fn allowed_teams(facts: &Facts<'_>) -> Vec<String> {
    allowed(&teams("policy.teams.allow", facts.config.policy.teams.allow()))
}

pub(super) fn denied_teams(facts: &Facts<'_>) -> Vec<String> {
    denied(&teams("policy.teams.deny", facts.config.policy.teams.deny()))
}

pub(super) fn allowed_users(facts: &Facts<'_>) -> Vec<String> {
    allowed(&users("policy.users.allow", facts.config.policy.users.allow()))
}

pub(super) fn denied_users(facts: &Facts<'_>) -> Vec<String> {
    denied(&users("policy.users.deny", facts.config.policy.users.deny()))
}

pub(super) fn repository_permission(facts: &Facts<'_>) -> Vec<String> {
    warn_if(facts.config.policy.repository_permission == RepositoryPermission::Read, || {
        "policy.repositoryPermission is read: a team that may only read a repository can add it to its group, and so catch \
         its jobs with their secrets. Set it to write"
            .to_owned()
    })
}

pub(super) fn no_label(facts: &Facts<'_>) -> Vec<String> {
    warn_if(facts.config.policy.jit.labels.is_empty(), || {
        "policy.jit.labels is empty: no label is allowed, so nobody gets a JIT config".to_owned()
    })
}

pub(super) fn scopes_elsewhere(facts: &Facts<'_>) -> Vec<String> {
    let org = &facts.config.org;
    let elsewhere = facts.config.scopes.allow().iter().filter(|pattern| !pattern.can_match_in(org.as_str()));
    elsewhere
        .map(|pattern| format!("scopes.allow: \"{pattern}\" matches nothing of the organisation {org}"))
        .collect()
}

pub(super) fn scopes_as_regex(facts: &Facts<'_>) -> Vec<String> {
    let patterns = facts.config.scopes.allow().iter().filter(|pattern| pattern.is_glob_as_regex());
    let sentence = |pattern: &Pattern| {
        let pattern = pattern.to_string();
        let glob = pattern.trim_start_matches("match:");
        format!(
            "scopes.allow: \"{pattern}\" is a regular expression that matches the organisation itself and none of its \
             repositories; for those it is \"{glob}\""
        )
    };
    patterns.map(sentence).collect()
}

pub(super) fn administrators_by_name(facts: &Facts<'_>) -> Vec<String> {
    match &facts.config.administrators {
        AdministratorsTeam::Slug(team) if facts.config.store.url.is_none() => vec![format!(
            "admin.team is a name, which is looked up at each start: if there is no team {team}, or no more, a maintainer who \
             renames a team to it becomes administrator of all groups. Set admin.teamID, or store.url"
        )],
        _ => Vec::new(),
    }
}

pub(super) fn frequent_sweep(facts: &Facts<'_>) -> Vec<String> {
    let sweep = &facts.config.sweep.offline_runners;
    warn_if(sweep.enabled && sweep.every < FREQUENT, || {
        format!(
            "sweep.offlineRunners.every is {}: each sweep lists all groups and their runners, and spends the App's calls to \
             GitHub",
            facts.value("sweep.offlineRunners.every")
        )
    })
}

pub(super) fn hasty_sweep(facts: &Facts<'_>) -> Vec<String> {
    let sweep = &facts.config.sweep.offline_runners;
    warn_if(sweep.enabled && !sweep.dry_run && sweep.offline_for < BOOT_TIME, || {
        let default = match &sweep.groups {
            SweepScope::Named(names) if names.iter().any(|name| name.eq_ignore_ascii_case("default")) => {
                ", in the organisation's Default group as well"
            }
            _ => "",
        };
        format!(
            "sweep.offlineRunners.offlineFor is {}: runners whose machines still boot or restart are removed{default}",
            facts.value("sweep.offlineRunners.offlineFor")
        )
    })
}

pub(super) fn sweep_of_nothing(facts: &Facts<'_>) -> Vec<String> {
    let sweep = &facts.config.sweep.offline_runners;
    warn_if(sweep.enabled && sweep.groups == SweepScope::Named(Vec::new()), || {
        "sweep.offlineRunners.groups is empty: the sweep looks at no group".to_owned()
    })
}
