//! Who writes to a group and then reads it sees the write, whatever others read meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use fake_github::{Fault, Hold, Permission, RepoVisibility, RunnerStatus, TokenKind, Visibility, World};
use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::binary::within;
use crate::harness::{Answer, App};
use crate::load::unlimited;
use crate::scene::{Cast, acme_with_groups};

const GROUP: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}";
const GROUP_RUNNERS: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners";
const GROUP_REPOSITORIES: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/repositories";
const ADD_REPOSITORY: &str =
    "/orgs/{org}/actions/runner-groups/{runner_group_id}/repositories/{repository_id}";

/// A write to the group of payments, the list that shows it, and what is true of the group once it ended.
type Case =
    (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str, fn(&Value) -> bool);

/// Every write after which the group is still there.
const WRITES: &[Case] = &[
    ("PATCH", "repos-add", &[("repos", "api")], GROUP_REPOSITORIES, |shown| {
        shown["repos"] == json!(["web", "api"])
    }),
    ("PATCH", "repos-remove", &[("repos", "web")], GROUP_REPOSITORIES, |shown| shown["repos"] == json!([])),
    ("PATCH", "repos-set", &[("repos", "api")], GROUP_REPOSITORIES, |shown| shown["repos"] == json!(["api"])),
    ("DELETE", "runners-remove", &[("names", "idle-1")], GROUP_RUNNERS, |shown| {
        shown["runners"] == json!([])
    }),
    ("POST", "jitconfig-generate", &[("labels", "linux"), ("name", "payments-1")], GROUP_RUNNERS, |shown| {
        shown["runners"] == json!(["idle-1", "payments-1"])
    }),
    ("POST", "runners-transfer", &[("to", "search"), ("names", "idle-1")], GROUP_RUNNERS, |shown| {
        shown["runners"] == json!([])
    }),
];

/// Two teams, both of which Ada and Eve maintain. The group of payments has one runner.
fn shared() -> (World, Cast) {
    let (mut world, cast, group) = acme_with_groups();
    let eve = world.user_by_login("eve").unwrap().id;
    world.add_maintainer(cast.payments, eve);
    world.add_maintainer(cast.search, cast.ada_id);
    world.add_runner(group, "idle-1", &["linux"], RunnerStatus::Online);
    (world, cast)
}

async fn list(app: &App, token: &str, team: &str) -> Answer {
    app.call("GET", "group-list", token, &[("team", team)]).await
}

fn of_team<'a>(team: &'a str, others: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    std::iter::once(("team", team)).chain(others.iter().copied()).collect()
}

/// Ada's list of a team's group, which GitHub made out before `meanwhile` and which arrives after it.
async fn listed_before(
    app: &App,
    cast: &Cast,
    team: &str,
    path: &str,
    meanwhile: impl AsyncFnOnce(),
) -> Answer {
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", path).after_effect().hold(&hold).once());
    let rest = async {
        hold.arrived(1).await;
        meanwhile().await;
        hold.release();
    };
    within("the answers", async { tokio::join!(list(app, &cast.ada, team), rest) }).await.0
}

#[tokio::test]
async fn nobody_joins_a_list_from_before_their_own_write() {
    for (method, operation, others, path, is_so) in WRITES {
        let (world, cast) = shared();
        let app = App::start(world).await.settled().await;
        for token in [&cast.ada, &cast.eve] {
            app.call("POST", "token-register", token, &[("team", "payments")]).await.response();
        }
        let before = listed_before(&app, &cast, "payments", path, async || {
            app.call(method, operation, &cast.eve, &of_team("payments", others)).await.response();
            let shown = list(&app, &cast.eve, "payments").await.response();
            assert!(is_so(&shown), "{operation}: {shown}");
            let selected =
                app.call("GET", "runners-list", &cast.eve, &[("team", "payments")]).await.response();
            let names: Vec<_> =
                selected["runners"].as_array().unwrap().iter().map(|runner| runner["name"].clone()).collect();
            assert_eq!(json!(names), shown["runners"], "{operation}");
        })
        .await;
        // A runner that was removed here is shown no more, however old the list.
        let is_old = !is_so(&before.response());
        assert!(is_old || *operation == "runners-remove", "{operation}: {}", before.text);
        let after = list(&app, &cast.ada, "payments").await.response();
        assert!(is_so(&after), "{operation}: {after}");
    }
}

#[tokio::test]
async fn a_runner_is_seen_in_the_group_that_it_was_moved_to() {
    for (method, operation, others) in [
        ("POST", "runners-transfer", vec![("to", "search"), ("names", "idle-1")]),
        ("DELETE", "group-delete", vec![("transfer_to", "search")]),
    ] {
        let (world, cast) = shared();
        let app = App::start(world).await.settled().await;
        let before = listed_before(&app, &cast, "search", GROUP_RUNNERS, async || {
            app.call(method, operation, &cast.eve, &of_team("payments", &others)).await.response();
            let shown = list(&app, &cast.eve, "search").await.response();
            assert_eq!(shown["runners"], json!(["search-1", "idle-1"]), "{operation}");
        })
        .await;
        assert_eq!(before.response()["runners"], json!(["search-1"]), "{operation}");
    }
}

#[tokio::test]
async fn a_group_that_was_deleted_is_in_no_list_from_before() {
    let (world, cast) = shared();
    let app = App::start(world).await.settled().await;
    let before = listed_before(&app, &cast, "payments", GROUP_REPOSITORIES, async || {
        let parameters = of_team("payments", &[("remove_runners", "true")]);
        app.call("DELETE", "group-delete", &cast.eve, &parameters).await.response();
        list(&app, &cast.eve, "payments").await.is_refused(404, "group_not_found");
        app.call("POST", "group-add", &cast.eve, &[("team", "payments")]).await.response();
        let shown = list(&app, &cast.eve, "payments").await.response();
        assert_eq!(shown, json!({ "repos": [], "runners": [] }));
    })
    .await;
    assert!([200, 404].contains(&before.status), "{}", before.text);
    let shown = list(&app, &cast.ada, "payments").await.response();
    assert_eq!(shown, json!({ "repos": [], "runners": [] }));
}

#[tokio::test]
async fn nobody_joins_a_check_of_the_group_from_before_their_own_write() {
    let (world, cast) = shared();
    let app = App::start(world).await.settled().await;
    for token in [&cast.ada, &cast.eve] {
        list(&app, token, "payments").await.response();
    }
    let writing = Hold::new();
    app.fake.inject(Fault::on("PUT", ADD_REPOSITORY).after_effect().hold(&writing).once());
    let parameters = of_team("payments", &[("repos", "api")]);
    let write = app.call("PATCH", "repos-add", &cast.eve, &parameters);
    let (written, is_written) = tokio::sync::oneshot::channel();
    let write = async {
        write.await.response();
        written.send(()).unwrap();
    };
    let reads = async {
        writing.arrived(1).await;
        // What is remembered of the group is no longer good enough.
        app.clock.advance(Duration::from_mins(1));
        app.fake.clear_calls();
        listed_before(&app, &cast, "payments", GROUP, async || {
            writing.release();
            is_written.await.unwrap();
            let shown = list(&app, &cast.eve, "payments").await.response();
            assert_eq!(shown["repos"], json!(["web", "api"]));
            assert_eq!(app.fake.count("GET", GROUP), 1, "that of the other is still held");
        })
        .await
    };
    let ((), before) = within("the answers", Box::pin(async { tokio::join!(write, reads) })).await;
    before.response();
    assert_eq!(app.fake.count("GET", GROUP), 2);
}

/// Callers of each team, and what each of them does: a write, and then a read.
const CALLERS: usize = 4;
const STEPS: usize = 125;
/// GitHub takes up to so many milliseconds.
const LONGEST: u64 = 6;

/// Somebody who changes only what is their own: repositories and runners whose names begin alike.
struct Writer {
    token: String,
    team: &'static str,
    prefix: String,
    repositories: BTreeSet<String>,
    runners: BTreeSet<String>,
    made: usize,
    random: Rng,
}

impl Writer {
    /// An operation's response. There are too many to hold each against the description.
    async fn ask(&self, app: &App, method: &str, operation: &str, others: &[(&str, &str)]) -> Value {
        let request = app.request(method, &format!("/api/v1/{operation}"), &self.token);
        let answer = request.query(&of_team(self.team, others)).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{operation} {others:?}: {text}");
        serde_json::from_str::<Value>(&text).unwrap()["Response"].take()
    }

    async fn write(&mut self, app: &App) {
        let repository = format!("{}-repo-{}", self.prefix, self.random.usize(..3));
        let (method, operation, others) = match self.random.u8(..4) {
            0 => {
                self.repositories.insert(repository.clone());
                ("PATCH", "repos-add", vec![("repos", repository)])
            }
            1 => {
                self.repositories.remove(&repository);
                ("PATCH", "repos-remove", vec![("repos", repository)])
            }
            2 if !self.runners.is_empty() => {
                let name = self.runners.pop_first().unwrap();
                ("DELETE", "runners-remove", vec![("names", name)])
            }
            _ => {
                self.made += 1;
                let name = format!("{}-run-{}", self.prefix, self.made);
                self.runners.insert(name.clone());
                ("POST", "jitconfig-generate", vec![("name", name), ("labels", "linux".to_owned())])
            }
        };
        let others: Vec<_> = others.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.ask(app, method, operation, &others).await;
    }

    /// Those of these names that are this one's.
    fn own<'a>(&self, names: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
        let names = names.map(|name| name.as_str().unwrap());
        names.filter(|name| name.starts_with(&format!("{}-", self.prefix))).map(str::to_owned).collect()
    }

    async fn read(&mut self, app: &App) {
        if self.random.bool() {
            let shown = self.ask(app, "GET", "group-list", &[]).await;
            assert_eq!(self.own(shown["repos"].as_array().unwrap().iter()), self.repositories);
            assert_eq!(self.own(shown["runners"].as_array().unwrap().iter()), self.runners);
        } else {
            let shown = self.ask(app, "GET", "runners-list", &[]).await;
            let names = shown["runners"].as_array().unwrap().iter().map(|runner| &runner["name"]);
            assert_eq!(self.own(names), self.runners);
        }
    }

    async fn go_on(mut self, app: &App) {
        for _ in 0..STEPS {
            self.write(app).await;
            self.read(app).await;
        }
    }
}

/// Two teams with their groups, and those who will write to them.
fn writers() -> (World, Vec<Writer>) {
    let mut world = World::new("acme");
    world.set_rate_limit(1_000_000);
    let mut writers = Vec::new();
    for name in ["payments", "search"] {
        let team = world.add_team(name);
        world.add_group(name, Visibility::Selected);
        for number in 0..CALLERS {
            let prefix = format!("{name}-{number}");
            let user = world.add_member(&prefix);
            world.add_maintainer(team, user);
            for repository in 0..3 {
                let repository = format!("{prefix}-repo-{repository}");
                let repository = world.add_repository(&repository, RepoVisibility::Private);
                world.grant(team, repository, Permission::Push);
            }
            let token = world.add_token(user, TokenKind::Classic);
            let random = Rng::with_seed(writers.len() as u64 + 1);
            let (repositories, runners) = (BTreeSet::new(), BTreeSet::new());
            writers.push(Writer { token, team: name, prefix, repositories, runners, made: 0, random });
        }
    }
    (world, writers)
}

#[tokio::test]
async fn in_a_thousand_interleavings_no_read_misses_its_callers_own_earlier_write() {
    let (world, writers) = writers();
    let steps = writers.len() * STEPS;
    let app = App::with(world, unlimited()).await.settled().await;
    app.fake.set_record_bodies(false);
    let mut random = Rng::with_seed(2026);
    for _ in 0..4 * steps {
        let late = Fault::everywhere().delay(Duration::from_millis(random.u64(..=LONGEST))).once();
        // Before GitHub looks, or on the way back.
        app.fake.inject(if random.bool() { late.after_effect() } else { late });
    }
    let all = join_all(writers.into_iter().map(|writer| writer.go_on(&app)));
    within("a thousand writes and reads", all).await;
    assert_eq!(steps, 1_000);
}
