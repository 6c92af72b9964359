//! What a token has to say for an entry to be its holder's.

use crate::domain::claims::Claims;
use crate::domain::ids::RepositoryId;
use crate::domain::names::RepoName;
use crate::domain::pattern::Pattern;
use crate::domain::words::words;

/// Events whose runs an entry is for unless it names others: what somebody who may push to the repository did.
pub const DEFAULT_EVENTS: [&str; 5] = ["push", "workflow_dispatch", "schedule", "release", "merge_group"];

/// What a run of GitHub Actions has to be. All that is given has to hold. `sub` is never looked at: whoever administers the
/// repository can shape it.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionsConditions {
    /// Of this repository, whatever its name.
    pub repository: RepositoryId,
    /// The name that it had when it was last looked at.
    pub repository_name: RepoName,
    /// On such a ref; case-sensitive.
    pub git_ref: Option<Pattern>,
    /// With this environment, in any case.
    pub environment: Option<String>,
    /// Of this workflow file of the repository: `.github/workflows/x.yml`.
    pub workflow: Option<String>,
    /// In a job of this called workflow: `org/repo/.github/workflows/x.yml@ref`.
    pub job_workflow: Option<String>,
    /// Started by one of these events.
    pub events: Vec<String>,
    /// On such a runner.
    pub runner_environment: Option<RunnerEnvironment>,
}

words! {
    /// On whose machine a job runs.
    pub enum RunnerEnvironment {
        /// GitHub's.
        GithubHosted = "github-hosted",
        /// Somebody's own.
        SelfHosted = "self-hosted",
    }
}

/// What a token of another issuer has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectConditions {
    /// The issuer, by its name in the configuration.
    pub issuer: String,
    /// `sub`, to the letter.
    pub subject: String,
    /// Other claims.
    pub claims: Vec<ClaimCondition>,
}

/// A claim that has to be there with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimCondition {
    /// The claim's name.
    pub name: String,
    /// Its value, to the letter; `true` or `false` for a boolean.
    pub value: String,
}

impl RunnerEnvironment {
    /// Takes the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|environment| environment.as_str() == text).copied()
    }
}

impl ActionsConditions {
    /// Whether all depends on the environment: GitHub makes one that isn't there, without any protection.
    pub fn needs_protection(&self) -> bool {
        self.environment.is_some() && self.git_ref.is_none()
    }

    /// Whether a token of GitHub Actions fits.
    pub fn fit(&self, claims: &Claims) -> bool {
        let event = claims.text("event_name");
        claims.repository_id() == Some(self.repository)
            && event.is_some_and(|event| self.events.iter().any(|allowed| allowed == event))
            && self
                .git_ref
                .as_ref()
                .is_none_or(|pattern| claims.text("ref").is_some_and(|name| pattern.matches(name)))
            && self.environment.as_ref().is_none_or(|wanted| {
                claims.text("environment").is_some_and(|found| found.to_lowercase() == wanted.to_lowercase())
            })
            && self.workflow.as_ref().is_none_or(|wanted| workflow_of(claims) == Some(wanted))
            && self.job_workflow.as_ref().is_none_or(|wanted| claims.text("job_workflow_ref") == Some(wanted))
            && self
                .runner_environment
                .is_none_or(|wanted| claims.text("runner_environment") == Some(wanted.as_str()))
    }
}

/// The file of the workflow that a run is of: `workflow_ref` without the repository before it and the run's own ref behind it.
/// Should it be of another ref, it is none.
fn workflow_of(claims: &Claims) -> Option<&str> {
    let file_and_ref =
        claims.text("workflow_ref")?.strip_prefix(claims.text("repository")?)?.strip_prefix('/')?;
    file_and_ref.strip_suffix(claims.text("ref")?)?.strip_suffix('@')
}

impl SubjectConditions {
    /// Whether a token of the issuer fits.
    pub fn fit(&self, issuer: &str, claims: &Claims) -> bool {
        self.issuer == issuer
            && claims.text("sub") == Some(&self.subject)
            && self.claims.iter().all(|ClaimCondition { name, value }| {
                claims.comparable(name).is_some_and(|found| *found == **value)
            })
    }
}

#[cfg(test)]
mod properties;
