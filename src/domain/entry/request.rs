//! An entry that somebody wants: its fields together, and what contradicts in them.

use super::fields::{EntryField, FieldError, FieldProblem};
use super::{
    ActionsConditions, ClaimCondition, DEFAULT_EVENTS, DEFAULT_PER_HOUR, EntryKind, EntryOperation,
    RunnerEnvironment, SubjectConditions,
};
use crate::domain::ids::RepositoryId;
use crate::domain::issuer::{ACTIONS, Issuers, is_of_actions};
use crate::domain::names::RepoName;
use crate::domain::pattern::Pattern;

/// The fields that were given, each checked alone; the parsers are in [`fields`](super::fields).
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "each is the field of this name")]
pub struct EntryFields {
    pub kind: Option<EntryKind>,
    pub operations: Option<Vec<EntryOperation>>,
    pub labels: Option<Vec<Pattern>>,
    pub per_hour: Option<u32>,
    pub note: Option<String>,
    pub repository: Option<RepoName>,
    pub git_ref: Option<Pattern>,
    pub environment: Option<String>,
    pub workflow: Option<String>,
    pub job_workflow: Option<String>,
    pub events: Option<Vec<String>>,
    pub runner_environment: Option<RunnerEnvironment>,
    pub issuer: Option<String>,
    pub subject: Option<String>,
    pub claims: Option<Vec<ClaimCondition>>,
}

/// An entry as it was asked for, without contradictions and with its defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryRequest {
    /// Whom it lets act.
    pub holder: HolderRequest,
    /// What they may do; at least one.
    pub operations: Vec<EntryOperation>,
    /// Labels that they may ask for; at least one if they may have JIT configs.
    pub labels: Vec<Pattern>,
    /// JIT configs that they may have in an hour.
    pub per_hour: u32,
    /// What its maker wrote beside it.
    pub note: Option<String>,
}

/// Whom a requested entry lets act.
#[derive(Debug, Clone, PartialEq)]
pub enum HolderRequest {
    /// Runs of GitHub Actions.
    GithubActions(ActionsRequest),
    /// Holders of a token of another issuer.
    Oidc(SubjectConditions),
    /// Whoever holds a team token, which is still to be made.
    Token,
}

/// What a run of GitHub Actions has to be, of a repository whose id is not known yet.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of `ActionsConditions`")]
pub struct ActionsRequest {
    pub repository: RepoName,
    pub git_ref: Option<Pattern>,
    pub environment: Option<String>,
    pub workflow: Option<String>,
    pub job_workflow: Option<String>,
    pub events: Vec<String>,
    pub runner_environment: Option<RunnerEnvironment>,
}

impl HolderRequest {
    /// Its kind.
    pub fn kind(&self) -> EntryKind {
        match self {
            Self::GithubActions(_) => EntryKind::GithubActions,
            Self::Oidc(_) => EntryKind::Oidc,
            Self::Token => EntryKind::Token,
        }
    }
}

impl ActionsRequest {
    /// The conditions, now that the repository's id is known.
    pub fn of_repository(self, repository: RepositoryId) -> ActionsConditions {
        ActionsConditions {
            repository,
            repository_name: self.repository,
            git_ref: self.git_ref,
            environment: self.environment,
            workflow: self.workflow,
            job_workflow: self.job_workflow,
            events: self.events,
            runner_environment: self.runner_environment,
        }
    }
}

impl EntryFields {
    /// The entry that they ask for.
    ///
    /// # Errors
    /// Everything that [`EntryFields::conflicts`] finds, which is at least one.
    pub fn into_request(self, issuers: &Issuers) -> Result<EntryRequest, Vec<FieldError>> {
        let found = self.conflicts(issuers);
        if !found.is_empty() {
            return Err(found);
        }
        let Self { kind, repository, issuer, subject, .. } = self;
        let holder = match (kind, repository, issuer, subject) {
            (Some(EntryKind::GithubActions), Some(repository), ..) => {
                HolderRequest::GithubActions(ActionsRequest {
                    repository,
                    git_ref: self.git_ref,
                    environment: self.environment,
                    workflow: self.workflow,
                    job_workflow: self.job_workflow,
                    events: self.events.map_or_else(default_events, without_repeats),
                    runner_environment: self.runner_environment,
                })
            }
            (Some(EntryKind::Oidc), _, Some(issuer), Some(subject)) => {
                let claims = self.claims.map(without_repeats).unwrap_or_default();
                HolderRequest::Oidc(SubjectConditions { issuer, subject, claims })
            }
            (Some(EntryKind::Token), ..) => HolderRequest::Token,
            // Not reached: what is missing has been found above.
            _ => return Err(vec![missing(EntryField::Kind)]),
        };
        Ok(EntryRequest {
            holder,
            operations: self.operations.map_or_else(|| vec![EntryOperation::Demand], without_repeats),
            labels: self.labels.map(without_repeats).unwrap_or_default(),
            per_hour: self.per_hour.unwrap_or(DEFAULT_PER_HOUR),
            note: self.note,
        })
    }

    /// Everything that is missing or contradicts something else, in the order of [`EntryField`].
    pub fn conflicts(&self, issuers: &Issuers) -> Vec<FieldError> {
        let Some(kind) = self.kind else { return vec![missing(EntryField::Kind)] };
        let mut found = self.of_other_kinds(kind);
        found.extend(self.missing_operations(kind));
        found.extend(self.missing_labels());
        match kind {
            EntryKind::GithubActions => found.extend(self.conflicts_of_actions()),
            EntryKind::Oidc => found.extend(self.conflicts_of_oidc(issuers)),
            EntryKind::Token => {}
        }
        found.sort_by_key(|error| error.field);
        found
    }

    /// Whether a field was given that only entries of this kind have.
    fn has_field_of_its_kind(&self, field: EntryField) -> bool {
        match field {
            EntryField::Repository => self.repository.is_some(),
            EntryField::Ref => self.git_ref.is_some(),
            EntryField::Environment => self.environment.is_some(),
            EntryField::Workflow => self.workflow.is_some(),
            EntryField::JobWorkflow => self.job_workflow.is_some(),
            EntryField::Events => self.events.is_some(),
            EntryField::RunnerEnvironment => self.runner_environment.is_some(),
            EntryField::Issuer => self.issuer.is_some(),
            EntryField::Subject => self.subject.is_some(),
            EntryField::Claims => self.claims.is_some(),
            _ => false,
        }
    }

    fn of_other_kinds(&self, kind: EntryKind) -> Vec<FieldError> {
        let other = |field: &EntryField| {
            let own = field.kind().filter(|own| *own != kind && self.has_field_of_its_kind(*field))?;
            let message = format!("expected only in entries of kind {own}; this one is {kind}");
            Some(field.error(FieldProblem::Conflicting, message))
        };
        EntryField::ALL.iter().filter_map(other).collect()
    }

    fn missing_operations(&self, kind: EntryKind) -> Option<FieldError> {
        match &self.operations {
            Some(operations) if operations.is_empty() => {
                Some(EntryField::Operations.error(FieldProblem::Invalid, "expected at least one operation"))
            }
            None if kind != EntryKind::Token => Some(missing(EntryField::Operations)),
            _ => None,
        }
    }

    /// An entry reaches the jobs of all repositories of the group, so that it is for all labels has to be written.
    fn missing_labels(&self) -> Option<FieldError> {
        let makes_runners =
            self.operations.iter().flatten().any(|each| *each == EntryOperation::JitconfigGenerate);
        let has_labels = self.labels.as_ref().is_some_and(|labels| !labels.is_empty());
        let message = "expected the labels that runners may have, since jitconfig-generate is among the operations; \
                       * for all";
        (makes_runners && !has_labels).then(|| EntryField::Labels.error(FieldProblem::Missing, message))
    }

    fn conflicts_of_actions(&self) -> Vec<FieldError> {
        let mut found = Vec::new();
        if self.repository.is_none() {
            found.push(missing(EntryField::Repository));
        }
        if self.git_ref.is_none() && self.environment.is_none() {
            let message = "expected ref, environment, or both: otherwise any branch would do";
            found.push(EntryField::Ref.error(FieldProblem::Missing, message));
        }
        if self.events.as_ref().is_some_and(Vec::is_empty) {
            found.push(EntryField::Events.error(FieldProblem::Invalid, "expected at least one event"));
        }
        found
    }

    fn conflicts_of_oidc(&self, issuers: &Issuers) -> Vec<FieldError> {
        let mut found = Vec::new();
        match &self.issuer {
            None => found.push(missing(EntryField::Issuer)),
            Some(name) => found.extend(unusable_issuer(name, issuers)),
        }
        if self.subject.is_none() {
            found.push(missing(EntryField::Subject));
        }
        let claims = self.claims.as_deref().unwrap_or_default();
        let differs = |one: &ClaimCondition| {
            claims.iter().any(|other| one.name == other.name && one.value != other.value)
        };
        if let Some(claim) = claims.iter().find(|claim| differs(claim)) {
            let message = format!("expected one value of the claim {:?}, found two", claim.name);
            found.push(EntryField::Claims.error(FieldProblem::Conflicting, message));
        }
        found
    }
}

impl EntryField {
    /// The kind of entry that alone has this field.
    fn kind(self) -> Option<EntryKind> {
        match self {
            Self::Repository
            | Self::Ref
            | Self::Environment
            | Self::Workflow
            | Self::JobWorkflow
            | Self::Events
            | Self::RunnerEnvironment => Some(EntryKind::GithubActions),
            Self::Issuer | Self::Subject | Self::Claims => Some(EntryKind::Oidc),
            Self::Team
            | Self::Kind
            | Self::Operations
            | Self::Labels
            | Self::PerHour
            | Self::ExpiresIn
            | Self::Note => None,
        }
    }
}

fn missing(field: EntryField) -> FieldError {
    field.error(FieldProblem::Missing, format!("expected {}", field.expected()))
}

/// Anybody can have GitHub sign nearly any `sub`, so issuers of Actions tokens are for the other kind alone.
fn unusable_issuer(name: &str, issuers: &Issuers) -> Option<FieldError> {
    let issuer = issuers.named(name);
    if name == ACTIONS || issuer.is_some_and(|issuer| issuer.is_actions || is_of_actions(&issuer.url)) {
        let message =
            "expected an issuer other than GitHub Actions, for which there is the kind github-actions";
        return Some(EntryField::Issuer.error(FieldProblem::Conflicting, message));
    }
    let message = "expected the name of an issuer that the administrator configured";
    issuer.is_none().then(|| EntryField::Issuer.error(FieldProblem::Invalid, message))
}

fn default_events() -> Vec<String> {
    DEFAULT_EVENTS.map(str::to_owned).to_vec()
}

/// The first of what is equal.
fn without_repeats<T: PartialEq>(items: Vec<T>) -> Vec<T> {
    let mut kept = Vec::new();
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

#[cfg(test)]
mod tests;
