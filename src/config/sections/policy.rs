//! The `policy` section.

use crate::config::node::Node;
use crate::config::reader::{Reader, Split, Valid};
use crate::config::values::{Outcome, boolean, choice, expected, pattern, subject, text_or_empty, whole};
use crate::domain::names::RunnerName;
use crate::domain::policy::{JitPolicy, Policy, RepositoryPermission};
use crate::domain::subject::Subjects;

pub(super) fn policy_section(reader: &mut Reader) -> Valid<Policy> {
    let registration_tokens = reader.or_default("policy.registrationTokens", "true", boolean);
    let removal_tokens = reader.or_default("policy.removalTokens", "true", boolean);
    let teams = subjects(reader, "policy.teams.allow", "policy.teams.deny");
    let users = subjects(reader, "policy.users.allow", "policy.users.deny");
    let repository_permission =
        reader.or_default("policy.repositoryPermission", "read", choice(REPOSITORY_PERMISSIONS));
    let labels = reader.list("policy.jit.labels", &["*"], Split::Semicolons, pattern);
    let max_labels = reader.or_default("policy.jit.maxLabels", "20", whole(1, 100));
    let name_prefix = reader.or_default("policy.jit.namePrefix", "{team}-", name_prefix);
    let max_runners = reader.or_default("policy.maxRunners", "0", whole(0, u64::MAX));
    Ok(Policy {
        registration_tokens: registration_tokens?,
        removal_tokens: removal_tokens?,
        teams: teams?,
        users: users?,
        repository_permission: repository_permission?,
        jit: JitPolicy { labels: labels?, max_labels: max_labels?, name_prefix: name_prefix? },
        max_runners: max_runners?,
        access: crate::domain::policy::AccessPolicy::default(),
    })
}

const REPOSITORY_PERMISSIONS: &[(&str, RepositoryPermission)] = &[
    (RepositoryPermission::Read.as_str(), RepositoryPermission::Read),
    (RepositoryPermission::Write.as_str(), RepositoryPermission::Write),
    (RepositoryPermission::Maintain.as_str(), RepositoryPermission::Maintain),
    (RepositoryPermission::Admin.as_str(), RepositoryPermission::Admin),
];

/// Everybody unless the file says otherwise. In a variable only `;` separates, as between patterns.
fn subjects<I>(reader: &mut Reader, allow: &'static str, deny: &'static str) -> Valid<Subjects<I>>
where
    I: Copy + From<u64> + PartialEq,
{
    let allow = reader.list(allow, &["*"], Split::Semicolons, subject);
    let deny = reader.list(deny, &[], Split::Semicolons, subject);
    Ok(Subjects::new(allow?, deny?))
}

/// Text that can start a runner's name once `{team}` is put in; may be empty.
fn name_prefix(node: &Node) -> Outcome<String> {
    let text = text_or_empty(node)?;
    let fits = text.is_empty() || RunnerName::parse(&text.replace("{team}", "a")).is_ok();
    if fits { Ok(text) } else { expected("the start of a runner's name: A-Z a-z 0-9 . _ - and {team}") }
}
