//! What a team lets callers do who are no users.

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde::Serialize;
use serde_json::{Value as Json, json};
use utoipa::ToSchema;

use super::{Admitted, Description, Endpoint, FieldTuple, ResponseDescription, Tag};
use crate::access::Right;
use crate::domain::entry::fields::{EntryField, FieldError, FieldProblem};
use crate::domain::entry::{EntryFields, EntryId};
use crate::domain::issuer::Issuers;
use crate::domain::names::RepoName;
use crate::domain::pattern::Pattern;
use crate::domain::reason::Reason;
use crate::http::ApiError;
use crate::http::entry_values::{
    ClaimOfEntry, EnvironmentOfEntry, EventOfEntry, ExpiryOfEntry, IssuerOfEntry, JobWorkflowOfEntry,
    KindOfEntry, NoteOfEntry, OperationOfEntry, PerHour, RefOfEntry, RunnerEnvironmentOfEntry,
    SubjectOfEntry, WorkflowOfEntry,
};
use crate::http::envelope::success;
use crate::http::field::{Field, ParameterSet};
use crate::http::standing::OfMaintainers;
use crate::ops::access::{self, EntryView};

/// Items of a list in an entry.
const MAX_ITEMS: usize = 100;
/// What the response of `access-remove` begins with; the id follows.
const REMOVED: &str = "Access removed: ";

/// An entry, as examples show it.
fn example() -> Json {
    json!({
        "id": "9f2c4e6a8b0d1f35", "kind": "github-actions", "repository": "shop", "repository_id": 129,
        "ref": "refs/heads/main", "events": ["push", "workflow_dispatch"], "operations": ["jitconfig-generate"],
        "labels": ["self-hosted", "linux"], "per_hour": 60, "created_by": "ada", "created_by_id": 1,
        "created_at": "2026-11-27T12:00:00Z", "source": "store",
    })
}

pub(super) struct Add;

/// The entry that is wanted.
pub(crate) struct AddParameters {
    fields: EntryFields,
    expires_in: Option<std::time::Duration>,
}

impl ParameterSet for AddParameters {
    type Fields = (
        Field<KindOfEntry>,
        Field<Vec<OperationOfEntry>>,
        Field<Vec<Pattern>>,
        Field<Option<RepoName>>,
        Field<Option<RefOfEntry>>,
        Field<Option<EnvironmentOfEntry>>,
        Field<Option<WorkflowOfEntry>>,
        Field<Option<JobWorkflowOfEntry>>,
        Field<Vec<EventOfEntry>>,
        Field<Option<RunnerEnvironmentOfEntry>>,
        Field<Option<IssuerOfEntry>>,
        Field<Option<SubjectOfEntry>>,
        Field<Vec<ClaimOfEntry>>,
        Field<Option<PerHour>>,
        Field<Option<ExpiryOfEntry>>,
        Field<Option<NoteOfEntry>>,
    );

    const FIELDS: Self::Fields = (
        Field::required("kind", "Whom the entry lets act", "token"),
        Field::optional_list(
            "operations",
            "What they may do. Needed, except for a team token, which may otherwise only ask for `demand`",
            "jitconfig-generate",
        ).at_most(MAX_ITEMS),
        Field::optional_list(
            "labels",
            "With `jitconfig-generate`: the labels that runners may have, or patterns of them; * for all. They reach the \
             jobs of all repositories of the group that ask for them",
            "self-hosted,linux",
        ).at_most(MAX_ITEMS),
        Field::optional(
            "repository",
            "Of github-actions: one of the team's repositories, which is known by its id from then on",
            "shop",
        ),
        Field::optional("ref", "Of github-actions: runs on such a ref", "refs/heads/main"),
        Field::optional(
            "environment",
            "Of github-actions: jobs with this environment; without `ref` it has to be protected",
            "runners",
        ),
        Field::optional(
            "workflow",
            "Of github-actions: runs of this file of the repository",
            ".github/workflows/ci.yml",
        ),
        Field::optional(
            "job_workflow",
            "Of github-actions: jobs of this called workflow",
            "my-org/shared/.github/workflows/build.yml@refs/heads/main",
        ),
        Field::optional_list(
            "events",
            "Of github-actions: what may start a run; push, workflow_dispatch, schedule, release and merge_group when left \
             out",
            "push,workflow_dispatch",
        ).at_most(MAX_ITEMS),
        Field::optional(
            "runner_environment",
            "Of github-actions: on whose machine a job runs",
            "github-hosted",
        ),
        Field::optional("issuer", "Of oidc: the issuer, as the administrator called it", "cluster-a"),
        Field::optional("subject", "Of oidc: `sub`, to the letter", "system:serviceaccount:payments:scaler"),
        Field::optional_list("claims", "Of oidc: further claims that have to be there", "tid=1234").at_most(MAX_ITEMS),
        Field::optional("per_hour", "JIT configs in an hour; 60 when left out", "60"),
        Field::optional(
            "expires_in",
            "How long the entry is good; a team token for 90 days when left out",
            "30d",
        ),
        Field::optional("note", "What it is for", "nightly builds"),
    );

    fn from_values(
        (
            kind,
            operations,
            labels,
            repository,
            git_ref,
            environment,
            workflow,
            job_workflow,
            events,
            runner_environment,
            issuer,
            subject,
            claims,
            per_hour,
            expires_in,
            note,
        ): <Self::Fields as FieldTuple>::Values,
    ) -> Result<Self, ApiError> {
        let fields = EntryFields {
            kind: Some(kind.0),
            operations: some(operations, |operation| operation.0),
            labels: some(labels, |label| label),
            per_hour: per_hour.map(|number| number.0),
            note: note.map(|note| note.0),
            repository,
            git_ref: git_ref.map(|name| name.0),
            environment: environment.map(|name| name.0),
            workflow: workflow.map(|file| file.0),
            job_workflow: job_workflow.map(|file| file.0),
            events: some(events, |event| event.0),
            runner_environment: runner_environment.map(|word| word.0),
            issuer: issuer.map(|name| name.0),
            subject: subject.map(|subject| subject.0),
            claims: some(claims, |claim| claim.0),
        };
        // Which issuers there are is not known here.
        let is_wrong =
            |error: &FieldError| error.field != EntryField::Issuer || error.problem == FieldProblem::Missing;
        match fields.conflicts(&Issuers::default()).into_iter().find(is_wrong) {
            Some(error) => Err(refused(error)),
            None => Ok(Self { fields, expires_in: expires_in.map(|span| span.0) }),
        }
    }
}

/// Nothing of an empty list: one that is given has at least one item.
fn some<T, U>(items: Vec<T>, inner: impl Fn(T) -> U) -> Option<Vec<U>> {
    (!items.is_empty()).then(|| items.into_iter().map(inner).collect())
}

/// What is wrong with a field, as a refusal of the parameter of its name.
fn refused(error: FieldError) -> ApiError {
    let name = error.field.as_str();
    match error.problem {
        FieldProblem::Missing => ApiError::MissingParameter(name),
        FieldProblem::Invalid => ApiError::InvalidParameter { name, problem: error.message },
        FieldProblem::Conflicting => {
            ApiError::ConflictingParameter(format!("The parameter \"{name}\": {}", error.message))
        }
    }
}

/// An entry that was made.
#[derive(Serialize, ToSchema)]
struct AddedEntry {
    access: EntryView,
    /// The team token, which is shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^armt_[0-9A-Za-z]{42}$")]
    token: Option<String>,
}

impl Endpoint for Add {
    type Standing = OfMaintainers;
    type Parameters = AddParameters;

    const DESCRIPTION: Description = Description {
        name: "access-add",
        methods: &[Method::POST],
        right: Right::Maintain,
        tag: Tag::Access,
        summary: "Let a workflow, another workload or a team token act for the team",
        about: "Whoever fits an entry may do what it says and nothing else, without a person's token. Only users may call \
                this, with a token that they made themselves. A team token is shown in this answer and never again.",
        reasons: &[Reason::RepoNotFound, Reason::NotConfigured],
        response: || ResponseDescription::of::<AddedEntry>(json!({ "access": example() })),
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        let Admitted { work, parameters } = admitted;
        access::require_set_up(&work, parameters.fields.kind)?;
        let issuers = work.organisation().issuers.load_full();
        let first = |errors: Vec<FieldError>| errors.into_iter().next().map_or(ApiError::Internal, refused);
        let request = parameters.fields.into_request(&issuers).map_err(first)?;
        let (access, token) = access::add(&work, request, parameters.expires_in).await?;
        Ok(success(AddedEntry { access, token: token.map(|token| token.expose().to_owned()) }))
    }
}

pub(super) struct List;

/// The entries of a team.
#[derive(Serialize, ToSchema)]
struct AccessList {
    access: Vec<EntryView>,
}

impl Endpoint for List {
    type Standing = OfMaintainers;
    type Parameters = ();

    const DESCRIPTION: Description = Description {
        name: "access-list",
        methods: &[Method::GET],
        right: Right::Maintain,
        tag: Tag::Access,
        summary: "List the team's access entries",
        about: "Those that the administrator configured as well. `void` says why one counts for nothing at the moment.",
        reasons: &[],
        response: || ResponseDescription::of::<AccessList>(json!({ "access": [example()] })),
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        Ok(success(AccessList { access: access::list(&admitted.work).await? }))
    }
}

pub(super) struct Remove;

/// The entry that is removed.
pub(crate) struct RemoveParameters(EntryId);

impl ParameterSet for RemoveParameters {
    type Fields = (Field<EntryId>,);

    const FIELDS: Self::Fields =
        (Field::required("id", "The entry, as access-list shows it", "9f2c4e6a8b0d1f35"),);

    fn from_values((id,): (EntryId,)) -> Result<Self, ApiError> {
        Ok(Self(id))
    }
}

impl Endpoint for Remove {
    type Standing = OfMaintainers;
    type Parameters = RemoveParameters;

    const DESCRIPTION: Description = Description {
        name: "access-remove",
        methods: &[Method::DELETE, Method::POST],
        right: Right::Maintain,
        tag: Tag::Access,
        summary: "Remove an access entry",
        about: "Whoever it let act can do so no longer, a team token is of no use any more. With several replicas that holds \
                everywhere within 5 seconds. Entries of the configuration are the administrator's.",
        reasons: &[Reason::AccessNotFound, Reason::NotConfigured],
        response: || ResponseDescription::sentence_about_entry(REMOVED),
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        let RemoveParameters(id) = admitted.parameters;
        access::remove(&admitted.work, id).await?;
        Ok(success(format!("{REMOVED}{id}")))
    }
}
