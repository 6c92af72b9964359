//! The `access` section: entries of the administrator's.

use crate::config::node::Node;
use crate::config::reader::{Inner, Invalid, Part, Reader, Valid};
use crate::config::values::{Complaint, Outcome, expected, text_or_empty, whole};
use crate::domain::entry::configured::ConfiguredEntry;
use crate::domain::entry::fields::{
    self, EntryField, FieldError, FieldProblem, PER_HOUR, claim, parse_claim, parse_environment, parse_event,
    parse_git_ref, parse_issuer, parse_job_workflow, parse_kind, parse_labels, parse_note, parse_operation,
    parse_repository, parse_runner_environment, parse_subject, parse_team, parse_workflow,
};
use crate::domain::entry::{ClaimCondition, EntryFields, EntryKind, EntryOperation, EntryRequest};
use crate::domain::issuer::Issuers;
use crate::domain::names::OrgName;
use crate::domain::reference::TeamReference;

const CLAIMS: &str = "a list such as [\"tid=1234\"], or a section such as {tid: \"1234\"}";

/// What entries are held against, as far as it could be read.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) org: Option<&'a OrgName>,
    pub(super) issuers: Option<&'a Issuers>,
}

pub(super) fn access(reader: &mut Reader, around: Around<'_>) -> Valid<Vec<ConfiguredEntry>> {
    reader.listed_parts("access", |part| entry(part, around))
}

fn entry(part: &mut Part<'_>, around: Around<'_>) -> Valid<ConfiguredEntry> {
    let team = team(part);
    let kind = kind(part);
    let mut given = Given { part, invalid: Vec::new() };
    let fields = given.fields(kind.ok(), around.org);
    let invalid = given.invalid;
    // Without its kind it can't be said what else belongs to it.
    kind?;
    let request = checked(part, fields, &invalid, around);
    Ok(ConfiguredEntry { team: team?, request: request? })
}

fn team(part: &mut Part<'_>) -> Valid<TeamReference> {
    let field = EntryField::Team;
    part.read(field.as_str(), parsed(parse_team))?.ok_or_else(|| {
        part.complain(field.as_str(), format!("missing; expected {}", field.expected()));
        Invalid
    })
}

/// A team token is shown once, when it is made, so it can't be written down beforehand.
fn kind(part: &mut Part<'_>) -> Valid<EntryKind> {
    const EXPECTED: &str = "one of github-actions, oidc";
    let key = EntryField::Kind.as_str();
    let parse = |node: &Node| match parsed(parse_kind)(node) {
        Ok(EntryKind::Token) => Err(Complaint::Message(format!(
            "expected {EXPECTED}; a team token is made with access-add, which shows it once"
        ))),
        Ok(kind) => Ok(kind),
        Err(_) => expected(EXPECTED),
    };
    part.read(key, parse)?.ok_or_else(|| {
        part.complain(key, format!("missing; expected {EXPECTED}"));
        Invalid
    })
}

/// Reads fields, and remembers which are not usable.
struct Given<'a, 'b> {
    part: &'a mut Part<'b>,
    invalid: Vec<EntryField>,
}

impl Given<'_, '_> {
    fn fields(&mut self, kind: Option<EntryKind>, org: Option<&OrgName>) -> EntryFields {
        let repository = move |text: &str| match org {
            Some(org) => parse_repository(text, org),
            // The organisation is a problem of its own; then any owner will do.
            None => fields::parse_repository_of_any(text),
        };
        EntryFields {
            kind,
            operations: self.list(EntryField::Operations, configurable_operation),
            labels: self.list(EntryField::Labels, parsed(parse_labels)),
            per_hour: self
                .one(EntryField::PerHour, whole((*PER_HOUR.start()).into(), (*PER_HOUR.end()).into())),
            note: self.one(EntryField::Note, parsed(parse_note)),
            repository: self.one(EntryField::Repository, parsed(repository)),
            git_ref: self.one(EntryField::Ref, parsed(parse_git_ref)),
            environment: self.one(EntryField::Environment, parsed(parse_environment)),
            workflow: self.one(EntryField::Workflow, parsed(parse_workflow)),
            job_workflow: self.one(EntryField::JobWorkflow, parsed(parse_job_workflow)),
            events: self.list(EntryField::Events, parsed(parse_event)),
            runner_environment: self.one(EntryField::RunnerEnvironment, parsed(parse_runner_environment)),
            issuer: self.one(EntryField::Issuer, parsed(parse_issuer)),
            subject: self.one(EntryField::Subject, parsed(parse_subject)),
            claims: self.claims(),
        }
    }

    fn one<T>(&mut self, field: EntryField, parse: impl Fn(&Node) -> Outcome<T>) -> Option<T> {
        let outcome = self.part.read(field.as_str(), parse);
        self.keep(field, outcome)
    }

    fn list<T>(&mut self, field: EntryField, parse: impl Fn(&Node) -> Outcome<T>) -> Option<Vec<T>> {
        let outcome = self.part.list(field.as_str(), parse);
        self.keep(field, outcome)
    }

    fn claims(&mut self) -> Option<Vec<ClaimCondition>> {
        let field = EntryField::Claims;
        let outcome = self.part.list_or_section(field.as_str(), CLAIMS, claim_of);
        self.keep(field, outcome)
    }

    fn keep<T>(&mut self, field: EntryField, outcome: Valid<Option<T>>) -> Option<T> {
        outcome.unwrap_or_else(|Invalid| {
            self.invalid.push(field);
            None
        })
    }
}

/// What the fields ask for together.
fn checked(
    part: &mut Part<'_>,
    fields: EntryFields,
    invalid: &[EntryField],
    Around { issuers, .. }: Around<'_>,
) -> Valid<EntryRequest> {
    let none = Issuers::default();
    let has_actions = issuers.is_none_or(|issuers| issuers.actions().is_some());
    if fields.kind == Some(EntryKind::GithubActions) && !has_actions {
        let message = "expected github-actions among oidc.issuers, which lacks it";
        part.complain(EntryField::Kind.as_str(), message.to_owned());
    }
    let issuer = fields.issuer.clone().unwrap_or_default();
    let outcome = fields.into_request(issuers.unwrap_or(&none));
    // What is there and not usable is not missing, and an issuer can't be looked up in what could not be read.
    let is_known = |error: &FieldError| match (error.field, error.problem) {
        (EntryField::Issuer, FieldProblem::Invalid) => issuers.is_none(),
        (EntryField::Ref, FieldProblem::Missing) => {
            invalid.contains(&EntryField::Ref) || invalid.contains(&EntryField::Environment)
        }
        (field, FieldProblem::Missing) => invalid.contains(&field),
        _ => false,
    };
    outcome.map_err(|errors| {
        for error in errors.into_iter().filter(|error| !is_known(error)) {
            let message = match (error.field, error.problem) {
                (EntryField::Issuer, FieldProblem::Invalid) => {
                    format!("expected the name of an issuer in oidc.issuers, found {issuer:?}")
                }
                (_, FieldProblem::Missing) => format!("missing; {}", error.message),
                _ => error.message,
            };
            part.complain(error.field.as_str(), message);
        }
        Invalid
    })
}

/// A parser of values, of one of texts.
fn parsed<T>(parse: impl Fn(&str) -> Result<T, FieldError>) -> impl Fn(&Node) -> Outcome<T> {
    move |node| parse(&text_or_empty(node)?).map_err(complaint)
}

fn complaint(error: FieldError) -> Complaint {
    match error.message.strip_prefix("expected ") {
        Some(expected) => Complaint::Expected(expected.to_owned()),
        None => Complaint::Message(error.message),
    }
}

fn configurable_operation(node: &Node) -> Outcome<EntryOperation> {
    match parsed(parse_operation)(node)? {
        EntryOperation::RunnersRemove => Err(Complaint::Message(
            "expected another operation: runners-remove is for entries of access-add alone, since the store keeps \
             which runners an entry was given"
                .to_owned(),
        )),
        operation => Ok(operation),
    }
}

/// `name=value` in a list, or the value of a name in a section.
fn claim_of(inner: &Inner) -> Outcome<ClaimCondition> {
    match (&inner.name, &inner.node) {
        (None, node) => parsed(parse_claim)(node),
        (Some(name), Node::Bool(value)) => claim(name, &value.to_string()).map_err(complaint),
        (Some(name), node) => parsed(|value: &str| claim(name, value))(node),
    }
}
