//! The runner group of a team.

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde_json::json;

use super::{Admitted, Description, Endpoint, ResponseDescription, Tag, other_team};
use crate::access::Right;
use crate::domain::reason::Reason;
use crate::domain::reference::TeamReference;
use crate::http::ApiError;
use crate::http::envelope::{body, success, success_with};
use crate::http::field::{Field, ParameterSet};
use crate::http::standing::{Everywhere, OfTeam};
use crate::ops;
use crate::ops::groups::{self, GroupContents, GroupDetails, RunnersOfDeleted};

/// What the response of `group-add` begins with; the group's name follows.
const CREATED: &str = "Runner group created successfully: ";
/// The same of `group-delete`.
const DELETED: &str = "Runner group deleted successfully: ";

pub(super) struct Add;

impl Endpoint for Add {
    type Standing = OfTeam;
    type Parameters = ();

    const DESCRIPTION: Description = Description {
        name: "group-add",
        alias: Some("group-create"),
        methods: &[Method::POST],
        legacy_get: true,
        right: Right::Maintain,
        tag: Tag::Groups,
        summary: "Create the team's group",
        about: "For selected repositories, not for public ones. Its name is made of the team's slug as GitHub has it.",
        reasons: &[Reason::GroupProtected, Reason::GroupExists],
        response: || ResponseDescription::sentence_about_group(CREATED),
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        let group = ops::add(&admitted.work).await?;
        Ok(success(format!("{CREATED}{group}")))
    }
}

pub(super) struct Delete;

/// What `group-delete` does with runners.
pub(crate) struct DeleteParameters {
    pub(crate) transfer_to: Option<TeamReference>,
    pub(crate) remove_runners: bool,
}

impl ParameterSet for DeleteParameters {
    type Fields = (Field<Option<TeamReference>>, Field<bool>);

    const FIELDS: Self::Fields = (
        Field::optional(
            "transfer_to",
            "Another team of the caller's, whose group gets the runners",
            "billing",
        ),
        Field::flag("remove_runners", "Remove the runners from the organisation", "false"),
    );

    fn from_values((transfer_to, remove_runners): (Option<TeamReference>, bool)) -> Result<Self, ApiError> {
        if transfer_to.is_some() && remove_runners {
            return Err(ApiError::exclusive(&["transfer_to", "remove_runners"]));
        }
        Ok(Self { transfer_to, remove_runners })
    }
}

impl Endpoint for Delete {
    type Standing = OfTeam;
    type Parameters = DeleteParameters;

    const DESCRIPTION: Description = Description {
        name: "group-delete",
        methods: &[Method::DELETE, Method::POST],
        legacy_get: true,
        right: Right::Maintain,
        tag: Tag::Groups,
        summary: "Delete the team's group",
        about: "Only if it holds no runners: GitHub might move them to Default, where any repository could reach them. \
                With `transfer_to` its self-hosted runners are moved to another team's group before, with \
                `remove_runners` they are removed; not both. Never while a job runs on one of them. Repeating the \
                request after a failure finishes the job.",
        reasons: &[Reason::GroupProtected, Reason::GroupNotFound, Reason::GroupNotEmpty],
        response: || ResponseDescription::sentence_about_group(DELETED),
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        let plan = match &admitted.parameters {
            DeleteParameters { transfer_to: Some(to), .. } => {
                let to = other_team(&admitted.work, "transfer_to", to).await?;
                RunnersOfDeleted::MovedTo(Box::new(to))
            }
            DeleteParameters { remove_runners: true, .. } => RunnersOfDeleted::Removed,
            DeleteParameters { .. } => RunnersOfDeleted::MustBeNone,
        };
        let group = groups::delete(&admitted.work, plan).await?;
        Ok(success(format!("{DELETED}{group}")))
    }
}

pub(super) struct List;

impl Endpoint for List {
    type Standing = Everywhere;
    type Parameters = ();

    const DESCRIPTION: Description = Description {
        name: "group-list",
        methods: &[Method::GET],
        right: Right::GroupList,
        tag: Tag::Groups,
        summary: "List what is in the team's group",
        about: "The names of the repositories that may use it, and of the self-hosted runners in it.",
        reasons: &[Reason::GroupProtected, Reason::GroupNotFound],
        response: || {
            let example = json!({ "repos": ["shop", "billing"], "runners": ["payments-1"] });
            ResponseDescription::of::<GroupContents>(example)
        },
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        Ok(success_with(groups::list(&admitted.work, body).await?))
    }
}

pub(super) struct Show;

impl Endpoint for Show {
    type Standing = OfTeam;
    type Parameters = ();

    const DESCRIPTION: Description = Description {
        name: "group-show",
        methods: &[Method::GET],
        right: Right::GroupShow,
        tag: Tag::Groups,
        summary: "Show the team's group in full",
        about: "Its name and id, who may use it, its repositories, and how many runners it has. Read from GitHub at each \
                request.",
        reasons: &[Reason::GroupProtected, Reason::GroupNotFound],
        response: || {
            ResponseDescription::of::<GroupDetails>(json!({
                "team": { "id": 7, "slug": "payments" },
                "group": {
                    "id": 12, "name": "payments", "visibility": "selected", "allows_public_repositories": false,
                    "restricted_to_workflows": false, "selected_workflows": [], "workflow_restrictions_read_only": false,
                },
                "repositories": [{ "id": 129, "name": "shop", "private": true }],
                "runners": { "total": 3, "online": 2, "idle": 1, "busy": 1, "offline": 1 },
            }))
        },
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        Ok(success(groups::show(&admitted.work).await?))
    }
}
