//! The repositories that may use a team's group.

use std::collections::HashSet;

use actix_web::HttpResponse;
use actix_web::http::Method;

use super::{Admitted, Description, Endpoint, ResponseDescription, Tag};
use crate::access::Right;
use crate::domain::names::RepoName;
use crate::domain::reason::Reason;
use crate::http::ApiError;
use crate::http::envelope::success;
use crate::http::field::{Field, ParameterSet};
use crate::http::standing::OfTeam;
use crate::ops::repos::{self, Change};

/// The response of `repos-add`, and of `repos-set`, too, as in the earlier service.
const ADDED: &str = "Successfully added repositories to runner group";
const REMOVED: &str = "Successfully removed repositories from runner group";

const ABOUT_REPOS: &str = "Repositories that the team has access to: name, or org/name with the configured organisation. The \
                           same one twice counts once";
const REASONS: &[Reason] = &[Reason::GroupProtected, Reason::GroupNotFound, Reason::RepoNotFound];

/// At least one repository.
pub(crate) struct SomeRepositories(pub(crate) Vec<RepoName>);

impl ParameterSet for SomeRepositories {
    type Fields = (Field<Vec<RepoName>>,);

    const FIELDS: Self::Fields = (Field::list("repos", ABOUT_REPOS, "shop,billing"),);

    fn from_values((repositories,): (Vec<RepoName>,)) -> Result<Self, ApiError> {
        Ok(Self(without_duplicates(repositories)))
    }
}

/// Repositories, perhaps none.
pub(crate) struct AnyRepositories(pub(crate) Vec<RepoName>);

impl ParameterSet for AnyRepositories {
    type Fields = (Field<Vec<RepoName>>,);

    const FIELDS: Self::Fields = (Field::list_or_none("repos", ABOUT_REPOS, "shop,billing"),);

    fn from_values((repositories,): (Vec<RepoName>,)) -> Result<Self, ApiError> {
        Ok(Self(without_duplicates(repositories)))
    }
}

fn without_duplicates(repositories: Vec<RepoName>) -> Vec<RepoName> {
    let mut seen = HashSet::new();
    repositories.into_iter().filter(|name| seen.insert(name.as_str().to_ascii_lowercase())).collect()
}

pub(super) struct Add;

impl Endpoint for Add {
    type Standing = OfTeam;
    type Parameters = SomeRepositories;

    const DESCRIPTION: Description = Description {
        name: "repos-add",
        methods: &[Method::PATCH, Method::POST],
        legacy_get: true,
        right: Right::ReposAdd,
        tag: Tag::Repositories,
        summary: "Let more repositories use the group",
        about: "One that may already stays as it is. Each repository is a write of its own: when some fail, the answer \
                has the status and reason of the first failure, and names in `Done` and `Failed`. Repeating the request \
                is safe and finishes the job.",
        reasons: REASONS,
        response: || ResponseDescription::sentence(ADDED),
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        repos::change(&admitted.work, &admitted.parameters.0, Change::Add).await?;
        Ok(success(ADDED))
    }
}

pub(super) struct Remove;

impl Endpoint for Remove {
    type Standing = OfTeam;
    type Parameters = SomeRepositories;

    const DESCRIPTION: Description = Description {
        name: "repos-remove",
        methods: &[Method::PATCH, Method::POST, Method::DELETE],
        legacy_get: true,
        right: Right::ReposRemove,
        tag: Tag::Repositories,
        summary: "Let repositories no longer use the group",
        about: "A repository that the team has lost its access to can be removed as long as it is in the group; one \
                that isn't in the group but is the team's counts as done. Failures of some are told as by `repos-add`.",
        reasons: REASONS,
        response: || ResponseDescription::sentence(REMOVED),
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        repos::change(&admitted.work, &admitted.parameters.0, Change::Remove).await?;
        Ok(success(REMOVED))
    }
}

pub(super) struct Set;

impl Endpoint for Set {
    type Standing = OfTeam;
    type Parameters = AnyRepositories;

    const DESCRIPTION: Description = Description {
        name: "repos-set",
        methods: &[Method::PATCH, Method::PUT, Method::POST],
        legacy_get: true,
        right: Right::Maintain,
        tag: Tag::Repositories,
        summary: "Let exactly these repositories use the group",
        about: "In one write: all or nothing, and safe to repeat. An empty JSON list empties the group; an empty text is \
                refused, since it is more likely a mistake.",
        reasons: REASONS,
        response: || ResponseDescription::sentence(ADDED),
        ..Description::V1
    };

    async fn handle(admitted: Admitted<Self>) -> Result<HttpResponse, ApiError> {
        repos::set(&admitted.work, &admitted.parameters.0).await?;
        Ok(success(ADDED))
    }
}
