//! The `policy` section.

use super::{DAY, DECADE};
use crate::config::node::Node;
use crate::config::reader::{Reader, Split, Valid};
use crate::config::values::{
    Outcome, boolean, choice, duration, expected, pattern, subject, text_or_empty, whole,
};
use crate::domain::entry::EntryOperation;
use crate::domain::entry::fields::EntryField;
use crate::domain::names::RunnerName;
use crate::domain::policy::{AccessPolicy, JitPolicy, Policy, RepositoryPermission};
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
    let access = access_policy(reader);
    Ok(Policy {
        registration_tokens: registration_tokens?,
        removal_tokens: removal_tokens?,
        teams: teams?,
        users: users?,
        repository_permission: repository_permission?,
        jit: JitPolicy { labels: labels?, max_labels: max_labels?, name_prefix: name_prefix? },
        max_runners: max_runners?,
        access: access?,
    })
}

fn access_policy(reader: &mut Reader) -> Valid<AccessPolicy> {
    let default = EntryOperation::DEFAULT.map(EntryOperation::as_str);
    let operations =
        reader.list("policy.access.operations", &default, Split::SemicolonsOrCommas, entry_operation);
    let max_age = reader.or_default("policy.access.maxAge", "365d", duration(DAY / 24, DECADE));
    let per_hour = reader.or_default("policy.access.perHour", "600", whole(1, MAX_PER_HOUR));
    let token = reader.or_default("policy.access.outlivesCreator.token", "false", boolean);
    let others = reader.or_default("policy.access.outlivesCreator.others", "true", boolean);
    Ok(AccessPolicy {
        operations: operations?,
        max_age: max_age?,
        per_hour: per_hour?,
        tokens_outlive_creator: token?,
        others_outlive_creator: others?,
    })
}

/// JIT configs in an hour; GitHub allows far fewer calls.
const MAX_PER_HOUR: u64 = 1_000_000;

fn entry_operation(node: &Node) -> Outcome<EntryOperation> {
    let operation = EntryOperation::parse(&text_or_empty(node)?);
    operation.map_or_else(|| expected(EntryField::Operations.expected()), Ok)
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
