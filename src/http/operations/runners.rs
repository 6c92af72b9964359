//! The runners in a team's group.

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde::Serialize;
use serde_json::{Value as Json, json};
use utoipa::ToSchema;

use super::{Admitted, Description, Endpoint, ResponseDescription, Tag, other_team};
use crate::access::Right;
use crate::domain::ids::RunnerId;
use crate::domain::names::Label;
use crate::domain::reason::Reason;
use crate::domain::reference::{RunnerReference, TeamReference};
use crate::http::ApiError;
use crate::http::envelope::{body, success, success_with};
use crate::http::field::{Field, ParameterSet};
use crate::http::standing::{Everywhere, OfTeam};
use crate::ops::runners::{self, RunnerView, Touched};
use crate::ops::selection::{Filter, Selection, Skipped, StatusFilter};

const REASONS: &[Reason] = &[Reason::GroupProtected, Reason::GroupNotFound, Reason::RunnerNotFound];

const IDS: Field<Vec<RunnerId>> =
    Field::optional_list("ids", "Runners with one of these ids, or one of names", "42,43").one_of();
const NAMES: Field<Vec<RunnerReference>> = Field::optional_list(
    "names",
    "Runners with one of these names, or one of ids; id:42 is the id 42",
    "payments-1,payments-2",
)
.one_of();
const LABELS: Field<Vec<Label>> =
    Field::optional_list("labels", "Runners with all of these labels", "linux,gpu").one_of();

/// A runner, as examples show it.
pub(super) fn example() -> Json {
    json!({
        "id": 42, "name": "payments-1", "os": "linux", "status": "offline", "busy": false, "ephemeral": false,
        "labels": ["self-hosted", "linux", "x64"],
    })
}

pub(super) struct List;

impl ParameterSet for Filter {
    type Fields = (Field<Option<StatusFilter>>, Field<Option<Label>>, Field<Option<RunnerReference>>);

    const FIELDS: Self::Fields = (
        Field::optional("status", "Only runners in this state", "offline"),
        Field::optional("label", "Only runners with this label", "linux"),
        Field::optional(
            "name",
            "Only the runner of this name, in any letter case, or of this id: id:42",
            "payments-1",
        ),
    );

    fn from_values(
        (status, label, name): (Option<StatusFilter>, Option<Label>, Option<RunnerReference>),
    ) -> Result<Self, ApiError> {
        Ok(Self { status, label, name })
    }
}

/// The runners that fit.
#[derive(Serialize, ToSchema)]
#[schema(as = RunnerList)]
struct RunnerList {
    runners: Vec<RunnerView>,
}

impl Endpoint for List {
    type Standing = Everywhere;
    type Parameters = Filter;

    const DESCRIPTION: Description = Description {
        name: "runners-list",
        methods: &[Method::GET],
        right: Right::RunnersList,
        tag: Tag::Runners,
        summary: "List the runners in the team's group",
        about: "What is given of `status`, `label` and `name` has to fit together.",
        reasons: &[Reason::GroupProtected, Reason::GroupNotFound],
        response: || ResponseDescription::of::<RunnerList>(json!({ "runners": [example()] })),
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        let render = |runners| body(RunnerList { runners });
        Ok(success_with(runners::list(&admitted.work, &admitted.parameters, render).await?))
    }
}

pub(super) struct Remove;

/// Which runners are removed.
pub(crate) struct RemoveParameters {
    pub(crate) selection: Selection,
    pub(crate) dry_run: bool,
}

impl ParameterSet for RemoveParameters {
    type Fields =
        (Field<Vec<RunnerId>>, Field<Vec<RunnerReference>>, Field<Vec<Label>>, Field<bool>, Field<bool>);

    const FIELDS: Self::Fields = (
        IDS,
        NAMES,
        LABELS,
        Field::flag("offline", "Only runners that are not connected", "true").one_of(),
        Field::flag("dry_run", "Only say which it would be", "true"),
    );

    fn from_values(
        (ids, names, labels, offline, dry_run): (Vec<RunnerId>, Vec<RunnerReference>, Vec<Label>, bool, bool),
    ) -> Result<Self, ApiError> {
        let selection = Selection { ids, names, labels, offline };
        if selection.lists() == 0 && !offline {
            return Err(ApiError::MissingOneOf(&["ids", "names", "labels", "offline"]));
        }
        Ok(Self { selection, dry_run })
    }
}

/// What became of the runners that were selected.
#[derive(Serialize, ToSchema)]
#[schema(as = RemovedRunners)]
struct RemovedRunners {
    /// Those that were removed, or would be with `dry_run`.
    removed: Vec<Touched>,
    /// Those that were left alone.
    skipped: Vec<Skipped>,
}

impl Endpoint for Remove {
    type Standing = Everywhere;
    type Parameters = RemoveParameters;

    const DESCRIPTION: Description = Description {
        name: "runners-remove",
        methods: &[Method::DELETE, Method::POST],
        right: Right::RunnersRemove,
        tag: Tag::Runners,
        summary: "Remove runners of the team's group from the organisation",
        about: "Those that fit everything that is given, at least one of `ids`, `names`, `labels` and `offline`. One on \
                which a job runs is skipped. Nothing but what the group's own list holds is ever touched.",
        reasons: REASONS,
        response: || {
            ResponseDescription::of::<RemovedRunners>(json!({
                "removed": [{ "id": 42, "name": "payments-1" }],
                "skipped": [{ "id": 43, "name": "payments-2", "reason": "busy" }],
            }))
        },
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        let RemoveParameters { selection, dry_run } = &admitted.parameters;
        let outcome = runners::remove(&admitted.work, selection, *dry_run).await?;
        Ok(success(RemovedRunners { removed: outcome.done, skipped: outcome.skipped }))
    }
}

pub(super) struct Transfer;

/// Which runners are moved, and where to.
pub(crate) struct TransferParameters {
    pub(crate) to: TeamReference,
    pub(crate) selection: Selection,
}

impl ParameterSet for TransferParameters {
    type Fields = (
        Field<TeamReference>,
        Field<Vec<RunnerId>>,
        Field<Vec<RunnerReference>>,
        Field<Vec<Label>>,
        Field<bool>,
    );

    const FIELDS: Self::Fields = (
        Field::required("to", "Another team of the caller's, whose group gets the runners", "billing"),
        IDS,
        NAMES,
        LABELS,
        Field::flag("all", "All of them", "true").one_of(),
    );

    fn from_values(
        (to, ids, names, labels, all): (TeamReference, Vec<RunnerId>, Vec<RunnerReference>, Vec<Label>, bool),
    ) -> Result<Self, ApiError> {
        const SELECTORS: &[&str] = &["ids", "names", "labels", "all"];
        let selection = Selection { ids, names, labels, offline: false };
        match selection.lists() + usize::from(all) {
            0 => Err(ApiError::MissingOneOf(SELECTORS)),
            1 => Ok(Self { to, selection }),
            _ => Err(ApiError::exclusive(SELECTORS)),
        }
    }
}

/// What became of the runners that were selected.
#[derive(Serialize, ToSchema)]
#[schema(as = TransferredRunners)]
struct TransferredRunners {
    /// Those that are in the other group now.
    transferred: Vec<Touched>,
    /// Those that were left alone.
    skipped: Vec<Skipped>,
}

impl Endpoint for Transfer {
    type Standing = OfTeam;
    type Parameters = TransferParameters;

    const DESCRIPTION: Description = Description {
        name: "runners-transfer",
        methods: &[Method::POST, Method::PATCH],
        right: Right::Maintain,
        tag: Tag::Runners,
        summary: "Move runners into another team's group",
        about: "The caller has to maintain both teams. One of `ids`, `names`, `labels` and `all` says which; one on which \
                a job runs is skipped.",
        reasons: REASONS,
        response: || {
            let example = json!({ "transferred": [{ "id": 42, "name": "payments-1" }], "skipped": [] });
            ResponseDescription::of::<TransferredRunners>(example)
        },
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        let TransferParameters { to, selection } = &admitted.parameters;
        let to = other_team(&admitted.work, "to", to).await?;
        let outcome = runners::transfer(&admitted.work, &to, selection).await?;
        Ok(success(TransferredRunners { transferred: outcome.done, skipped: outcome.skipped }))
    }
}
