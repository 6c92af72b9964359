//! Access entries: made, listed and removed by a team's maintainers.

use std::time::Duration;

use aws_lc_rs::rand;
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use utoipa::ToSchema;

use super::{EntryError, Error, Work};
use crate::access::{Oversight, Principal, Terms, Void};
use crate::domain::entry::{
    AccessEntry, ActionsConditions, ActionsRequest, EntryId, EntryKind, EntryRefusal, EntryRequest, Holder,
    HolderRequest, RunnerEnvironment, Source, SubjectConditions, TOKEN_EXPIRES_IN, TeamToken,
};
use crate::domain::ids::TeamId;
use crate::domain::policy::Policy;

/// Entries that are looked at side by side.
const LOOKED_AT_ONCE: usize = 8;
const NO_STORE: &str =
    "Access entries are kept in the store, and the administrator set up none: set store.url";
const NO_ISSUERS: &str = "The administrator configured no issuers of OIDC tokens: set oidc.issuers";
const NO_PERMISSION: &str = "Whether the environment is protected can't be seen: the service's App needs the repository \
                             permission Actions (read). Give `ref` as well, or ask the administrator";

/// An entry as maintainers see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessEntry)]
pub struct EntryView {
    #[schema(pattern = "^[0-9a-f]{16}$")]
    id: String,
    #[schema(value_type = String)]
    kind: EntryKind,
    #[serde(flatten)]
    holder: HolderView,
    operations: Vec<String>,
    labels: Vec<String>,
    per_hour: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    note: Option<String>,
    /// The login of whoever made it, as it was then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    created_by: Option<String>,
    /// Their id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    created_by_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    expires_at: Option<String>,
    /// When it let somebody act the last time, to the minute with several replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    last_used_at: Option<String>,
    /// Where it is kept: store or config.
    source: &'static str,
    /// Why it counts for nothing at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    void: Option<Void>,
}

/// Whom an entry lets act.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct HolderView {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    repository: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    repository_id: Option<u64>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    git_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    workflow: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    job_workflow: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    events: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    runner_environment: Option<RunnerEnvironment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    claims: Option<Vec<String>>,
}

impl HolderView {
    fn of(holder: &Holder) -> Self {
        match holder {
            Holder::GithubActions(conditions) => Self {
                repository: Some(conditions.repository_name.to_string()),
                repository_id: Some(conditions.repository.0),
                git_ref: conditions.git_ref.as_ref().map(ToString::to_string),
                environment: conditions.environment.clone(),
                workflow: conditions.workflow.clone(),
                job_workflow: conditions.job_workflow.clone(),
                events: Some(conditions.events.clone()),
                runner_environment: conditions.runner_environment,
                ..Self::default()
            },
            Holder::Oidc(SubjectConditions { issuer, subject, claims }) => Self {
                issuer: Some(issuer.clone()),
                subject: Some(subject.clone()),
                claims: Some(claims.iter().map(|claim| format!("{}={}", claim.name, claim.value)).collect()),
                ..Self::default()
            },
            Holder::Token(_) => Self::default(),
        }
    }
}

impl EntryView {
    fn of(entry: &AccessEntry, last_used_at: Option<u64>, void: Option<Void>) -> Self {
        let (created_by, created_by_id, created_at, source) = match &entry.source {
            Source::Store { created_by, login, created_at } => {
                (Some(login.to_string()), Some(created_by.0), Some(*created_at), "store")
            }
            Source::Configuration => (None, None, None, "config"),
        };
        Self {
            id: entry.id.to_string(),
            kind: entry.holder.kind(),
            holder: HolderView::of(&entry.holder),
            operations: entry.operations.iter().map(ToString::to_string).collect(),
            labels: entry.labels.iter().map(ToString::to_string).collect(),
            per_hour: entry.per_hour,
            note: entry.note.clone(),
            created_by,
            created_by_id,
            created_at: created_at.and_then(time),
            expires_at: entry.expires_at.and_then(time),
            last_used_at: last_used_at.and_then(time),
            source,
            void,
        }
    }
}

/// RFC 3339, of seconds since 1970.
pub(super) fn time(seconds: u64) -> Option<String> {
    let time = DateTime::<Utc>::from_timestamp(i64::try_from(seconds).ok()?, 0)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// Refuses what the administrator did not set up what it takes for.
///
/// # Errors
/// There is no store, or no issuer.
pub fn require_set_up(work: &Work, kind: Option<EntryKind>) -> Result<(), Error> {
    let organisation = work.organisation();
    if !organisation.entries.are_kept() {
        return Err(Error::NotConfigured(NO_STORE));
    }
    let has_issuer = match kind {
        Some(EntryKind::GithubActions) => organisation.issuers.load().actions().is_some(),
        Some(EntryKind::Oidc) => !organisation.issuers.load().is_empty(),
        Some(EntryKind::Token) | None => true,
    };
    if has_issuer { Ok(()) } else { Err(Error::NotConfigured(NO_ISSUERS)) }
}

/// Makes an entry; of a team token, that as well.
pub async fn add(
    work: &Work,
    request: EntryRequest,
    expires_in: Option<Duration>,
) -> Result<(EntryView, Option<TeamToken>), Error> {
    let policy = work.organisation().policy.load_full();
    let expires_in = permitted(work, &policy, &request, expires_in)
        .map_err(|refusal| Error::Entry(EntryError::Denied(refusal)))?;
    let team = work.authority().team();
    let mut token = None;
    let holder = match request.holder {
        HolderRequest::GithubActions(wanted) => {
            Holder::GithubActions(conditions(work, &policy, wanted).await?)
        }
        HolderRequest::Oidc(conditions) => Holder::Oidc(conditions),
        HolderRequest::Token => {
            let made = TeamToken::generate(rand::fill).map_err(|_| Error::Internal)?;
            let hash = made.hash();
            token = Some(made);
            Holder::Token(hash)
        }
    };
    let Principal::User(caller) = work.authority().principal() else { return Err(Error::Internal) };
    let mut id = [0; 8];
    rand::fill(&mut id).map_err(|_| Error::Internal)?;
    let now = work.organisation().clock.unix_seconds();
    let entry = AccessEntry {
        id: EntryId(u64::from_ne_bytes(id)),
        team: team.id(),
        team_slug: team.slug().clone(),
        holder,
        operations: request.operations,
        labels: request.labels,
        per_hour: request.per_hour,
        note: request.note,
        source: Source::Store { created_by: caller.id(), login: caller.login().clone(), created_at: now },
        expires_at: expires_in.map(|span| now.saturating_add(span.as_secs())),
    };
    let view = EntryView::of(&entry, None, None);
    work.line().note(|details| details.entry = Some(entry.id));
    let own = work.clone();
    let write = async move {
        if own.organisation().entries.add(&entry).await? {
            Ok(())
        } else {
            Err(Error::Entry(EntryError::TooMany))
        }
    };
    work.write(Box::pin(write)).await?;
    Ok((view, token))
}

/// Holds an entry against what the administrator allows; gives how long it is good.
fn permitted(
    work: &Work,
    policy: &Policy,
    request: &EntryRequest,
    expires_in: Option<Duration>,
) -> Result<Option<Duration>, EntryRefusal> {
    let (access, team) = (&policy.access, work.authority().team());
    if let Some(other) = request.operations.iter().find(|operation| !access.operations.contains(operation)) {
        return Err(EntryRefusal::Operation(*other));
    }
    if expires_in.is_some_and(|span| span > access.max_age) {
        return Err(EntryRefusal::MaxAge(access.max_age));
    }
    let issuers = work.organisation().issuers.load_full();
    let issuer = match &request.holder {
        HolderRequest::GithubActions(_) => issuers.actions(),
        HolderRequest::Oidc(conditions) => issuers.named(&conditions.issuer),
        HolderRequest::Token => None,
    };
    if let Some(issuer) = issuer {
        if !issuer.serves_team(team.id(), team.slug()) {
            return Err(EntryRefusal::Team(issuer.name.clone()));
        }
        if let HolderRequest::Oidc(conditions) = &request.holder
            && !issuer.has_subject(&conditions.subject)
        {
            return Err(EntryRefusal::Subject(issuer.name.clone()));
        }
    }
    let default = (request.holder.kind() == EntryKind::Token).then(|| TOKEN_EXPIRES_IN.min(access.max_age));
    Ok(expires_in.or(default))
}

/// The conditions for runs of a repository of the team's, which is known by its id from now on.
async fn conditions(
    work: &Work,
    policy: &Policy,
    wanted: ActionsRequest,
) -> Result<ActionsConditions, Error> {
    let name = wanted.repository.clone();
    work.line().note(|details| details.repositories = vec![name.to_string()]);
    let (github, team) = (work.github(), work.authority().team());
    let required = policy.repository_permission;
    let found = github.team_repository(team.slug(), &name).await?.filter(|found| found.grants(required));
    let Some(found) = found else { return Err(super::repos::missing(vec![name.to_string()], required)) };
    let conditions = wanted.of_repository(found.id);
    if let Some(environment) = conditions.environment.as_ref().filter(|_| conditions.needs_protection()) {
        match github.has_protected_environment(&name, environment).await {
            Ok(true) => {}
            Ok(false) => {
                return Err(Error::Unknown(format!(
                    "The environment \"{environment}\" is not protected: give it required reviewers or a branch policy, or \
                     give `ref` as well. GitHub makes one that isn't there, without any protection"
                )));
            }
            Err(error) if error.lacks_permission() => return Err(Error::NotConfigured(NO_PERMISSION)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(conditions)
}

/// The team's entries, oldest first.
pub async fn list(work: &Work) -> Result<Vec<EntryView>, Error> {
    let organisation = work.organisation();
    let team = work.authority().team();
    let (policy, issuers) = (organisation.policy.load_full(), organisation.issuers.load_full());
    let terms = Terms { policy: &policy, issuers: &issuers, teams: &organisation.teams };
    let entries = organisation.entries.of_team(team.id()).await?;
    let uses = organisation.entries.uses(team.id()).await;
    let views = entries.iter().map(async |entry| {
        let void = organisation.entries.void(entry, team, &terms).await?;
        Ok::<_, Error>(EntryView::of(entry, uses.get(&entry.id).copied(), void))
    });
    stream::iter(views).buffered(LOOKED_AT_ONCE).try_collect().await
}

/// Removes an entry of the team's.
pub async fn remove(work: &Work, id: EntryId) -> Result<(), Error> {
    require_set_up(work, None)?;
    work.line().note(|details| details.entry = Some(id));
    let (own, team) = (work.clone(), work.authority().team().id());
    let write = async move {
        let is_removed = own.organisation().entries.remove(team, id).await?;
        if is_removed { Ok(()) } else { Err(Error::Entry(EntryError::NotFound(id))) }
    };
    work.write(Box::pin(write)).await
}

/// Removes the entries of a team that is gone.
pub async fn drop_of_gone(work: &Work<Oversight>, team: TeamId) -> Result<(), Error> {
    let own = work.clone();
    let write = async move {
        let count = own.organisation().entries.remove_team(team).await?;
        tracing::info!(team_id = team.0, count, "the access entries of a team that is gone were removed");
        Ok(())
    };
    work.write(Box::pin(write)).await
}
