//! Every operation of the fake: one table, and a module of handlers for each kind of thing.
#![expect(clippy::unnecessary_wraps, reason = "all handlers have one type, also those that can't fail")]

mod apps;
mod environments;
mod groups;
mod jit;
mod meta;
mod repositories;
mod runners;
mod teams;

use percent_encoding::percent_decode_str;

use super::access::Needs::{App, Nothing, Organization, Person, Repository};
use super::access::{self, Needs};
use super::answer::{Answer, Outcome};
use super::request::Request;
use super::world::Level::{Read, Write};
use super::world::World;

type Handler = fn(&mut World, &Request) -> Outcome;

/// One operation.
pub(crate) struct Route {
    method: &'static str,
    /// The path as in GitHub's description, `{…}` for parameters.
    pub(crate) template: &'static str,
    needs: Needs,
    handler: Handler,
    /// The first Enterprise Server version that has it; `None` for none.
    since: Option<(u32, u32)>,
}

const fn on(method: &'static str, template: &'static str, needs: Needs, handler: Handler) -> Route {
    Route { method, template, needs, handler, since: Some((0, 0)) }
}

impl Route {
    const fn since(mut self, since: Option<(u32, u32)>) -> Self {
        self.since = since;
        self
    }

    fn exists_in(&self, world: &World) -> bool {
        world.rules.enterprise_version.is_none_or(|version| self.since.is_some_and(|since| version >= since))
    }

    /// Checks what the caller may do, then does it.
    pub(crate) fn serve(&self, world: &mut World, request: &Request) -> Answer {
        if !self.exists_in(world) {
            return Answer::not_found();
        }
        let allowed = access::authorize(world, self.needs, request);
        allowed.and_then(|()| (self.handler)(world, request)).unwrap_or_else(|answer| answer)
    }
}

const RUNNERS: &str = "organization_self_hosted_runners";
const READ_RUNNERS: Needs = Organization(RUNNERS, Read);
const WRITE_RUNNERS: Needs = Organization(RUNNERS, Write);
const READ_MEMBERS: Needs = Organization("members", Read);
const READ_ACTIONS: Needs = Repository("actions", Read);
const READ_REPOSITORY: Needs = Repository("metadata", Read);
const WRITE_REPOSITORY_RUNNERS: Needs = Repository("administration", Write);

/// The whole API. Where two templates fit a path, the one without a parameter comes first.
#[rustfmt::skip]
static ROUTES: &[Route] = &[
    on("GET", "/user", Person, teams::own_user),
    on("GET", "/user/{account_id}", Nothing, teams::user_by_number),
    on("GET", "/meta", Nothing, meta::meta),
    on("GET", "/rate_limit", Nothing, meta::rate_limit),
    on("GET", "/orgs/{org}", Nothing, teams::organization),
    on("GET", "/orgs/{org}/memberships/{username}", READ_MEMBERS, teams::organization_membership),
    on("GET", "/orgs/{org}/teams", READ_MEMBERS, teams::list),
    on("GET", "/orgs/{org}/teams/{team_slug}", READ_MEMBERS, teams::get),
    on("GET", "/orgs/{org}/teams/{team_slug}/members", READ_MEMBERS, teams::members),
    on("GET", "/orgs/{org}/teams/{team_slug}/memberships/{username}", READ_MEMBERS, teams::membership),
    on("GET", "/orgs/{org}/teams/{team_slug}/repos", READ_MEMBERS, teams::repositories),
    on("GET", "/orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}", READ_MEMBERS, teams::repository),

    on("GET", "/repos/{owner}/{repo}", READ_REPOSITORY, repositories::get),
    on("GET", "/repositories/{repository_id}", Nothing, repositories::get_by_number),
    on("GET", "/repos/{owner}/{repo}/collaborators/{username}/permission", READ_REPOSITORY, repositories::permission),
    on("GET", "/repos/{owner}/{repo}/environments/{environment_name}", READ_ACTIONS, environments::get),
    on("GET", "/repositories/{repository_id}/environments/{environment_name}", READ_ACTIONS, environments::get),

    on("GET", "/app", App, apps::app),
    on("GET", "/app/installations/{installation_id}", App, apps::installation),
    on("POST", "/app/installations/{installation_id}/access_tokens", App, apps::mint),
    on("GET", "/orgs/{org}/installation", App, apps::installation_of),

    on("GET", "/orgs/{org}/actions/runner-groups", READ_RUNNERS, groups::list),
    on("POST", "/orgs/{org}/actions/runner-groups", WRITE_RUNNERS, groups::create),
    on("GET", "/orgs/{org}/actions/runner-groups/{runner_group_id}", READ_RUNNERS, groups::get),
    on("PATCH", "/orgs/{org}/actions/runner-groups/{runner_group_id}", WRITE_RUNNERS, groups::update),
    on("DELETE", "/orgs/{org}/actions/runner-groups/{runner_group_id}", WRITE_RUNNERS, groups::delete),
    on("GET", "/orgs/{org}/actions/runner-groups/{runner_group_id}/hosted-runners", READ_RUNNERS, groups::hosted_runners).since(None),
    on("GET", "/orgs/{org}/actions/runner-groups/{runner_group_id}/repositories", READ_RUNNERS, groups::repositories),
    on("PUT", "/orgs/{org}/actions/runner-groups/{runner_group_id}/repositories", WRITE_RUNNERS, groups::set_repositories),
    on("PUT", "/orgs/{org}/actions/runner-groups/{runner_group_id}/repositories/{repository_id}", WRITE_RUNNERS, groups::add_repository),
    on("DELETE", "/orgs/{org}/actions/runner-groups/{runner_group_id}/repositories/{repository_id}", WRITE_RUNNERS, groups::remove_repository),
    on("GET", "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners", READ_RUNNERS, groups::runners),
    on("PUT", "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners/{runner_id}", WRITE_RUNNERS, groups::add_runner),
    on("DELETE", "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners/{runner_id}", WRITE_RUNNERS, groups::remove_runner),

    on("GET", "/orgs/{org}/actions/runners", READ_RUNNERS, runners::list),
    on("POST", "/orgs/{org}/actions/runners/generate-jitconfig", WRITE_RUNNERS, jit::generate).since(Some((3, 10))),
    on("POST", "/orgs/{org}/actions/runners/registration-token", WRITE_RUNNERS, runners::registration_token),
    on("POST", "/orgs/{org}/actions/runners/remove-token", WRITE_RUNNERS, runners::remove_token),
    on("GET", "/orgs/{org}/actions/runners/{runner_id}", READ_RUNNERS, runners::get),
    on("DELETE", "/orgs/{org}/actions/runners/{runner_id}", WRITE_RUNNERS, runners::delete),

    on("POST", "/repos/{owner}/{repo}/actions/runners/registration-token", WRITE_REPOSITORY_RUNNERS, runners::registration_token),
    on("POST", "/repos/{owner}/{repo}/actions/runners/remove-token", WRITE_REPOSITORY_RUNNERS, runners::remove_token),
];

/// The method and template of every route.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES.iter().map(|route| (route.method, route.template))
}

/// Finds the operation for a method and a path as sent; each part of the path is decoded once.
pub(crate) fn find(method: &str, path: &str) -> Option<(&'static Route, Vec<(&'static str, String)>)> {
    let parts: Vec<&str> = path.split('/').collect();
    ROUTES
        .iter()
        .filter(|route| route.method == method)
        .find_map(|route| Some((route, fits(route.template, &parts)?)))
}

fn fits(template: &'static str, parts: &[&str]) -> Option<Vec<(&'static str, String)>> {
    let mut params = Vec::new();
    let mut wanted = template.split('/');
    for part in parts {
        let wanted = wanted.next()?;
        if let Some(name) = wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            let value = percent_decode_str(part).decode_utf8().ok().filter(|value| !value.is_empty())?;
            params.push((name, value.into_owned()));
        } else if wanted != *part {
            return None;
        }
    }
    wanted.next().is_none().then_some(params)
}
