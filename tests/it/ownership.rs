//! Whose a runner group is: by record, whatever it or its team is called.

mod administrators;
mod adoption;
mod creation;
mod dropping;
mod failing_store;
mod names;
mod open_groups;
mod records_file;

use std::time::Duration;

use fake_github::{GroupId, RunnerStatus, TeamId, TokenKind, Visibility, World};
use serde_json::{Value, json};

use crate::access::TEAM_OPERATIONS;
use crate::harness::App;
use crate::scene::{Cast, acme, acme_with_groups};

/// A maintainer who renames her team to take groups that no team has.
struct Attack {
    app: App,
    mallory: String,
    team: TeamId,
    /// A group of an owner's, for the repository `api`, with a runner.
    deployment: GroupId,
    /// A group of an owner's that every repository may use.
    shared: GroupId,
}

async fn attack(extra: Value) -> Attack {
    let (mut world, cast) = acme();
    let mallory = world.add_member("mallory");
    let token = world.add_token(mallory, TokenKind::Classic);
    let team = world.add_team("mallorys");
    world.add_maintainer(team, mallory);
    let deployment = world.add_group("prod-deploy", Visibility::Selected);
    world.add_repository_to_group(deployment, cast.api);
    world.add_runner(deployment, "prod-deploy-1", &["self-hosted", "prod"], RunnerStatus::Online);
    let shared = world.add_group("Shared-Linux", Visibility::All);
    world.add_runner(shared, "shared-linux-1", &["self-hosted"], RunnerStatus::Online);
    let app = App::with(world, extra).await.settled().await;
    Attack { app, mallory: token, team, deployment, shared }
}

/// Everything about the groups and runners of the organisation.
fn picture(app: &App) -> Vec<String> {
    app.fake.world(|world| {
        let groups = world.groups().map(|group| format!("{group:?}"));
        let runners = world.runners().map(|runner| format!("{runner:?}"));
        groups.chain(runners).collect()
    })
}

impl Attack {
    /// Renames the team to each of the owner's groups, and tries every operation.
    async fn is_in_vain(&self, expected: &dyn Fn(&str, u16, &str) -> bool) {
        let before = picture(&self.app);
        for name in ["prod-deploy", "Shared-Linux"] {
            self.app.fake.world(|world| world.rename_team(self.team, name));
            // What was remembered of the team's old name doesn't matter.
            for _ in 0..2 {
                for (method, operation, others) in TEAM_OPERATIONS {
                    if operation.starts_with("token-") {
                        continue;
                    }
                    let slug = name.to_ascii_lowercase();
                    let mut parameters = vec![("team", slug.as_str())];
                    parameters.extend(others.iter().copied());
                    let answer = self.app.call(method, operation, &self.mallory, &parameters).await;
                    let (status, reason) = answer.refusal();
                    assert!(
                        expected(operation, status, &reason),
                        "{operation}: {status} {reason}: {}",
                        answer.text
                    );
                }
            }
            assert_eq!(picture(&self.app), before, "nothing changed");
        }
        let kept =
            self.app.fake.world(|world| [self.deployment, self.shared].map(|id| world.group(id).is_some()));
        assert_eq!(kept, [true, true]);
    }
}

fn has_none(operation: &str, status: u16, reason: &str) -> bool {
    match operation {
        "group-add" | "group-create" => (status, reason) == (409, "group_exists"),
        // Where a second team is named, which she doesn't maintain either, that comes first.
        "runners-transfer" | "group-delete" if status == 403 => reason == "not_a_maintainer",
        _ => (status, reason) == (404, "group_not_found"),
    }
}

#[tokio::test]
async fn whoever_renames_their_team_gets_no_group_by_it() {
    attack(json!({})).await.is_in_vain(&has_none).await;
}

#[tokio::test]
async fn nor_without_a_store_where_names_hold_the_teams_id() {
    let extra = json!({ "store": { "url": "" }, "groups": { "name": "{team}-{id}" } });
    let attack = attack(extra).await;
    // Her team may have a group of its own, which is called as no owner would call one.
    attack.app.fake.world(|world| world.rename_team(attack.team, "prod-deploy"));
    let own = attack.app.call("POST", "group-add", &attack.mallory, &[("team", "prod-deploy")]).await;
    let name = format!("prod-deploy-{}", attack.team.0);
    assert_eq!(own.response(), format!("Runner group created successfully: {name}"));
    attack.app.call("DELETE", "group-delete", &attack.mallory, &[("team", "prod-deploy")]).await.response();
    for (method, operation, others) in TEAM_OPERATIONS {
        if operation.starts_with("token-") || ["group-add", "group-create"].contains(operation) {
            continue;
        }
        let parameters: Vec<_> =
            std::iter::once(("team", "prod-deploy")).chain(others.iter().copied()).collect();
        let answer = attack.app.call(method, operation, &attack.mallory, &parameters).await;
        let (status, reason) = answer.refusal();
        assert!(has_none(operation, status, &reason), "{}", answer.text);
    }
    let kept =
        attack.app.fake.world(|world| world.group(attack.deployment).map(|group| group.repositories.len()));
    assert_eq!(kept, Some(1));
}

#[tokio::test]
async fn a_renamed_team_keeps_its_group_and_a_team_that_takes_the_name_gets_nothing() {
    let (world, cast, group) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    let list = async |team: &str, token: &str| app.call("GET", "group-list", token, &[("team", team)]).await;
    let before = list("payments", &cast.ada).await.response();
    let newcomer = app.fake.world(|world| {
        world.rename_team(cast.payments, "billing");
        let eve = world.add_member("newcomer");
        let other = world.add_team("payments");
        world.add_maintainer(other, eve);
        world.add_token(eve, TokenKind::Classic)
    });
    // While everything about the old name is still remembered.
    list("payments", &newcomer).await.is_refused(404, "group_not_found");
    app.call("POST", "group-add", &newcomer, &[("team", "payments")]).await.is_refused(409, "group_exists");
    assert_eq!(list("billing", &cast.ada).await.response(), before);
    // And the group may be called anything.
    app.fake.world(|world| world.rename_group(group, "whatever"));
    app.clock.advance(Duration::from_mins(1));
    assert_eq!(list("billing", &cast.ada).await.response(), before);
    let shown = app.call("GET", "group-show", &cast.ada, &[("team", "billing")]).await.response();
    assert_eq!((&shown["group"]["name"], &shown["group"]["id"]), (&json!("whatever"), &json!(group.0)));
    list("payments", &newcomer).await.is_refused(404, "group_not_found");
}

#[tokio::test]
async fn a_recorded_group_is_found_by_its_id_in_one_call() {
    let (mut world, cast, _) = acme_with_groups();
    for number in 0..250 {
        world.add_group(&format!("other-{number}"), Visibility::Selected);
    }
    let app = App::start(world).await.settled().await;
    app.call("GET", "runners-list", &cast.ada, &[("team", "payments")]).await.response();
    assert_eq!(app.fake.count("GET", "/orgs/{org}/actions/runner-groups"), 0);
    assert_eq!(app.fake.count("GET", "/orgs/{org}/actions/runner-groups/{runner_group_id}"), 1);
}

#[tokio::test]
async fn a_recorded_group_that_became_default_or_inherited_is_protected() {
    let changes: [fn(&mut fake_github::Group); 2] =
        [|group| group.inherited = true, |group| group.default = true];
    for change in changes {
        let (world, cast, group) = acme_with_groups();
        let app = App::start(world).await;
        app.call("GET", "group-list", &cast.ada, &[("team", "payments")]).await.response();
        app.fake.world(|world| world.change_group(group, change));
        app.clock.advance(Duration::from_mins(1));
        app.call("GET", "group-list", &cast.ada, &[("team", "payments")])
            .await
            .is_refused(403, "group_protected");
    }
}

/// The world, its people, and somebody who administers the service.
pub fn with_administrator() -> (World, Cast, GroupId, String) {
    let (mut world, cast, group) = acme_with_groups();
    let root = world.add_member("root");
    let team = world.add_team("platform-admins");
    world.add_maintainer(team, root);
    let token = world.add_token(root, TokenKind::Classic);
    (world, cast, group, token)
}

pub fn administered() -> Value {
    json!({ "admin": { "team": "platform-admins" } })
}
