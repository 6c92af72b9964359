//! The fields of an entry: how each is written, in `access-add` as in the configuration, and what may be wrong with it.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{ClaimCondition, EntryKind, EntryOperation, LONGEST_VALUE, RunnerEnvironment};
use crate::domain::duration;
use crate::domain::issuer::Issuer;
use crate::domain::names::{NameError, OrgName, RepoName};
use crate::domain::pattern::Pattern;
use crate::domain::reference::TeamReference;
use crate::domain::words::words;

words! {
    /// A field of an entry: a parameter of `access-add`, and a key of an item of `access`.
    #[expect(missing_docs, reason = "each says which field it is")]
    pub enum EntryField {
        Team = "team",
        Kind = "kind",
        Operations = "operations",
        Labels = "labels",
        PerHour = "per_hour",
        ExpiresIn = "expires_in",
        Note = "note",
        Repository = "repository",
        Ref = "ref",
        Environment = "environment",
        Workflow = "workflow",
        JobWorkflow = "job_workflow",
        Events = "events",
        RunnerEnvironment = "runner_environment",
        Issuer = "issuer",
        Subject = "subject",
        Claims = "claims",
    }
}

/// What is wrong with a field of an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// Which field.
    pub field: EntryField,
    /// What kind of mistake it is.
    pub problem: FieldProblem,
    /// What was expected, to be put behind the field's name.
    pub message: String,
}

/// A kind of mistake in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldProblem {
    /// It is required, and was omitted.
    Missing,
    /// Its value is not of the form that it should have.
    Invalid,
    /// It contradicts another field.
    Conflicting,
}

/// JIT configs in an hour that an entry may be given.
pub const PER_HOUR: RangeInclusive<u32> = 1..=10_000;
/// Where GitHub looks for workflows.
const WORKFLOWS: &str = ".github/workflows/";
/// Characters of an environment's name on GitHub's side.
const LONGEST_ENVIRONMENT: usize = 255;
/// Letters of an event's name; GitHub's longest has fewer than 30.
const LONGEST_EVENT: usize = 50;

impl EntryField {
    /// The form of its value, or of one item if it is a list.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Team => TeamReference::EXPECTED,
            Self::Kind => "one of github-actions, oidc, token",
            Self::Operations => {
                "one of jitconfig-generate, demand, diagnose, runners-list, runners-remove, group-list, group-show, \
                 repos-add, repos-remove"
            }
            Self::Labels => "a label or a pattern of labels; * for all",
            Self::PerHour => "a whole number from 1 to 10000",
            Self::ExpiresIn => "a duration above 0, such as 12h or 30d",
            Self::Note => "a note: 1 to 1000 characters, no control character",
            Self::Repository => RepoName::EXPECTED,
            Self::Ref => "a full ref such as refs/heads/main, or a pattern of full refs",
            Self::Environment => {
                "an environment's name: 1 to 255 characters, not only dots, no control character"
            }
            Self::Workflow => "the file of a workflow, such as .github/workflows/ci.yml",
            Self::JobWorkflow => {
                "a called workflow with a full ref or a commit, such as \
                 my-org/shared/.github/workflows/build.yml@refs/heads/main"
            }
            Self::Events => "an event such as push: 1 to 50 of a-z _",
            Self::RunnerEnvironment => "one of github-hosted, self-hosted",
            Self::Issuer => Issuer::EXPECTED_NAME,
            Self::Subject => "a subject: 1 to 1000 characters, no control character",
            Self::Claims => {
                "a claim and its value, such as tid=1234: at most 1000 characters, no control character"
            }
        }
    }

    /// The value is not of this field's form.
    fn invalid(self) -> FieldError {
        self.error(FieldProblem::Invalid, format!("expected {}", self.expected()))
    }

    pub(super) fn error(self, problem: FieldProblem, message: impl Into<String>) -> FieldError {
        FieldError { field: self, problem, message: message.into() }
    }

    fn check<T>(self, value: Option<T>) -> Result<T, FieldError> {
        value.ok_or_else(|| self.invalid())
    }

    fn check_name<T>(self, value: Result<T, NameError>) -> Result<T, FieldError> {
        value.map_err(|error| self.error(FieldProblem::Invalid, error.to_string()))
    }
}

/// Takes the team, as a slug or `id:` and an id.
pub fn parse_team(text: &str) -> Result<TeamReference, FieldError> {
    EntryField::Team.check_name(TeamReference::parse(text))
}

/// Takes the name of a kind.
pub fn parse_kind(text: &str) -> Result<EntryKind, FieldError> {
    EntryField::Kind.check(EntryKind::parse(text))
}

/// Takes the name of an operation that an entry can hold.
pub fn parse_operation(text: &str) -> Result<EntryOperation, FieldError> {
    EntryField::Operations.check(EntryOperation::parse(text))
}

/// Takes a pattern of labels, which are compared in any case.
pub fn parse_labels(text: &str) -> Result<Pattern, FieldError> {
    Pattern::parse(text).map_err(|error| EntryField::Labels.error(FieldProblem::Invalid, error.to_string()))
}

/// Takes a number of JIT configs in an hour, in digits.
pub fn parse_per_hour(text: &str) -> Result<u32, FieldError> {
    let are_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = are_digits.then(|| text.parse().ok()).flatten();
    EntryField::PerHour.check(number.filter(|number| PER_HOUR.contains(number)))
}

/// Takes a span of time above 0, such as `30d`.
pub fn parse_expires_in(text: &str) -> Result<Duration, FieldError> {
    EntryField::ExpiresIn.check(duration::parse(text).filter(|span| !span.is_zero()))
}

/// Takes a note.
pub fn parse_note(text: &str) -> Result<String, FieldError> {
    EntryField::Note.check(line(text, LONGEST_VALUE))
}

/// Takes the name of a repository of the organisation, which may stand before it.
pub fn parse_repository(text: &str, org: &OrgName) -> Result<RepoName, FieldError> {
    EntryField::Repository.check_name(RepoName::parse_in(text, org))
}

/// The same where the organisation is not known.
pub fn parse_repository_of_any(text: &str) -> Result<RepoName, FieldError> {
    let name = text.split_once('/').map_or(text, |(_, name)| name);
    EntryField::Repository.check_name(RepoName::parse(name))
}

/// Takes a full ref, or a pattern of full refs; what could never fit one, such as `main`, is refused. Case is kept, as git
/// does.
pub fn parse_git_ref(text: &str) -> Result<Pattern, FieldError> {
    let pattern = Pattern::parse_case_sensitive(text)
        .map_err(|error| EntryField::Ref.error(FieldProblem::Invalid, error.to_string()))?;
    let fits_full_refs =
        text.starts_with("refs/") || (text.starts_with("match:") && pattern.can_match_in("refs"));
    EntryField::Ref.check(fits_full_refs.then_some(pattern))
}

/// Takes the name of an environment. One of dots alone could not be put into a path: there it leads elsewhere, encoded or not.
pub fn parse_environment(text: &str) -> Result<String, FieldError> {
    let name = line(text, LONGEST_ENVIRONMENT).filter(|name| !name.bytes().all(|byte| byte == b'.'));
    EntryField::Environment.check(name)
}

/// Takes the file of a workflow.
pub fn parse_workflow(text: &str) -> Result<String, FieldError> {
    EntryField::Workflow.check(is_workflow(text).then(|| text.to_owned()))
}

/// Takes a called workflow: `org/repo/.github/workflows/x.yml@`, and a full ref of a branch or tag, or a commit.
pub fn parse_job_workflow(text: &str) -> Result<String, FieldError> {
    EntryField::JobWorkflow.check(is_called_workflow(text).then(|| text.to_owned()))
}

/// Takes the name of an event.
pub fn parse_event(text: &str) -> Result<String, FieldError> {
    let is_event = (1..=LONGEST_EVENT).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    EntryField::Events.check(is_event.then(|| text.to_owned()))
}

/// Takes the word for whose machine a job runs on.
pub fn parse_runner_environment(text: &str) -> Result<RunnerEnvironment, FieldError> {
    EntryField::RunnerEnvironment.check(RunnerEnvironment::parse(text))
}

/// Takes the name of an issuer. Whether there is such a one is not looked at.
pub fn parse_issuer(text: &str) -> Result<String, FieldError> {
    EntryField::Issuer.check_name(Issuer::parse_name(text))
}

/// Takes a subject, to the letter.
pub fn parse_subject(text: &str) -> Result<String, FieldError> {
    EntryField::Subject.check(line(text, LONGEST_VALUE))
}

/// Takes `name=value`. What follows the first `=` is the value.
pub fn parse_claim(text: &str) -> Result<ClaimCondition, FieldError> {
    let (name, value) = EntryField::Claims.check(text.split_once('='))?;
    claim(name, value)
}

/// The same of a name and a value that are apart.
pub fn claim(name: &str, value: &str) -> Result<ClaimCondition, FieldError> {
    let name = line(name, LONGEST_VALUE).filter(|name| !name.contains('='));
    let condition = name.zip(line(value, LONGEST_VALUE)).map(|(name, value)| ClaimCondition { name, value });
    EntryField::Claims.check(condition)
}

/// A text of 1 to `max` characters without control characters.
fn line(text: &str, max: usize) -> Option<String> {
    let fits = (1..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

fn is_workflow(text: &str) -> bool {
    let name = text
        .strip_prefix(WORKFLOWS)
        .and_then(|file| file.strip_suffix(".yml").or_else(|| file.strip_suffix(".yaml")));
    name.is_some_and(|name| line(name, LONGEST_VALUE).is_some() && !name.contains('/'))
        && text.chars().count() <= LONGEST_VALUE
}

fn is_called_workflow(text: &str) -> bool {
    let Some((owner, rest)) = text.split_once('/') else { return false };
    let Some((repository, rest)) = rest.split_once('/') else { return false };
    // Names of files and branches may hold an @ as well.
    let is_file_at_ref = |at: usize| is_workflow(&rest[..at]) && is_full_ref_or_commit(&rest[at + 1..]);
    OrgName::parse(owner).is_ok()
        && RepoName::parse(repository).is_ok()
        && rest.match_indices('@').any(|(at, _)| is_file_at_ref(at))
        && text.chars().count() <= LONGEST_VALUE
}

/// A bare name could be a branch's or a tag's, whichever somebody makes.
fn is_full_ref_or_commit(text: &str) -> bool {
    let is_commit = text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let name = text.strip_prefix("refs/heads/").or_else(|| text.strip_prefix("refs/tags/"));
    // What git allows in no name, such as the `*` of a pattern.
    let is_never_in_a_name = |character: char| {
        character.is_control() || matches!(character, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\')
    };
    is_commit || name.is_some_and(|name| !name.is_empty() && !name.contains(is_never_in_a_name))
}

#[cfg(test)]
mod tests;
