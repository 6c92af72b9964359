//! Organisations, teams, and who is in them.

use serde_json::{Value, json};

use super::{MADE, WEB, node_id, simple_user, with};
use crate::world::{Membership, MembershipState, OrgRole, Organization, Permission, Role, Team, User, World};

fn simple_organization(base: &str, organization: &Organization) -> Value {
    let login = &organization.login;
    let url = format!("{base}/orgs/{login}");
    json!({
        "login": login,
        "id": organization.id,
        "node_id": node_id("Organization", organization.id),
        "url": url,
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events"),
        "hooks_url": format!("{url}/hooks"),
        "issues_url": format!("{url}/issues"),
        "members_url": format!("{url}/members{{/member}}"),
        "public_members_url": format!("{url}/public_members{{/member}}"),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{}?v=4", organization.id),
        "description": null,
    })
}

pub(crate) fn organization(base: &str, organization: &Organization) -> Value {
    with(
        simple_organization(base, organization),
        json!({
            "name": organization.login,
            "is_verified": false,
            "has_organization_projects": true,
            "has_repository_projects": true,
            "public_repos": 0,
            "public_gists": 0,
            "followers": 0,
            "following": 0,
            "html_url": format!("{WEB}/{}", organization.login),
            "type": "Organization",
            "created_at": MADE,
            "updated_at": MADE,
            "archived_at": null,
        }),
    )
}

pub(crate) fn organization_membership(base: &str, organization: &Organization, user: &User) -> Value {
    let role = if user.role == Some(OrgRole::Owner) { "admin" } else { "member" };
    let url = format!("{base}/orgs/{}", organization.login);
    json!({
        "url": format!("{url}/memberships/{}", user.login),
        "state": "active",
        "role": role,
        "direct_membership": true,
        "organization_url": url,
        "organization": simple_organization(base, organization),
        "user": simple_user(base, user),
    })
}

fn simple_team(base: &str, world: &World, team: &Team) -> Value {
    let org = &world.org.login;
    let url = format!("{base}/organizations/{}/team/{}", world.org.id, team.id);
    let mut fields = json!({
        "id": team.id.0,
        "node_id": node_id("Team", team.id.0),
        "url": url,
        "html_url": format!("{WEB}/orgs/{org}/teams/{}", team.slug),
        "name": team.name,
        "slug": team.slug,
        "description": null,
        "privacy": if team.secret { "secret" } else { "closed" },
        "notification_setting": "notifications_enabled",
        "permission": "pull",
        "members_url": format!("{url}/members{{/member}}"),
        "repositories_url": format!("{url}/repos"),
    });
    if world.since(3, 14) {
        fields = with(fields, json!({"type": "organization", "organization_id": world.org.id}));
    }
    fields
}

fn parent(base: &str, world: &World, team: &Team) -> Value {
    let parent = team.parent.and_then(|parent| world.team(parent));
    parent.map_or(Value::Null, |parent| simple_team(base, world, parent))
}

/// A team in a list.
pub(crate) fn team(base: &str, world: &World, team: &Team) -> Value {
    with(simple_team(base, world, team), json!({"parent": parent(base, world, team)}))
}

/// A team by itself.
pub(crate) fn team_full(base: &str, world: &World, shown: &Team) -> Value {
    with(
        team(base, world, shown),
        json!({
            "members_count": world.members_of(shown.id).len(),
            "repos_count": world.teams.repositories_of(shown.id).len(),
            "created_at": MADE,
            "updated_at": MADE,
            "organization": organization(base, &world.org),
        }),
    )
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Maintainer => "maintainer",
    }
}

pub(crate) fn team_membership(
    base: &str,
    world: &World,
    team: &Team,
    user: &User,
    place: Membership,
) -> Value {
    let state = match place.state {
        MembershipState::Active => "active",
        MembershipState::Pending => "pending",
    };
    let url = format!("{base}/organizations/{}/team/{}/memberships/{}", world.org.id, team.id, user.login);
    json!({"url": url, "role": role_name(place.role), "state": state})
}

/// A user in a team's list of members.
pub(crate) fn team_member(base: &str, world: &World, user: &User, role: Role, inherited: bool) -> Value {
    let member = simple_user(base, user);
    if world.since(3, 17) {
        return with(member, json!({"role": role_name(role), "inherited": inherited}));
    }
    member
}

/// The five permissions as flags, each including those before it.
pub(crate) fn permission_flags(permission: Option<Permission>) -> Value {
    json!({
        "admin": permission >= Some(Permission::Admin),
        "maintain": permission >= Some(Permission::Maintain),
        "push": permission >= Some(Permission::Push),
        "triage": permission >= Some(Permission::Triage),
        "pull": permission >= Some(Permission::Pull),
    })
}
