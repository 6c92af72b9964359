//! A group is deleted on one process while another registers a runner into it.

use fake_github::{DEFAULT_GROUP, DeletionOfUsedGroups, Fault, TokenKind};
use fastrand::Rng;
use tokio::sync::Mutex;

use super::*;
use crate::load::unlimited;

const TEAMS: usize = 20;
const ROUNDS: usize = 50;
/// GitHub takes up to so many milliseconds, and one of the two begins up to so many later.
const LONGEST: u64 = 6;
/// Within this time a process knows of a group that another made or deleted.
const KNOWN: Duration = Duration::from_secs(5);

/// A team, whose maintainer deletes its group and registers into it at once.
struct Team {
    name: String,
    token: String,
    random: Rng,
    /// How often the runner was there first, and how often the deletion.
    first: [usize; 2],
}

impl Team {
    async fn ask(
        &self,
        fleet: &Fleet,
        replica: usize,
        method: &str,
        operation: &str,
        more: &[(&str, &str)],
    ) -> (u16, String) {
        let team = [("team", self.name.as_str())];
        let parameters: Vec<_> = team.iter().chain(more).copied().collect();
        fleet.ask(replica, method, operation, &self.token, &parameters).await
    }

    async fn round(&mut self, fleet: &Fleet, round: usize) {
        let deleting = self.random.usize(..REPLICAS);
        let registering = (deleting + self.random.usize(1..REPLICAS)) % REPLICAS;
        // Its last group may have been deleted on another process.
        let makes = async || self.ask(fleet, deleting, "POST", "group-add", &[]).await.0 == 200;
        until(KNOWN, &format!("a new group of {} in round {round}", self.name), makes).await;
        let group = fleet.fake.world(|world| world.group_by_name(&self.name).unwrap().id);
        let knows = async || self.ask(fleet, registering, "GET", "group-list", &[]).await.0 == 200;
        until(KNOWN, "the new group on the other process", knows).await;
        let pauses = if self.random.bool() {
            [self.random.u64(..=LONGEST), 0]
        } else {
            [0, self.random.u64(..=LONGEST)]
        };
        let runner = format!("{}-{round}", self.name);
        let delete = async {
            tokio::time::sleep(Duration::from_millis(pauses[0])).await;
            self.ask(fleet, deleting, "DELETE", "group-delete", &[("remove_runners", "true")]).await
        };
        let register = async {
            tokio::time::sleep(Duration::from_millis(pauses[1])).await;
            let parameters = [("labels", "linux"), ("name", runner.as_str())];
            self.ask(fleet, registering, "POST", "jitconfig-generate", &parameters).await
        };
        let ((deleted, why), (registered, answer)) = tokio::join!(delete, register);
        let about = format!("{runner}: deletion {deleted} {why}, registration {registered} {answer}");
        fleet.fake.world(|world| {
            let runners = world.runners_of(DEFAULT_GROUP);
            assert!(!runners.contains(&runner), "in Default: {about}");
            let is_in = world.runner_by_name(&runner).map(|runner| runner.group);
            match (deleted, registered) {
                // It came after the look at what would be removed with the group, which then stays.
                (409, 200) => assert_eq!(is_in, Some(group), "{about}"),
                (200, 200 | 404) => {
                    assert_eq!((is_in, world.group(group).is_some()), (None, false), "{about}");
                }
                _ => panic!("{about}"),
            }
        });
        if deleted == 409 {
            let (status, text) =
                self.ask(fleet, registering, "DELETE", "group-delete", &[("remove_runners", "true")]).await;
            assert_eq!(status, 200, "{runner}: {text}");
        }
        self.first[usize::from(registered == 404)] += 1;
    }

    /// The first round of each team comes after that of another, so that no process has to make all its connections to the
    /// database at once, which takes a program that isn't optimised seconds.
    async fn go_on(mut self, fleet: &Fleet, first: &Mutex<()>) -> [usize; 2] {
        let alone = first.lock().await;
        self.round(fleet, 0).await;
        drop(alone);
        for round in 1..ROUNDS {
            self.round(fleet, round).await;
        }
        self.first
    }
}

fn teams() -> (World, Vec<Team>) {
    let mut world = World::new("acme");
    world.set_rate_limit(1_000_000);
    // The worse of the two things that GitHub may do.
    world.set_deletion_of_used_groups(DeletionOfUsedGroups::MovesRunnersToDefault);
    let team = |number: usize| {
        let name = format!("team-{number}");
        let team = world.add_team(&name);
        let user = world.add_member(&format!("user-{number}"));
        world.add_maintainer(team, user);
        let token = world.add_token(user, TokenKind::Classic);
        Team { name, token, random: Rng::with_seed(number as u64), first: [0, 0] }
    };
    let teams = (0..TEAMS).map(team).collect();
    (world, teams)
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn a_thousand_groups_are_deleted_on_one_while_another_registers_and_no_runner_lands_in_default() {
    let (world, teams) = teams();
    let fleet = Fleet::without_records(world, unlimited()).await;
    fleet.fake.set_record_bodies(false);
    let mut random = Rng::with_seed(2026);
    for _ in 0..10 * TEAMS * ROUNDS {
        let late = Fault::everywhere().delay(Duration::from_millis(random.u64(..=LONGEST))).once();
        // Before GitHub looks, or on the way back.
        fleet.fake.inject(if random.bool() { late.after_effect() } else { late });
    }
    let first = Mutex::new(());
    let all = teams.into_iter().map(|team| team.go_on(&fleet, &first));
    let outcomes = futures_util::future::join_all(all).await;
    let (registered, refused) =
        (outcomes.iter().map(|one| one[0]).sum::<usize>(), outcomes.iter().map(|one| one[1]).sum::<usize>());
    assert_eq!(registered + refused, TEAMS * ROUNDS);
    // Else it shows nothing.
    assert!(registered >= 50 && refused >= 50, "{registered} were there first, {refused} came too late");
    let left =
        fleet.fake.world(|world| world.runners().map(|runner| runner.name.clone()).collect::<Vec<_>>());
    assert_eq!(left, Vec::<String>::new());
}
