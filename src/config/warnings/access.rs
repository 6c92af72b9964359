//! Rules about callers that are no users: issuers and entries.

use super::{Facts, warn_if};
use crate::domain::entry::configured::ConfiguredEntry;
use crate::domain::entry::{EntryOperation, HolderRequest, SubjectConditions};
use crate::domain::issuer::{ACTIONS, is_of_actions};
use crate::domain::reference::TeamReference;
use crate::domain::subject::Subject;

pub(super) fn issuers_without_store(facts: &Facts<'_>) -> Vec<String> {
    warn_if(!facts.config.oidc.is_empty() && facts.config.store.url.is_none(), || {
        "oidc.issuers has issuers, and store.url is not set: only entries of access in the configuration let their \
         tokens act, since access-add has nowhere to keep others"
            .to_owned()
    })
}

pub(super) fn another_actions_issuer(facts: &Facts<'_>) -> Vec<String> {
    let actions = facts.config.oidc.actions().filter(|issuer| !is_of_actions(&issuer.url));
    let sentence = |url: &str| {
        format!(
            "oidc.issuers.{ACTIONS}.url is {url}, which doesn't look like GitHub's: whoever signs tokens there can name \
             any repository"
        )
    };
    actions.map(|issuer| sentence(&issuer.url)).into_iter().collect()
}

/// A sentence for each entry that needs one.
fn of_each(facts: &Facts<'_>, look: impl Fn(&ConfiguredEntry) -> Option<String>) -> Vec<String> {
    let entries = facts.config.access.iter().enumerate();
    entries.filter_map(|(index, entry)| Some(format!("access[{index}]{}", look(entry)?))).collect()
}

pub(super) fn teams_by_name(facts: &Facts<'_>) -> Vec<String> {
    of_each(facts, |entry| match &entry.team {
        TeamReference::Slug(slug) => Some(format!(
            ".team is the name {slug}: the entry is whichever team's has it. Write id: and the team's id, which stays"
        )),
        TeamReference::Id(_) => None,
    })
}

pub(super) fn operations_beyond_policy(facts: &Facts<'_>) -> Vec<String> {
    let allowed = &facts.config.policy.access.operations;
    of_each(facts, |entry| {
        let beyond = entry.request.operations.iter().filter(|operation| !allowed.contains(operation));
        let beyond: Vec<_> = beyond.map(|operation| operation.as_str()).collect();
        (!beyond.is_empty()).then(|| {
            format!(
                ".operations has {}, which policy.access.operations lacks, so the entry doesn't let anybody do that",
                beyond.join(", ")
            )
        })
    })
}

pub(super) fn labels_for_nothing(facts: &Facts<'_>) -> Vec<String> {
    of_each(facts, |entry| {
        let request = &entry.request;
        let is_used =
            request.labels.is_empty() || request.operations.contains(&EntryOperation::JitconfigGenerate);
        (!is_used).then(|| ".labels has no effect without jitconfig-generate in operations".to_owned())
    })
}

pub(super) fn void_entries(facts: &Facts<'_>) -> Vec<String> {
    of_each(facts, |entry| {
        let (name, subject) = match &entry.request.holder {
            HolderRequest::Oidc(SubjectConditions { issuer, subject, .. }) => {
                (issuer.as_str(), Some(subject))
            }
            HolderRequest::GithubActions(_) | HolderRequest::Token => (ACTIONS, None),
        };
        let issuer = facts.config.oidc.named(name)?;
        if subject.is_some_and(|subject| !issuer.has_subject(subject)) {
            return Some(format!(" is void: oidc.issuers.{name}.subjects has no pattern for its subject"));
        }
        // Whether an id and a name are those of one team is not known here.
        let may_be = |subject: &Subject<_>| match (subject, &entry.team) {
            (Subject::Name(pattern), TeamReference::Slug(slug)) => pattern.matches(slug.as_str()),
            (Subject::Id(one), TeamReference::Id(other)) => one == other,
            _ => true,
        };
        let serves = issuer.teams.is_empty() || issuer.teams.iter().any(may_be);
        (!serves).then(|| format!(" is void: oidc.issuers.{name}.teams lacks its team"))
    })
}

pub(super) fn subjects_like_patterns(facts: &Facts<'_>) -> Vec<String> {
    of_each(facts, |entry| match &entry.request.holder {
        HolderRequest::Oidc(SubjectConditions { subject, .. }) if subject.contains('*') => Some(
            ".subject has a *, which stands for itself here: a subject is compared to the letter".to_owned(),
        ),
        _ => None,
    })
}
