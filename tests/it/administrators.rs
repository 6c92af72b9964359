//! The isolation switch: what maintainers of `admin.team` may do on any managed group, and nobody else anywhere.

use actions_runner_manager::access::{Principal, Rights, ShownToken};
use actions_runner_manager::domain::reference::TeamReference;
use fake_github::{
    DEFAULT_GROUP, Fault, GroupId, MembershipState, Role, RunnerStatus, TokenKind, Visibility, World,
};
use serde_json::{Value, json};

use crate::access::{Operation, TEAM_OPERATIONS};
use crate::harness::{Answer, App};
use crate::scene::{Cast, acme_with_runners};

const RUNNER: &str = "/orgs/{org}/actions/runners/{runner_id}";

/// Those who are in the administrators' team, by their tokens.
struct Administrators {
    /// Maintains it.
    root: String,
    /// An ordinary member.
    member: String,
    /// Invited to maintain it.
    invited: String,
}

fn with_administrators() -> (World, Cast, Administrators, GroupId) {
    let (mut world, cast, group) = acme_with_runners();
    let team = world.add_team("platform-admins");
    let mut person = |login: &str, role, state| {
        let user = world.add_member(login);
        world.add_membership(team, user, role, state);
        world.add_token(user, TokenKind::Classic)
    };
    let administrators = Administrators {
        root: person("root", Role::Maintainer, MembershipState::Active),
        member: person("mel", Role::Member, MembershipState::Active),
        invited: person("ivy", Role::Maintainer, MembershipState::Pending),
    };
    let by_hand = world.add_group("by-hand", Visibility::Selected);
    world.add_runner(by_hand, "hand-1", &["self-hosted", "gpu"], RunnerStatus::Offline);
    (world, cast, administrators, group)
}

fn switched_on() -> Value {
    json!({ "admin": { "team": "Platform-Admins" } })
}

const ADMINISTRATIVE: [Operation; 3] = [
    ("GET", "group-list", &[]),
    ("GET", "runners-list", &[]),
    ("DELETE", "runners-remove", &[("offline", "true"), ("dry_run", "true")]),
];

fn with_team<'a>(team: &'a str, others: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    std::iter::once(("team", team)).chain(others.iter().copied()).collect()
}

fn names(app: &App) -> Vec<String> {
    app.fake.world(|world| world.runners().map(|runner| runner.name.clone()).collect())
}

#[track_caller]
fn told(answer: &Answer, list: &str) -> Vec<String> {
    let listed = answer.response()[list].take();
    let mut names: Vec<_> =
        listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// The one audit line, which has to say that an administrator's rights were used.
#[track_caller]
fn used(answer: &Answer) -> Value {
    let mut lines = answer.audit();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["as_administrator"], true, "{lines:?}");
    assert_eq!(lines[0]["user"], "root");
    lines.remove(0)
}

#[tokio::test]
async fn it_is_off_by_default() {
    let (world, _, administrators, _) = with_administrators();
    let app = App::start(world).await.settled().await;
    for (method, operation, others) in ADMINISTRATIVE {
        let root = &administrators.root;
        let everywhere = app.call(method, operation, root, &with_team("*", others)).await;
        everywhere.is_refused(400, "invalid_parameter");
        let one = app.call(method, operation, root, &with_team("payments", others)).await;
        one.is_refused(403, "not_a_maintainer");
        assert_eq!(one.audit()[0]["as_administrator"], Value::Null);
    }
}

#[tokio::test]
async fn an_administrator_sees_every_managed_group_and_each_use_is_written_down() {
    let (world, _, administrators, _) = with_administrators();
    let app = App::with(world, switched_on()).await;
    let root = &administrators.root;
    let all = app.call("GET", "runners-list", root, &with_team("*", &[])).await;
    let managed = ["busy-1", "gone-1", "idle-1", "search-1", "search-gone", "search-idle"];
    assert_eq!(told(&all, "runners"), managed);
    let response = all.response();
    let groups = response["runners"].as_array().unwrap().iter().map(|runner| runner["group"].as_str());
    assert!(groups.flatten().all(|group| ["payments", "search"].contains(&group)));
    let line = used(&all);
    assert_eq!((&line["team"], &line["outcome"]), (&json!("*"), &json!("success")));
    let one = app.call("GET", "runners-list", root, &with_team("payments", &[("status", "idle")])).await;
    assert_eq!(told(&one, "runners"), ["idle-1"]);
    assert_eq!(one.response()["runners"][0]["group"], Value::Null);
    assert_eq!(used(&one)["group"], "payments");
    let contents = app.call("GET", "group-list", root, &with_team("*", &[])).await;
    let response = contents.response();
    assert_eq!(response["repos"], json!(["index", "web"]));
    assert_eq!(response["runners"].as_array().unwrap().len(), managed.len());
    used(&contents);
    used(&app.call("GET", "group-list", root, &with_team("search", &[])).await);
}

#[tokio::test]
async fn in_an_incident_every_runner_with_a_label_goes_after_a_trial_run() {
    let (world, _, administrators, _) = with_administrators();
    let app = App::with(world, switched_on()).await;
    let root = &administrators.root;
    let before = names(&app);
    let chosen = [("labels", "gpu"), ("dry_run", "true")];
    let trial = app.call("POST", "runners-remove", root, &with_team("*", &chosen)).await;
    assert_eq!(told(&trial, "removed"), ["gone-1", "search-gone", "search-idle"]);
    let line = used(&trial);
    assert_eq!((&line["dry_run"], &line["runners"]), (&json!(true), &Value::Null));
    assert_eq!(names(&app), before);
    assert_eq!(app.fake.count("DELETE", RUNNER), 0);
    let real = app.call("POST", "runners-remove", root, &with_team("*", &chosen[..1])).await;
    assert_eq!(told(&real, "removed"), ["gone-1", "search-gone", "search-idle"]);
    let line = used(&real);
    let mut runners: Vec<String> = serde_json::from_value(line["runners"].clone()).unwrap();
    runners.sort();
    assert_eq!(runners, ["gone-1", "search-gone", "search-idle"]);
    let gone: Vec<_> = before.iter().filter(|name| !names(&app).contains(name)).collect();
    assert_eq!(gone, ["gone-1", "search-idle", "search-gone"]);
    let again = app.call("POST", "runners-remove", root, &with_team("*", &chosen[..1])).await;
    assert_eq!(told(&again, "removed"), Vec::<String>::new());
    used(&again);
}

#[tokio::test]
async fn default_inherited_and_unmanaged_groups_are_out_of_reach_for_administrators_too() {
    let (mut world, cast, administrators, _) = with_administrators();
    for name in ["default", "enterprise"] {
        let team = world.add_team(name);
        world.add_maintainer(team, cast.ada_id);
    }
    let app = App::by_name(world, switched_on()).await;
    let root = &administrators.root;
    let before = names(&app);
    for name in ["shared-gone", "corp-gone", "hand-1"] {
        let id = app.fake.world(|world| world.runner_by_name(name).unwrap().id.0.to_string());
        for chosen in [("names", name), ("ids", id.as_str())] {
            let answer = app.call("POST", "runners-remove", root, &with_team("*", &[chosen])).await;
            answer.is_refused(404, "runner_not_found");
            used(&answer);
        }
    }
    for (team, status, reason) in [
        ("default", 403, "group_protected"),
        ("enterprise", 403, "group_protected"),
        ("platform-admins", 404, "group_not_found"),
        ("by-hand", 403, "not_a_maintainer"),
        ("nonexistent", 403, "not_a_maintainer"),
    ] {
        let chosen = with_team(team, &[("offline", "true")]);
        app.call("POST", "runners-remove", root, &chosen).await.is_refused(status, reason);
    }
    let everywhere = with_team("*", &[("offline", "true")]);
    let answer = app.call("POST", "runners-remove", root, &everywhere).await;
    assert_eq!(told(&answer, "removed"), ["gone-1", "search-gone"]);
    let left = names(&app);
    assert_eq!(left.len(), before.len() - 2);
    assert_eq!(app.fake.world(|world| world.runners_of(DEFAULT_GROUP)), ["shared-idle", "shared-gone"]);
}

#[tokio::test]
async fn nobody_else_becomes_an_administrator() {
    let (world, cast, administrators, _) = with_administrators();
    let app = App::with(world, switched_on()).await.settled().await;
    for token in [&cast.ada, &cast.eve, &cast.bob, &cast.sam, &administrators.member, &administrators.invited]
    {
        for (method, operation, others) in ADMINISTRATIVE {
            let everywhere = app.call(method, operation, token, &with_team("*", others)).await;
            everywhere.is_refused(403, "not_a_maintainer");
            assert_eq!(everywhere.audit()[0]["as_administrator"], Value::Null);
        }
    }
    for (method, operation, others) in ADMINISTRATIVE {
        for team in ["search", "platform-admins", "nonexistent"] {
            let other = app.call(method, operation, &cast.ada, &with_team(team, others)).await;
            other.is_refused(403, "not_a_maintainer");
        }
        let own = app.call(method, operation, &cast.ada, &with_team("payments", others)).await;
        own.response();
        assert_eq!(own.audit(), Vec::<Value>::new(), "a maintainer's own reads leave no line");
    }
}

#[tokio::test]
async fn other_operations_take_no_heed_of_administrators() {
    let (world, _, administrators, _) = with_administrators();
    let app = App::with(world, switched_on()).await.settled().await;
    for (method, operation, others) in TEAM_OPERATIONS {
        if ADMINISTRATIVE.iter().any(|(_, administrative, _)| administrative == operation) {
            continue;
        }
        let root = &administrators.root;
        let one = app.call(method, operation, root, &with_team("payments", others)).await;
        one.is_refused(403, "not_a_maintainer");
        let all = app.call(method, operation, root, &with_team("*", others)).await;
        all.is_refused(400, "invalid_parameter");
    }
    assert!(app.fake.calls().iter().all(|call| call.method == "GET"));
}

#[tokio::test]
async fn the_order_of_checks_is_that_of_maintainers() {
    let (world, _, administrators, _) = with_administrators();
    let app = App::with(world, switched_on()).await;
    let root = &administrators.root;
    for team in ["payments", "*"] {
        let unknown = with_team(team, &[("offline", "true"), ("what", "1")]);
        app.call("POST", "runners-remove", root, &unknown).await.is_refused(400, "unknown_parameter");
        let missing = with_team(team, &[]);
        app.call("POST", "runners-remove", root, &missing).await.is_refused(400, "missing_parameter");
        let invalid = with_team(team, &[("ids", "x")]);
        app.call("POST", "runners-remove", root, &invalid).await.is_refused(400, "invalid_parameter");
    }
    for team in ["**", "* ", " *", "%2a", "*,payments", "payments,search", "?", "[a-z]"] {
        let odd = app.call("GET", "runners-list", root, &with_team(team, &[])).await;
        odd.is_refused(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn policy_teams_does_not_stand_in_an_administrators_way() {
    let (mut world, cast, administrators, _) = with_administrators();
    // Root also maintains search, which the policy keeps out.
    let root_id = world.user_by_login("root").unwrap().id;
    world.add_maintainer(cast.search, root_id);
    let mut config = switched_on();
    config["policy"] = json!({ "teams": { "deny": ["search", "payments"] } });
    let app = App::with(world, config).await;
    for team in ["search", "payments"] {
        let seen = app.call("GET", "runners-list", &administrators.root, &with_team(team, &[])).await;
        seen.response();
        used(&seen);
    }
    let eve = app.call("GET", "runners-list", &cast.eve, &with_team("search", &[])).await;
    eve.is_refused(403, "denied_by_policy");
}

#[tokio::test]
async fn a_configured_team_that_does_not_exist_makes_nobody_an_administrator() {
    let (world, _, administrators, _) = with_administrators();
    let app = App::with(world, json!({ "admin": { "team": "nonexistent" } })).await;
    for team in ["*", "payments"] {
        let answer = app.call("GET", "runners-list", &administrators.root, &with_team(team, &[])).await;
        answer.is_refused(403, "not_a_maintainer");
    }
}

#[tokio::test]
async fn a_group_that_cannot_be_read_is_an_error_and_one_that_went_meanwhile_is_none() {
    for (by_github, status) in [(403, 502), (404, 200)] {
        for (method, operation, others) in ADMINISTRATIVE {
            // Anew each time: a call that the failure before cut off may still be on its way, and would take the fault.
            let (world, _, administrators, _) = with_administrators();
            let app = App::with(world, switched_on()).await.settled().await;
            let runners = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners";
            app.fake.inject(Fault::on("GET", runners).error(by_github, "no").once());
            let answer = app.call(method, operation, &administrators.root, &with_team("*", others)).await;
            assert_eq!(answer.status, status, "{operation}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn an_authority_says_whether_it_is_a_maintainers_or_an_administrators() {
    let (mut world, cast, administrators, _) = with_administrators();
    let root = world.user_by_login("root").unwrap().id;
    let search = cast.search;
    world.add_maintainer(search, root);
    let app = App::with(world, switched_on()).await;
    let state = app.server.state();
    let team = |text| TeamReference::parse(text).unwrap();
    let token = ShownToken::from_header(&administrators.root).unwrap();
    let requester = state.authentication.identify(&token, [192, 0, 2, 1].into()).await.unwrap();
    let caller = requester.user().unwrap();
    let maintainer = state.organisation.teams.maintainer(caller, &team("search")).await.unwrap();
    let own = maintainer.under(&state.organisation.policy.load()).unwrap();
    let oversight =
        state.organisation.administrators.oversight(&state.organisation.teams, caller).await.unwrap();
    let other = state.organisation.teams.overseen(caller, &team("payments"), &oversight).await.unwrap();
    assert_eq!(own.rights(), Rights::OF_MAINTAINERS);
    assert_eq!((oversight.rights(), other.rights()), (Rights::OF_ADMINISTRATORS, Rights::OF_ADMINISTRATORS));
    for authority in [own, other] {
        assert!(matches!(authority.principal(), Principal::User(user) if user == caller));
    }
}
