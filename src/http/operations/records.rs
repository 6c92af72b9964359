//! Which runner group is which team's: for administrators of the service.

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{Admitted, Description, Endpoint, ResponseDescription, Tag};
use crate::access::Right;
use crate::domain::group_reference::GroupReference;
use crate::domain::pattern::Pattern;
use crate::domain::reason::Reason;
use crate::domain::reference::TeamReference;
use crate::http::ApiError;
use crate::http::envelope::success;
use crate::http::field::{Field, ParameterSet};
use crate::http::standing::OfAdministrators;
use crate::ops::records::{self, Adopted, Adoption, Released};

/// What the response of `group-release` begins with; the group's name follows.
const RELEASED: &str = "Runner group released: ";

pub(super) struct Adopt;

/// What `group-adopt` gives to whom.
pub(super) struct AdoptParameters {
    plan: Adoption,
    dry_run: bool,
}

impl ParameterSet for AdoptParameters {
    type Fields =
        (Field<Option<Pattern>>, Field<Option<TeamReference>>, Field<Option<GroupReference>>, Field<bool>);

    const FIELDS: Self::Fields = (
        Field::optional(
            "matching",
            "A pattern of group names: each such group goes to the current team for which `groups.name` gives its name",
            "*",
        )
        .one_of(),
        Field::optional("team", "In place of a pattern: the team that gets the group", "payments").one_of(),
        Field::optional("group", "Together with the team: the group that it gets", "linux-large").one_of(),
        Field::flag("dry_run", "Only say which groups it would be", "true"),
    );

    fn from_values(
        (matching, team, group, dry_run): (
            Option<Pattern>,
            Option<TeamReference>,
            Option<GroupReference>,
            bool,
        ),
    ) -> Result<Self, ApiError> {
        let plan = match (team, group, matching) {
            (None, None, Some(pattern)) => Adoption::Matching(pattern),
            (Some(team), Some(group), None) => Adoption::One { team, group },
            (_, _, Some(_)) => return Err(ApiError::exclusive(&["matching", "team", "group"])),
            (None, None, None) => return Err(ApiError::MissingOneOf(&["matching", "team"])),
            (None, Some(_), None) => return Err(ApiError::MissingParameter("team")),
            (Some(_), None, None) => return Err(ApiError::MissingParameter("group")),
        };
        Ok(Self { plan, dry_run })
    }
}

/// The groups that were given to teams.
#[derive(Serialize, ToSchema)]
struct Adoptions {
    adopted: Vec<Adopted>,
    /// Whether nothing was changed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
}

impl Endpoint for Adopt {
    type Standing = OfAdministrators;
    type Parameters = AdoptParameters;

    const DESCRIPTION: Description = Description {
        name: "group-adopt",
        methods: &[Method::POST],
        right: Right::Administer,
        tag: Tag::Groups,
        summary: "Give existing runner groups to teams",
        about: "For administrators of this service. From then on the group is the team's, whatever either is called. A team \
                has one group, and a group one team. Default and inherited groups are nobody's.",
        reasons: &[Reason::GroupProtected, Reason::GroupNotFound, Reason::GroupExists],
        response: || {
            let example = json!({
                "adopted": [{ "group": { "id": 12, "name": "linux-large" }, "team": { "id": 7, "slug": "payments" } }],
            });
            ResponseDescription::of::<Adoptions>(example)
        },
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        let AdoptParameters { plan, dry_run } = admitted.parameters;
        let adopted = records::adopt(&admitted.work, plan, dry_run).await?;
        Ok(success(Adoptions { adopted, dry_run }))
    }
}

pub(super) struct Release;

/// Whose group `group-release` releases.
pub(super) struct ReleaseParameters(Released);

impl ParameterSet for ReleaseParameters {
    type Fields = (Field<Option<TeamReference>>, Field<Option<GroupReference>>);

    const FIELDS: Self::Fields = (
        Field::optional("team", "The team whose group is released", "payments").one_of(),
        Field::optional("group", "The group that is released", "linux-large").one_of(),
    );

    fn from_values((team, group): (Option<TeamReference>, Option<GroupReference>)) -> Result<Self, ApiError> {
        match (team, group) {
            (Some(team), None) => Ok(Self(Released::Team(team))),
            (None, Some(group)) => Ok(Self(Released::Group(group))),
            (Some(_), Some(_)) => Err(ApiError::exclusive(&["team", "group"])),
            (None, None) => Err(ApiError::MissingOneOf(&["team", "group"])),
        }
    }
}

impl Endpoint for Release {
    type Standing = OfAdministrators;
    type Parameters = ReleaseParameters;

    const DESCRIPTION: Description = Description {
        name: "group-release",
        methods: &[Method::POST, Method::DELETE],
        right: Right::Administer,
        tag: Tag::Groups,
        summary: "Take a runner group from its team",
        about: "For administrators of this service. Nothing changes at GitHub: the group stays as it is, and is no team's.",
        reasons: &[Reason::GroupNotFound],
        response: || ResponseDescription::sentence_about_group(RELEASED),
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        let name = records::release(&admitted.work, &admitted.parameters.0).await?;
        Ok(success(format!("{RELEASED}{name}")))
    }
}
