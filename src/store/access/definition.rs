//! An access entry as text: what of it nobody looks for in the store. No secret: of a team token its hash alone.

use serde::{Deserialize, Serialize};

use crate::domain::entry::{
    AccessEntry, ActionsConditions, ClaimCondition, EntryId, EntryOperation, Holder, RunnerEnvironment,
    Source, SubjectConditions, TokenHash,
};
use crate::domain::hash::hexadecimal;
use crate::domain::ids::{RepositoryId, TeamId, UserId};
use crate::domain::names::{Login, RepoName, TeamSlug};
use crate::domain::pattern::Pattern;
use crate::store::error::StoreError;

/// What stands in the store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Definition {
    team_slug: String,
    operations: Vec<String>,
    labels: Vec<String>,
    per_hour: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    created_by_login: String,
    holder: HolderText,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum HolderText {
    GithubActions {
        repository: u64,
        repository_name: String,
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        git_ref: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        workflow: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        job_workflow: Option<String>,
        events: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runner_environment: Option<String>,
    },
    Oidc {
        issuer: String,
        subject: String,
        claims: Vec<(String, String)>,
    },
    Token {
        sha256: String,
    },
}

impl Definition {
    pub(super) fn of(entry: &AccessEntry) -> Self {
        let created_by_login = match &entry.source {
            Source::Store { login, .. } => login.to_string(),
            Source::Configuration => String::new(),
        };
        Self {
            team_slug: entry.team_slug.to_string(),
            operations: entry.operations.iter().map(ToString::to_string).collect(),
            labels: entry.labels.iter().map(ToString::to_string).collect(),
            per_hour: entry.per_hour,
            note: entry.note.clone(),
            created_by_login,
            holder: HolderText::of(&entry.holder),
        }
    }

    pub(super) fn token_hash(&self) -> Option<String> {
        match &self.holder {
            HolderText::Token { sha256 } => Some(sha256.clone()),
            HolderText::GithubActions { .. } | HolderText::Oidc { .. } => None,
        }
    }

    pub(super) fn to_text(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|error| StoreError::Unexpected(error.to_string()))
    }

    pub(super) fn from_text(text: &str) -> Result<Self, StoreError> {
        serde_json::from_str(text).map_err(|error| StoreError::Unexpected(error.to_string()))
    }

    pub(super) fn entry(
        self,
        id: EntryId,
        team: TeamId,
        (created_by, created_at): (UserId, u64),
        expires_at: Option<u64>,
    ) -> Result<AccessEntry, StoreError> {
        let operation = |name: &String| EntryOperation::parse(name).ok_or_else(|| unknown("operation", name));
        let label = |text: &String| Pattern::parse(text).map_err(|_| unknown("label", text));
        let login =
            Login::parse(&self.created_by_login).map_err(|_| unknown("login", &self.created_by_login))?;
        Ok(AccessEntry {
            id,
            team,
            team_slug: TeamSlug::parse(&self.team_slug).map_err(|_| unknown("slug", &self.team_slug))?,
            holder: self.holder.holder()?,
            operations: self.operations.iter().map(operation).collect::<Result<_, _>>()?,
            labels: self.labels.iter().map(label).collect::<Result<_, _>>()?,
            per_hour: self.per_hour,
            note: self.note,
            source: Source::Store { created_by, login, created_at },
            expires_at,
        })
    }
}

impl HolderText {
    fn of(holder: &Holder) -> Self {
        match holder {
            Holder::GithubActions(conditions) => Self::GithubActions {
                repository: conditions.repository.0,
                repository_name: conditions.repository_name.to_string(),
                git_ref: conditions.git_ref.as_ref().map(ToString::to_string),
                environment: conditions.environment.clone(),
                workflow: conditions.workflow.clone(),
                job_workflow: conditions.job_workflow.clone(),
                events: conditions.events.clone(),
                runner_environment: conditions.runner_environment.map(|word| word.to_string()),
            },
            Holder::Oidc(conditions) => Self::Oidc {
                issuer: conditions.issuer.clone(),
                subject: conditions.subject.clone(),
                claims: conditions
                    .claims
                    .iter()
                    .map(|claim| (claim.name.clone(), claim.value.clone()))
                    .collect(),
            },
            Holder::Token(hash) => Self::Token { sha256: hexadecimal(&hash.0) },
        }
    }

    fn holder(self) -> Result<Holder, StoreError> {
        Ok(match self {
            Self::GithubActions {
                repository,
                repository_name,
                git_ref,
                environment,
                workflow,
                job_workflow,
                events,
                runner_environment,
            } => {
                let git_ref = git_ref
                    .map(|text| Pattern::parse_case_sensitive(&text).map_err(|_| unknown("ref", &text)));
                let runner_environment = runner_environment.map(|word| {
                    RunnerEnvironment::parse(&word).ok_or_else(|| unknown("runner environment", &word))
                });
                Holder::GithubActions(ActionsConditions {
                    repository: RepositoryId(repository),
                    repository_name: RepoName::parse(&repository_name)
                        .map_err(|_| unknown("repository", &repository_name))?,
                    git_ref: git_ref.transpose()?,
                    environment,
                    workflow,
                    job_workflow,
                    events,
                    runner_environment: runner_environment.transpose()?,
                })
            }
            Self::Oidc { issuer, subject, claims } => {
                let claims = claims.into_iter().map(|(name, value)| ClaimCondition { name, value }).collect();
                Holder::Oidc(SubjectConditions { issuer, subject, claims })
            }
            Self::Token { sha256 } => {
                Holder::Token(hash_of(&sha256).ok_or_else(|| unknown("hash", &sha256))?)
            }
        })
    }
}

fn unknown(what: &str, found: &str) -> StoreError {
    StoreError::Unexpected(format!("the {what} {found:?} is not known here"))
}

fn hash_of(text: &str) -> Option<TokenHash> {
    let mut hash = [0; 32];
    // Digits alone: a number may also begin with a sign.
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(TokenHash(hash))
}
