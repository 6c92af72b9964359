//! The sweep of offline runners, under a clock that the test moves.

use std::time::Duration;

use actions_runner_manager::config::OfflineSweep;
use actions_runner_manager::domain::sweep::SweepScope;
use actions_runner_manager::watch::Sweep;
use fake_github::{DEFAULT_GROUP, Fault, GroupId, Hold, RunnerId, RunnerStatus, Visibility, World};
use serde_json::{Value, json};

use crate::harness::{App, audit_lines};
use crate::scene::{Cast, acme_with_groups, acme_with_runners, runners_outside};

const RUNNER: &str = "/orgs/{org}/actions/runners/{runner_id}";
const GROUP_RUNNERS: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners";

const MINUTE: Duration = Duration::from_mins(1);

/// Every ten minutes, an hour offline, the groups of teams.
fn settings() -> OfflineSweep {
    OfflineSweep {
        enabled: true,
        every: 10 * MINUTE,
        offline_for: 60 * MINUTE,
        groups: SweepScope::Managed,
        dry_run: false,
    }
}

fn sweep_of(app: &App, settings: OfflineSweep) -> Sweep {
    Sweep::new(app.server.state().clone(), settings, app.clock.clone())
}

/// Sweeps every ten minutes until so much time went by; gives how many were removed.
async fn sweep_for(app: &App, sweep: &mut Sweep, minutes: u32) -> usize {
    let mut removed = 0;
    for _ in 0..minutes / 10 {
        app.clock.advance(10 * MINUTE);
        removed += sweep.once().await.removed;
    }
    removed
}

/// A sweep whose next run finds that what was offline from the start has been for long enough.
pub async fn until_due(app: &App) -> Sweep {
    let mut sweep = sweep_of(app, settings());
    sweep.once().await;
    sweep_for(app, &mut sweep, 50).await;
    app.clock.advance(10 * MINUTE);
    sweep
}

fn names(app: &App) -> Vec<String> {
    app.fake.world(|world| world.runners().map(|runner| runner.name.clone()).collect())
}

fn set(app: &App, name: &str, status: RunnerStatus) {
    app.fake.world(|world| {
        let id = world.runner_by_name(name).unwrap().id;
        world.set_runner_status(id, status);
    });
}

fn offline(world: &mut World, group: GroupId, name: &str) -> RunnerId {
    world.add_runner(group, name, &["linux"], RunnerStatus::Offline)
}

#[tokio::test]
async fn a_runner_goes_after_it_was_offline_for_long_enough_and_not_before() {
    let (world, _, group) = acme_with_runners();
    let app = App::start(world).await.settled().await;
    let before = app.fake.world(|world| runners_outside(world, group));
    let mut sweep = sweep_of(&app, settings());
    assert_eq!(sweep.once().await.removed, 0, "first seen");
    assert_eq!(sweep_for(&app, &mut sweep, 50).await, 0);
    app.clock.advance(9 * MINUTE + Duration::from_secs(59));
    assert_eq!(sweep.once().await.removed, 0);
    assert_eq!(app.fake.count("DELETE", RUNNER), 0);
    app.clock.advance(Duration::from_secs(1));
    // `search-gone` is in the group of a team, too; those of Default and of the enterprise are not.
    let report = sweep.once().await;
    assert_eq!((report.removed, report.waiting), (2, 0));
    assert_eq!(app.fake.world(|world| world.runners_of(group)), ["idle-1", "busy-1"]);
    let after = app.fake.world(|world| runners_outside(world, group));
    let gone: Vec<_> = before.iter().filter(|runner| !after.contains(runner)).collect();
    assert_eq!(gone.iter().map(|(_, name, _)| name.as_str()).collect::<Vec<_>>(), ["search-gone"]);
}

#[tokio::test]
async fn a_runner_that_comes_back_in_time_is_kept_and_counts_anew() {
    let (mut world, _, group) = acme_with_groups();
    offline(&mut world, group, "build-1");
    let app = App::start(world).await.settled().await;
    let mut sweep = sweep_of(&app, settings());
    sweep.once().await;
    sweep_for(&app, &mut sweep, 50).await;
    set(&app, "build-1", RunnerStatus::Online);
    assert_eq!(sweep_for(&app, &mut sweep, 10).await, 0);
    set(&app, "build-1", RunnerStatus::Offline);
    assert_eq!(sweep_for(&app, &mut sweep, 60).await, 0, "seen offline again after ten minutes of these");
    assert_eq!(sweep_for(&app, &mut sweep, 10).await, 1);
}

#[tokio::test]
async fn one_that_comes_online_between_the_list_and_the_second_look_is_kept() {
    let (mut world, _, group) = acme_with_groups();
    offline(&mut world, group, "build-1");
    offline(&mut world, group, "build-2");
    let app = App::start(world).await.settled().await;
    let mut sweep = until_due(&app).await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", RUNNER).hold(&hold).times(2));
    let meanwhile = async {
        hold.arrived(2).await;
        set(&app, "build-1", RunnerStatus::Online);
        hold.release();
    };
    let (report, ()) = tokio::join!(sweep.once(), meanwhile);
    assert_eq!((report.removed, report.waiting), (1, 0));
    assert_eq!(app.fake.world(|world| world.runners_of(group)), ["build-1"]);
    assert_eq!(app.fake.count("DELETE", RUNNER), 1);
}

#[tokio::test]
async fn one_that_was_moved_to_default_before_the_second_look_is_kept() {
    let (mut world, _, group) = acme_with_groups();
    let moved = offline(&mut world, group, "build-1");
    let app = App::start(world).await.settled().await;
    let mut sweep = until_due(&app).await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", RUNNER).hold(&hold));
    let meanwhile = async {
        hold.arrived(1).await;
        app.fake.world(|world| world.move_runner(moved, DEFAULT_GROUP));
        hold.release();
    };
    let (report, ()) = tokio::join!(sweep.once(), meanwhile);
    assert_eq!(report.removed, 0);
    assert_eq!(app.fake.world(|world| world.runners_of(DEFAULT_GROUP)), ["build-1"]);
}

#[tokio::test]
async fn one_that_somebody_else_removed_before_the_second_look_does_not_keep_the_others() {
    let (mut world, _, group) = acme_with_groups();
    let removed = offline(&mut world, group, "build-1");
    offline(&mut world, group, "build-2");
    let app = App::start(world).await.settled().await;
    let mut sweep = until_due(&app).await;
    let path = format!("/orgs/acme/actions/runners/{}", removed.0);
    app.fake.inject(Fault::on("GET", &path).error(404, "Not Found"));
    let report = sweep.once().await;
    assert_eq!((report.removed, report.waiting), (1, 0));
}

#[tokio::test]
async fn a_second_look_that_fails_removes_nothing_and_the_next_run_does() {
    let (mut world, _, group) = acme_with_groups();
    offline(&mut world, group, "build-1");
    let app = App::start(world).await.settled().await;
    let mut sweep = until_due(&app).await;
    app.fake.inject(Fault::on("GET", RUNNER).error(418, "no").once());
    let report = sweep.once().await;
    assert_eq!((report.removed, report.waiting), (0, 1));
    assert_eq!(sweep.once().await.removed, 1);
}

#[tokio::test]
async fn only_groups_of_current_teams_are_managed() {
    let (mut world, cast, _) = acme_with_groups();
    let by_hand = world.add_group("by-hand", Visibility::Selected);
    let old = world.add_team("old");
    let of_old = world.add_group("old", Visibility::Selected);
    let team = world.add_team("enterprise");
    world.add_maintainer(team, cast.ada_id);
    let enterprise = world.add_inherited_group("enterprise");
    let default = world.add_team("default");
    world.add_maintainer(default, cast.ada_id);
    for (group, name) in
        [(by_hand, "hand-1"), (of_old, "old-1"), (enterprise, "corp-1"), (DEFAULT_GROUP, "shared-1")]
    {
        offline(&mut world, group, name);
    }
    let app = App::by_name(world, json!({})).await.settled().await;
    let mut sweep = sweep_of(&app, settings());
    sweep.once().await;
    app.fake.world(|world| world.delete_team(old));
    assert_eq!(sweep_for(&app, &mut sweep, 120).await, 0);
    assert_eq!(app.fake.count("DELETE", RUNNER), 0);
}

#[tokio::test]
async fn groups_that_are_listed_are_swept_whatever_they_are_and_no_others() {
    let (world, _, group) = acme_with_runners();
    let app = App::start(world).await.settled().await;
    let named = SweepScope::Named(vec!["DEFAULT".into(), "enterprise".into(), "no-such-group".into()]);
    let mut sweep = sweep_of(&app, OfflineSweep { groups: named, ..settings() });
    sweep.once().await;
    assert_eq!(sweep_for(&app, &mut sweep, 60).await, 2);
    let left = names(&app);
    assert!(!left.contains(&"shared-gone".to_owned()) && !left.contains(&"corp-gone".to_owned()), "{left:?}");
    assert!(left.contains(&"search-gone".to_owned()) && left.contains(&"shared-idle".to_owned()));
    assert_eq!(app.fake.world(|world| world.runners_of(group)).len(), 3);
}

#[tokio::test]
async fn a_runner_for_one_job_that_never_came_online_counts_from_when_it_was_first_seen() {
    let (world, cast, group) = acme_with_groups();
    let app = App::start(world).await.settled().await;
    let mut sweep = sweep_of(&app, settings());
    sweep.once().await;
    sweep_for(&app, &mut sweep, 30).await;
    let parameters = [("team", "payments"), ("labels", "linux")];
    app.call("POST", "jitconfig-generate", &cast.ada, &parameters).await.response();
    assert_eq!(sweep_for(&app, &mut sweep, 60).await, 0);
    assert_eq!(sweep_for(&app, &mut sweep, 10).await, 1);
    assert_eq!(app.fake.world(|world| world.runners_of(group)), Vec::<String>::new());
}

#[tokio::test]
async fn a_restart_only_delays() {
    let (mut world, _, group) = acme_with_groups();
    offline(&mut world, group, "build-1");
    let app = App::start(world).await.settled().await;
    let mut before = sweep_of(&app, settings());
    before.once().await;
    sweep_for(&app, &mut before, 50).await;
    let mut after = sweep_of(&app, settings());
    assert_eq!(sweep_for(&app, &mut after, 60).await, 0);
    assert_eq!(sweep_for(&app, &mut after, 10).await, 1);
}

#[tokio::test]
async fn while_nobody_could_look_nothing_counts() {
    let (mut world, _, group) = acme_with_groups();
    offline(&mut world, group, "build-1");
    let app = App::start(world).await.settled().await;
    let mut sweep = sweep_of(&app, settings());
    sweep.once().await;
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).error(500, "Server Error"));
    // One failed run is no gap to speak of; two hours of an outage are.
    assert_eq!(sweep_for(&app, &mut sweep, 120).await, 0);
    app.fake.clear_faults();
    app.clock.advance(MINUTE);
    assert_eq!(sweep.once().await.removed, 0, "it may just have lost its connection, as all others");
    assert_eq!(sweep_for(&app, &mut sweep, 50).await, 0);
    assert_eq!(sweep_for(&app, &mut sweep, 10).await, 1);
}

#[tokio::test]
async fn a_group_that_could_not_be_read_once_keeps_its_count_and_the_others_are_swept() {
    let (mut world, _, group) = acme_with_groups();
    offline(&mut world, group, "build-1");
    let search = world.group_by_name("search").unwrap().id;
    offline(&mut world, search, "search-2");
    let app = App::start(world).await.settled().await;
    let mut sweep = sweep_of(&app, settings());
    sweep.once().await;
    sweep_for(&app, &mut sweep, 50).await;
    let path = format!("/orgs/acme/actions/runner-groups/{}/runners", group.0);
    app.fake.inject(Fault::on("GET", &path).error(500, "Server Error"));
    assert_eq!(sweep_for(&app, &mut sweep, 10).await, 1);
    assert!(!names(&app).contains(&"search-2".to_owned()));
    app.fake.clear_faults();
    assert_eq!(sweep_for(&app, &mut sweep, 10).await, 1);
}

#[tokio::test]
async fn busy_runners_stay_however_long_they_seem_offline() {
    let (mut world, _, group) = acme_with_groups();
    let busy = offline(&mut world, group, "build-1");
    world.set_runner_busy(busy, true);
    let app = App::start(world).await.settled().await;
    let mut sweep = sweep_of(&app, settings());
    sweep.once().await;
    assert_eq!(sweep_for(&app, &mut sweep, 120).await, 0);
    app.fake.world(|world| world.set_runner_busy(busy, false));
    assert_eq!(sweep_for(&app, &mut sweep, 10).await, 1);
}

#[tokio::test]
async fn one_run_removes_a_hundred_at_most() {
    let (mut world, _, group) = acme_with_groups();
    // More calls than GitHub allows in a minute.
    world.set_rate_limit(1_000_000);
    let search = world.group_by_name("search").unwrap().id;
    for number in 0..80 {
        offline(&mut world, group, &format!("build-{number}"));
        offline(&mut world, search, &format!("index-{number}"));
    }
    let app = App::start(world).await.settled().await;
    let mut sweep = until_due(&app).await;
    let first = sweep.once().await;
    assert_eq!((first.removed, first.waiting), (100, 60));
    let second = sweep.once().await;
    assert_eq!((second.removed, second.waiting), (60, 0));
}

#[tokio::test]
async fn a_trial_run_removes_nothing() {
    let (world, _, _) = acme_with_runners();
    let app = App::start(world).await.settled().await;
    let before = names(&app);
    let mut sweep = sweep_of(&app, OfflineSweep { dry_run: true, ..settings() });
    sweep.once().await;
    assert_eq!(sweep_for(&app, &mut sweep, 60).await, 2, "it would have been two");
    assert_eq!(names(&app), before);
    assert_eq!(app.fake.count("DELETE", RUNNER), 0);
}

#[tokio::test]
async fn two_replicas_that_sweep_at_once_do_no_harm() {
    let (mut world, _, group) = acme_with_groups();
    for number in 0..20 {
        offline(&mut world, group, &format!("build-{number}"));
    }
    world.add_runner(group, "alive-1", &["linux"], RunnerStatus::Online);
    let first = App::start(world).await.settled().await;
    let mut one = sweep_of(&first, settings());
    let mut other = sweep_of(&first, settings());
    tokio::join!(one.once(), other.once());
    for _ in 0..5 {
        first.clock.advance(10 * MINUTE);
        tokio::join!(one.once(), other.once());
    }
    first.clock.advance(10 * MINUTE);
    let hold = Hold::new();
    // Both have looked twice and are about to remove the same runners.
    first.fake.inject(Fault::on("DELETE", RUNNER).hold(&hold));
    let letting = async {
        hold.arrived(8).await;
        hold.release();
    };
    let (a, b, ()) = tokio::join!(one.once(), other.once(), letting);
    assert_eq!(a.removed + b.removed, 20, "each by one of them");
    assert_eq!(first.fake.world(|world| world.runners_of(group)), ["alive-1"]);
    first.clock.advance(10 * MINUTE);
    let (a, b) = tokio::join!(one.once(), other.once());
    assert_eq!((a.removed + b.removed, a.waiting + b.waiting), (0, 0));
}

#[tokio::test]
async fn what_it_did_is_written_down_as_the_systems_doing() {
    let (mut world, _, group) = acme_with_groups();
    offline(&mut world, group, "swept-with-an-audit-line");
    let app = App::start(world).await.settled().await;
    let mut sweep = sweep_of(&app, settings());
    sweep.once().await;
    assert_eq!(sweep_for(&app, &mut sweep, 60).await, 1);
    let mut lines = audit_lines("swept-with-an-audit-line");
    assert_eq!(lines.len(), 1);
    let call = app.fake.calls().into_iter().find(|call| call.method == "DELETE").unwrap();
    let expected = json!({
        "timestamp": null, "level": "info", "target": "audit", "message": "sweep: success", "operation": "sweep", "outcome": "success", "user": "system", "caller": "system",
        "group": "payments", "group_id": group.0, "runners": ["swept-with-an-audit-line"],
        "github_request_ids": [call.response_header("x-github-request-id").unwrap()],
        "time": null, "request_id": null,
    });
    for taken in ["timestamp", "time", "request_id"] {
        lines[0][taken] = Value::Null;
    }
    assert_eq!(lines[0], expected);
}

#[tokio::test]
async fn it_is_off_unless_switched_on_and_runs_by_itself_then() {
    let start = async |enabled: bool| {
        let (mut world, _, group): (World, Cast, GroupId) = acme_with_groups();
        offline(&mut world, group, "build-1");
        let sweep = json!({ "offlineRunners": { "enabled": enabled, "every": "1s", "offlineFor": "1s" } });
        App::with(world, json!({ "sweep": sweep })).await.settled().await
    };
    let (off, on) = (start(false).await, start(true).await);
    let twice = || {
        // The manual clock stands still but for this; looked at as often, it goes about as the system's.
        on.clock.advance(Duration::from_millis(10));
        !names(&on).contains(&"build-1".to_owned())
    };
    crate::binary::until("the sweep", twice).await;
    assert!(names(&off).contains(&"build-1".to_owned()));
    assert_eq!(off.fake.total_calls(), 0);
}
