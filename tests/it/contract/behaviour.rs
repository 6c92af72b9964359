//! What GitHub does with teams, groups and runners, one sentence a test.

use fake_github::{
    DEFAULT_GROUP, DeletionOfUsedGroups, MembershipState, Permission, RepoVisibility, Role, RunnerStatus,
    Visibility,
};
use serde_json::{Value, json};

use super::client::scene;

const GROUPS: &str = "/orgs/acme/actions/runner-groups";
const JIT: &str = "/orgs/acme/actions/runners/generate-jitconfig";

#[tokio::test]
async fn names_are_found_in_any_letter_case() {
    let scene = scene();
    for path in [
        "/orgs/ACME/teams/PlatForm",
        "/orgs/Acme/teams/platform/memberships/MONA",
        "/repos/ACME/Widgets",
        "/orgs/acme/memberships/Olga",
    ] {
        assert_eq!(scene.get(path).await.status, 200, "{path}");
    }
    scene.assert_in_order();
}

#[tokio::test]
async fn an_owner_in_a_team_is_reported_as_maintainer() {
    let scene = scene();
    let path = "/orgs/acme/teams/platform/memberships/olga";
    assert_eq!(scene.get(path).await.status, 404);
    scene.fake.world(|world| {
        let olga = world.user_by_login("olga").expect("olga").id;
        world.add_membership(scene.team, olga, Role::Member, MembershipState::Active);
    });
    assert_eq!(scene.get(path).await.json()["role"], "maintainer");
    scene.assert_in_order();
}

#[tokio::test]
async fn an_owner_outside_a_team_can_count_as_its_maintainer() {
    let scene = scene();
    scene.fake.world(|world| world.set_owners_are_in_every_team(true));
    let reply = scene.get("/orgs/acme/teams/platform/memberships/olga").await;
    assert_eq!((reply.status, reply.json()["role"].clone()), (200, json!("maintainer")));
    scene.assert_in_order();
}

#[tokio::test]
async fn an_invitation_is_pending_and_not_in_the_list_of_members() {
    let scene = scene();
    scene.fake.world(|world| {
        let pia = world.add_member("pia");
        world.add_membership(scene.team, pia, Role::Maintainer, MembershipState::Pending);
    });
    let reply = scene.get("/orgs/acme/teams/platform/memberships/pia").await.json();
    assert_eq!((&reply["role"], &reply["state"]), (&json!("maintainer"), &json!("pending")));
    let members = scene.get("/orgs/acme/teams/platform/members").await.json();
    let logins: Vec<&Value> =
        members.as_array().expect("a list").iter().map(|member| &member["login"]).collect();
    assert_eq!(logins, ["mona"]);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_maintainer_of_a_child_team_is_a_member_of_the_parent() {
    let scene = scene();
    scene.fake.world(|world| {
        let child = world.add_child_team("Kernel", scene.team);
        let linus = world.add_member("linus");
        world.add_maintainer(child, linus);
    });
    let place = scene.get("/orgs/acme/teams/platform/memberships/linus").await.json();
    assert_eq!((&place["role"], &place["state"]), (&json!("member"), &json!("active")));
    let inherited = scene.get("/orgs/acme/teams/platform/members?role=member").await.json();
    assert_eq!(inherited[0]["inherited"], true);
    let parent = scene.get("/orgs/acme/teams/kernel").await.json()["parent"]["slug"].clone();
    assert_eq!(parent, "platform");
    scene.assert_in_order();
}

#[tokio::test]
async fn a_child_team_has_the_repositories_of_its_parent() {
    let scene = scene();
    scene.fake.world(|world| world.add_child_team("Kernel", scene.team));
    let list = scene.get("/orgs/acme/teams/kernel/repos").await.json();
    assert_eq!((&list[0]["name"], &list[0]["role_name"]), (&json!("widgets"), &json!("write")));
    assert_eq!(scene.get("/orgs/acme/teams/kernel/repos/acme/widgets").await.status, 204);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_renamed_team_has_a_new_slug_and_the_old_number() {
    let scene = scene();
    let before = scene.get("/orgs/acme/teams/platform").await.json();
    scene.fake.world(|world| world.rename_team(scene.team, "Base Camp"));
    assert_eq!(scene.get("/orgs/acme/teams/platform").await.status, 404);
    assert_eq!(scene.get("/orgs/acme/teams/base-camp").await.json()["id"], before["id"]);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_renamed_repository_redirects_to_its_number() {
    let scene = scene();
    scene.fake.world(|world| world.rename_repository(scene.repo, "gizmos"));
    let moved = scene.get("/repos/acme/widgets").await;
    assert_eq!(moved.status, 301);
    let location = moved.header("location").replace(scene.fake.url(), "");
    assert_eq!(location, format!("/repositories/{}", scene.repo));
    assert_eq!(scene.get(&location).await.json()["name"], "gizmos");
    scene.assert_in_order();
}

#[tokio::test]
async fn the_highest_permission_on_a_repository_counts() {
    let scene = scene();
    let path = "/repos/acme/widgets/collaborators/mona/permission";
    assert_eq!(scene.get(path).await.json()["role_name"], "write");
    scene.fake.world(|world| world.add_collaborator(scene.repo, scene.mona, Permission::Maintain));
    let both = scene.get(path).await.json();
    assert_eq!((&both["permission"], &both["role_name"]), (&json!("write"), &json!("maintain")));
    scene.fake.world(|world| world.add_user("sam"));
    let none = scene.get("/repos/acme/widgets/collaborators/sam/permission").await.json();
    assert_eq!(none["permission"], "none");
    scene.assert_in_order();
}

#[tokio::test]
async fn the_second_page_is_linked() {
    let scene = scene();
    scene.fake.world(|world| {
        for number in 0..45 {
            world.add_runner(scene.group, &format!("more-{number}"), &[], RunnerStatus::Online);
        }
    });
    let path = format!("{GROUPS}/{}/runners", scene.group);
    let first = scene.get(&format!("{path}?per_page=20")).await;
    assert_eq!(first.json()["total_count"], 46);
    let url = scene.fake.url();
    let next = format!(
        "<{url}{path}?per_page=20&page=2>; rel=\"next\", <{url}{path}?per_page=20&page=3>; rel=\"last\""
    );
    assert_eq!(first.header("link"), next);
    let last = scene.get(&format!("{path}?per_page=20&page=3")).await;
    assert_eq!(last.json()["runners"].as_array().map(Vec::len), Some(6));
    assert!(last.header("link").contains("rel=\"prev\"") && !last.header("link").contains("rel=\"next\""));
    assert_eq!(scene.get(&path).await.json()["runners"].as_array().map(Vec::len), Some(30));
    let beyond = scene.get(&format!("{path}?page=9")).await.json();
    assert_eq!((&beyond["total_count"], &beyond["runners"]), (&json!(46), &json!([])));
    scene.assert_in_order();
}

#[tokio::test]
async fn a_page_holds_a_hundred_at_most() {
    let scene = scene();
    scene.fake.world(|world| {
        for number in 0..120 {
            world.add_group(&format!("group-{number}"), Visibility::All);
        }
    });
    let page = scene.get(&format!("{GROUPS}?per_page=500")).await;
    assert_eq!(page.json()["runner_groups"].as_array().map(Vec::len), Some(100));
    assert_eq!((page.json()["total_count"].clone(), page.header("link")), (json!(122), ""));
    scene.assert_answers_in_order();
}

#[tokio::test]
async fn groups_are_listed_for_a_repository_that_may_use_them() {
    let scene = scene();
    let names = |reply: Value| -> Vec<String> {
        let groups = reply["runner_groups"].as_array().expect("a list").clone();
        groups.iter().map(|group| group["name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    scene.fake.world(|world| {
        world.add_repository("open", RepoVisibility::Public);
        world.add_group("empty", Visibility::Selected);
    });
    let of = |repo: &str| format!("{GROUPS}?visible_to_repository={repo}");
    assert_eq!(names(scene.get(&of("widgets")).await.json()), ["Default", "platform"]);
    assert!(names(scene.get(&of("open")).await.json()).is_empty());
    scene.assert_in_order();
}

#[tokio::test]
async fn duplicate_group_names_are_refused_in_any_letter_case() {
    let scene = scene();
    scene.fake.world(|world| world.add_inherited_group("Shared"));
    for name in ["platform", "PLATFORM", "default", "shared"] {
        assert_eq!(scene.send("POST", GROUPS, json!({"name": name})).await.status, 409, "{name}");
    }
    let other = scene.send("POST", GROUPS, json!({"name": "other"})).await.json()["id"].clone();
    let path = format!("{GROUPS}/{other}");
    assert_eq!(scene.send("PATCH", &path, json!({"name": "Platform"})).await.status, 409);
    assert_eq!(scene.send("PATCH", &path, json!({"name": "OTHER"})).await.status, 200);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_new_group_is_open_to_all_unless_said_otherwise() {
    let scene = scene();
    let made = scene.send("POST", GROUPS, json!({"name": "open"})).await.json();
    assert_eq!((&made["visibility"], &made["default"]), (&json!("all"), &json!(false)));
    assert_eq!(made["selected_repositories_url"], Value::Null);
    scene.assert_in_order();
}

#[tokio::test]
async fn default_and_inherited_groups_are_not_deleted() {
    let scene = scene();
    let inherited = scene.fake.world(|world| world.add_inherited_group("Shared"));
    for group in [DEFAULT_GROUP, inherited] {
        assert_eq!(scene.act("DELETE", &format!("{GROUPS}/{group}")).await.status, 403);
        assert!(scene.fake.world(|world| world.group(group).is_some()));
    }
    scene.assert_in_order();
}

#[tokio::test]
async fn a_group_with_runners_is_not_deleted() {
    let scene = scene();
    assert_eq!(scene.act("DELETE", &format!("{GROUPS}/{}", scene.group)).await.status, 409);
    assert_eq!(scene.fake.world(|world| world.runners_of(scene.group)), ["one"]);
    scene.assert_in_order();
}

#[tokio::test]
async fn or_else_its_runners_land_in_default() {
    let scene = scene();
    scene.fake.world(|world| world.set_deletion_of_used_groups(DeletionOfUsedGroups::MovesRunnersToDefault));
    assert_eq!(scene.act("DELETE", &format!("{GROUPS}/{}", scene.group)).await.status, 204);
    assert_eq!(scene.fake.world(|world| world.runners_of(DEFAULT_GROUP)), ["one"]);
    scene.assert_in_order();
}

#[tokio::test]
async fn repositories_are_chosen_only_for_groups_of_selected_visibility() {
    let scene = scene();
    let open = scene.fake.world(|world| world.add_group("open", Visibility::All));
    let path = format!("{GROUPS}/{open}/repositories");
    assert_eq!(scene.act("PUT", &format!("{path}/{}", scene.repo)).await.status, 409);
    assert_eq!(scene.send("PUT", &path, json!({"selected_repository_ids": []})).await.status, 409);
    scene.assert_in_order();
}

#[tokio::test]
async fn a_busy_runner_is_not_deleted() {
    let scene = scene();
    let path = format!("/orgs/acme/actions/runners/{}", scene.runner);
    scene.fake.world(|world| world.set_runner_busy(scene.runner, true));
    assert_eq!(scene.act("DELETE", &path).await.status, 422);
    assert!(scene.fake.world(|world| world.runner(scene.runner).is_some()));
    scene.fake.world(|world| world.set_runner_busy(scene.runner, false));
    assert_eq!(scene.act("DELETE", &path).await.status, 204);
    assert!(scene.fake.world(|world| world.runners_of(scene.group).is_empty()));
    scene.assert_in_order();
}

#[tokio::test]
async fn a_jit_runner_needs_a_new_name_and_a_group_that_takes_runners() {
    let scene = scene();
    let (hosted, shared) = scene
        .fake
        .world(|world| (world.add_hosted_group("hosted", &[]), world.add_inherited_group("shared")));
    let wanted = |name: &str, group: u64| json!({"name": name, "runner_group_id": group, "labels": ["x"]});
    for (body, status) in [
        (wanted("ONE", scene.group.0), 409),
        (wanted("new", 777), 404),
        (wanted("new", hosted.0), 403),
        (wanted("new", shared.0), 403),
        (wanted(&"n".repeat(65), scene.group.0), 422),
    ] {
        let reply = scene.send("POST", JIT, body.clone()).await;
        assert_eq!(reply.status, status, "{body}: {}", reply.message());
    }
    scene.fake.world(|world| world.set_most_runners_in_a_group(1));
    let full = scene.send("POST", JIT, wanted("new", scene.group.0)).await;
    assert!(full.status == 422 && full.message().contains("max limit"), "{}", full.message());
    scene.assert_in_order();
}

#[tokio::test]
async fn wrong_bodies_are_refused() {
    let scene = scene();
    let group = scene.group.0;
    for (path, body, status) in [
        (JIT, json!({"name": "x", "runner_group_id": group, "labels": []}), 422),
        (JIT, json!({"name": "x", "labels": ["x"]}), 422),
        (JIT, json!({"runner_group_id": group, "labels": ["x"]}), 422),
        (GROUPS, json!({"visibility": "all"}), 422),
        (GROUPS, json!({"name": "x", "visibility": "secret"}), 422),
        (GROUPS, json!({"name": 7}), 422),
        (GROUPS, json!({"name": "x", "selected_repository_ids": [777]}), 422),
        (GROUPS, json!(["x"]), 400),
    ] {
        assert_eq!(scene.send("POST", path, body.clone()).await.status, status, "{body}");
    }
    assert_eq!(scene.fake.world(|world| world.groups().count()), 2);
    scene.assert_answers_in_order();
}

#[tokio::test]
async fn a_registration_token_lets_a_runner_into_any_group_for_an_hour() {
    let scene = scene();
    let token = scene.act("POST", "/orgs/acme/actions/runners/registration-token").await.json();
    let text = token["token"].as_str().expect("a token");
    let until = token["expires_at"].as_str().expect("a time");
    assert!(chrono::DateTime::parse_from_rfc3339(until).is_ok() && until.ends_with("-08:00"), "{until}");
    assert!(scene.fake.world(|world| world.register_runner(text, "two", Some(scene.group))).is_some());
    scene.fake.advance(std::time::Duration::from_secs(3601));
    assert!(scene.fake.world(|world| world.register_runner(text, "three", None)).is_none());
    scene.assert_in_order();
}
