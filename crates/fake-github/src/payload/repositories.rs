//! Repositories, in the four sizes in which GitHub shows them.

use serde_json::{Value, json};

use super::teams::permission_flags;
use super::{MADE, WEB, account, node_id, object, with};
use crate::world::{Permission, RepoVisibility, Repository, World};

/// Fields that hold an address of the API, and what comes after the repository's own.
const ADDRESSES: [(&str, &str); 36] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
];

fn owner(base: &str, world: &World, repository: &Repository) -> Value {
    let id = world.organization(&repository.owner).map_or(0, |organization| organization.id);
    account(base, &repository.owner, id, "Organization")
}

/// The smallest form, as in the repositories of a group.
pub(crate) fn minimal_repository(base: &str, world: &World, repository: &Repository) -> Value {
    let full_name = repository.full_name();
    let url = format!("{base}/repos/{full_name}");
    let addresses = ADDRESSES.iter().map(|(name, rest)| ((*name).to_owned(), json!(format!("{url}{rest}"))));
    let visibility = match repository.visibility {
        RepoVisibility::Public => "public",
        RepoVisibility::Private => "private",
        RepoVisibility::Internal => "internal",
    };
    with(
        object(addresses),
        json!({
            "id": repository.id.0,
            "node_id": node_id("Repository", repository.id.0),
            "name": repository.name,
            "full_name": full_name,
            "owner": owner(base, world, repository),
            "private": repository.visibility != RepoVisibility::Public,
            "visibility": visibility,
            "archived": repository.archived,
            "disabled": false,
            "html_url": format!("{WEB}/{full_name}"),
            "description": null,
            "fork": false,
            "url": url,
        }),
    )
}

/// A repository in a team's list: the minimal form and what the team may do with it.
pub(crate) fn team_repository(
    base: &str,
    world: &World,
    repository: &Repository,
    permission: Permission,
    minimal: bool,
) -> Value {
    let shown = if minimal {
        minimal_repository(base, world, repository)
    } else {
        listed_repository(base, world, repository)
    };
    with(
        shown,
        json!({"permissions": permission_flags(Some(permission)), "role_name": permission.role_name()}),
    )
}

/// A repository in a list of its own.
pub(crate) fn listed_repository(base: &str, world: &World, repository: &Repository) -> Value {
    let full_name = repository.full_name();
    with(
        minimal_repository(base, world, repository),
        json!({
            "git_url": format!("git://github.com/{full_name}.git"),
            "ssh_url": format!("git@github.com:{full_name}.git"),
            "clone_url": format!("{WEB}/{full_name}.git"),
            "svn_url": format!("{WEB}/{full_name}"),
            "mirror_url": null,
            "homepage": null,
            "language": null,
            "license": null,
            "forks": 0,
            "forks_count": 0,
            "stargazers_count": 0,
            "watchers": 0,
            "watchers_count": 0,
            "size": 108,
            "default_branch": "main",
            "open_issues": 0,
            "open_issues_count": 0,
            "is_template": false,
            "topics": [],
            "has_issues": true,
            "has_projects": true,
            "has_wiki": true,
            "has_pages": false,
            "has_downloads": true,
            "has_discussions": false,
            "allow_forking": false,
            "web_commit_signoff_required": false,
            "pushed_at": MADE,
            "created_at": MADE,
            "updated_at": MADE,
        }),
    )
}

/// A repository by itself.
pub(crate) fn full_repository(base: &str, world: &World, repository: &Repository) -> Value {
    with(
        listed_repository(base, world, repository),
        json!({
            "subscribers_count": 0,
            "network_count": 0,
            "organization": owner(base, world, repository),
        }),
    )
}
