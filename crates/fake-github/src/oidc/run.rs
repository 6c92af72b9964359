//! A run of a workflow, and what GitHub's token says of it.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Map, Value, json};

use super::token::object;
use crate::world::{RepoVisibility, Repository, World};

/// The account that GitHub Actions itself acts as, for actors that are nobody's login.
const ACTIONS_BOT: u64 = 41_898_282;

/// A job of a workflow's run, whose token `FakeGithub::token_of` makes. Unless set otherwise it was started by a push
/// to `main`, has no environment and runs on a runner of GitHub's.
#[derive(Debug, Clone)]
pub struct Run {
    owner: String,
    repository: String,
    event: String,
    git_ref: String,
    protected: bool,
    head_ref: String,
    base_ref: String,
    environment: Option<String>,
    name: String,
    file: String,
    called: Option<String>,
    actor: String,
    number: u64,
    attempt: u64,
    runner: String,
    enterprise: Option<(String, u64)>,
    properties: Vec<(String, String)>,
    at: Option<u64>,
}

impl Run {
    /// A run in this repository, which has to be in the world.
    pub fn of(owner: &str, repository: &str) -> Self {
        Self {
            owner: owner.to_owned(),
            repository: repository.to_owned(),
            event: "push".to_owned(),
            git_ref: "refs/heads/main".to_owned(),
            protected: false,
            head_ref: String::new(),
            base_ref: String::new(),
            environment: None,
            name: "CI".to_owned(),
            file: ".github/workflows/ci.yml".to_owned(),
            called: None,
            actor: "github-actions[bot]".to_owned(),
            number: 1,
            attempt: 1,
            runner: "github-hosted".to_owned(),
            enterprise: None,
            properties: Vec::new(),
            at: None,
        }
    }

    /// The event that started it, such as `workflow_dispatch`.
    #[must_use]
    pub fn event(mut self, name: &str) -> Self {
        name.clone_into(&mut self.event);
        self
    }

    /// The ref it runs on, such as `refs/tags/v1`; may be empty.
    #[must_use]
    pub fn git_ref(mut self, name: &str) -> Self {
        name.clone_into(&mut self.git_ref);
        self
    }

    /// Rules protect the ref.
    #[must_use]
    pub fn protected(mut self) -> Self {
        self.protected = true;
        self
    }

    /// Started by this pull request, by the event `pull_request`.
    #[must_use]
    pub fn pull_request(self, number: u64, head: &str, base: &str) -> Self {
        let run = self.event("pull_request").git_ref(&format!("refs/pull/{number}/merge"));
        Self { head_ref: head.to_owned(), base_ref: base.to_owned(), ..run }
    }

    /// The environment that the job names. GitHub makes one that is missing, without protection, and so does the fake.
    #[must_use]
    pub fn environment(mut self, name: &str) -> Self {
        self.environment = Some(name.to_owned());
        self
    }

    /// The workflow's file in this repository, such as `.github/workflows/ci.yml`.
    #[must_use]
    pub fn workflow(mut self, file: &str) -> Self {
        file.clone_into(&mut self.file);
        self
    }

    /// The workflow's name.
    #[must_use]
    pub fn workflow_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The job is of a called workflow, such as `acme/shared/.github/workflows/build.yml@refs/heads/main`.
    #[must_use]
    pub fn job_workflow(mut self, called: &str) -> Self {
        self.called = Some(called.to_owned());
        self
    }

    /// Who started it, by login.
    #[must_use]
    pub fn actor(mut self, login: &str) -> Self {
        login.clone_into(&mut self.actor);
        self
    }

    /// The run's number in its workflow, and which attempt it is.
    #[must_use]
    pub fn number(mut self, number: u64, attempt: u64) -> Self {
        (self.number, self.attempt) = (number, attempt);
        self
    }

    /// The job runs on a self-hosted runner.
    #[must_use]
    pub fn self_hosted(mut self) -> Self {
        "self-hosted".clone_into(&mut self.runner);
        self
    }

    /// The enterprise of the organisation, by slug and number.
    #[must_use]
    pub fn enterprise(mut self, slug: &str, id: u64) -> Self {
        self.enterprise = Some((slug.to_owned(), id));
        self
    }

    /// A custom property of the repository, which the token has as `repo_property_<name>`.
    #[must_use]
    pub fn property(mut self, name: &str, value: &str) -> Self {
        self.properties.push((name.to_owned(), value.to_owned()));
        self
    }

    /// When its token is issued, in seconds since 1970; unless set, what the world's clock says.
    #[must_use]
    pub fn at(mut self, unix_seconds: u64) -> Self {
        self.at = Some(unix_seconds);
        self
    }

    pub(super) fn issued_at(&self) -> Option<u64> {
        self.at
    }

    /// What its token says, without times.
    ///
    /// # Panics
    /// When the world has no such repository.
    pub(super) fn claims(&self, world: &mut World, issuer: &str, audience: &str) -> Map<String, Value> {
        #[expect(clippy::expect_used, reason = "a test that runs a workflow nowhere should say so")]
        let repository =
            world.repositories.by_name(&self.owner, &self.repository).expect("the run's repository").clone();
        let mut claims = self.about_run(world, &repository);
        claims.extend(self.about_workflow(&repository));
        claims.insert("iss".to_owned(), json!(issuer));
        claims.insert("aud".to_owned(), json!(audience));
        claims.insert("sub".to_owned(), json!(self.subject(&repository)));
        if let Some(environment) = &self.environment {
            let made = world.ensure_environment(repository.id, environment);
            claims.insert("environment".to_owned(), json!(environment));
            claims.insert("environment_node_id".to_owned(), json!(crate::payload::environment_node_id(made)));
        }
        if let Some((slug, id)) = &self.enterprise {
            claims.insert("enterprise".to_owned(), json!(slug));
            claims.insert("enterprise_id".to_owned(), json!(id.to_string()));
        }
        for (name, value) in &self.properties {
            claims.insert(format!("repo_property_{name}"), json!(value));
        }
        claims
    }

    /// Who and where. GitHub writes every number and every boolean as text.
    fn about_run(&self, world: &mut World, repository: &Repository) -> Map<String, Value> {
        let actor = world.user_by_login(&self.actor).map_or(ACTIONS_BOT, |user| user.id.0);
        let owner = world.organization(&repository.owner).map_or(0, |owner| owner.id);
        let visibility = match repository.visibility {
            RepoVisibility::Public => "public",
            RepoVisibility::Private => "private",
            RepoVisibility::Internal => "internal",
        };
        let (run, check_run) = (world.next_number(), world.next_number());
        object(json!({
            "repository": repository.full_name(),
            "repository_id": repository.id.to_string(),
            "repository_owner": repository.owner,
            "repository_owner_id": owner.to_string(),
            "repository_visibility": visibility,
            "actor": self.actor,
            "actor_id": actor.to_string(),
            "event_name": self.event,
            "ref": self.git_ref,
            "ref_type": self.ref_type(),
            "ref_protected": self.protected.to_string(),
            "head_ref": self.head_ref,
            "base_ref": self.base_ref,
            "run_id": run.to_string(),
            "run_number": self.number.to_string(),
            "run_attempt": self.attempt.to_string(),
            "check_run_id": check_run.to_string(),
            "runner_environment": self.runner,
        }))
    }

    /// The caller's file, and the file that the job is in, each with the commit it was read at.
    fn about_workflow(&self, repository: &Repository) -> Map<String, Value> {
        let own = format!("{}/{}@{}", repository.full_name(), self.file, self.git_ref);
        let job = self.called.as_ref().unwrap_or(&own);
        let (sha, job_sha) = (commit(&format!("{}@{}", repository.id, self.git_ref)), commit(job));
        object(json!({
            "workflow": self.name,
            "workflow_ref": own,
            "workflow_sha": sha,
            "job_workflow_ref": job,
            "job_workflow_sha": if self.called.is_some() { job_sha } else { sha.clone() },
            "sha": sha,
        }))
    }

    fn ref_type(&self) -> &'static str {
        match self.git_ref.as_str() {
            "" => "",
            name if name.starts_with("refs/tags/") => "tag",
            _ => "branch",
        }
    }

    /// The subject by GitHub's own rules: the environment if there is one, or the pull request, or the ref.
    fn subject(&self, repository: &Repository) -> String {
        let context = match &self.environment {
            Some(name) => format!("environment:{}", name.replace(':', "%3A")),
            None if self.event == "pull_request" => "pull_request".to_owned(),
            None => format!("ref:{}", self.git_ref),
        };
        format!("repo:{}:{context}", repository.full_name())
    }
}

/// Something that looks like the hash of a commit; the same for the same text.
fn commit(text: &str) -> String {
    use std::fmt::Write;
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    hash.as_ref().iter().fold(String::with_capacity(40), |mut hex, byte| {
        // Writing into a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
