//! While some of GitHub's answers are at fault at random, those who only read hardly notice, and nobody gets what is another's.

use std::collections::BTreeSet;

use fake_github::{Permission, RepoVisibility, RunnerStatus, TokenKind, Visibility, World};
use futures_util::future::join_all;
use serde_json::Value;

use crate::binary::within;
use crate::harness::{Answer, App};
use crate::load::unlimited;

/// One answer of GitHub's in so many is at fault.
const ONE_IN: u32 = 20;
const TEAMS: usize = 6;
const MAINTAINERS: usize = 3;
/// A round is one request of each maintainer, all of them side by side.
const ROUNDS: usize = 24;
/// Runners in each group: two pages of them.
const RUNNERS: usize = 120;
const READS: [&str; 3] = ["group-list", "runners-list", "group-show"];

/// A maintainer, and what belongs to their team.
struct Reader {
    token: String,
    team: String,
    repositories: BTreeSet<String>,
    runners: BTreeSet<String>,
}

fn world() -> (World, Vec<Reader>) {
    let mut world = World::new("acme");
    world.set_rate_limit(1_000_000);
    let mut readers = Vec::new();
    for number in 0..TEAMS {
        let name = format!("team-{number}");
        let (team, group) = (world.add_team(&name), world.add_group(&name, Visibility::Selected));
        let repositories: BTreeSet<_> = (0..3).map(|one| format!("{name}-repo-{one}")).collect();
        for repository in &repositories {
            let repository = world.add_repository(repository, RepoVisibility::Private);
            world.grant(team, repository, Permission::Push);
            world.add_repository_to_group(group, repository);
        }
        let runners: BTreeSet<_> = (0..RUNNERS).map(|one| format!("{name}-run-{one}")).collect();
        for runner in &runners {
            world.add_runner(group, runner, &["linux"], RunnerStatus::Online);
        }
        for maintainer in 0..MAINTAINERS {
            let user = world.add_member(&format!("{name}-user-{maintainer}"));
            world.add_maintainer(team, user);
            let token = world.add_token(user, TokenKind::Classic);
            let (team, repositories, runners) = (name.clone(), repositories.clone(), runners.clone());
            readers.push(Reader { token, team, repositories, runners });
        }
    }
    (world, readers)
}

impl Reader {
    async fn read(&self, app: &App, operation: &str) -> Answer {
        let answer = app.call("GET", operation, &self.token, &[("team", &self.team)]).await;
        assert!(answer.status == 200 || answer.status >= 500, "{operation}: {}", answer.text);
        if answer.status == 200 {
            self.gets_what_is_theirs(operation, &answer.response());
        }
        answer
    }

    fn gets_what_is_theirs(&self, operation: &str, shown: &Value) {
        let names = |list: &Value| -> BTreeSet<String> {
            let name = |entry: &Value| entry.get("name").unwrap_or(entry).as_str().unwrap().to_owned();
            list.as_array().unwrap().iter().map(name).collect()
        };
        match operation {
            "group-list" => {
                assert_eq!((names(&shown["repos"]), names(&shown["runners"])), self.all());
            }
            "runners-list" => assert_eq!(names(&shown["runners"]), self.runners),
            _ => {
                assert_eq!(
                    (&shown["team"]["slug"], &shown["runners"]["total"]),
                    (&self.team.as_str().into(), &RUNNERS.into())
                );
                assert_eq!(names(&shown["repositories"]), self.repositories);
            }
        }
    }

    fn all(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        (self.repositories.clone(), self.runners.clone())
    }
}

#[tokio::test]
async fn at_most_one_read_in_a_hundred_fails_and_everybody_gets_only_what_is_theirs() {
    let (world, readers) = world();
    let app = App::with(world, unlimited()).await.settled().await;
    app.fake.set_weather(ONE_IN, 2026);
    let (mut reads, mut failed) = (0, Vec::new());
    for round in 0..ROUNDS {
        let operation = |number: usize| READS[(round + number / MAINTAINERS) % READS.len()];
        let all = readers.iter().enumerate().map(|(number, reader)| reader.read(&app, operation(number)));
        let answers = within("a round of reads", join_all(all)).await;
        reads += answers.len();
        failed.extend(answers.into_iter().filter(|answer| answer.status != 200));
        // Now and then, what is known of callers and groups has to be asked again.
        app.clock.advance(std::time::Duration::from_secs(20));
    }
    let faults = app.fake.calls().iter().filter(|call| call.faulted).count();
    assert!(faults > 20, "{faults} faults in {} calls", app.fake.total_calls());
    assert!(failed.len() * 100 <= reads, "{} of {reads}: {failed:#?}", failed.len());
    app.fake.set_weather(0, 0);
    for reader in &readers {
        assert_eq!(reader.read(&app, "group-list").await.status, 200);
    }
}
