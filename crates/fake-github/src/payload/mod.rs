//! The JSON of GitHub's objects, written out here field by field and shared with no client.

mod apps;
mod environments;
mod repositories;
mod runners;
mod teams;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::world::{Organization, User};

pub(crate) use apps::{client_id, installation, integration};
pub(crate) use environments::{environment, environment_node_id};
pub(crate) use repositories::{full_repository, listed_repository, minimal_repository, team_repository};
pub(crate) use runners::{group, hosted_runner, runner};
pub(crate) use teams::{
    organization, organization_membership, permission_flags, team, team_full, team_member, team_membership,
};

/// Where people look at things; addresses of the API itself start with the request's base.
const WEB: &str = "https://github.com";
/// Nothing here depends on when things were made.
const MADE: &str = "2024-03-01T08:00:00Z";

fn node_id(kind: &str, number: u64) -> String {
    STANDARD.encode(format!("0{}:{kind}{number}", kind.len()))
}

/// Adds the fields of `more` to the object `base`.
fn with(mut base: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut base, more) {
        fields.extend(more);
    }
    base
}

/// An account of any type, as GitHub shows it inside other objects.
fn account(base: &str, login: &str, id: u64, kind: &str) -> Value {
    let url = format!("{base}/users/{login}");
    json!({
        "login": login,
        "id": id,
        "node_id": node_id(kind, id),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
        "gravatar_id": "",
        "url": url,
        "html_url": format!("{WEB}/{login}"),
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": kind,
        "user_view_type": "public",
        "site_admin": false,
    })
}

pub(crate) fn simple_user(base: &str, user: &User) -> Value {
    account(base, &user.login, user.id.0, "User")
}

/// An account by itself; its owner sees private fields as well with the `user` scope.
pub(crate) fn full_user(base: &str, user: &User, private: bool) -> Value {
    let public = with(
        simple_user(base, user),
        json!({
            "name": null,
            "company": null,
            "blog": "",
            "location": null,
            "email": null,
            "hireable": null,
            "bio": null,
            "twitter_username": null,
            "notification_email": null,
            "public_repos": 2,
            "public_gists": 0,
            "followers": 1,
            "following": 0,
            "created_at": MADE,
            "updated_at": MADE,
        }),
    );
    if !private {
        return public;
    }
    with(
        public,
        json!({
            "user_view_type": "private",
            "private_gists": 0,
            "total_private_repos": 1,
            "owned_private_repos": 1,
            "disk_usage": 42,
            "collaborators": 0,
            "two_factor_authentication": true,
            "plan": {"name": "free", "space": 976_562_499, "collaborators": 0, "private_repos": 10_000},
        }),
    )
}

fn organization_account(base: &str, organization: &Organization) -> Value {
    account(base, &organization.login, organization.id, "Organization")
}

fn object(fields: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::Object(fields.into_iter().collect::<Map<_, _>>())
}
